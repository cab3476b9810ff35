// Package reader is the contract of a card reader: presence as a level, and an exclusive session that
// transmits APDUs. It has two implementers, hardware/pcsc and hardware/virtual, and one conformance suite,
// hardware/hardwaretest. Only daemon/... and hardware/... may import it.
package reader

import (
	"context"
	"errors"
)

// Presence is what the reader sees right now.
type Presence uint8

// The presences, from worst to best.
const (
	NoService Presence = iota // pcscd or the driver is gone; the implementer keeps trying to come back
	NoReader                  // the service runs, no usable reader is attached
	Empty                     // a reader without a card
	MuteCard                  // something lies on the reader that does not answer: a card askew, a phone, two cards at once
	Card                      // a card that answers
)

// String names the presence for logs.
func (p Presence) String() string {
	return [...]string{"no-service", "no-reader", "empty", "mute-card", "card"}[p]
}

// Level is one report of a reader. Seq grows by at least one whenever a card was inserted or removed, so that a
// card lifted and put back between two reports is still noticed. ATR is set only when Presence is Card and is
// never an identity of the card.
type Level struct {
	Presence Presence
	Seq      uint64
	ATR      []byte
	Reader   string
}

// Info describes a reader. Virtual is true for simulators, and for a vpcd reader behind a real pcscd.
type Info struct {
	Name    string
	Virtual bool
}

// The typed errors that cross this contract. Test with errors.Is.
var (
	ErrNoCard     = errors.New("reader: no card")
	ErrCardLost   = errors.New("reader: the card was removed during the exchange")
	ErrReaderLost = errors.New("reader: the reader was removed")
	ErrBusy       = errors.New("reader: another program holds the reader")
	ErrTimeout    = errors.New("reader: the card does not answer")
	ErrService    = errors.New("reader: the smart-card service is not available")
	ErrClosed     = errors.New("reader: the session is closed")
)

// Reader is a place where one card can lie.
type Reader interface {
	// Info describes the reader now in use; it may change when the hardware changes.
	Info() Info
	// Watch calls report with the current level at once and after each change, from one goroutine, until
	// ctx ends; it returns ctx.Err(). It survives service restarts and unplugged readers and reports them
	// as levels. Only one Watch may run at a time.
	Watch(ctx context.Context, report func(Level)) error
	// Open takes the card exclusively.
	Open(ctx context.Context) (Session, error)
}

// Session is an exclusive connection to the card. It is used by one goroutine.
type Session interface {
	// Transmit sends one command APDU and returns the response with its status word: never fewer than two
	// bytes without an error. The slices are not kept.
	Transmit(ctx context.Context, command []byte) ([]byte, error)
	// Close gives the card back. After clean exchanges the card is powered off, which is what clears its
	// verified PINs; after a transport error it is left as it is, because a reset then can wedge the reader.
	Close() error
}
