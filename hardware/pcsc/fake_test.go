package pcsc

import (
	"sync"
	"time"
)

// fake is pcscd in memory, for what the real one cannot be made to do on demand.
type fake struct {
	mu       sync.Mutex
	down     bool
	names    []string
	events   map[string]uint32
	connects []code // answers of coming connects; 0 and none left is success
	proto    protocol
	answer   func([]byte) ([]byte, error)
	changed  chan struct{}
	hang     time.Duration // every wait takes this long, and hears no cancel

	established, released, disconnected, unpowered int

	disposed []bool // unpower of each disconnect, in order
}

func newFake(names ...string) *fake {
	f := &fake{names: names, events: map[string]uint32{}, proto: protocolT1, changed: make(chan struct{})}
	for _, name := range names {
		f.events[name] = flagEmpty
	}
	return f
}

// change does something and wakes all waits.
func (f *fake) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

// set gives a reader new flags and counts n events.
func (f *fake) set(name string, flags uint32, n uint32) {
	f.change(func() { f.events[name] = (f.events[name]>>16+n)<<16 | flags })
}

func (f *fake) establish() (pcscContext, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, code(0x8010001D)
	}
	f.established++
	return &fakeContext{f: f, cancelled: make(chan struct{}, 100)}, nil
}

type fakeContext struct {
	f         *fake
	cancelled chan struct{}
}

func (c *fakeContext) readers() ([]string, error) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	switch {
	case c.f.down:
		return nil, code(0x8010001D)
	case len(c.f.names) == 0:
		return nil, codeNoReaders
	}
	return append([]string(nil), c.f.names...), nil
}

func (c *fakeContext) wait(states []readerState, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	c.f.mu.Lock()
	hang := c.f.hang
	c.f.mu.Unlock()
	time.Sleep(hang)
	for {
		c.f.mu.Lock()
		if c.f.down {
			c.f.mu.Unlock()
			return code(0x80100013)
		}
		news := false
		for i := range states {
			if states[i].name == pnpReader {
				news = news || len(states)-1 != len(c.f.names)
				continue
			}
			event, known := c.f.events[states[i].name]
			if !known {
				event = flagUnknown
			}
			if event != states[i].current {
				news = true
				states[i].event, states[i].atr = event|flagChanged, nil
				if event&flagPresent != 0 {
					states[i].atr = []byte{0x3B, 0x00}
				}
			}
		}
		changed := c.f.changed
		c.f.mu.Unlock()
		if news {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return codeTimeout
		case <-c.cancelled:
			return codeCancelled
		}
	}
}

func (c *fakeContext) connect(string) (handle, error) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if len(c.f.connects) > 0 {
		answer := c.f.connects[0]
		if len(c.f.connects) > 1 || answer == 0 {
			c.f.connects = c.f.connects[1:]
		}
		if answer != 0 {
			return nil, answer
		}
	}
	return &fakeHandle{c.f}, nil
}

func (c *fakeContext) cancel() {
	select {
	case c.cancelled <- struct{}{}:
	default:
	}
}

func (c *fakeContext) release() {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.released++
}

type fakeHandle struct{ f *fake }

func (h *fakeHandle) protocol() protocol { return h.f.proto }

func (h *fakeHandle) transmit(command []byte) ([]byte, error) { return h.f.answer(command) }

func (h *fakeHandle) disconnect(unpower bool) error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	h.f.disconnected++
	h.f.disposed = append(h.f.disposed, unpower)
	if unpower {
		h.f.unpowered++
	}
	return nil
}
