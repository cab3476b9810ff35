package hardwaretest_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
)

// trusted are the issuer keys of the virtual cards.
func trusted(tb testing.TB) []card.IssuerKey {
	tb.Helper()
	keys, err := virtual.IssuerKeys()
	if err != nil {
		tb.Fatal(err)
	}
	var out []card.IssuerKey
	for _, k := range keys {
		out = append(out, card.IssuerKey{KeyID: k.KeyID, Key: k.Key})
	}
	return out
}

// inProcess puts a card on a virtual reader and opens it.
func inProcess(tb testing.TB, c *virtual.Card, opt card.Options) (*card.Card, reader.Session) {
	tb.Helper()
	r := virtual.NewReader()
	if err := r.Insert(c); err != nil {
		tb.Fatal(err)
	}
	return openOn(tb, r, opt)
}

func openOn(tb testing.TB, r reader.Reader, opt card.Options) (*card.Card, reader.Session) {
	tb.Helper()
	s, err := r.Open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	opened, err := card.Open(tb.Context(), s, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return opened, s
}

func same(t *testing.T, what string, got, want *secret.Bytes) {
	t.Helper()
	if !bytes.Equal(got.Reveal(), want.Reveal()) {
		t.Errorf("%s is not what was put on the card", what)
	}
}

func numberB(p *virtual.Person) *secret.Bytes {
	birth, expiry, code := p.NumberB()
	return secret.New(bytes.Join([][]byte{birth.Reveal(), expiry.Reveal(), code.Reveal()}, nil))
}

func TestEveryVirtualPerson(t *testing.T) {
	people, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	for i := range people {
		p := &people[i]
		t.Run(p.ID, func(t *testing.T) {
			chip, err := p.NewCard()
			if err != nil {
				t.Fatal(err)
			}
			c, s := inProcess(t, chip, card.Options{Trust: trusted(t)})
			readsAll(t, c, p)
			if err := c.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			stats := chip.Stats()
			if n := stats.Reads["0408/0001"]; n != 0 {
				t.Fatalf("the My Number was read %d times", n)
			}
			if n := stats.ReadsOf("0401"); n != 0 {
				t.Fatalf("the 住基 application was read %d times", n)
			}
			if n := stats.AllVerifies(); n != 2 {
				t.Fatalf("%d VERIFY commands with data, want 2", n)
			}
			if chip.TriesLeft("0408", 0x0015) != 10 || chip.TriesLeft("0402", 0x0012) != 10 {
				t.Fatal("tries were spent")
			}
		})
	}
}

// readsAll compares everything that can be read by 照合番号B with the person.
func readsAll(t *testing.T, c *card.Card, p *virtual.Person) {
	t.Helper()
	id := c.Identity()
	if id.Kind != card.KindMyNumber || id.Municipality != p.Municipality() {
		t.Errorf("got %v of %v", id.Kind, id.Municipality)
	}
	compact := func(d card.Date) string { return string(bytes.ReplaceAll([]byte(d.String()), []byte("-"), nil)) }
	if compact(id.Expiry) != p.Expiry() {
		t.Errorf("expiry is %v, want %s", id.Expiry, p.Expiry())
	}
	same(t, "serial", id.Serial, p.Serial())
	tries, err := c.Tries(t.Context(), card.RefFaceB)
	if err != nil || tries != (card.Tries{Left: 10, Known: true}) {
		t.Errorf("got %v %v, want 10 tries", tries, err)
	}
	attributes, err := c.AttributesByB(t.Context(), numberB(p))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "name", attributes.Name, p.Name())
	same(t, "address", attributes.Address, p.Address())
	same(t, "birth", attributes.Birth, p.Birth())
	same(t, "sex", attributes.Sex, p.Sex())
	front, err := c.FrontByB(t.Context(), numberB(p))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "face", front.Face, p.Face())
	same(t, "birth of the front", front.Birth, p.Birth())
	same(t, "sex of the front", front.Sex, p.Sex())
	if compact(front.Expiry) != p.Expiry() {
		t.Errorf("expiry of the front is %v, want %s", front.Expiry, p.Expiry())
	}
	if front.Proof.Verdict != card.Genuine || !front.Proof.Virtual {
		t.Errorf("got %+v, want a genuine virtual card", front.Proof)
	}
}

func TestVirtualPINs(t *testing.T) {
	h := newHand(t, virtual.NewReader())
	wrong := secret.New([]byte("0000"))
	if bytes.Equal(wrong.Reveal(), h.PIN()) {
		t.Fatal("choose another person")
	}
	c, _ := inProcess(t, h.card, card.Options{})
	for left := 2; left >= 0; left-- {
		if left == 0 {
			if _, err := c.AttributesByPIN(t.Context(), wrong); !errors.Is(err, card.ErrLastTry) {
				t.Fatalf("the last try without a confirmation: %v", err)
			}
			c.ConfirmLastTry(card.RefTextPIN)
		}
		_, err := c.AttributesByPIN(t.Context(), wrong)
		var auth card.AuthError
		if !errors.As(err, &auth) || auth.Left != left || errors.Is(err, card.ErrBlocked) != (left == 0) {
			t.Fatalf("got %v, want %d left", err, left)
		}
		tries, err := c.Tries(t.Context(), card.RefTextPIN)
		if err != nil || tries != (card.Tries{Left: left, Known: true}) {
			t.Fatalf("got %v %v, want %d", tries, err, left)
		}
	}
	if _, err := c.AttributesByPIN(t.Context(), secret.New(h.PIN())); !errors.Is(err, card.ErrBlocked) {
		t.Fatalf("got %v, want ErrBlocked", err)
	}
	if _, err := c.AttributesByB(t.Context(), numberB(h.person)); err != nil {
		t.Fatalf("照合番号B after a blocked PIN: %v", err)
	}
}

func TestVirtualFaults(t *testing.T) {
	for name, f := range map[string]virtual.Faults{
		"extended-refused": {RefuseExtended: true},
		"first-fails":      {FirstFails: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHand(t, virtual.NewReader())
			h.card.SetFaults(f)
			c, _ := inProcess(t, h.card, card.Options{Trust: trusted(t)})
			readsAll(t, c, h.person)
			if c.Short() != f.RefuseExtended {
				t.Fatalf("Short is %v", c.Short())
			}
		})
	}
	for name, tc := range map[string]struct {
		opt     virtual.Options
		verdict card.Genuineness
		reason  string
	}{
		"photo-tampered":      {virtual.Options{TamperPhoto: true}, card.Forged, card.ReasonPhotoChanged},
		"foreign-issuer":      {virtual.Options{ForeignIssuer: true}, card.Forged, ""},
		"wrong-offset-tables": {virtual.Options{WrongOffsets: true}, card.Genuine, ""},
		"minimal-lengths":     {virtual.Options{MinimalLengths: true}, card.Genuine, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := somebody(t)
			chip, err := p.NewCard(tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			c, _ := inProcess(t, chip, card.Options{Trust: trusted(t)})
			front, err := c.FrontByB(t.Context(), numberB(p))
			if err != nil || front.Proof.Verdict != tc.verdict || tc.reason != "" && front.Proof.Reason != tc.reason {
				t.Fatalf("got %+v %v, want %v %v", front.Proof, err, tc.verdict, tc.reason)
			}
		})
	}
	t.Run("pulled-in-verify", func(t *testing.T) {
		r := virtual.NewReader()
		h := newHand(t, r)
		h.Insert()
		c, _ := openOn(t, r, card.Options{})
		h.RemoveAtAPDU(2, true)
		_, err := c.AttributesByPIN(t.Context(), secret.New(h.PIN()))
		var unknown *card.VerifyUnknownError
		if !errors.As(err, &unknown) || !errors.Is(err, reader.ErrCardLost) {
			t.Fatalf("got %v, want an unknown outcome of a lost card", err)
		}
	})
}

func TestVirtualOtherCards(t *testing.T) {
	h := newHand(t, virtual.NewReader())
	phone, err := h.person.NewPhone()
	if err != nil {
		t.Fatal(err)
	}
	juki, err := h.person.NewJukiCard()
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[card.Kind]*virtual.Card{
		card.KindPhone: phone, card.KindJuki: juki, card.KindDriversLicence: virtual.DriversLicence(),
		card.KindResidenceCard: virtual.ResidenceCard(), card.KindPassport: virtual.Passport(),
		card.KindUnknown: virtual.FeliCa(),
	} {
		t.Run(string(want), func(t *testing.T) {
			got, _ := inProcess(t, c, card.Options{})
			if got.Identity().Kind != want {
				t.Fatalf("got %v", got.Identity().Kind)
			}
		})
	}
}

// readOnce is one verification's card work: identify, tries, attributes and proven front by 照合番号B, end. It
// gives the number of commands.
func readOnce(ctx context.Context, tb testing.TB, r reader.Reader, opt card.Options, number *secret.Bytes) int {
	tb.Helper()
	c, s := openOn(tb, r, opt)
	if _, err := c.Tries(ctx, card.RefTextB); err != nil {
		tb.Fatal(err)
	}
	attributes, err := c.AttributesByB(ctx, number)
	if err != nil {
		tb.Fatal(err)
	}
	attributes.Wipe()
	front, err := c.FrontByB(ctx, number)
	if err != nil || len(opt.Trust) > 0 && front.Proof.Verdict != card.Genuine {
		tb.Fatalf("%+v %v", front.Proof, err)
	}
	front.Wipe()
	if err := c.Forget(ctx); err != nil {
		tb.Fatal(err)
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	n := 0
	for _, count := range c.Counts() {
		n += count
	}
	return n
}

// BenchmarkInProcess measures card placed to attributes and face read, over the virtual reader.
func BenchmarkInProcess(b *testing.B) {
	for _, bench := range []struct {
		name string
		opt  card.Options
	}{
		{"extended", card.Options{}},
		{"extended-proof", card.Options{Trust: trusted(b)}},
		{"short-proof", card.Options{Trust: trusted(b), Short: true}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := virtual.NewReader()
			p, chip := somebody(b)
			if err := r.Insert(chip); err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				n = readOnce(b.Context(), b, r, bench.opt, numberB(p))
			}
			b.ReportMetric(float64(n), "apdus/op")
		})
	}
}

// somebody is a person with a card.
func somebody(tb testing.TB) (*virtual.Person, *virtual.Card) {
	tb.Helper()
	people, err := virtual.People()
	if err != nil {
		tb.Fatal(err)
	}
	p, err := virtual.NewDrawer(people).Person("sato")
	if err != nil {
		tb.Fatal(err)
	}
	c, err := p.NewCard()
	if err != nil {
		tb.Fatal(err)
	}
	return p, c
}
