//go:build cgo

package token_test

import (
	"strings"
	"testing"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/token"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
)

// BenchmarkOpen opens 60 KB with keys from a file, of both suites, and with a token.
func BenchmarkOpen(b *testing.B) {
	text := strings.Repeat("x", 60_000)
	run := func(b *testing.B, keys opener.KeyStore, k seal.Key) {
		b.Helper()
		part := sealed(b, k, text)
		for b.Loop() {
			p, err := opener.Open(keys, storagetest.Device, recordID, record.Version, part)
			if err != nil {
				b.Fatal(err)
			}
			p.Wipe()
		}
	}
	for name, suite := range map[string]uint16{"file-x25519": 0x647a, "file-p256": token.Suite} {
		b.Run(name, func(b *testing.B) {
			keys, pub := fileKeys(b, b.TempDir(), suite)
			run(b, keys, pub)
		})
	}
	b.Run("softhsm", func(b *testing.B) {
		h := newHSM(b, "identity")
		role := []record.Part{record.PartIdentity}
		s := h.store(b, role, h.spec("identity", role...))
		run(b, s, h.newKey(b, s, record.PartIdentity))
	})
}
