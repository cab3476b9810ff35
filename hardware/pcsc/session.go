package pcsc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/reader"
)

// closeGrace is how long Close waits for a command that was given up.
const closeGrace = time.Second

// session implements reader.Session on a context of its own.
type session struct {
	reader  *Reader
	pc      pcscContext
	h       handle
	pending *call[[]byte] // a command that was given up; nothing can be sent any more
	closed  bool
	name    string // of the reader
	healthy bool   // every command brought a status word
	again   bool   // the last command did, after one that had not

	lost    bool   // the last command found no card
	lostSeq uint64 // the level then
}

var _ reader.Session = (*session)(nil)

// Transmit implements reader.Session. A command that is given up, by ctx or by Options.TransmitLimit, ends with
// ErrTimeout (and with ctx.Err() too), and so do all commands after it. After another error the session may be
// tried again: a reader that refuses one large command often goes on with short ones. But it is not healthy any
// more, see Close.
//
// Extended commands on a T=0 connection are answered with status 6700 here, as ISO 7816-4 has it for lengths that
// cannot be: T=0 has no extended form, and at least one driver hangs for minutes on it.
func (s *session) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	switch {
	case s.closed:
		return nil, reader.ErrClosed
	case s.pending != nil:
		return nil, reader.ErrTimeout
	case len(command) < 4:
		return nil, ErrCommand
	case s.h.protocol() == protocolNone:
		return nil, reader.ErrTimeout
	case s.h.protocol() == protocolT0 && apdu.IsExtended(command):
		return []byte{0x67, 0x00}, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	own := wire(s.h.protocol(), command)
	sent := begin(func() ([]byte, error) {
		defer clear(own) // it may hold a PIN
		return s.h.transmit(own)
	})
	timer := time.NewTimer(s.reader.opt.TransmitLimit)
	defer timer.Stop()
	select {
	case res := <-sent.done:
		return s.take(res)
	case <-timer.C:
		s.giveUp(sent)
		return nil, reader.ErrTimeout
	case <-ctx.Done():
		s.giveUp(sent)
		return nil, fmt.Errorf("%w: %w", reader.ErrTimeout, ctx.Err())
	}
}

// wire is a copy of the command in the form that the protocol carries. T=0 knows headers of five bytes and data in
// one direction: a command of four bytes gets P3 = 00, and one with data loses its Le, whose answer the card then
// announces by 61xx (ISO/IEC 7816-3, 12.2). Not every driver does that by itself.
func wire(p protocol, command []byte) []byte {
	own := make([]byte, 0, len(command)+1)
	own = append(own, command...)
	switch {
	case p != protocolT0:
	case len(own) == 4:
		own = append(own, 0)
	case len(own) > 6 && len(own) == 5+int(own[4])+1:
		own = own[:len(own)-1]
	}
	return own
}

// giveUp leaves a command that does not return to itself.
func (s *session) giveUp(sent *call[[]byte]) {
	s.pending = sent
	s.reader.abandoned.Add(1)
}

// take judges what the library returned. vpcd reports a card that was pulled as success without a single byte.
func (s *session) take(res result[[]byte]) ([]byte, error) {
	err := reader.ErrCardLost
	switch {
	case res.err != nil:
		err = transmitError(res.err)
	case len(res.value) >= 2:
		s.lost, s.again = false, !s.healthy
		s.reader.settleDoubt()
		return res.value, nil
	}
	s.healthy, s.again = false, false
	if lost := errors.Is(err, reader.ErrCardLost); !lost || !s.lost {
		s.lost, s.lostSeq = lost, s.reader.level()
	}
	return nil, err
}

// Close implements reader.Session. A healthy card is powered off, which clears its verified PINs; after an error
// it is left alone, because a reset then can wedge the reader. A card that went on to answer after an error may hold
// verified PINs: it is left alone too, and then taken once more and powered off by that clean connection. When a
// command still hangs, Close returns ErrTimeout and the card is given back as soon as the command returns.
func (s *session) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.pending != nil && !s.settle() {
		return reader.ErrTimeout
	}
	if s.lost {
		s.reader.setDoubt(s.lostSeq)
	}
	pc, h, name, unpower, again := s.pc, s.h, s.name, s.healthy, s.again
	_, err := await(context.Background(), s.reader, callLimit, func() (struct{}, error) {
		err := h.disconnect(unpower)
		if again {
			if clean, err := pc.connect(name); err == nil {
				_ = clean.disconnect(true)
			}
		}
		pc.release()
		return struct{}{}, err
	}, func(struct{}, error) {})
	if err == nil || !unpower || errors.Is(err, codeRemoved) || errors.Is(err, codeNoCard) {
		return nil // a card that is gone is powered off
	}
	return transmitError(err)
}

// settle gives a command that was given up a last chance to end; else the goroutine that runs it gives the card
// back when it can.
func (s *session) settle() bool {
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case res := <-s.pending.done:
		return s.late(res)
	case <-timer.C:
	}
	pc, h, r := s.pc, s.h, s.reader
	if s.pending.abandon(func(value []byte, _ error) {
		clear(value)
		_ = h.disconnect(false)
		pc.release()
		r.abandoned.Add(-1)
	}) {
		return false
	}
	return s.late(<-s.pending.done)
}

// late takes a result that nobody wants any more, to know how to close.
func (s *session) late(res result[[]byte]) bool {
	_, _ = s.take(res)
	clear(res.value)
	s.reader.abandoned.Add(-1)
	return true
}
