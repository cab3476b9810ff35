// Package pcsc is a card reader behind PC/SC (pcscd), the real implementer of hardware/reader. Only kioskd and
// tests may construct it.
//
// The library it uses can neither be cancelled nor trusted not to block: every call into it runs in a goroutine of
// its own that is given up when its time is over. Such a goroutine is counted (Abandoned) and cleans up after
// itself when the call returns after all. Built without cgo, the package compiles and reports NoService.
package pcsc

import (
	"errors"
	"time"
)

// ErrNoCgo is why a binary built without cgo has no reader.
var ErrNoCgo = errors.New("pcsc: this binary was built without cgo, so it has no PC/SC")

// ErrCommand refuses a command APDU of fewer than four bytes, which the library would panic on.
var ErrCommand = errors.New("pcsc: a command has at least four bytes")

// ErrWatching means that a Watch is running already.
var ErrWatching = errors.New("pcsc: only one Watch may run at a time")

// protocol is the transmission protocol in use.
type protocol uint8

// The protocols.
const (
	protocolNone protocol = iota
	protocolT0
	protocolT1
)

// service is PC/SC as this package needs it; library.go implements it with cgo, the tests without.
type service interface {
	establish() (pcscContext, error)
}

// pcscContext is one connection to pcscd.
type pcscContext interface {
	readers() ([]string, error)
	wait(states []readerState, timeout time.Duration) error
	connect(name string) (handle, error)
	cancel()
	release()
}

// handle is one connected card.
type handle interface {
	protocol() protocol
	transmit(command []byte) ([]byte, error)
	disconnect(unpower bool) error
}

// readerState is what pcscd knows of one reader: event holds flags in its low and a counter in its high 16 bits.
type readerState struct {
	name           string
	current, event uint32
	atr            []byte
}

// The flags of readerState (pcsclite.h).
const (
	flagChanged     = 0x0002
	flagUnknown     = 0x0004
	flagUnavailable = 0x0008
	flagEmpty       = 0x0010
	flagPresent     = 0x0020
	flagMute        = 0x0200
	flagMask        = 0xFFFF

	pnpReader = `\\?PnP?\Notification` // the name under which pcscd reports readers that come
)
