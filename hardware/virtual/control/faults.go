package control

import (
	"encoding/hex"
	"errors"
	"time"

	"madoguchi/hardware/virtual"
)

var (
	errFaults   = errors.New("control: a fault is out of range")
	errNoCard   = errors.New("control: no card was placed")
	errNoCamera = errors.New("control: there is no camera here")
)

// The limits of faults that come from outside.
const (
	maxCommand = 1_000_000
	maxMS      = 600_000
	maxRules   = 32
	maxPrefix  = 64
)

// Faults is virtual.Faults as it travels: all of it may be left out, {} makes the card whole again. Commands count
// from 1, from the moment the faults are set.
type Faults struct {
	RemoveAt        int    `json:"remove_at,omitempty"`        // the card leaves during this command
	RemoveProcessed bool   `json:"remove_processed,omitempty"` // ... after it took effect
	MuteAt          int    `json:"mute_at,omitempty"`          // from this command on no answer
	DelayMS         int    `json:"delay_ms,omitempty"`         // every answer takes this long
	RefuseExtended  bool   `json:"refuse_extended,omitempty"`  // 6700 to extended commands
	BreakExtended   bool   `json:"break_extended,omitempty"`   // transport error at extended commands
	ExtendedDelayMS int    `json:"extended_delay_ms,omitempty"`
	FirstFails      bool   `json:"first_fails,omitempty"` // 6F00 to the first command after power-up
	Rules           []Rule `json:"rules,omitempty"`       // at most 32
}

// Rule is virtual.Rule as it travels.
type Rule struct {
	Prefix    string `json:"prefix"`        // hex, 1 to 64 bytes: the commands that begin so
	Nth       int    `json:"nth,omitempty"` // only the n-th match; 0 all
	SW        string `json:"sw,omitempty"`  // hex, 2 bytes: the answer
	Processed bool   `json:"processed,omitempty"`
	DelayMS   int    `json:"delay_ms,omitempty"`
	Cut       int    `json:"cut,omitempty"` // bytes of data that are missing
	Flip      bool   `json:"flip,omitempty"`
}

// card turns what came from outside into faults; numbers out of range are an error.
func (f *Faults) card() (virtual.Faults, error) {
	for _, n := range []struct{ value, most int }{
		{f.RemoveAt, maxCommand},
		{f.MuteAt, maxCommand},
		{f.DelayMS, maxMS},
		{f.ExtendedDelayMS, maxMS},
		{len(f.Rules), maxRules},
	} {
		if n.value < 0 || n.value > n.most {
			return virtual.Faults{}, errFaults
		}
	}
	out := virtual.Faults{
		RemoveAt: f.RemoveAt, RemoveProcessed: f.RemoveProcessed, MuteAt: f.MuteAt, Delay: milliseconds(f.DelayMS),
		RefuseExtended: f.RefuseExtended, BreakExtended: f.BreakExtended,
		ExtendedDelay: milliseconds(f.ExtendedDelayMS), FirstFails: f.FirstFails,
	}
	for _, r := range f.Rules {
		rule, err := r.card()
		if err != nil {
			return virtual.Faults{}, err
		}
		out.Rules = append(out.Rules, rule)
	}
	return out, nil
}

func (r *Rule) card() (virtual.Rule, error) {
	prefix, err := hex.DecodeString(r.Prefix)
	if err != nil || len(prefix) == 0 || len(prefix) > maxPrefix {
		return virtual.Rule{}, errFaults
	}
	sw, err := hex.DecodeString(r.SW)
	if err != nil || (len(sw) != 0 && len(sw) != 2) {
		return virtual.Rule{}, errFaults
	}
	if r.Nth < 0 || r.Nth > maxCommand || r.DelayMS < 0 || r.DelayMS > maxMS || r.Cut < 0 || r.Cut > 1<<16 {
		return virtual.Rule{}, errFaults
	}
	out := virtual.Rule{
		Prefix: prefix, Nth: r.Nth, Processed: r.Processed, Delay: milliseconds(r.DelayMS), Cut: r.Cut, Flip: r.Flip,
	}
	if len(sw) == 2 {
		out.SW = uint16(sw[0])<<8 | uint16(sw[1])
	}
	return out, nil
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }
