package card

import (
	"errors"

	"madoguchi/hardware/apdu"
)

// The typed errors of this package. Test with errors.Is; AuthError with errors.As.
var (
	// ErrFormat is a PIN or number that cannot be right. Nothing was sent, no try was spent.
	ErrFormat = errors.New("card: the format of the PIN or number is wrong")
	// ErrMalformed is a file that does not have the form it must have.
	ErrMalformed = errors.New("card: malformed file")
	// ErrKind is an operation that this kind of card does not have.
	ErrKind = errors.New("card: not possible with this kind of card")
	// ErrBlocked means that no try is left on the PIN or number.
	ErrBlocked = apdu.ErrBlocked
	// ErrNotFound means that the card has no such file or application.
	ErrNotFound = apdu.ErrNotFound
	// ErrSecurity means that the card refuses access.
	ErrSecurity = apdu.ErrSecurity
)

// AuthError is a wrong PIN or number; Left tries remain, and with Left 0 it is ErrBlocked as well.
type AuthError = apdu.AuthError

// VerifyUnknownError means that a PIN or number was sent and that the card's answer did not arrive: the try may
// have been spent, or the PIN may be verified. Ask Tries on a new session before anything else.
type VerifyUnknownError struct{ Err error }

// Error implements error.
func (e *VerifyUnknownError) Error() string { return "card: it is not known whether a try was spent" }

// Unwrap gives the error of the transport.
func (e *VerifyUnknownError) Unwrap() error { return e.Err }

// ExtendedError means that the transport failed at the first extended command. Either the card was lifted, or
// this reader refuses extended commands in a way that ends the session. When the reader still reports a card,
// open a new session with Options.Short and remember it for this reader.
type ExtendedError struct{ Err error }

// Error implements error.
func (e *ExtendedError) Error() string { return "card: the reader failed at an extended command" }

// Unwrap gives the error of the transport.
func (e *ExtendedError) Unwrap() error { return e.Err }
