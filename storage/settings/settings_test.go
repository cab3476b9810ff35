package settings_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/storage/seal"
	"madoguchi/storage/settings"
)

func rootKey(t testing.TB) (crypto.Signer, *seal.Root) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := seal.NewRoot(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k, r
}

func bundle(version int64) *settings.Bundle {
	return &settings.Bundle{
		Version: version, Issued: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Production: true, Services: []byte("x = 1\n"),
	}
}

func signed(t testing.TB, k crypto.Signer, b *settings.Bundle) []byte {
	t.Helper()
	raw, err := b.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The form is written by hand, and signed with nothing but crypto/ecdsa.
func TestBundleByHand(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root, err := seal.NewRoot(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	head := `{"confirms":[{"act":"aml","article":"6条1項1号ヌ","by":"legal-1","code":"jpki-signature","from":20270401,"on":20261215,"source":"kanpo"}],` +
		`"devices":["branch-1"],"issued":"2026-12-20T01:02:03.000Z","production":true,"root":"` + root.ID() + `","rows":[{"act":"aml","article":"6条1項1号ヌ",` +
		`"code":"jpki-signature","from":20270401,"note":"n","source":"kanpo","to":0}],"services":"eCA9IDEK","signature":"","v":1,"version":3}`
	const domain = "madoguchi configuration bundle v1"
	framed := binary.BigEndian.AppendUint32(nil, uint32(len(domain)))
	framed = append(framed, domain...)
	framed = binary.BigEndian.AppendUint32(framed, uint32(len(head)))
	sum := sha256.Sum256(append(framed, head...))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.Replace(head, `"signature":""`, `"signature":"`+base64.StdEncoding.EncodeToString(sig)+`"`, 1)
	got, err := settings.Verify([]byte(raw), root)
	if err != nil {
		t.Fatal(err)
	}
	want := &settings.Bundle{
		Version: 3, Issued: time.Date(2026, 12, 20, 1, 2, 3, 0, time.UTC), Root: root.ID(), Production: true, Devices: []string{"branch-1"},
		Services: []byte("x = 1\n"),
		Rows:     []settings.Row{{Act: "aml", Code: "jpki-signature", Article: "6条1項1号ヌ", From: 20270401, Note: "n", Source: "kanpo"}},
		Confirms: []settings.Confirm{{Act: "aml", Code: "jpki-signature", Article: "6条1項1号ヌ", From: 20270401, By: "legal-1", On: 20261215, Source: "kanpo"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if !got.For("branch-1") || got.For("branch-2") || !bundle(1).For("branch-2") {
		t.Fatal("the names of the kiosks do not count")
	}
}

func TestForgedBundles(t *testing.T) {
	key, root := rootKey(t)
	stranger, _ := rootKey(t)
	good := signed(t, key, bundle(3))
	edit := func(old, fresh string) []byte {
		out := bytes.Replace(good, []byte(old), []byte(fresh), 1)
		if bytes.Equal(out, good) {
			t.Fatalf("%q does not occur", old)
		}
		return out
	}
	list, err := (&seal.List{Version: 3, Issued: time.Now()}).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"another-root":   {signed(t, stranger, bundle(3)), settings.ErrForged},
		"newer":          {edit(`"version":3`, `"version":4`), settings.ErrForged},
		"not-production": {edit(`"production":true`, `"production":false`), settings.ErrForged},
		"other-services": {edit("eCA9IDEK", "eCA9IDIK"), settings.ErrForged},
		"other-kiosks":   {edit(`"devices":[]`, `"devices":["a"]`), settings.ErrForged},
		"white-space":    {edit(`,"v":1`, `, "v":1`), settings.ErrBundle},
		"trailing":       {append(bytes.Clone(good), '\n'), settings.ErrBundle},
		"version-0":      {edit(`"version":3`, `"version":0`), settings.ErrBundle},
		"other-form":     {edit(`"v":1`, `"v":2`), settings.ErrBundle},
		"a-key-list":     {list, settings.ErrBundle},
		"empty":          {nil, settings.ErrBundle},
		"too-large":      {bytes.Repeat([]byte(" "), settings.MaxBundle+1), settings.ErrBundle},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := settings.Verify(c.raw, root); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, err := settings.Verify(good, nil); !errors.Is(err, settings.ErrForged) {
		t.Fatalf("without a root: %v", err)
	}
	if _, err := settings.Verify(good, root); err != nil {
		t.Fatal(err)
	}
}

// A root of the other kind signs too, and the domain of key lists is closed.
func TestDomains(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root, err := seal.NewRoot(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := settings.Verify(signed(t, key, bundle(1)), root); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.SignMessage(key, "madoguchi key list v1", []byte("m")); err == nil {
		t.Fatal("a key list was signed as a message")
	}
	sig, err := seal.SignMessage(key, "a", []byte("m"))
	if err != nil || !root.VerifyMessage("a", []byte("m"), sig) || root.VerifyMessage("b", []byte("m"), sig) {
		t.Fatal(err)
	}
}

func fine(*settings.Bundle) error { return nil }

var errBroken = errors.New("does not load")

// broken is a check under which some versions do not load.
func broken(versions ...int64) settings.Check {
	return func(b *settings.Bundle) error {
		if slices.Contains(versions, b.Version) {
			return errBroken
		}
		return nil
	}
}

func store(t *testing.T) (settings.Store, func(version int64) []byte) {
	key, root := rootKey(t)
	return settings.Store{Dir: filepath.Join(t.TempDir(), "config"), Root: root}, func(v int64) []byte { return signed(t, key, bundle(v)) }
}

func stage(t *testing.T, s settings.Store, raw []byte, want error) {
	t.Helper()
	if _, err := s.Stage(raw, fine); !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func take(t *testing.T, s settings.Store, c settings.Check, version int64) settings.Outcome {
	t.Helper()
	out, err := s.Take(c)
	if err != nil || out.Bundle.Version != version {
		t.Fatalf("got %+v, %v; want version %d", out, err, version)
	}
	return out
}

func TestStageAndTake(t *testing.T) {
	s, make := store(t)
	if _, err := s.Take(fine); !errors.Is(err, settings.ErrNone) {
		t.Fatal(err)
	}
	if _, err := s.Current(); !errors.Is(err, settings.ErrNone) {
		t.Fatal(err)
	}
	if _, err := s.Stage(make(1), broken(1)); !errors.Is(err, errBroken) || s.Staged() {
		t.Fatal(err)
	}
	one := make(1)
	stage(t, s, one, nil)
	stage(t, s, one, nil)
	if _, err := s.Take(fine); err != nil || s.Staged() {
		t.Fatal(err)
	}
	if out := take(t, s, fine, 1); out.Switched || out.RolledBack {
		t.Fatalf("nothing was staged: %+v", out)
	}
	stage(t, s, one, nil)
	if s.Staged() {
		t.Fatal("the bundle in force was staged again")
	}
	fork := bundle(1)
	fork.Services = []byte("x = 2\n")
	stage(t, s, make(2), nil)
	stage(t, s, make(3), nil)
	stage(t, s, make(2), settings.ErrOlder)
	if out := take(t, s, fine, 3); !out.Switched {
		t.Fatalf("got %+v", out)
	}
	stage(t, s, make(2), settings.ErrOlder)
}

func TestForks(t *testing.T) {
	key, root := rootKey(t)
	s := settings.Store{Dir: filepath.Join(t.TempDir(), "config"), Root: root}
	other := bundle(5)
	other.Services = []byte("x = 2\n")
	stage(t, s, signed(t, key, bundle(5)), nil)
	stage(t, s, signed(t, key, other), settings.ErrFork)
	take(t, s, fine, 5)
	stage(t, s, signed(t, key, other), settings.ErrFork)
}

// What does not load at the switch is set aside; what was in force stays, and that version never comes again.
func TestAStagedBundleThatDoesNotLoad(t *testing.T) {
	s, make := store(t)
	stage(t, s, make(1), nil)
	take(t, s, fine, 1)
	stage(t, s, make(2), nil)
	if out := take(t, s, broken(2), 1); out.Switched || out.RolledBack || !errors.Is(out.Refused, errBroken) {
		t.Fatalf("got %+v", out)
	}
	stage(t, s, make(2), settings.ErrOlder)
	stage(t, s, make(3), nil)
	take(t, s, fine, 3)
}

// A bundle that loaded once and does not any more (a new version of the product) gives way to the one before.
func TestRollBack(t *testing.T) {
	s, make := store(t)
	for _, v := range []int64{1, 2} {
		stage(t, s, make(v), nil)
		take(t, s, fine, v)
	}
	if out := take(t, s, broken(2), 1); !out.RolledBack || !errors.Is(out.Refused, errBroken) {
		t.Fatalf("got %+v", out)
	}
	if out := take(t, s, fine, 1); out.RolledBack {
		t.Fatalf("rolled back twice: %+v", out)
	}
	stage(t, s, make(2), settings.ErrOlder)
	if _, err := s.Take(broken(1)); !errors.Is(err, settings.ErrDamaged) && !errors.Is(err, settings.ErrNone) || errors.Is(err, settings.ErrNone) {
		t.Fatalf("nothing loads: %v", err)
	}
}

// Bytes that are not what the root signed count as not loading, wherever they lie.
func TestDamagedFiles(t *testing.T) {
	s, make := store(t)
	for _, v := range []int64{1, 2} {
		stage(t, s, make(v), nil)
		take(t, s, fine, v)
	}
	write := func(file, text string) {
		if err := os.WriteFile(filepath.Join(s.Dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("staged.json", "{}")
	if out := take(t, s, fine, 2); !errors.Is(out.Refused, settings.ErrBundle) {
		t.Fatalf("got %+v", out)
	}
	write("current.json", "{}")
	if out := take(t, s, fine, 1); !out.RolledBack {
		t.Fatalf("got %+v", out)
	}
	write("current.json", "")
	if _, err := s.Take(fine); !errors.Is(err, settings.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
}

// A power cut between the two renames of a switch.
func TestPowerCut(t *testing.T) {
	s, make := store(t)
	stage(t, s, make(1), nil)
	take(t, s, fine, 1)
	stage(t, s, make(2), nil)
	if err := os.Rename(filepath.Join(s.Dir, "current.json"), filepath.Join(s.Dir, "previous.json")); err != nil {
		t.Fatal(err)
	}
	if out := take(t, s, fine, 2); !out.Switched {
		t.Fatalf("got %+v", out)
	}
	if out := take(t, s, broken(2), 1); !out.RolledBack {
		t.Fatalf("the one before is gone: %+v", out)
	}
}

func FuzzVerify(f *testing.F) {
	key, root := rootKey(f)
	f.Add(signed(f, key, bundle(1)))
	f.Add([]byte(`{"confirms":[],"devices":[],"issued":"2026-12-20T01:02:03.000Z","production":true,"root":"","rows":[],"services":"","signature":"","v":1,"version":3}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := settings.Verify(raw, root)
		if err != nil {
			return
		}
		again, err := b.Sign(key)
		if err != nil || b.Version < 1 {
			t.Fatal(err)
		}
		if _, err := settings.Verify(again, root); err != nil {
			t.Fatal(err)
		}
	})
}
