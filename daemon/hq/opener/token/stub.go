//go:build !cgo

package token

import (
	"context"
	"crypto/hpke"
	"slices"
	"time"

	"madoguchi/daemon/hq/opener"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Store would be the key store of the tokens; this build cannot speak to them.
type Store struct{ o Options }

// Open gives a store whose keys all wait.
func Open(o Options) (*Store, error) { return &Store{o}, nil }

// Key implements opener.KeyStore: the parts of this role's tokens wait.
func (s *Store) Key(p record.Part, _ string) (hpke.PrivateKey, error) {
	for _, t := range s.o.Tokens {
		if t.Holds(p) && slices.Contains(s.o.Parts, p) {
			return nil, &opener.Unavailable{Why: opener.WaitNoCgo}
		}
	}
	return nil, opener.ErrNoKey
}

// InitKey is ErrNoCgo.
func (*Store) InitKey(context.Context, record.Part, time.Time) ([]byte, seal.Key, error) {
	return nil, seal.Key{}, ErrNoCgo
}

// Check says ErrNoCgo of every token.
func (s *Store) Check(context.Context, []string) []State {
	var all []State
	for _, t := range s.o.Tokens {
		all = append(all, State{Name: t.Name, Label: t.Label, Serial: t.Serial, Parts: t.Parts, Err: ErrNoCgo})
	}
	return all
}

// Close does nothing.
func (*Store) Close() error { return nil }
