//go:build cgo

package token

import (
	"crypto/ecdh"
	"errors"

	"github.com/miekg/pkcs11"

	"madoguchi/storage/record"
)

// Exchanger gives a key's P-256 half.
func (s *Store) Exchanger(p record.Part, id string) (ecdh.KeyExchanger, error) {
	t := s.byPart[p]
	h, err := s.half(p, id)
	if err != nil {
		return nil, err
	}
	pub, err := ecdh.P256().NewPublicKey(h.public[pqPublic:])
	if err != nil {
		return nil, errors.Join(err, ErrFile)
	}
	return &exchanger{t: t, label: id, public: pub}, nil
}

// SignInTo signs in to a token of these flags with a PIN that must not be asked for.
func SignInTo(flags uint, pin func(Spec) ([]byte, error)) error {
	t := &slot{spec: Spec{Sessions: 1}, pin: pin}
	return t.signIn(nil, &conn{info: pkcs11.TokenInfo{Flags: flags}})
}

// WaitOf is what an error inside means for a record.
func WaitOf(err error) error { return unavailable(err) }
