package wire_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

const id = "019a9f5e-1c00-7abc-8def-0123456789ab"

func keys(tb testing.TB) *storagetest.Keys {
	tb.Helper()
	k, err := storagetest.NewKeys()
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func build(tb testing.TB, k *storagetest.Keys) *wire.Envelope {
	tb.Helper()
	e, err := wire.Build(storagetest.Record(id, 1000), k.Public, k.Device, 42, storagetest.At())
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// short is how storagetest names the key of a part.
func short(p string) string { return p[:2] + p[len(p)-2:] }

// take reads one length-framed field, written here anew as an independent reader.
func take(t *testing.T, b []byte) (field, rest []byte) {
	t.Helper()
	n := binary.BigEndian.Uint32(b)
	return b[4 : 4+n], b[4+n:]
}

func TestGoldenEnvelope(t *testing.T) {
	k := keys(t)
	e := build(t, k)
	if !bytes.HasPrefix(e.Bytes, []byte("MDGENV\x00\x01")) {
		t.Fatalf("got %q", e.Bytes[:8])
	}
	head, rest := take(t, e.Bytes[8:])
	sig, rest := take(t, rest)
	var want strings.Builder
	want.WriteString(`{"created":"2026-11-20T01:02:03.456Z","device":"branch-012-kiosk-1","id":"019a9f5e-1c00-7abc-8def-0123456789ab","parts":[`)
	for i, p := range []string{"identity", "images", "evidence"} {
		var body []byte
		body, rest = take(t, rest)
		sum := sha256.Sum256(body)
		if i > 0 {
			want.WriteString(",")
		}
		fmt.Fprintf(&want, `{"key_id":"test-%s","name":"%s","sha256":"%s","size":%d}`, short(p), p, hex.EncodeToString(sum[:]), len(body))
		plain, err := hpke.Open(k.Private["test-"+short(p)], seal.KDF(), seal.AEAD(),
			seal.Context{Device: storagetest.Device, Record: id, Part: record.Part(p), Schema: 1, KeyID: "test-" + short(p)}.Info(), body)
		if err != nil || record.DecodePart(record.Part(p), plain, &record.Record{}) != nil {
			t.Fatal(p, err)
		}
	}
	want.WriteString(`],"schema":1,"seq":42,"v":1,"virtual":["camera","card","reader","trust"]}`)
	if diff := cmp.Diff(want.String(), string(head)); diff != "" {
		t.Fatal(diff)
	}
	if len(rest) != 0 {
		t.Fatal("something follows the last part")
	}
	message := "\x00\x00\x00\x1cmadoguchi envelope header v1" + string(binary.BigEndian.AppendUint32(nil, uint32(len(head)))) + string(head)
	sum := sha256.Sum256([]byte(message))
	if !ecdsa.VerifyASN1(&k.Device.PublicKey, sum[:], sig) {
		t.Fatal("the signature is not over the domain and the header")
	}
	if e.Digest != sha256.Sum256(e.Bytes) {
		t.Fatal("the digest is not that of the whole")
	}
	for _, c := range storagetest.Canaries() {
		if bytes.Contains(e.Bytes, c) {
			t.Fatalf("%q is readable in the envelope", c)
		}
	}
}

func TestBuildRefusesInvalidRecords(t *testing.T) {
	k := keys(t)
	r := storagetest.Record(id, 10)
	r.Evidence.Face.Match = "not-checked"
	if _, err := wire.Build(r, k.Public, k.Device, 1, storagetest.At()); !errors.Is(err, &record.Error{Code: record.CodeDecision}) {
		t.Fatalf("got %v", err)
	}
	if _, err := wire.Build(storagetest.Record(id, 10), k.Public, k.Device, 0, storagetest.At()); !errors.Is(err, &wire.Error{Code: wire.CodeHeader, Field: "seq"}) {
		t.Fatalf("got %v", err)
	}
	if _, err := wire.Build(storagetest.Record(id, 10), k.Public, k.Device, 1, storagetest.At().AddDate(2, 0, 0)); !errors.Is(err, seal.ErrNoKey) {
		t.Fatalf("got %v", err)
	}
}

func TestVerifyDevice(t *testing.T) {
	k := keys(t)
	e := build(t, k)
	if err := e.VerifyDevice(&k.Device.PublicKey); err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]*ecdsa.PublicKey{"stranger": &stranger.PublicKey, "other-curve": &big.PublicKey, "none": nil} {
		if err := e.VerifyDevice(pub); !errors.Is(err, &wire.Error{Code: wire.CodeSignature}) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := (&wire.Envelope{}).VerifyDevice(&k.Device.PublicKey); err == nil {
		t.Error("an empty envelope was accepted")
	}
}

// TestEveryByteCounts flips every byte: either the parser refuses, or the signature does not hold.
func TestEveryByteCounts(t *testing.T) {
	k := keys(t)
	e := build(t, k)
	for i := range e.Bytes {
		bad := bytes.Clone(e.Bytes)
		bad[i] ^= 0x40
		got, err := wire.Parse(bad)
		if err == nil && got.VerifyDevice(&k.Device.PublicKey) == nil {
			t.Fatalf("byte %d of %d does not count", i, len(bad))
		}
	}
}

func TestParseRefuses(t *testing.T) {
	e := build(t, keys(t))
	head, rest := take(t, e.Bytes[8:])
	with := func(h string) []byte {
		b := append([]byte("MDGENV\x00\x01"), binary.BigEndian.AppendUint32(nil, uint32(len(h)))...)
		return append(append(b, h...), rest...)
	}
	edit := func(old, fresh string) []byte {
		h := strings.Replace(string(head), old, fresh, 1)
		if h == string(head) {
			t.Fatalf("%q does not occur", old)
		}
		return with(h)
	}
	cases := []struct {
		name string
		in   []byte
		want wire.Code
	}{
		{"empty", nil, wire.CodeMagic},
		{"other-version", append([]byte("MDGENV\x00\x02"), e.Bytes[8:]...), wire.CodeMagic},
		{"cut", e.Bytes[:len(e.Bytes)-1], wire.CodeFrame},
		{"more", append(bytes.Clone(e.Bytes), 0), wire.CodeFrame},
		{"magic-only", []byte("MDGENV\x00\x01"), wire.CodeFrame},
		{"length-bomb", []byte("MDGENV\x00\x01\xff\xff\xff\xff"), wire.CodeSize},
		{"too-large", append(bytes.Clone(e.Bytes), make([]byte, wire.MaxEnvelope)...), wire.CodeSize},
		{"schema-2", edit(`"schema":1`, `"schema":2`), wire.CodeSchema},
		{"wire-version-2", edit(`"v":1`, `"v":2`), wire.CodeHeader},
		{"seq-0", edit(`"seq":42`, `"seq":0`), wire.CodeHeader},
		{"negative-seq", edit(`"seq":42`, `"seq":-4`), wire.CodeHeader},
		{"no-parts", with(`{"created":"2026-11-20T01:02:03.456Z","device":"d","id":"` + id + `","parts":[],"schema":1,"seq":1,"v":1,"virtual":[]}`), wire.CodeHeader},
		{"part-twice", edit(`"name":"images"`, `"name":"identity"`), wire.CodeHeader},
		{"parts-out-of-order", edit(`"name":"identity"`, `"name":"evidence"`), wire.CodeHeader},
		{"unknown-part", edit(`"name":"images"`, `"name":"videos"`), wire.CodeHeader},
		{"extra-key", edit(`"seq":42`, `"name":"x","seq":42`), wire.CodeHeader},
		{"white-space", edit(`,"seq"`, `, "seq"`), wire.CodeHeader},
		{"upper-case-hash", edit(`"sha256":"`, `"sha256":"A`), wire.CodeHeader},
		{"virtual-banana", edit(`"camera"`, `"banana"`), wire.CodeHeader},
		{"other-key-id", edit(`test-idty`, `test_idty`), wire.CodeHeader},
		{"size-of-another", edit(`"size":`, `"size":1`), wire.CodeDigest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := wire.Parse(c.in); !errors.Is(err, &wire.Error{Code: c.want}) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	k := keys(f)
	f.Add(build(f, k).Bytes)
	f.Add([]byte("MDGENV\x00\x01\x00\x00\x00\x02{}\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := wire.Parse(b)
		if err != nil {
			if _, ok := errors.AsType[*wire.Error](err); !ok {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		var sum int
		for _, p := range e.Parts {
			sum += len(p.Bytes)
		}
		if sum > len(b) || len(e.Parts) != len(e.Header.Parts) || !record.ValidID(e.Header.ID) {
			t.Fatal("parsed, but nonsense")
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	k := keys(b)
	for _, size := range []int{60 << 10, 150 << 10} {
		b.Run(map[int]string{60 << 10: "60-kb", 150 << 10: "150-kb"}[size], func(b *testing.B) {
			r := storagetest.Record(id, size*3/4) // base64 makes it longer by a third
			for b.Loop() {
				if _, err := wire.Build(r, k.Public, k.Device, 1, storagetest.At()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestParsePrefix: an envelope is found whatever follows it, and not when a byte of it is missing.
func TestParsePrefix(t *testing.T) {
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	e, err := keys.Envelope(storagetest.NewID(), 1, 3000)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(e.Bytes, wire.Magic()) {
		t.Error("it does not begin with the magic")
	}
	long := append(bytes.Clone(e.Bytes), "what follows"...)
	if got, err := wire.ParsePrefix(long); err != nil || got.Digest != e.Digest || !bytes.Equal(got.Bytes, e.Bytes) {
		t.Errorf("got %v", err)
	}
	if _, err := wire.Parse(long); !errors.Is(err, &wire.Error{Code: wire.CodeFrame}) {
		t.Errorf("got %v", err)
	}
	if _, err := wire.ParsePrefix(e.Bytes[:len(e.Bytes)-1]); err == nil {
		t.Error("cut short")
	}
}
