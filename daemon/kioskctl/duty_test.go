package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
	"madoguchi/hardware/virtual/chip"
)

// bench is a virtual reader whose card the test holds in its hand.
type bench struct {
	reader *virtual.Reader
	card   *virtual.Card
}

func newBench(t *testing.T, id string, o ...virtual.Options) *bench {
	t.Helper()
	people, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	p, err := virtual.NewDrawer(people).Person(id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewCard(o...)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{reader: virtual.NewReader(), card: c}
	if err := b.reader.Insert(c); err != nil {
		t.Fatal(err)
	}
	return b
}

// read reads with the virtual cards' trust.
func (b *bench) read(t *testing.T, r route, stdin string, more ...string) (string, error) {
	t.Helper()
	set, err := (trust.Options{AllowTest: true}).Load(testTrust(t))
	if err != nil {
		t.Fatal(err)
	}
	return b.readWith(t, r, stdin, set, more...)
}

func (b *bench) readWith(t *testing.T, r route, stdin string, set *trust.Set, more ...string) (string, error) {
	t.Helper()
	return b.readOn(t, b.reader, r, stdin, set, more...)
}

// readOn reads by another reader, with the bench's card on it.
func (b *bench) readOn(t *testing.T, on reader.Reader, r route, stdin string, set *trust.Set, more ...string) (string, error) {
	t.Helper()
	o, err := parseRead(append([]string{"--reader", "virtual:", "--secrets", "-", "--json", "--route", string(r)}, more...))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSecrets([]byte(stdin))
	if err != nil {
		t.Fatal(err)
	}
	defer s.wipe()
	var out bytes.Buffer
	err = readOn(t.Context(), on, o, set, s, &out)
	return out.String(), err
}

// Duties 1 and 3: by 照合番号B and by JPKI the My Number is not read, by no route is anything of 住基.
func TestWhatIsNeverRead(t *testing.T) {
	for _, r := range []route{routeB, routePIN, routeJPKI, routeAll} {
		t.Run(string(r), func(t *testing.T) {
			b := newBench(t, "sato")
			if _, err := b.read(t, r, hanako); err != nil {
				t.Fatal(err)
			}
			s := b.card.Stats()
			number, image := s.Reads["0408/0001"], s.Reads["0402/0005"]
			if byPIN := r == routePIN || r == routeAll; (number > 0) != byPIN || image != 0 {
				t.Errorf("the My Number was read %d times, its image %d times", number, image)
			}
			if s.ReadsOf("0401") != 0 || s.Selects["0401"] != 0 {
				t.Errorf("住基: %+v", s.Selects)
			}
			if len(s.Changes) != 0 {
				t.Errorf("changes: %v", s.Changes)
			}
			if s.PowerOns != s.PowerOffs {
				t.Errorf("powered %d times, unpowered %d times", s.PowerOns, s.PowerOffs)
			}
			if r == routeJPKI && s.AllVerifies() != 1 {
				t.Errorf("VERIFYs: %v", s.Verifies)
			}
			for key, n := range s.Signs {
				if strings.HasPrefix(key, "jpki/") {
					t.Errorf("%d signatures with %s: one would bind the holder", n, key)
				}
			}
		})
	}
}

// otherTrust is test trust that knows neither the virtual cards' issuer nor, with jpki, the right authority: the
// signature authority stands in for another office's.
func otherTrust(t *testing.T, withJPKI bool) *trust.Set {
	t.Helper()
	set, err := (trust.Options{AllowTest: true}).Load(testTrust(t))
	if err != nil {
		t.Fatal(err)
	}
	d := trust.Dir{Kind: trust.Test}
	if withJPKI {
		d.JPKIAuth = set.JPKISign
	}
	return &trust.Set{Dirs: []trust.Dir{d}, JPKIAuth: d.JPKIAuth}
}

// Test trust without authorities proves the card by its issuer's certificate, also before the PIN.
func TestByPINWithSurfaceTrustOnly(t *testing.T) {
	dir := testTrust(t)
	if err := os.RemoveAll(dir + "/jpki-auth"); err != nil {
		t.Fatal(err)
	}
	set, err := (trust.Options{AllowTest: true}).Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := newBench(t, "sato").readWith(t, routePIN, hanako, set)
	if err != nil {
		t.Fatal(err)
	}
	if r := decode(t, text); !r.Authenticity.Attributes.Valid || r.Certificates.Auth != nil || r.APDUs > 24 {
		t.Fatalf("got %s", text)
	}
}

// A changed photo on a test card is shown as changed, but not saved.
func TestChangedPhoto(t *testing.T) {
	text, err := newBench(t, "sato", virtual.Options{TamperPhoto: true}).read(t, routeB, hanako)
	if err != nil {
		t.Fatal(err)
	}
	a := decode(t, text).Authenticity
	if !a.Face.Checked || a.Face.Valid || a.Face.Reason != card.ReasonPhotoChanged || !a.NameImage.Valid {
		t.Fatalf("got %+v", a)
	}
	file := t.TempDir() + "/face.jp2"
	b := newBench(t, "sato", virtual.Options{TamperPhoto: true})
	if text, err = b.read(t, routeB, hanako, "--save-face", file); codeOf(err) != codeRefused || text != "" {
		t.Fatalf("%q, %v", text, err)
	}
}

// A copy of a test card's files is shown as a copy.
func TestCopy(t *testing.T) {
	text, err := newBench(t, "sato", virtual.Options{Cloned: true}).read(t, routeB, hanako)
	if err != nil {
		t.Fatal(err)
	}
	if a := decode(t, text).Authenticity; !a.NotACopy.Checked || a.NotACopy.Valid || !a.Face.Valid {
		t.Fatalf("got %+v", a)
	}
}

// The last try is spent only with --last-try; a blocked PIN gets nothing sent.
func TestLastTry(t *testing.T) {
	b := newBench(t, "sato")
	for left := 2; left > 0; left-- {
		if _, err := b.read(t, routePIN, `{"pin":"2468"}`); codeOf(err) != codeWrong {
			t.Fatalf("got %v", err)
		}
		if got := b.card.TriesLeft("0408", 0x0011); got != left {
			t.Fatalf("%d tries left, want %d", got, left)
		}
	}
	if _, err := b.read(t, routePIN, hanako); codeOf(err) != codeRefused || b.card.TriesLeft("0408", 0x0011) != 1 {
		t.Fatalf("the last try without a confirmation: %v", err)
	}
	if _, err := b.read(t, routePIN, `{"pin":"2468"}`, "--last-try"); codeOf(err) != codeBlocked {
		t.Fatalf("got %v", err)
	}
	sent := b.card.Stats().AllVerifies()
	if _, err := b.read(t, routePIN, hanako, "--last-try"); codeOf(err) != codeBlocked || b.card.Stats().AllVerifies() != sent {
		t.Fatalf("something was sent to a blocked PIN: %v", err)
	}
}

// No credential is sent twice, wherever the card is pulled; and no half reading is printed.
func TestPulledAnywhere(t *testing.T) {
	for at := 1; at <= 30; at++ {
		b := newBench(t, "sato")
		b.card.SetFaults(chip.Faults{RemoveAt: at, RemoveProcessed: true})
		text, err := b.read(t, routeAll, hanako)
		s := b.card.Stats()
		if s.Verifies["0408/0011"] > 1 || s.Verifies["jpki/001B"] > 1 || s.Verifies["0402/0013"] > 1 {
			t.Fatalf("command %d: VERIFYs %v", at, s.Verifies)
		}
		if err != nil && text != "" {
			t.Fatalf("command %d: printed %s beside %v", at, text, err)
		}
		if err == nil && s.APDUs >= at {
			t.Fatalf("command %d: pulled and not noticed", at)
		}
		if err != nil && !errors.Is(err, reader.ErrCardLost) && !errors.Is(err, reader.ErrNoCard) {
			t.Fatalf("command %d: %v", at, err)
		}
	}
}

// Readers that refuse extended commands, by status word or by breaking, read the same.
func TestShortReaders(t *testing.T) {
	for name, f := range map[string]chip.Faults{"refuses": {RefuseExtended: true}, "breaks": {BreakExtended: true}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "sato")
			b.card.SetFaults(f)
			text, err := b.read(t, routeAll, hanako)
			if err != nil {
				t.Fatal(err)
			}
			if r := decode(t, text); !r.Authenticity.Face.Valid || r.Certificates.Sign == nil {
				t.Fatalf("got %s", text)
			}
		})
	}
}

func FuzzSecrets(f *testing.F) {
	f.Add([]byte(hanako))
	f.Add([]byte(`{"pin":null}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if s, err := parseSecrets(raw); err == nil {
			_ = s.check(routeAll)
			s.wipe()
		}
	})
}
