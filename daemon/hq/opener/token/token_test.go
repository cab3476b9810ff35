//go:build cgo

package token_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/token"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
)

func open(keys opener.KeyStore, s seal.Sealed) (string, error) {
	b, err := opener.Open(keys, storagetest.Device, recordID, record.Version, s)
	if err != nil {
		return "", err
	}
	defer b.Wipe()
	return string(b.Reveal()), nil
}

func waits(err error, why opener.Wait) bool {
	return errors.Is(err, opener.ErrWaits) && errors.Is(err, &opener.Unavailable{Why: why})
}

// What the kiosk seals opens with the token, and again in a process that starts anew; a file key of either suite opens
// beside it.
func TestRoundTrip(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	s := h.store(t, role, h.spec("identity", role...))
	key := h.newKey(t, s, record.PartIdentity)
	if key.Suite() != token.Suite || !strings.HasPrefix(key.ID, "identity-") {
		t.Fatalf("got %s, %#x", key.ID, key.Suite())
	}
	part := sealed(t, key, "氏名")
	if got, err := open(s, part); err != nil || got != "氏名" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	older, _ := fileKeys(t, h.files, 0x647a)
	ring := opener.Ring{h.store(t, role, h.spec("identity", role...)), older}
	if got, err := open(ring, part); err != nil || got != "氏名" {
		t.Fatalf("anew: got %q, %v", got, err)
	}
	for _, suite := range []uint16{0x647a, 0x0050} {
		dir := t.TempDir()
		files, want := fileKeys(t, dir, suite)
		pub, err := opener.PublicOf(filepath.Join(dir, opener.FileOf(record.PartIdentity)))
		if err != nil || pub.Suite() != suite || pub.ID != want.ID {
			t.Fatal(err)
		}
		if got, err := open(append(ring, files), sealed(t, pub, "file")); err != nil || got != "file" {
			t.Fatalf("suite %#x: got %q, %v", suite, got, err)
		}
	}
}

func fileKeys(tb testing.TB, dir string, suite uint16) (*opener.Keys, seal.Key) {
	tb.Helper()
	kem, err := seal.KEMOf(suite)
	if err != nil {
		tb.Fatal(err)
	}
	file, pub, err := opener.GenerateOf(kem, record.PartIdentity, storagetest.At().AddDate(1, 0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, opener.FileOf(record.PartIdentity)), file, 0o600); err != nil {
		tb.Fatal(err)
	}
	keys, err := opener.LoadKeys(dir, record.PartIdentity)
	if err != nil {
		tb.Fatal(err)
	}
	return keys, pub
}

// Neither half opens anything alone: the file without its token, the token without its file, a file that was changed or
// stands under another name, and the other suite's keys.
func TestBothHalvesAreNeeded(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	spec := h.spec("identity", role...)
	s := h.store(t, role, spec)
	key, other := h.newKey(t, s, record.PartIdentity), h.newKey(t, s, record.PartIdentity)
	part := sealed(t, key, "x")
	good, err := os.ReadFile(h.path(key))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(h.path(other))
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	field := func(raw []byte, name string) string {
		_, after, _ := strings.Cut(string(raw), name+" = '")
		value, _, _ := strings.Cut(after, "'")
		return value
	}
	flip := func(name string) string {
		b, err := base64.StdEncoding.DecodeString(field(good, name))
		if err != nil || len(b) == 0 {
			t.Fatalf("no field %s", name)
		}
		b[len(b)/2] ^= 1
		return strings.Replace(string(good), field(good, name), base64.StdEncoding.EncodeToString(b), 1)
	}
	cases := []struct {
		name string
		file string
		want opener.Wait
	}{
		{"no-file", "", opener.WaitUnknown},
		{"seed-changed", flip("seed"), opener.WaitUnfit},
		{"nonce-changed", flip("nonce"), opener.WaitUnfit},
		{"seed-of-another-key", strings.Replace(strings.Replace(string(good), field(good, "seed"), field(theirs, "seed"), 1), field(good, "nonce"), field(theirs, "nonce"), 1), opener.WaitUnfit},
		{"file-of-another-key", string(theirs), opener.WaitUnfit},
		{"public-of-another-key", strings.Replace(string(good), field(good, "public"), field(theirs, "public"), 1), opener.WaitUnfit},
		{"cut", string(good[:len(good)/2]), opener.WaitUnfit},
		{"other-suite", strings.Replace(string(good), "suite = 80", "suite = 25722", 1), opener.WaitUnfit},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := os.Remove(h.path(key)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if c.file != "" {
				if err := os.WriteFile(h.path(key), []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := open(h.store(t, role, spec), part); !waits(err, c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("other-token", func(t *testing.T) {
		if err := os.WriteFile(h.path(key), good, 0o600); err != nil {
			t.Fatal(err)
		}
		empty := newHSM(t, "identity")
		empty.files = h.files
		if _, err := open(empty.store(t, role, spec), part); !waits(err, opener.WaitUnknown) {
			t.Fatalf("got %v", err)
		}
	})
}

// A role opens its own purposes. What it has no key for is not its; what it has another key for waits.
func TestOfAnotherRole(t *testing.T) {
	h := newHSM(t, "daily", "my-number")
	both := []record.Part{record.PartIdentity, record.PartMyNumber}
	daily, number := h.spec("daily", record.PartIdentity), h.spec("my-number", record.PartMyNumber)
	s := h.store(t, both, daily, number)
	identity, mine := h.newKey(t, s, record.PartIdentity), h.newKey(t, s, record.PartMyNumber)
	one, two := sealed(t, identity, "1"), sealed(t, mine, "2")
	if got, err := open(s, two); err != nil || got != "2" {
		t.Fatalf("got %q, %v", got, err)
	}
	_ = s.Close()
	h.pins = 0
	s = h.store(t, []record.Part{record.PartIdentity}, daily, number)
	if got, err := open(s, one); err != nil || got != "1" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := open(s, two); !errors.Is(err, opener.ErrNoKey) || errors.Is(err, opener.ErrWaits) {
		t.Fatalf("got %v", err)
	}
	if h.pins != 1 {
		t.Fatalf("%d sign-ins: the token of another role's purpose must stay alone", h.pins)
	}
	lie := two
	lie.Part = record.PartIdentity // the name of another purpose does not get at the key
	if _, err := open(s, lie); !waits(err, opener.WaitUnknown) {
		t.Fatalf("got %v", err)
	}
	unknown := one
	unknown.KeyID = "identity-ffffffffff"
	if _, err := open(s, unknown); !waits(err, opener.WaitUnknown) {
		t.Fatalf("got %v", err)
	}
	damaged := one
	damaged.Bytes = append([]byte(nil), one.Bytes...)
	damaged.Bytes[len(damaged.Bytes)-1] ^= 1
	if _, err := open(s, damaged); !errors.Is(err, opener.ErrOpen) {
		t.Fatalf("got %v", err)
	}
}

// A wrong PIN is tried once and never again by this process: a service that goes on must not lock the token.
func TestWrongPINIsTriedOnce(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	s := h.store(t, role, h.spec("identity", role...))
	part := sealed(t, h.newKey(t, s, record.PartIdentity), "x")
	_ = s.Close()
	h.pin, h.pins = "wrong-pin", 0
	s = h.store(t, role, h.spec("identity", role...))
	for range 5 {
		if _, err := open(s, part); !waits(err, opener.WaitPIN) || strings.Contains(err.Error(), h.pin) {
			t.Fatalf("got %v", err)
		}
		h.at = h.at.Add(time.Hour)
	}
	if h.pins != 1 {
		t.Fatalf("the PIN was tried %d times", h.pins)
	}
	_ = s.Close()
	h.pin = pin
	if got, err := open(h.store(t, role, h.spec("identity", role...)), part); err != nil || got != "x" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// The last try of a PIN, and a locked one, are a person's: the PIN is not even taken. (SoftHSM never says so.)
func TestLastTryIsKept(t *testing.T) {
	for name, flags := range map[string]uint{"final-try": 0x00020000, "locked": 0x00040000} { // CKF_USER_PIN_FINAL_TRY, _LOCKED
		t.Run(name, func(t *testing.T) {
			err := token.SignInTo(flags, func(token.Spec) ([]byte, error) {
				t.Error("the PIN was taken")
				return nil, nil
			})
			if !waits(token.WaitOf(err), opener.WaitPIN) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestParseConfig(t *testing.T) {
	const one = "version = 1\n[[token]]\nname = \"a\"\nparts = [\"identity\"]\nmodule = \"/m.so\"\nlabel = \"l\"\n"
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"good":               {one, true},
		"another-token":      {one + "[[token]]\nname = \"b\"\nparts = [\"my_number\"]\nmodule = \"/m.so\"\nserial = \"7\"\nsessions = 4\n", true},
		"no-token":           {"version = 1\n", false},
		"other-version":      {strings.Replace(one, "1", "2", 1), false},
		"unknown-key":        {one + "colour = \"red\"\n", false},
		"unknown-part":       {strings.Replace(one, "identity", "face", 1), false},
		"relative-module":    {strings.Replace(one, "/m.so", "m.so", 1), false},
		"no-label-or-serial": {strings.Replace(one, "label = \"l\"\n", "", 1), false},
		"name-with-slash":    {strings.Replace(one, "\"a\"", "\"../a\"", 1), false},
		"a-part-twice":       {one + "[[token]]\nname = \"b\"\nparts = [\"identity\"]\nmodule = \"/m.so\"\nlabel = \"k\"\n", false},
		"a-token-twice":      {one + "[[token]]\nname = \"b\"\nparts = [\"images\"]\nmodule = \"/m.so\"\nlabel = \"l\"\n", false},
		"too-many-sessions":  {one + "sessions = 1000\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := token.ParseConfig([]byte(c.text))
			if (err == nil) != c.good || !c.good && !errors.Is(err, token.ErrConfig) {
				t.Fatalf("got %v", err)
			}
			if c.good && got.Token[0].Sessions != 2 {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

// A token that is gone makes its parts wait, is tried with pauses, and opens again when it is back; the PIN is taken anew.
func TestTokenLostAndBack(t *testing.T) {
	h := newHSM(t, "identity", "images")
	role := []record.Part{record.PartIdentity, record.PartImages}
	s := h.store(t, role, h.spec("identity", record.PartIdentity), h.spec("images", record.PartImages))
	one, two := sealed(t, h.newKey(t, s, record.PartIdentity), "1"), sealed(t, h.newKey(t, s, record.PartImages), "2")
	for _, p := range []seal.Sealed{one, two} {
		if _, err := open(s, p); err != nil {
			t.Fatal(err)
		}
	}
	away := h.tokens() + ".away"
	if err := errors.Join(os.Rename(h.tokens(), away), os.Mkdir(h.tokens(), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := open(s, one); !waits(err, opener.WaitAway) {
		t.Fatalf("got %v", err)
	}
	before := h.pins
	for range 20 { // no time passes: no further try
		if _, err := open(s, one); !waits(err, opener.WaitAway) {
			t.Fatalf("got %v", err)
		}
	}
	h.at = h.at.Add(time.Hour)
	if _, err := open(s, one); !waits(err, opener.WaitAway) || h.pins != before {
		t.Fatalf("got %v, %d sign-ins", err, h.pins-before)
	}
	if err := errors.Join(os.Remove(h.tokens()), os.Rename(away, h.tokens())); err != nil {
		t.Fatal(err)
	}
	h.at = h.at.Add(time.Hour)
	for text, p := range map[string]seal.Sealed{"1": one, "2": two} {
		if got, err := open(s, p); err != nil || got != text {
			t.Fatalf("back: got %q, %v", got, err)
		}
	}
}

// The judge sees what a thief with the PIN would: keys that cannot leave, and no other use of them.
func TestJudgeSeesCaptiveKeys(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	s := h.store(t, role, h.spec("identity", role...))
	key := h.newKey(t, s, record.PartIdentity)
	_ = s.Close()
	list, err := h.judge(t, "identity", "--list-objects")
	if err != nil {
		t.Fatalf("%v\n%s", err, list)
	}
	if strings.Count(list, "label:      "+key.ID) != 3 || strings.Count(list, "sensitive, always sensitive, never extractable, local") != 2 {
		t.Fatalf("got\n%s", list)
	}
	_, private, _ := strings.Cut(list, "Private Key Object; EC")
	private, _, _ = strings.Cut(private, "Object;")
	if !strings.Contains(private, "Usage:      derive\n") {
		t.Fatalf("the private key's uses:\n%s", private)
	}
	for _, kind := range []string{"privkey", "secrkey"} {
		out := filepath.Join(t.TempDir(), kind)
		text, err := h.judge(t, "identity", "--read-object", "--type", kind, "--label", key.ID, "--output-file", out)
		b, _ := os.ReadFile(out)
		if err == nil && len(b) > 0 {
			t.Errorf("%s left the token:\n%s", kind, text)
		}
	}
}

// A key that could leave its token is no key of ours, even with the right halves.
func TestExtractableKeysAreRefused(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	s := h.store(t, role, h.spec("identity", role...))
	key := h.newKey(t, s, record.PartIdentity)
	_ = s.Close()
	if out, err := h.judge(t, "identity", "--delete-object", "--type", "privkey", "--label", key.ID); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := h.judge(t, "identity", "--keypairgen", "--key-type", "EC:prime256v1", "--label", key.ID, "--usage-derive", "--extractable"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := open(h.store(t, role, h.spec("identity", role...)), sealed(t, key, "x")); !waits(err, opener.WaitUnfit) {
		t.Fatalf("got %v", err)
	}
}

// The token's exchange is Go's, also where the secret begins with a zero (1 in 256).
func TestExchangeIsGos(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	s := h.store(t, role, h.spec("identity", role...))
	key := h.newKey(t, s, record.PartIdentity)
	x, err := s.Exchanger(record.PartIdentity, key.ID)
	if err != nil {
		t.Fatal(err)
	}
	zeros := 0
	for range 1500 {
		peer, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		want, err := peer.ECDH(x.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.ECDH(peer.PublicKey())
		if err != nil || string(got) != string(want) {
			t.Fatalf("another secret, first byte %d: %v", want[0], err)
		}
		if want[0] == 0 {
			zeros++
		}
	}
	t.Logf("%d secrets with a leading zero", zeros)
}

// More openings than sessions wait for one another.
func TestPool(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	s := h.store(t, role, h.spec("identity", role...))
	part := sealed(t, h.newKey(t, s, record.PartIdentity), "x")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 5 {
				if got, err := open(s, part); err != nil || got != "x" {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if h.pins != 1 {
		t.Errorf("%d sign-ins", h.pins)
	}
}

// Check finds what is wrong with the keys before a customer's record does.
func TestCheck(t *testing.T) {
	h := newHSM(t, "identity")
	role := []record.Part{record.PartIdentity}
	spec := h.spec("identity", role...)
	s := h.store(t, role, spec)
	good, lost := h.newKey(t, s, record.PartIdentity), h.newKey(t, s, record.PartIdentity)
	if err := os.Remove(h.path(lost)); err != nil {
		t.Fatal(err)
	}
	got := s.Check(t.Context(), append(h.names(t), "identity.key.toml", "receipts.toml"))
	if len(got) != 1 || got[0].Err != nil || got[0].Label != "identity" || len(got[0].Keys) != 2 {
		t.Fatalf("got %+v", got)
	}
	for _, k := range got[0].Keys {
		if (k.ID == good.ID) != (k.Err == nil) {
			t.Errorf("%s: %v", k.ID, k.Err)
		}
	}
	_ = s.Close()
	spec.Label = "not-there"
	if got := h.store(t, role, spec).Check(t.Context(), h.names(t)); len(got) != 1 || got[0].Err == nil {
		t.Fatalf("got %+v", got)
	}
	if _, _, err := h.store(t, role, spec).InitKey(t.Context(), record.PartMyNumber, storagetest.At()); !errors.Is(err, opener.ErrNoKey) {
		t.Fatalf("got %v", err)
	}
}
