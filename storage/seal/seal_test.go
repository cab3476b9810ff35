package seal_test

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"strings"
	"testing"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
)

const id = "019a9f5e-1c00-7abc-8def-0123456789ab"

// info was written by hand from the package's description.
const info = "\x00\x00\x00\x18madoguchi sealed part v1" +
	"\x00\x00\x00\x12branch-012-kiosk-1" +
	"\x00\x00\x00\x24" + id +
	"\x00\x00\x00\x08identity" +
	"\x00\x00\x00\x011" +
	"\x00\x00\x00\x09test-idty"

func keys(t *testing.T) *storagetest.Keys {
	t.Helper()
	k, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSeal(t *testing.T) {
	k := keys(t)
	plain := secret.New([]byte("the part"))
	s, err := k.Public.Seal(storagetest.Device, id, record.PartIdentity, plain, storagetest.At())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Bytes) != 8+seal.Overhead || s.KeyID != "test-idty" || s.Part != record.PartIdentity || bytes.Contains(s.Bytes, plain.Reveal()) {
		t.Fatalf("got %d bytes for key %q", len(s.Bytes), s.KeyID)
	}
	if string(plain.Reveal()) != "the part" {
		t.Fatal("the caller's plain text was changed")
	}
	priv := k.Private["test-idty"]
	// X-Wing is KEM 0x647a, HKDF-SHA256 is 0x0001, AES-256-GCM is 0x0002 (draft-ietf-hpke-pq; RFC 9180, 7).
	if seal.KEM().ID() != 0x647a || seal.KDF().ID() != 1 || seal.AEAD().ID() != 2 {
		t.Fatal("another suite")
	}
	got, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), s.Bytes)
	if err != nil || string(got) != "the part" {
		t.Fatalf("got %q, %v", got, err)
	}
	for i, field := range []string{"v1", "branch-012", "019a9f5e", "identity", "\x011", "test-idty"} {
		other := strings.Replace(info, field, strings.ToUpper(field)+"", 1)
		if field == "\x011" {
			other = strings.Replace(info, field, "\x012", 1)
		}
		if field == "019a9f5e" {
			other = strings.Replace(info, field, "019a9f5f", 1)
		}
		if _, err := hpke.Open(priv, seal.KDF(), seal.AEAD(), []byte(other), s.Bytes); err == nil || other == info {
			t.Errorf("field %d is not bound", i)
		}
	}
	again, err := k.Public.Seal(storagetest.Device, id, record.PartIdentity, plain, storagetest.At())
	if err != nil || bytes.Equal(again.Bytes, s.Bytes) {
		t.Fatal("sealing twice must give different bytes")
	}
}

func TestLengthsAreFramed(t *testing.T) {
	a := seal.Context{Device: "ab", Record: "c"}.Info()
	b := seal.Context{Device: "a", Record: "bc"}.Info()
	if bytes.Equal(a, b) {
		t.Fatal("two contexts have the same info")
	}
}

func TestChoose(t *testing.T) {
	k := keys(t)
	old := k.Public.Keys()[0]
	fresh := old
	fresh.ID, fresh.NotAfter = "identity-new", old.NotAfter.Add(24*time.Hour)
	set, err := seal.NewPublicKeys([]seal.Key{old, fresh})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		at   time.Time
		want string
		err  error
	}{
		{"the-longer-one-of-two", storagetest.At(), "identity-new", nil},
		{"the-only-one-left", old.NotAfter, "identity-new", nil},
		{"none-at-its-very-end", fresh.NotAfter, "", seal.ErrNoKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := set.Choose(record.PartIdentity, c.at)
			if got.ID != c.want || !errors.Is(err, c.err) {
				t.Fatalf("got %q, %v", got.ID, err)
			}
		})
	}
	if _, err := set.Seal(storagetest.Device, id, record.PartImages, secret.New(nil), storagetest.At()); !errors.Is(err, seal.ErrNoKey) {
		t.Fatalf("got %v", err)
	}
	if set.Known(record.PartImages, "identity-new") || !set.Known(record.PartIdentity, "identity-new") {
		t.Fatal("a key is known for its own part only")
	}
}

func TestKeyFile(t *testing.T) {
	k := keys(t)
	good, err := k.Public.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := seal.ParsePublicKeys(good)
	if err != nil || len(got.Keys()) != 5 {
		t.Fatal(err)
	}
	for i, key := range got.Keys() {
		want := k.Public.Keys()[i]
		if key.ID != want.ID || key.Part != want.Part || !key.NotAfter.Equal(want.NotAfter) || !bytes.Equal(key.Public.Bytes(), want.Public.Bytes()) {
			t.Fatalf("key %d differs", i)
		}
	}
	edit := func(old, fresh string) []byte {
		out := strings.Replace(string(good), old, fresh, 1)
		if out == string(good) {
			t.Fatalf("%q does not occur", old)
		}
		return []byte(out)
	}
	for name, bad := range map[string][]byte{
		"empty":           nil,
		"unknown-field":   edit("version = 1", "version = 1\nextra = 2"),
		"other-version":   edit("version = 1", "version = 2"),
		"other-suite":     edit("MLKEM768-X25519", "X25519"),
		"no-version":      edit("version = 1", ""),
		"unknown-part":    edit("'identity'", "'identities'"),
		"id-twice":        edit("test-imes", "test-idty"),
		"malformed-id":    edit("test-imes", "Test imag"),
		"no-end":          edit("not_after = 2027-11-20T01:02:03.456Z", ""),
		"key-too-short":   edit("public = '", "public = 'AAAA"),
		"not-base64":      edit("public = '", "public = '!"),
		"no-keys":         good[:bytes.Index(good, []byte("[[key]]"))],
		"much-too-large":  bytes.Repeat([]byte("#"), 300<<10),
		"trailing-binary": append(bytes.Clone(good), 0),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := seal.ParsePublicKeys(bad); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	k, err := storagetest.NewKeys()
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{60 << 10, 150 << 10} {
		b.Run(map[int]string{60 << 10: "60-kb", 150 << 10: "150-kb"}[size], func(b *testing.B) {
			plain := secret.New(make([]byte, size))
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := k.Public.Seal(storagetest.Device, id, record.PartImages, plain, storagetest.At()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
