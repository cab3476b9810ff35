package card_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
)

// person is a virtual person by id.
func person(tb testing.TB, id string) *virtual.Person {
	tb.Helper()
	people, err := virtual.People()
	if err != nil {
		tb.Fatal(err)
	}
	for i := range people {
		if people[i].ID == id {
			return &people[i]
		}
	}
	tb.Fatalf("no virtual person %s", id)
	return nil
}

// issuers are the issuer keys of the virtual cards.
func issuers(tb testing.TB) []card.IssuerKey {
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

// place lays a card on a reader and opens it.
func place(tb testing.TB, chip *virtual.Card, opt card.Options) (*card.Card, reader.Session) {
	tb.Helper()
	r := virtual.NewReader()
	if err := r.Insert(chip); err != nil {
		tb.Fatal(err)
	}
	s, err := r.Open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	c, err := card.Open(tb.Context(), s, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return c, s
}

func newCard(tb testing.TB, p *virtual.Person, o ...virtual.Options) *virtual.Card {
	tb.Helper()
	chip, err := p.NewCard(o...)
	if err != nil {
		tb.Fatal(err)
	}
	return chip
}

func joined(parts ...*secret.Bytes) *secret.Bytes {
	var out []byte
	for _, p := range parts {
		out = append(out, p.Reveal()...)
	}
	return secret.New(out)
}

func numberBOf(p *virtual.Person) *secret.Bytes { return joined(p.NumberB()) }

// job is one task of the budget, with the number of commands that it may take with extended length, counted from
// the first SELECT after the credential is known, and whole, with detection, tries and close.
type job struct {
	name         string
	alone, whole int
	trust        bool
	tries        card.Ref
	run          func(ctx context.Context, c *card.Card, p *virtual.Person) error
}

func jobs() []job {
	digest := sha256.Sum256([]byte("a document"))
	return []job{
		{"id-by-pin", 13, 24, true, card.RefTextPIN, func(ctx context.Context, c *card.Card, p *virtual.Person) error {
			id, err := c.AuthenticatedID(ctx, p.PIN(), card.IDOptions{})
			if err == nil && (!id.Authenticity.NotACopy.Valid || id.MyNumber != nil) {
				return fmt.Errorf("not proven: %v", id.Authenticity.NotACopy)
			}
			return err
		}},
		{"jpki-sign", 8, 16, false, card.RefSignPass, func(ctx context.Context, c *card.Card, p *virtual.Person) error {
			_, err := c.SignJPKI(ctx, p.SignPassword(), digest[:], card.SignOptions{})
			return err
		}},
		{"face-by-b", 3, 14, false, card.RefFaceB, func(ctx context.Context, c *card.Card, p *virtual.Person) error {
			_, err := c.FrontByB(ctx, numberBOf(p))
			return err
		}},
		{"face-by-b-proven", 5, 14, true, card.RefFaceB, func(ctx context.Context, c *card.Card, p *virtual.Person) error {
			f, err := c.FrontByB(ctx, numberBOf(p))
			if err == nil && f.Proof.Verdict != card.Genuine {
				return fmt.Errorf("not proven: %v", f.Proof)
			}
			return err
		}},
		{"route-b-issuer-first", 9, 14, true, card.RefFaceB, func(ctx context.Context, c *card.Card, p *virtual.Person) error {
			issuer, err := c.SurfaceCertificate(ctx)
			if err != nil || !issuer.State.Valid {
				return fmt.Errorf("issuer: %v %w", issuer.State, err)
			}
			f, err := c.FrontByB(ctx, numberBOf(p))
			if err == nil && f.Proof.Verdict != card.Genuine {
				return fmt.Errorf("not proven: %v", f.Proof)
			}
			if err == nil {
				_, err = c.AttributesByB(ctx, numberBOf(p))
			}
			return err
		}},
		{"attributes-by-b-proven", 7, 14, true, card.RefTextB, func(ctx context.Context, c *card.Card, p *virtual.Person) error {
			a, err := c.ProvenAttributesByB(ctx, numberBOf(p))
			if err == nil && !a.Authenticity.Attributes.Valid {
				return fmt.Errorf("not proven: %v", a.Authenticity.Attributes)
			}
			return err
		}},
		{"main-tries", 10, 18, false, card.RefTextPIN, func(ctx context.Context, c *card.Card, _ *virtual.Person) error {
			_, err := c.MainTries(ctx)
			return err
		}},
		{"all-tries", 15, 22, false, card.RefCommonPIN, func(ctx context.Context, c *card.Card, _ *virtual.Person) error {
			_, err := c.AllTries(ctx)
			return err
		}},
	}
}

// TestBudgets counts the commands at the card, which knows nothing of the reader's own counting.
func TestBudgets(t *testing.T) {
	p := person(t, "sato")
	for _, j := range jobs() {
		t.Run(j.name, func(t *testing.T) {
			opt := card.Options{}
			if j.trust {
				opt.Trust = issuers(t)
			}
			chip := newCard(t, p)
			c, _ := place(t, chip, opt)
			before := chip.Stats().APDUs
			if err := j.run(t.Context(), c, p); err != nil {
				t.Fatal(err)
			}
			if n := chip.Stats().APDUs - before; n > j.alone {
				t.Errorf("%d commands, the budget is %d", n, j.alone)
			}
			if n := chip.Stats().APDUs; n != c.Traffic().Commands {
				t.Errorf("the card counts %d commands, the session %d", n, c.Traffic().Commands)
			}

			whole := newCard(t, p)
			c, s := place(t, whole, opt)
			if _, err := c.Tries(t.Context(), j.tries); err != nil {
				t.Fatal(err)
			}
			if err := j.run(t.Context(), c, p); err != nil {
				t.Fatal(err)
			}
			if err := c.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if n := whole.Stats().APDUs; n > j.whole {
				t.Errorf("%d commands with detection, tries and close, the budget is %d", n, j.whole)
			}
			if n := whole.Stats().ReadsOf("0401"); n != 0 {
				t.Errorf("%d reads in 住基", n)
			}
			if n := whole.Stats().Reads["0408/0001"]; n != 0 && j.name != "id-by-pin" {
				t.Errorf("the My Number was read %d times", n)
			}
		})
	}
}

// TestAllTriesOfANewCard wants the counters to be those of a new card, and no VERIFY anywhere.
func TestAllTriesOfANewCard(t *testing.T) {
	chip := newCard(t, person(t, "sato"))
	c, _ := place(t, chip, card.Options{})
	got, err := c.AllTries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[card.Ref]int{
		card.RefSignPass: 5, card.RefAuthPIN: 3, card.RefTextPIN: 3, card.RefTextA: 10, card.RefTextB: 10,
		card.RefFaceA: 10, card.RefFaceB: 10, card.RefFaceBirth: 10, card.RefCommonPIN: 3, card.RefJukiPIN: 3,
	}
	if len(got) != len(want)+1 || got.Of(card.RefTextReserved).Known {
		t.Fatalf("%d counters, want %d and the reserved one without a number: %v", len(got), len(want), got)
	}
	for ref, left := range want {
		if got.Of(ref) != (card.Tries{Left: left, Known: true}) {
			t.Errorf("%v: got %v, want %d", ref, got.Of(ref), left)
		}
	}
	if n := chip.Stats().AllVerifies(); n != 0 {
		t.Errorf("%d VERIFYs", n)
	}
	if n, asked := chip.Stats().Queries["0408/0012"], chip.Stats().Queries["0408/0011"]; n != 0 || asked != 1 {
		t.Errorf("0408/0012 was touched %d times, 0408/0011 asked %d times", n, asked)
	}
}

// TestEverybodyByEveryRoute reads all that a card holds, on extended and short readers, and compares it with what
// was put on the card.
func TestEverybodyByEveryRoute(t *testing.T) {
	people, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	for i := range people {
		p := &people[i]
		for _, short := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s-short-%v", p.ID, short), func(t *testing.T) {
				opt := card.Options{Trust: issuers(t), Short: short}
				readID(t, p, opt)
				readSurface(t, p, opt)
				readJPKI(t, p, opt)
			})
		}
	}
}

func equalSecret(t *testing.T, what string, got, want *secret.Bytes) {
	t.Helper()
	if want.Len() == 0 || !bytes.Equal(got.Reveal(), want.Reveal()) {
		t.Errorf("%s is not what was put on the card", what)
	}
}

func valid(t *testing.T, proofs map[string]card.FieldProof) {
	t.Helper()
	for name, p := range proofs {
		if p != (card.FieldProof{Checked: true, Valid: true}) {
			t.Errorf("%s: %v, want valid", name, p)
		}
	}
}

func readID(t *testing.T, p *virtual.Person, opt card.Options) {
	t.Helper()
	c, _ := place(t, newCard(t, p), opt)
	tries, err := c.Tries(t.Context(), card.RefTextPIN)
	if err != nil {
		t.Fatal(err)
	}
	if tries.Blocked() {
		if _, err := c.AuthenticatedID(t.Context(), p.PIN(), card.IDOptions{}); err == nil {
			t.Error("a blocked PIN opened the card")
		}
		return
	}
	id, err := c.AuthenticatedID(t.Context(), p.PIN(), card.IDOptions{KeepMyNumber: true})
	if err != nil {
		t.Fatal(err)
	}
	equalSecret(t, "my number", id.MyNumber, p.MyNumber())
	equalSecret(t, "name", id.Attributes.Name, p.Name())
	equalSecret(t, "address", id.Attributes.Address, p.Address())
	equalSecret(t, "birth", id.Front.Birth, p.Birth())
	equalSecret(t, "face", id.Front.Face, p.Face())
	a := id.Authenticity
	valid(t, map[string]card.FieldProof{
		"my number": a.MyNumber, "attributes": a.Attributes, "name image": a.NameImage, "address image": a.AddressImage,
		"face": a.Face, "birth": a.Birth, "card key": a.CardKey, "not a copy": a.NotACopy,
	})
	if !a.Virtual || a.TextIssuer[:14] != "39303030303333" || a.SurfaceIssuer[:14] != "39303030303233" {
		t.Errorf("issuers %s %s virtual %v", a.TextIssuer, a.SurfaceIssuer, a.Virtual)
	}
	id.Wipe()
	if id.MyNumber.Len()+id.Attributes.Name.Len()+id.Front.Face.Len() != 0 {
		t.Error("Wipe left something")
	}
}

func readSurface(t *testing.T, p *virtual.Person, opt card.Options) {
	t.Helper()
	c, _ := place(t, newCard(t, p), opt)
	front, err := c.FrontByA(t.Context(), p.MyNumber())
	if err != nil {
		t.Fatal(err)
	}
	equalSecret(t, "face", front.Face, p.Face())
	birth, _, _ := p.NumberB()
	age, err := c.AgeByBirth(t.Context(), birth)
	if err != nil {
		t.Fatal(err)
	}
	equalSecret(t, "birth", age.Birth, p.Birth())
	image, err := c.MyNumberImageByA(t.Context(), p.MyNumber())
	if err != nil {
		t.Fatal(err)
	}
	valid(t, map[string]card.FieldProof{
		"front": front.Authenticity.NotACopy, "age": age.Authenticity.Birth, "age key": age.Authenticity.NotACopy,
		"image": image.Authenticity.MyNumber, "image key": image.Authenticity.NotACopy,
	})
	if !bytes.HasPrefix(image.Image.Reveal(), []byte("\x89PNG")) {
		t.Error("the image of the number is not a PNG")
	}
	info, err := c.SurfaceInfo(t.Context())
	if err != nil || info.Municipality != p.Municipality() || info.Application != "06030e01" || info.Version != "00" {
		t.Errorf("got %+v %v", info, err)
	}
	text, err := c.TextInfo(t.Context())
	if err != nil || text.Application != "01030e01" || !text.Extended {
		t.Errorf("got %+v %v", text, err)
	}
	for id, read := range map[string]func(context.Context) (card.IssuerCertificate, error){
		"39303030303233": c.SurfaceCertificate, "39303030303333": c.TextCertificate,
	} {
		cert, err := read(t.Context())
		if err != nil || cert.Issuer[:14] != id || cert.Key.Size() != 256 || !cert.State.Valid {
			t.Errorf("got %+v %v", cert, err)
		}
	}
	number, err := c.MyNumberByA(t.Context(), p.MyNumber())
	if err != nil {
		t.Fatal(err)
	}
	equalSecret(t, "number by A", number, p.MyNumber())
	proven, err := c.ProvenAttributesByB(t.Context(), numberBOf(p))
	if err != nil || !proven.Authenticity.Attributes.Valid || proven.Authenticity.MyNumber.Reason != card.ReasonNotRead {
		t.Errorf("got %+v %v", proven.Authenticity, err)
	}
}
