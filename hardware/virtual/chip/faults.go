package chip

import (
	"bytes"
	"time"
)

// Faults is what goes wrong. Command numbers count from 1 and start anew with each SetFaults.
type Faults struct {
	RemoveAt        int           // the card leaves during this command; 0 never
	RemoveProcessed bool          // ... after the command took effect: a PIN try is spent, the answer is lost
	MuteAt          int           // from this command on the card never answers; 0 never
	Delay           time.Duration // every answer takes this long
	RefuseExtended  bool          // 6700 to every command in extended form
	BreakExtended   bool          // a transport error of the reader at every command in extended form
	ExtendedDelay   time.Duration // a command in extended form takes this much longer
	FirstFails      bool          // 6F00 to the first command after power-up
	Rules           []Rule
}

// Rule gives a wrong answer to the commands that begin with Prefix.
type Rule struct {
	Prefix    []byte
	Nth       int    // only the n-th match since SetFaults; 0 all of them
	SW        uint16 // the answer; 0 leaves the true answer
	Processed bool   // the command takes effect all the same
	Delay     time.Duration
	Cut       int  // this many bytes of the data are missing (the status word stays)
	Flip      bool // the last byte of the data is changed
	seen      int
}

// SetFaults replaces all faults and restarts the count of commands.
func (c *Card) SetFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.Rules = append([]Rule(nil), f.Rules...)
	c.faults, c.sinceSet = f, 0
}

// withFaults processes a command under the faults that are set.
func (c *Card) withFaults(cmd []byte) Answer {
	f := &c.faults
	first := c.first
	c.first = false
	switch {
	case f.RemoveAt > 0 && c.sinceSet == f.RemoveAt:
		if f.RemoveProcessed {
			c.process(cmd)
		}
		c.powerOff()
		return Answer{Gone: true}
	case f.MuteAt > 0 && c.sinceSet >= f.MuteAt:
		return Answer{Mute: true}
	case (f.FirstFails || c.layout.FirstFails) && first:
		return Answer{Data: status(swNoDiagnosis), Delay: f.Delay}
	case f.BreakExtended && isExtended(cmd):
		return Answer{Broken: true, Delay: f.Delay}
	case f.RefuseExtended && isExtended(cmd):
		return Answer{Data: status(swLength), Delay: f.Delay}
	}
	delay := f.Delay
	if isExtended(cmd) {
		delay += f.ExtendedDelay
	}
	if r := f.rule(cmd); r != nil {
		a := r.apply(func() []byte { return c.process(cmd) })
		a.Delay += delay
		return a
	}
	return Answer{Data: c.process(cmd), Delay: delay}
}

func isExtended(cmd []byte) bool {
	p, ok := parse(cmd)
	return ok && p.extended
}

// rule finds the first rule that applies and counts the matches of all.
func (f *Faults) rule(cmd []byte) *Rule {
	var found *Rule
	for i := range f.Rules {
		r := &f.Rules[i]
		if !bytes.HasPrefix(cmd, r.Prefix) {
			continue
		}
		r.seen++
		if found == nil && (r.Nth == 0 || r.Nth == r.seen) {
			found = r
		}
	}
	return found
}

func (r *Rule) apply(process func() []byte) Answer {
	if r.SW != 0 {
		if r.Processed {
			process()
		}
		return Answer{Data: status(r.SW), Delay: r.Delay}
	}
	out := process()
	n := len(out) - 2
	if r.Flip && n > 0 {
		out[n-1] ^= 0x01
	}
	if cut := min(r.Cut, n); cut > 0 {
		out = append(out[:n-cut:n-cut], out[n:]...)
	}
	return Answer{Data: out, Delay: r.Delay}
}
