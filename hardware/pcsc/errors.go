package pcsc

import (
	"fmt"

	"madoguchi/hardware/reader"
)

// code is a PC/SC error code (pcsclite.h).
type code uint32

// The codes this package acts on.
const (
	codeCancelled     code = 0x80100002
	codeUnknownReader code = 0x80100009
	codeTimeout       code = 0x8010000A
	codeSharing       code = 0x8010000B
	codeNoCard        code = 0x8010000C
	codeProtocol      code = 0x8010000F
	codeNotTransacted code = 0x80100016
	codeUnavailable   code = 0x80100017
	codeNoReaders     code = 0x8010002E
	codeUnresponsive  code = 0x80100066
	codeUnpowered     code = 0x80100067
	codeReset         code = 0x80100068
	codeRemoved       code = 0x80100069
)

// Error implements error.
func (c code) Error() string { return fmt.Sprintf("pcsc: error %08X", uint32(c)) }

// transmitError maps a code of SCardTransmit to the contract. What is not known is taken for a lost service,
// because a dead pcscd answers with several codes.
func transmitError(err error) error {
	c, ok := err.(code) //nolint:errorlint // comes from our own wrapper, never wrapped
	if !ok {
		return err
	}
	kind := reader.ErrService
	switch c {
	case codeNotTransacted, codeRemoved, codeReset, codeUnpowered, codeNoCard:
		kind = reader.ErrCardLost
	case codeUnavailable, codeUnknownReader, codeNoReaders:
		kind = reader.ErrReaderLost
	case codeTimeout, codeUnresponsive:
		kind = reader.ErrTimeout
	case codeSharing:
		kind = reader.ErrBusy
	case codeCancelled, codeProtocol:
	}
	return fmt.Errorf("%w (%w)", kind, c)
}

// connectError maps a code of SCardConnect and SCardListReaders to the contract.
func connectError(err error) error {
	c, ok := err.(code) //nolint:errorlint // comes from our own wrapper, never wrapped
	if !ok {
		return err
	}
	kind := reader.ErrService
	switch c {
	case codeNoCard, codeRemoved:
		kind = reader.ErrNoCard
	case codeUnavailable, codeUnknownReader, codeNoReaders:
		kind = reader.ErrReaderLost
	case codeSharing:
		kind = reader.ErrBusy
	case codeTimeout, codeUnresponsive, codeUnpowered, codeProtocol:
		kind = reader.ErrTimeout // something lies there that does not answer
	case codeNotTransacted, codeReset:
		kind = reader.ErrCardLost
	case codeCancelled:
	}
	return fmt.Errorf("%w (%w)", kind, c)
}
