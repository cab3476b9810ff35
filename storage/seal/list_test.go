package seal_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
)

const day = 24 * time.Hour

func p256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rootOf(t testing.TB, k crypto.Signer) *seal.Root {
	t.Helper()
	r, err := seal.NewRoot(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// generation makes a key pair for a part that is valid from one day to another, counted from storagetest.At.
func generation(t testing.TB, kem hpke.KEM, id string, part record.Part, from, to int) (seal.Key, hpke.PrivateKey) {
	t.Helper()
	priv, err := kem.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	at := storagetest.At()
	return seal.Key{
		ID: id, Part: part, NotBefore: at.Add(time.Duration(from) * day), NotAfter: at.Add(time.Duration(to) * day), Public: priv.PublicKey(),
	}, priv
}

func signList(t testing.TB, root crypto.Signer, version int64, keys ...seal.Key) []byte {
	t.Helper()
	raw, err := (&seal.List{Version: version, Issued: storagetest.At(), Keys: keys}).Sign(root)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The form is written by hand here, and the signature made with nothing but crypto/ecdsa and the description.
func TestListByHand(t *testing.T) {
	root := p256(t)
	key, _ := generation(t, hpke.MLKEM768X25519(), "identity-1", record.PartIdentity, 0, 30)
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	head := `{"issued":"2026-11-20T01:02:03.456Z","keys":[{"id":"identity-1","not_after":"2026-12-20T01:02:03.456Z",` +
		`"not_before":"2026-11-20T01:02:03.456Z","part":"identity","public":"` + base64.StdEncoding.EncodeToString(key.Public.Bytes()) +
		`","suite":25722}],"receipts":[{"id":"receipt-1","not_after":"2027-11-20T00:00:00.000Z","not_before":"2026-11-20T00:00:00.000Z","public":"` +
		base64.StdEncoding.EncodeToString(pub) + `"}],"root":"` + rootOf(t, root).ID() + `","signature":"","v":1,"version":7}`
	const domain = "madoguchi key list v1"
	framed := binary.BigEndian.AppendUint32(nil, uint32(len(domain)))
	framed = append(framed, domain...)
	framed = binary.BigEndian.AppendUint32(framed, uint32(len(head)))
	sum := sha256.Sum256(append(framed, head...))
	sig, err := ecdsa.SignASN1(rand.Reader, root, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.Replace(head, `"signature":""`, `"signature":"`+base64.StdEncoding.EncodeToString(sig)+`"`, 1)
	l, err := seal.VerifyList([]byte(raw), rootOf(t, root))
	if err != nil {
		t.Fatal(err)
	}
	if l.Version != 7 || len(l.Keys) != 1 || l.Keys[0].ID != "identity-1" || l.Keys[0].Suite() != 0x647a || !l.Keys[0].NotBefore.Equal(storagetest.At()) ||
		!l.Receipts[0].Public.Equal(pub) || l.Receipts[0].ID != "receipt-1" {
		t.Fatalf("got %+v", l)
	}
	if d, err := seal.ParseDraft([]byte(head)); err != nil || d.Version != 7 {
		t.Fatal(err)
	}
	if _, err := seal.ParseDraft([]byte(raw)); !errors.Is(err, seal.ErrList) {
		t.Fatalf("a signed list as a draft: %v", err)
	}
}

func TestRootKinds(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := generation(t, seal.KEM(), "a", record.PartIdentity, 0, 1)
	for name, k := range map[string]crypto.Signer{"p256": p256(t), "ed25519": ed} {
		t.Run(name, func(t *testing.T) {
			root := rootOf(t, k)
			if _, err := seal.VerifyList(signList(t, k, 1, key), root); err != nil {
				t.Fatal(err)
			}
			if again, err := seal.ParseRoot(root.PEM()); err != nil || again.ID() != root.ID() || again.Fingerprint() != sha256.Sum256(root.DER()) {
				t.Fatal(err)
			}
		})
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]crypto.PublicKey{"p384": p384.Public(), "nothing": nil, "short": ed25519.PublicKey{1}} {
		if _, err := seal.NewRoot(pub); !errors.Is(err, seal.ErrRoot) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestForgedLists(t *testing.T) {
	k, stranger := p256(t), p256(t)
	root := rootOf(t, k)
	key, _ := generation(t, seal.KEM(), "a", record.PartIdentity, 0, 30)
	good := signList(t, k, 3, key)
	edit := func(old, fresh string) []byte {
		out := strings.Replace(string(good), old, fresh, 1)
		if out == string(good) {
			t.Fatalf("%q does not occur", old)
		}
		return []byte(out)
	}
	draft, err := (&seal.List{Version: 3, Issued: storagetest.At(), Keys: []seal.Key{key}, Root: root.ID()}).Draft()
	if err != nil {
		t.Fatal(err)
	}
	claimed := signList(t, stranger, 3, key)
	claimed = bytes.Replace(claimed, []byte(rootOf(t, stranger).ID()), []byte(root.ID()), 1)
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"unsigned":               {draft, seal.ErrForged},
		"another-root":           {signList(t, stranger, 3, key), seal.ErrForged},
		"another-root-that-lies": {claimed, seal.ErrForged},
		"newer-version":          {edit(`"version":3`, `"version":4`), seal.ErrForged},
		"longer-life":            {edit(`"not_after":"2026-12-20`, `"not_after":"2036-12-20`), seal.ErrForged},
		"other-part":             {edit(`"part":"identity"`, `"part":"images"`), seal.ErrForged},
		"white-space":            {edit(`,"v":1`, `, "v":1`), seal.ErrList},
		"trailing":               {append(bytes.Clone(good), '\n'), seal.ErrList},
		"version-0":              {edit(`"version":3`, `"version":0`), seal.ErrList},
		"other-form":             {edit(`"v":1`, `"v":2`), seal.ErrList},
		"unknown-suite":          {edit(`"suite":25722`, `"suite":32`), seal.ErrList},
		"suite-of-another-key":   {edit(`"suite":25722`, `"suite":80`), seal.ErrList},
		"unknown-part":           {edit(`"part":"identity"`, `"part":"identities"`), seal.ErrList},
		"end-before-beginning":   {edit(`"not_after":"2026-12-20`, `"not_after":"2026-10-20`), seal.ErrList},
		"empty":                  {nil, seal.ErrList},
		"much-too-large":         {bytes.Repeat([]byte(" "), seal.MaxList+1), seal.ErrList},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := seal.VerifyList(c.raw, root); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, err := seal.VerifyList(good, root); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.VerifyList(good, nil); !errors.Is(err, seal.ErrForged) {
		t.Fatalf("without a root: %v", err)
	}
}

// Both suites seal, and HPKE itself opens.
func TestSuites(t *testing.T) {
	for _, c := range []struct {
		name     string
		kem      hpke.KEM
		id       uint16
		overhead int
	}{
		{"mlkem768-x25519", hpke.MLKEM768X25519(), 0x647a, seal.Overhead},
		{"mlkem768-p256", hpke.MLKEM768P256(), 0x0050, seal.MaxOverhead},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := p256(t)
			key, priv := generation(t, c.kem, "id-1", record.PartIdentity, 0, 30)
			l, err := seal.VerifyList(signList(t, k, 1, key), rootOf(t, k))
			if err != nil {
				t.Fatal(err)
			}
			if l.Keys[0].Suite() != c.id {
				t.Fatalf("got %#x", l.Keys[0].Suite())
			}
			set, err := seal.NewPublicKeys(l.Keys)
			if err != nil {
				t.Fatal(err)
			}
			s, err := set.Seal(storagetest.Device, id, record.PartIdentity, secret.New([]byte("the part")), storagetest.At())
			if err != nil || len(s.Bytes) != 8+c.overhead {
				t.Fatalf("%d bytes, %v", len(s.Bytes), err)
			}
			sealed := seal.Context{Device: storagetest.Device, Record: id, Part: record.PartIdentity, Schema: record.Version, KeyID: "id-1"}
			if plain, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), sealed.Info(), s.Bytes); err != nil || string(plain) != "the part" {
				t.Fatal(err)
			}
		})
	}
	weak, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.NewPublicKeys([]seal.Key{{ID: "a", Part: record.PartIdentity, NotAfter: storagetest.At(), Public: weak.PublicKey()}}); err == nil {
		t.Fatal("a suite without the lattice half was accepted")
	}
}

// The life of a key and its follower, day by day: the first is valid on days 0..59, the second on days 30..89.
func TestRotationDayByDay(t *testing.T) {
	k := p256(t)
	first, firstPriv := generation(t, seal.KEM(), "identity-1", record.PartIdentity, 0, 60)
	second, secondPriv := generation(t, seal.KEM(), "identity-2", record.PartIdentity, 30, 90)
	private := map[string]hpke.PrivateKey{"identity-1": firstPriv, "identity-2": secondPriv}
	s, err := seal.OpenStore(filepath.Join(t.TempDir(), "keys.json"), rootOf(t, k), signList(t, k, 1, first))
	if err != nil {
		t.Fatal(err)
	}
	for d := range 100 {
		if d == 20 { // the line to HQ is there on day 20 only
			if changed, err := s.Update(signList(t, k, 2, first, second)); err != nil || !changed {
				t.Fatal(changed, err)
			}
		}
		now := storagetest.At().Add(time.Duration(d) * day)
		want := ""
		switch {
		case d < 30:
			want = "identity-1"
		case d < 90:
			want = "identity-2"
		}
		got, err := s.Public().Seal(storagetest.Device, id, record.PartIdentity, secret.New([]byte("the part")), now)
		if want == "" {
			if !errors.Is(err, seal.ErrNoKey) || got.Bytes != nil {
				t.Fatalf("day %d: sealed to a dead key %q, %v", d, got.KeyID, err)
			}
			continue
		}
		if err != nil || got.KeyID != want {
			t.Fatalf("day %d: sealed to %q, %v, want %q", d, got.KeyID, err, want)
		}
		sealed := seal.Context{Device: storagetest.Device, Record: id, Part: record.PartIdentity, Schema: record.Version, KeyID: got.KeyID}
		if plain, err := hpke.Open(private[got.KeyID], seal.KDF(), seal.AEAD(), sealed.Info(), got.Bytes); err != nil || string(plain) != "the part" {
			t.Fatalf("day %d: HQ cannot open: %v", d, err)
		}
		if !s.Public().Known(record.PartIdentity, "identity-1") {
			t.Fatalf("day %d: HQ would refuse what was sealed to the first key", d)
		}
	}
}

func TestRevocationByANewerList(t *testing.T) {
	k := p256(t)
	bad, _ := generation(t, seal.KEM(), "identity-1", record.PartIdentity, 0, 60)
	other, _ := generation(t, seal.KEM(), "identity-2", record.PartIdentity, 0, 50)
	s, err := seal.OpenStore(filepath.Join(t.TempDir(), "keys.json"), rootOf(t, k), signList(t, k, 1, bad, other))
	if err != nil {
		t.Fatal(err)
	}
	now := storagetest.At().Add(10 * day)
	if c, err := s.Public().Choose(record.PartIdentity, now); err != nil || c.ID != "identity-1" {
		t.Fatal(c.ID, err)
	}
	bad.NotAfter = now
	if _, err := s.Update(signList(t, k, 2, bad, other)); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Public().Choose(record.PartIdentity, now); err != nil || c.ID != "identity-2" {
		t.Fatal(c.ID, err)
	}
	if !s.Public().Known(record.PartIdentity, "identity-1") {
		t.Fatal("what was sealed before is unknown now")
	}
}

func TestStoreOnlyGoesForward(t *testing.T) {
	k := p256(t)
	root := rootOf(t, k)
	path := filepath.Join(t.TempDir(), "keys.json")
	a, _ := generation(t, seal.KEM(), "a", record.PartIdentity, 0, 60)
	b, _ := generation(t, seal.KEM(), "b", record.PartIdentity, 0, 60)
	v1, v2, v3 := signList(t, k, 1, a), signList(t, k, 2, a, b), signList(t, k, 3, b)
	s, err := seal.OpenStore(path, root, v1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		raw     []byte
		changed bool
		want    error
	}{
		{"newer", v2, true, nil},
		{"the-same", v2, false, nil},
		{"the-same-signed-again", signList(t, k, 2, a, b), false, nil},
		{"the-same-with-the-other-signature", mirrored(t, v2), false, nil},
		{"older", v1, false, seal.ErrOlder},
		{"another-of-this-version", signList(t, k, 2, b), false, seal.ErrFork},
		{"forged", signList(t, p256(t), 9, b), false, seal.ErrForged},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed, err := s.Update(c.raw)
			if changed != c.changed || !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("got %v, %v", changed, err)
			}
			if s.List().Version != 2 || len(s.Public().Keys()) != 2 {
				t.Fatal("the list was changed")
			}
		})
	}
	t.Run("a-start-with-an-older-bundle", func(t *testing.T) {
		again, err := seal.OpenStore(path, root, v1)
		if err != nil || again.List().Version != 2 {
			t.Fatal(err)
		}
	})
	t.Run("a-start-with-a-newer-bundle", func(t *testing.T) {
		again, err := seal.OpenStore(path, root, v3)
		if err != nil || again.List().Version != 3 {
			t.Fatal(err)
		}
	})
	t.Run("another-process-published", func(t *testing.T) {
		if changed, err := s.Refresh(); err != nil || !changed || s.List().Version != 3 {
			t.Fatal(changed, err)
		}
	})
	t.Run("a-damaged-file-is-set-aside", func(t *testing.T) {
		if err := os.WriteFile(path, v3[:len(v3)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Refresh(); err == nil || s.List().Version != 3 {
			t.Fatal("a damaged file was taken")
		}
		if _, err := seal.OpenStore(path, root, nil); err == nil {
			t.Fatal("a damaged file and nothing else was taken")
		}
		again, err := seal.OpenStore(path, root, v1)
		if err != nil || !again.Damaged() || again.List().Version != 1 {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".damaged"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("nothing-at-all", func(t *testing.T) {
		if _, err := seal.OpenStore(filepath.Join(t.TempDir(), "none"), root, nil); !errors.Is(err, seal.ErrList) {
			t.Fatalf("got %v", err)
		}
	})
}

// mirrored gives the list with the other valid form of its ECDSA signature (s for n-s), which anybody can make.
func mirrored(t *testing.T, raw []byte) []byte {
	t.Helper()
	_, rest, _ := bytes.Cut(raw, []byte(`"signature":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	sig, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &v); err != nil {
		t.Fatal(err)
	}
	v.S.Sub(elliptic.P256().Params().N, v.S)
	if sig, err = asn1.Marshal(v); err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(raw, text, []byte(base64.StdEncoding.EncodeToString(sig)), 1)
}

func FuzzVerifyList(f *testing.F) {
	k := p256(f)
	key, _ := generation(f, seal.KEM(), "a", record.PartIdentity, 0, 60)
	good := signList(f, k, 1, key)
	root := rootOf(f, k)
	f.Add(good)
	f.Add([]byte(`{"issued":"2026-11-20T01:02:03.456Z","keys":[],"receipts":[],"root":"","signature":"","v":1,"version":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if l, err := seal.VerifyList(raw, root); err == nil && (!bytes.Contains(raw, []byte(root.ID())) || l.Version != 1) {
			t.Fatal("a forged list was accepted")
		}
		if l, err := seal.ReadUnverified(raw); err == nil {
			if d, err := l.Draft(); err != nil || len(d) > len(raw) {
				t.Fatal("what was read cannot be written")
			}
		}
	})
}
