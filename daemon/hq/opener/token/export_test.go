//go:build cgo

package token

import (
	"crypto/ecdh"
	"errors"

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
