package apdu

import "errors"

// SW is a status word.
type SW uint16

// The status words this module acts on.
const (
	OK         SW = 0x9000
	EndOfFile  SW = 0x6282 // a warning: the data end before the length asked for
	Unspecific SW = 0x6F00 // no diagnosis; some readers answer it to extended lengths
)

// The typed errors of status words. Test with errors.Is.
var (
	// ErrBlocked means that no try is left. It is also what AuthError{Left: 0} is.
	ErrBlocked = errors.New("apdu: the reference is blocked")
	// ErrNotFound means that the card has no such file, application or record.
	ErrNotFound = errors.New("apdu: not found on the card")
	// ErrSecurity means that the access rule of the file is not satisfied.
	ErrSecurity = errors.New("apdu: security status not satisfied")
	// ErrEOF means that the offset lies past the end of the file.
	ErrEOF = errors.New("apdu: past the end of the file")
	// ErrLength means that Lc or Le was refused; it is how short-only cards and readers refuse extended commands.
	ErrLength = errors.New("apdu: length refused")
	// ErrUnspecific is status 6F00: the card gives no diagnosis.
	ErrUnspecific = errors.New("apdu: the card gives no diagnosis")
	// ErrResponse means that an answer has no status word, or that a chained answer does not end.
	ErrResponse = errors.New("apdu: malformed response")
)

// AuthError is a wrong PIN or number: Left tries remain. With Left 0 this was the attempt that exhausted the
// counter, and errors.Is(err, ErrBlocked) holds as well.
type AuthError struct{ Left int }

// Error implements error.
func (e AuthError) Error() string { return "apdu: wrong reference data" }

// Is makes the attempt that exhausts the counter a blocked reference.
func (e AuthError) Is(target error) bool { return target == ErrBlocked && e.Left == 0 }

// SWError is a status word without a typed error of its own. Its text never contains data; SW is for logs.
type SWError struct{ SW SW }

// Error implements error.
func (e SWError) Error() string { return "apdu: the card refused the command" }

// Err gives the typed error of a status word, nil for success (9000).
func (s SW) Err() error {
	switch {
	case s == OK:
		return nil
	case s&0xFFF0 == 0x63C0:
		return AuthError{Left: int(s & 0xF)}
	case s == 0x6984, s == 0x6983: // J-LIS cards answer 6984; ISO names 6983
		return ErrBlocked
	case s == 0x6A82, s == 0x6A83, s == 0x6A88:
		return ErrNotFound
	case s == 0x6982:
		return ErrSecurity
	case s == 0x6B00:
		return ErrEOF
	case s == 0x6700, s>>8 == 0x6C:
		return ErrLength
	case s == Unspecific:
		return ErrUnspecific
	}
	return SWError{SW: s}
}

// Response is a parsed response APDU. Data is a part of the bytes parsed.
type Response struct {
	Data []byte
	SW   SW
}

// Err is SW.Err.
func (r Response) Err() error { return r.SW.Err() }

// Parse splits a response into data and status word. Fewer than two bytes are ErrResponse.
func Parse(raw []byte) (Response, error) {
	n := len(raw) - 2
	if n < 0 {
		return Response{}, ErrResponse
	}
	return Response{Data: raw[:n:n], SW: SW(raw[n])<<8 | SW(raw[n+1])}, nil
}
