package token

import (
	"bytes"
	"testing"

	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// FuzzKeyFile: a key file that is read is written the same in meaning, and nothing panics.
func FuzzKeyFile(f *testing.F) {
	kem, err := seal.KEMOf(Suite)
	if err != nil {
		f.Fatal(err)
	}
	key, err := kem.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	good := &half{
		key:    seal.Key{ID: "identity-0011223344", Part: record.PartIdentity, Public: key.PublicKey()},
		public: key.PublicKey().Bytes(), nonce: make([]byte, nonceSize), sealed: make([]byte, seedSize+tagSize),
	}
	b, err := good.marshal()
	if err != nil {
		f.Fatal(err)
	}
	if _, err := parseHalf(b); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("version = 2"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHalf(b)
		if err != nil {
			return
		}
		out, err := h.marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseHalf(out)
		if err != nil || !bytes.Equal(again.bound(), h.bound()) || !bytes.Equal(again.sealed, h.sealed) {
			t.Fatal(err)
		}
	})
}
