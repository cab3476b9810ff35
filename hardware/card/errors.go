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
	// ErrNoCertificate means that the card has no such certificate: a child's card, or one whose holder declined.
	// Nothing was verified, no try was spent.
	ErrNoCertificate = errors.New("card: the card has no such certificate")
	// ErrLastTry means that one try is left, or that the card does not say how many, and that the caller did not
	// confirm the last one. Nothing was verified, no try was spent.
	ErrLastTry = errors.New("card: the last try needs a confirmation")
	// ErrSpent means that a Signer has made its signature, or that its card went on to something else.
	ErrSpent = errors.New("card: the signer is spent")
	// ErrAlgorithm is a digest or scheme that this package does not ask a card for.
	ErrAlgorithm = errors.New("card: only PKCS #1 v1.5 with SHA-256")
	// ErrSignature means that the card answered with something that its own certificate does not verify.
	ErrSignature = errors.New("card: the signature does not fit the certificate")
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

// ExtendedError means that the transport failed at an extended command, and at its short form after it. Either the card
// was lifted, or this reader refuses extended commands in a way that ends the session. When the reader still reports a
// card, open a new session with Options.Short and remember it for this reader. From Open it comes before any
// credential; after one that was sent, the new session has to ask for it anew and must not send it by itself.
type ExtendedError struct{ Err error }

// Error implements error.
func (e *ExtendedError) Error() string { return "card: the reader failed at an extended command" }

// Unwrap gives the error of the transport.
func (e *ExtendedError) Unwrap() error { return e.Err }

// NumberRefusedError means that 券面事項確認 refused 照合番号A although it was read from this very card a moment ago.
// The holder's PIN was right. With Blocked the number was locked by wrong tries before; else the card contradicts
// itself, and staff should look at it. It is neither AuthError nor ErrBlocked, which would speak of the PIN.
type NumberRefusedError struct{ Blocked bool }

// Error implements error.
func (e *NumberRefusedError) Error() string { return "card: the card refused its own number" }
