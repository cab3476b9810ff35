// Package apdu builds command APDUs, parses responses and turns status words into typed errors
// (ISO/IEC 7816-4). It is pure. Only hardware/... may import it; callers of hardware/card see its errors
// (AuthError, ErrBlocked and the others) through errors.Is and errors.As and never a status word in hex.
package apdu

import "errors"

// The limits of ISO/IEC 7816-4.
const (
	MaxShort    = 256     // the largest answer a short command can ask for
	MaxExtended = 1 << 16 // the largest answer an extended command can ask for

	maxShortData    = 255
	maxExtendedData = 1<<16 - 1
)

// ErrCommand is a command that cannot be encoded.
var ErrCommand = errors.New("apdu: data or expected length beyond what a command can carry")

// Command is one command APDU before encoding.
//
// Le is the number of bytes wanted, 0 for none, MaxShort or MaxExtended for all there are. Extended asks for the
// extended form even where the short one would do; it has no effect on a command without data and Le.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	Le               int
	Extended         bool
}

// Bytes encodes the command, in the short form where it fits and Extended is not set.
func (c Command) Bytes() ([]byte, error) {
	if len(c.Data) > maxExtendedData || c.Le < 0 || c.Le > MaxExtended {
		return nil, ErrCommand
	}
	out := make([]byte, 0, 4+3+len(c.Data)+3)
	out = append(out, c.CLA, c.INS, c.P1, c.P2)
	if c.Extended || len(c.Data) > maxShortData || c.Le > MaxShort {
		return c.extended(out), nil
	}
	if len(c.Data) > 0 {
		out = append(out, byte(len(c.Data)))
		out = append(out, c.Data...)
	}
	if c.Le > 0 {
		out = append(out, byte(c.Le)) // 256 becomes 00
	}
	return out, nil
}

// extended appends Lc, data and Le in the extended form: Le has a leading 00 of its own only without data.
func (c Command) extended(out []byte) []byte {
	if len(c.Data) > 0 {
		out = append(out, 0, byte(len(c.Data)>>8), byte(len(c.Data)))
		out = append(out, c.Data...)
	} else if c.Le > 0 {
		out = append(out, 0)
	}
	if c.Le > 0 {
		out = append(out, byte(c.Le>>8), byte(c.Le)) // 65536 becomes 00 00
	}
	return out
}

// IsExtended tells whether an encoded command has the extended form.
func IsExtended(command []byte) bool {
	return len(command) >= 7 && command[4] == 0
}
