package opener

import (
	"crypto/hpke"
	"errors"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// KeyStore gives opening keys: from files (Keys) or from PKCS #11 tokens (package token). A key that it gives may work
// inside a token: using it can fail with an Unavailable too. Any number of goroutines may call it.
type KeyStore interface {
	// Key gives the opening key of this id for this part. The errors are ErrNoKey, when the part is none of this role's
	// purposes, or an *Unavailable, when it is and the key cannot be had now.
	Key(part record.Part, id string) (hpke.PrivateKey, error)
}

// Errors of opening.
var (
	// ErrNoKey says that the part is not this role's: it has no key for that purpose, and waiting changes nothing.
	ErrNoKey = errors.New("opener: this role has no key for the part")
	// ErrOpen says that the key is right and the part is not what was sealed for this record.
	ErrOpen = errors.New("opener: the part does not open: it is not what was sealed for this record")
	// ErrWaits is what every *Unavailable is: the record waits for the key.
	ErrWaits = errors.New("opener: the part's key cannot be used now")
)

// Wait says why a key of this role's cannot be used now. The codes are stable.
type Wait string

// The reasons to wait, those that time may mend first.
const (
	WaitAway    Wait = "token-away"    // the token is not there or does not answer; it is tried again
	WaitUnknown Wait = "key-unknown"   // the role holds keys of this purpose, but none of this id
	WaitPIN     Wait = "pin-refused"   // the token refused the PIN; a person must look before it is tried again
	WaitUnfit   Wait = "key-unfit"     // the key is there and is not what it must be (files and token differ, exportable)
	WaitNoCgo   Wait = "token-no-code" // this program was built without cgo: it cannot speak to tokens
)

// Unavailable is the error of a key that cannot be used now. It is ErrWaits.
type Unavailable struct{ Why Wait }

// Error implements error.
func (e *Unavailable) Error() string { return ErrWaits.Error() + ": " + string(e.Why) }

// Is makes every Unavailable ErrWaits.
func (e *Unavailable) Is(target error) bool {
	var t *Unavailable
	return target == ErrWaits || errors.As(target, &t) && t.Why == e.Why
}

// Ring is several key stores as one: the first that has the key gives it. That lets a purpose move from files to a
// token: what was sealed to the file's key still opens.
type Ring []KeyStore

// Key implements KeyStore. When nobody has the key, a store that may have it later counts more than one that never will,
// and a token that is away more than a key that is not known.
func (r Ring) Key(part record.Part, id string) (hpke.PrivateKey, error) {
	worst := ErrNoKey
	for _, s := range r {
		k, err := s.Key(part, id)
		if err == nil {
			return k, nil
		}
		if errors.Is(worst, ErrNoKey) || errors.Is(worst, &Unavailable{WaitUnknown}) && !errors.Is(err, ErrNoKey) {
			worst = err
		}
	}
	return nil, worst
}

// Open opens one sealed part of a record with the key that it names: ErrNoKey, ErrOpen or an *Unavailable. The caller
// wipes the result.
func Open(keys KeyStore, device, id string, schema int, s seal.Sealed) (*secret.Bytes, error) {
	key, err := keys.Key(s.Part, s.KeyID)
	if err != nil {
		return nil, err
	}
	info := seal.Context{Device: device, Record: id, Part: s.Part, Schema: schema, KeyID: s.KeyID}.Info()
	b, err := hpke.Open(key, seal.KDF(), seal.AEAD(), info, s.Bytes)
	if err != nil {
		if away, ok := errors.AsType[*Unavailable](err); ok {
			return nil, away
		}
		return nil, ErrOpen
	}
	return secret.New(b), nil
}
