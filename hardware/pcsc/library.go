//go:build cgo

package pcsc

import (
	"errors"
	"time"

	"github.com/ebfe/scard"
)

// This is the only file that knows the library. Its types do not leave it.

// library gives PC/SC.
func library() service { return scardService{} }

type scardService struct{}

func (scardService) establish() (pcscContext, error) {
	ctx, err := scard.EstablishContext()
	if err != nil {
		return nil, toCode(err)
	}
	return scardContext{ctx}, nil
}

type scardContext struct{ ctx *scard.Context }

func (c scardContext) readers() ([]string, error) {
	names, err := c.ctx.ListReaders()
	return names, toCode(err)
}

// wait must be called from one goroutine at a time: the library keeps the buffers of names by name.
func (c scardContext) wait(states []readerState, timeout time.Duration) error {
	raw := make([]scard.ReaderState, len(states))
	for i, s := range states {
		raw[i] = scard.ReaderState{Reader: s.name, CurrentState: scard.StateFlag(s.current)}
	}
	if err := c.ctx.GetStatusChange(raw, timeout); err != nil {
		return toCode(err)
	}
	for i := range states {
		states[i].event = uint32(raw[i].EventState)
		states[i].atr = nil
		if states[i].event&flagPresent != 0 { // it keeps the old ATR after a removal
			states[i].atr = raw[i].Atr
		}
	}
	return nil
}

func (c scardContext) connect(name string) (handle, error) {
	card, err := c.ctx.Connect(name, scard.ShareExclusive, scard.ProtocolT0|scard.ProtocolT1)
	if err != nil {
		return nil, toCode(err)
	}
	return scardHandle{card}, nil
}

func (c scardContext) cancel() { _ = c.ctx.Cancel() }

// release frees the context; the error of a dead service is of no use, the context is freed all the same.
func (c scardContext) release() { _ = c.ctx.Release() }

type scardHandle struct{ card *scard.Card }

// protocol tells the protocol; the library panics when it is neither of the two.
func (h scardHandle) protocol() protocol {
	switch h.card.ActiveProtocol() {
	case scard.ProtocolT0:
		return protocolT0
	case scard.ProtocolT1:
		return protocolT1
	case scard.ProtocolUndefined, scard.ProtocolAny:
	}
	return protocolNone
}

func (h scardHandle) transmit(command []byte) ([]byte, error) {
	answer, err := h.card.Transmit(command)
	return answer, toCode(err)
}

func (h scardHandle) disconnect(unpower bool) error {
	disposition := scard.LeaveCard
	if unpower {
		disposition = scard.UnpowerCard
	}
	return toCode(h.card.Disconnect(disposition))
}

// toCode strips the library's type.
func toCode(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[scard.Error](err); ok {
		return code(e)
	}
	return err
}
