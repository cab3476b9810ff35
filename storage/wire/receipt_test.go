package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

func receiptKey(tb testing.TB) (ed25519.PrivateKey, wire.ReceiptKeys) {
	tb.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return priv, wire.ReceiptKeys{"receipt-1": pub}
}

func digest() [32]byte { return sha256.Sum256([]byte("envelope")) }

func receipt() wire.Receipt {
	return wire.Receipt{Device: storagetest.Device, ID: id, Digest: digest(), Received: storagetest.At(), KeyID: "receipt-1"}
}

func TestReceipt(t *testing.T) {
	priv, pubs := receiptKey(t)
	b, err := wire.SignReceipt(receipt(), priv)
	if err != nil {
		t.Fatal(err)
	}
	// SHA-256 of "envelope" by sha256sum.
	const unsigned = `{"device":"branch-012-kiosk-1","digest":"4c503ca67761e5c4aaecfe996244c25d8c0b40902d1085c85b4468bd567548c6","id":"019a9f5e-1c00-7abc-8def-0123456789ab",` +
		`"key_id":"receipt-1","received":"2026-11-20T01:02:03.456Z","signature":"","v":1}`
	if string(unsign(b)) != unsigned {
		t.Fatalf("got %s", b)
	}
	v, err := wire.VerifyReceipt(b, pubs, storagetest.Device, id, digest())
	if err != nil || !v.Valid() || !v.Receipt().Received.Equal(storagetest.At()) {
		t.Fatal(err)
	}
	if (wire.VerifiedReceipt{}).Valid() {
		t.Fatal("the zero value counts as verified")
	}
	other := digest()
	other[0]++
	_, strangers := receiptKey(t)
	for _, c := range []struct {
		name   string
		b      []byte
		keys   wire.ReceiptKeys
		device string
		id     string
		digest [32]byte
		want   wire.Code
	}{
		{"other-envelope", b, pubs, storagetest.Device, id, other, wire.CodeBinding},
		{"other-device", b, pubs, "kiosk-2", id, digest(), wire.CodeBinding},
		{"other-id", b, pubs, storagetest.Device, "019a9f5e-1c00-7abc-8def-0123456789ac", digest(), wire.CodeBinding},
		{"other-hq", b, strangers, storagetest.Device, id, digest(), wire.CodeSignature},
		{"unknown-key", b, wire.ReceiptKeys{}, storagetest.Device, id, digest(), wire.CodeSignature},
		{"changed-time", bytes.Replace(b, []byte("01:02:03"), []byte("01:02:04"), 1), pubs, storagetest.Device, id, digest(), wire.CodeSignature},
		{"no-signature", unsign(b), pubs, storagetest.Device, id, digest(), wire.CodeSignature},
		{"trailing", append(bytes.Clone(b), '\n'), pubs, storagetest.Device, id, digest(), wire.CodeHeader},
		{"empty", nil, pubs, storagetest.Device, id, digest(), wire.CodeHeader},
		{"huge", bytes.Repeat([]byte("a"), 1<<20), pubs, storagetest.Device, id, digest(), wire.CodeHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := wire.VerifyReceipt(c.b, c.keys, c.device, c.id, c.digest)
			if !errors.Is(err, &wire.Error{Code: c.want}) || v.Valid() {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

// unsign empties the signature: what is signed is this form.
func unsign(b []byte) []byte {
	const key = `"signature":"`
	i := bytes.Index(b, []byte(key)) + len(key)
	j := i + bytes.IndexByte(b[i:], '"')
	return append(append([]byte(nil), b[:i]...), b[j:]...)
}

// TestOpenSSL lets openssl, which is not our code, verify both kinds of signature.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: openssl")
		}
		t.Skip("SKIPPED, missing: openssl")
	}
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	public := func(name string, pub any) string {
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return file(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	framed := func(domain string, b []byte) []byte {
		out := append(binary.BigEndian.AppendUint32(nil, uint32(len(domain))), domain...)
		return append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	k := keys(t)
	head, rest := take(t, build(t, k).Bytes[8:])
	sig, _ := take(t, rest)
	run("dgst", "-sha256", "-verify", public("device.pem", &k.Device.PublicKey), "-signature", file("device.sig", sig),
		file("header", framed("madoguchi envelope header v1", head)))

	priv, _ := receiptKey(t)
	b, err := wire.SignReceipt(receipt(), priv)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte(`"signature":"`)) + len(`"signature":"`)
	sig, err = base64.StdEncoding.DecodeString(string(b[i : i+88]))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(framed("madoguchi receipt v1", unsign(b)))
	run("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public("receipt.pem", priv.Public()), "-sigfile", file("receipt.sig", sig), "-in", file("sum", sum[:]))
}

func FuzzVerifyReceipt(f *testing.F) {
	priv, pubs := receiptKey(f)
	b, err := wire.SignReceipt(receipt(), priv)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) {
		if v, err := wire.VerifyReceipt(in, pubs, storagetest.Device, id, digest()); err == nil && (!v.Valid() || !bytes.Equal(in, b)) {
			t.Fatal("another receipt than the one signed was accepted")
		}
	})
}
