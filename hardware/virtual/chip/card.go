package chip

import (
	"bytes"
	"sync"
	"time"
)

// Card is one virtual card. It may be used by several goroutines; it lies on one reader at a time. Try counters
// live as long as the Card, over any number of power cycles, as on a real one.
type Card struct {
	mu          sync.Mutex
	layout      Layout
	atr         []byte
	powered     bool
	first       bool // the next command is the first one after power-up
	selected    *Application
	current     *File
	verified    map[*File]bool
	stats       Stats
	faults      Faults
	sinceSet    int           // commands since SetFaults
	pupi        []byte        // drawn at power-up
	pending     []byte        // T=0: the part of an answer that GET RESPONSE will fetch
	session     messaging     // secure messaging
	admitted    bool          // a terminal's certificate was accepted
	certificate []byte        // its first part, while the second is waited for
	took        time.Duration // how long the command in hand takes
}

// New makes a card. The layout is copied, so one layout can make any number of cards.
func New(l Layout) *Card {
	return &Card{layout: l.clone(), atr: bytes.Clone(l.ATR), verified: map[*File]bool{}}
}

// ATR is what the card answers to power, nil for a dead card.
func (c *Card) ATR() []byte {
	if c.layout.Dead {
		return nil
	}
	return bytes.Clone(c.atr)
}

// PowerOn gives the card power and returns its ATR; nil when it does not answer. A powered card is left alone.
func (c *Card) PowerOn() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.layout.Dead {
		return nil
	}
	if !c.powered {
		c.powered, c.first = true, true
		c.stats.PowerOns++
		c.pupi = anotherPUPI(c.pupi)
	}
	return bytes.Clone(c.atr)
}

// PowerOff takes power away, and with it the selection and every verified PIN.
func (c *Card) PowerOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.powerOff()
}

func (c *Card) powerOff() {
	if c.powered {
		c.stats.PowerOffs++
	}
	c.powered, c.selected, c.current, c.pending = false, nil, nil, nil
	c.session.end()
	c.dropRights()
}

// dropRights takes back what PINs and certificates have opened.
func (c *Card) dropRights() {
	clear(c.verified)
	c.admitted, c.certificate = false, nil
}

// Reset is the warm reset. Real cards are reported to keep verified PINs over it, so this one keeps everything but
// the rest of a T=0 answer, which belongs to the transmission: only PowerOff is a safe end.
func (c *Card) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = nil
	c.stats.Resets++
}

// Answer is what happens after a command: the response, what the reader sees of it and when.
type Answer struct {
	Data  []byte        // response with status word; nil when Mute or Gone
	Delay time.Duration // how long the card takes
	Mute  bool          // the card lies there and never answers
	Gone  bool          // the card leaves the reader in mid-command

	// Broken is a transport error of the reader: the command did not reach the card, which lies there as before.
	Broken bool
}

// Exchange processes one command APDU. Whatever the bytes are, it answers with a status word; only faults (and a
// card without power) leave the reader without an answer.
func (c *Card) Exchange(cmd []byte) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.powered {
		return Answer{Mute: true}
	}
	c.stats.APDUs++
	c.stats.Sent += len(cmd)
	c.sinceSet++
	c.took = 0
	a := c.withFaults(cmd)
	a.Delay += c.took
	c.stats.Bytes += max(0, len(a.Data)-2)
	return a
}

// process executes a command without faults.
func (c *Card) process(raw []byte) []byte {
	if c.layout.Only != 0 {
		return status(c.layout.Only)
	}
	if c.layout.TPDU {
		return c.tpdu(raw)
	}
	cmd, ok := parse(raw)
	if !ok {
		return status(swLength)
	}
	return c.execute(cmd)
}

// execute does what a well-formed command asks for.
func (c *Card) execute(cmd command) []byte {
	if sw := c.class(cmd); sw != 0 {
		return status(sw)
	}
	switch cmd.cla {
	case 0x80:
		return c.proprietary(cmd)
	case classSecure, 0x0C:
		return c.secure(cmd)
	}
	switch cmd.ins {
	case insSelect:
		return c.selectFile(cmd)
	case insRead:
		return c.readBinary(cmd)
	case 0xB2:
		return c.readRecord(cmd)
	case insVerify:
		return c.verify(cmd)
	case 0x24:
		return c.change(cmd, false)
	case 0x84:
		return c.challenge(cmd)
	case 0x88:
		return c.authenticate(cmd)
	case 0xCA:
		return c.getData(cmd)
	}
	return status(swInstruction)
}

// proprietary executes the commands of class 80.
func (c *Card) proprietary(cmd command) []byte {
	switch cmd.ins {
	case 0x2A:
		return c.sign(cmd)
	case 0x32:
		return c.change(cmd, true)
	case 0xA2:
		return c.terminal(cmd)
	case 0xAE:
		return c.setSessionKey(cmd)
	}
	return status(swInstruction)
}

// class refuses classes that the card does not know; 0 is a good class.
func (*Card) class(cmd command) uint16 {
	switch {
	case cmd.cla == 0x00 || cmd.cla == 0x80 || cmd.cla == classSecure || cmd.cla == 0x0C:
		return 0
	case cmd.cla < 0x04:
		return swChannel
	}
	return swClass
}

// allowed tells whether a file's data may be read or its key be used now.
func (c *Card) allowed(f *File) bool {
	return f.Access == nil || (f.Terminal && c.admitted) || c.presented(f.Access)
}

// presented tells whether one of these PINs of the selected application is verified.
func (c *Card) presented(a Access) bool {
	for _, id := range a {
		if f := c.selected.file(id); f != nil && c.verified[f] {
			return true
		}
	}
	return false
}
