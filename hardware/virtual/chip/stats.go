package chip

import (
	"fmt"
	"maps"
)

// Stats counts what was done to a card. The keys are application and file, e.g. "0408/0001". A read or a VERIFY
// is counted when it is tried, whether or not the card allowed it.
type Stats struct {
	APDUs     int            `json:"apdus"`
	Sent      int            `json:"sent"`  // bytes of all commands, whole
	Bytes     int            `json:"bytes"` // bytes of data in all answers, without the status words
	PowerOns  int            `json:"power_ons"`
	PowerOffs int            `json:"power_offs"`
	Resets    int            `json:"resets"`
	Selects   map[string]int `json:"selects"`  // by application
	Reads     map[string]int `json:"reads"`    // READ BINARY and READ RECORD
	Verifies  map[string]int `json:"verifies"` // VERIFY with data: each may cost a try
	Queries   map[string]int `json:"queries"`  // VERIFY without data: never costs one
	Signs     map[string]int `json:"signs"`
	Changes   map[string]int `json:"changes"`
}

// ReadsOf is the number of reads in one application, e.g. "0401" for 住基, which must stay 0.
func (s Stats) ReadsOf(application string) int {
	n := 0
	for k, v := range s.Reads {
		if len(k) > len(application) && k[:len(application)+1] == application+"/" {
			n += v
		}
	}
	return n
}

// AllVerifies is the number of VERIFY commands with data.
func (s Stats) AllVerifies() int {
	n := 0
	for _, v := range s.Verifies {
		n += v
	}
	return n
}

func (*Stats) count(m *map[string]int, key string) {
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[key]++
}

func (c *Card) name(f *File) string { return fmt.Sprintf("%s/%04X", c.selected.Name, f.ID) }

// Stats is a copy of the counters.
func (c *Card) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	for _, m := range []*map[string]int{&s.Selects, &s.Reads, &s.Verifies, &s.Queries, &s.Signs, &s.Changes} {
		*m = maps.Clone(*m)
	}
	return s
}

// ResetStats begins to count anew and returns what was counted until now. Tries and power are left alone.
func (c *Card) ResetStats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	c.stats = Stats{}
	return s
}

// Tries looks at all try counters from outside, by application and file as in Stats; nil for a card without PINs.
func (c *Card) Tries() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out map[string]int
	for i := range c.layout.Applications {
		a := &c.layout.Applications[i]
		for j := range a.Files {
			if f := &a.Files[j]; f.isPIN() {
				if out == nil {
					out = map[string]int{}
				}
				out[fmt.Sprintf("%s/%04X", a.Name, f.ID)] = f.PIN.Left
			}
		}
	}
	return out
}

// TriesLeft looks at a try counter from outside, e.g. TriesLeft("0408", 0x0011); -1 when there is no such PIN.
func (c *Card) TriesLeft(application string, file uint16) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.layout.Applications {
		if a := &c.layout.Applications[i]; a.Name == application {
			if f := a.file(file); f != nil && f.isPIN() {
				return f.PIN.Left
			}
		}
	}
	return -1
}
