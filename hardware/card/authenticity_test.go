package card_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
)

func yes() card.FieldProof                 { return card.FieldProof{Checked: true, Valid: true} }
func no(reason string) card.FieldProof     { return card.FieldProof{Checked: true, Reason: reason} }
func unsure(reason string) card.FieldProof { return card.FieldProof{Reason: reason} }

// every is an Authenticity with the same proof in every field.
func every(p card.FieldProof) card.Authenticity {
	return card.Authenticity{
		MyNumber: p, Attributes: p, NameImage: p, AddressImage: p, Face: p, Birth: p, CardKey: p, NotACopy: p,
	}
}

// foreign replaces the keys of the trust by one of somebody else, under the same ids.
func foreign(tb testing.TB) []card.IssuerKey {
	tb.Helper()
	out := issuers(tb)
	for i := range out {
		out[i].Key = &testKeys().other.PublicKey
	}
	return out
}

// renamed are the right keys under ids that no card names.
func renamed(tb testing.TB) []card.IssuerKey {
	tb.Helper()
	out := issuers(tb)
	for i := range out {
		out[i].KeyID = append([]byte("5"), out[i].KeyID[1:]...)
	}
	return out
}

func TestAuthenticityPerField(t *testing.T) {
	p := person(t, "sato")
	for _, tc := range []struct {
		name   string
		made   virtual.Options
		faults []virtual.Rule
		trust  func(testing.TB) []card.IssuerKey
		want   func() card.Authenticity
	}{
		{"genuine", virtual.Options{}, nil, issuers, func() card.Authenticity { return every(yes()) }},
		{"minimal-lengths", virtual.Options{MinimalLengths: true}, nil, issuers, func() card.Authenticity { return every(yes()) }},
		{"wrong-offsets", virtual.Options{WrongOffsets: true}, nil, issuers, func() card.Authenticity { return every(yes()) }},
		{"no-keys", virtual.Options{}, nil, func(testing.TB) []card.IssuerKey { return nil }, func() card.Authenticity {
			return every(unsure(card.ReasonNoKeys))
		}},
		{"issuer-unknown", virtual.Options{}, nil, renamed, func() card.Authenticity { return every(unsure(card.ReasonIssuerUnknown)) }},
		{"issuer-key-of-another", virtual.Options{}, nil, foreign, func() card.Authenticity {
			a := every(no(card.ReasonCertificateForged))
			a.NotACopy = unsure(card.ReasonCertificateForged)
			return a
		}},
		{"photo-changed", virtual.Options{TamperPhoto: true}, nil, issuers, func() card.Authenticity {
			a := every(yes())
			a.Face = no(card.ReasonPhotoChanged) // the key is in another group, and proven
			return a
		}},
		{"signed-by-another", virtual.Options{ForeignIssuer: true}, nil, issuers, func() card.Authenticity {
			a := every(no(card.ReasonSignatureForged))
			a.NotACopy = unsure(card.ReasonKeyNotProven)
			return a
		}},
		{"cloned", virtual.Options{Cloned: true}, nil, issuers, func() card.Authenticity {
			a := every(yes())
			a.NotACopy = no(card.ReasonChallengeFailed)
			return a
		}},
		{"challenge-refused", virtual.Options{}, []virtual.Rule{{Prefix: unhex(t, "802A0000"), SW: 0x6985}}, issuers, func() card.Authenticity {
			a := every(yes())
			a.NotACopy = unsure(card.ReasonChallengeRefused)
			return a
		}},
		{"one-challenge-fails", virtual.Options{}, []virtual.Rule{{Prefix: unhex(t, "802A0000"), Nth: 1, Flip: true}}, issuers, func() card.Authenticity {
			a := every(yes())
			a.NotACopy = no(card.ReasonChallengeFailed)
			return a
		}},
		{"no-integrity-record", virtual.Options{}, []virtual.Rule{{Prefix: unhex(t, "00B083"), SW: 0x6A82}}, issuers, func() card.Authenticity {
			a := every(yes())
			a.MyNumber, a.Attributes = unsure(card.ReasonRecordUnreadable), unsure(card.ReasonRecordUnreadable)
			return a
		}},
		{"integrity-signature-broken", virtual.Options{}, []virtual.Rule{{Prefix: unhex(t, "00B083"), Flip: true}}, issuers, func() card.Authenticity {
			a := every(yes())
			a.MyNumber, a.Attributes = no(card.ReasonSignatureForged), no(card.ReasonSignatureForged)
			return a
		}},
		{"card-key-broken", virtual.Options{}, []virtual.Rule{{Prefix: unhex(t, "00B087"), Flip: true}}, issuers, func() card.Authenticity {
			a := every(yes())
			a.CardKey, a.NotACopy = no(card.ReasonSignatureForged), unsure(card.ReasonKeyNotProven)
			return a
		}},
		{"number-file-changed", virtual.Options{}, []virtual.Rule{{Prefix: unhex(t, "00B08100"), Flip: true}}, issuers, func() card.Authenticity {
			a := every(yes()) // the filler is signed too
			a.MyNumber = no(card.ReasonNumberChanged)
			return a
		}},
		{"text-certificate-unreadable", virtual.Options{}, []virtual.Rule{{Prefix: unhex(t, "00B084"), Nth: 1, SW: 0x6A82}}, issuers, func() card.Authenticity {
			a, bad := every(yes()), unsure(card.ReasonIssuerUnreadable)
			a.MyNumber, a.Attributes, a.CardKey, a.NotACopy = bad, bad, bad, bad
			return a
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			chip := newCard(t, p, tc.made)
			c, _ := place(t, chip, card.Options{Trust: tc.trust(t)})
			chip.SetFaults(virtual.Faults{Rules: tc.faults})
			id, err := c.AuthenticatedID(t.Context(), p.PIN(), card.IDOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := id.Authenticity
			got.TextIssuer, got.SurfaceIssuer, got.Virtual = "", "", false
			if d := cmp.Diff(got, tc.want()); d != "" {
				t.Error(d)
			}
			if id.MyNumber != nil {
				t.Error("the My Number was not asked for")
			}
		})
	}
}

func TestFieldProofText(t *testing.T) {
	for want, p := range map[string]card.FieldProof{
		"valid":                                yes(),
		"not valid: photo-changed":             no(card.ReasonPhotoChanged),
		"signed, not verified: unknown issuer": unsure(card.ReasonIssuerUnknown),
		"not checked: not-read":                unsure(card.ReasonNotRead),
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestNumberRefused wants the refusal of 照合番号A to be told from a wrong PIN.
func TestNumberRefused(t *testing.T) {
	p := person(t, "sato")
	for name, tc := range map[string]struct {
		sw      uint16
		blocked bool
	}{"wrong": {0x63C9, false}, "blocked": {0x6984, true}, "exhausted": {0x63C0, true}} {
		t.Run(name, func(t *testing.T) {
			chip := newCard(t, p)
			c, _ := place(t, chip, card.Options{})
			chip.SetFaults(virtual.Faults{Rules: []virtual.Rule{{Prefix: unhex(t, "00200093"), SW: tc.sw}}})
			id, err := c.AuthenticatedID(t.Context(), p.PIN(), card.IDOptions{KeepMyNumber: true})
			var refused *card.NumberRefusedError
			var auth card.AuthError
			if !errors.As(err, &refused) || refused.Blocked != tc.blocked || errors.As(err, &auth) || errors.Is(err, card.ErrBlocked) {
				t.Fatalf("got %v", err)
			}
			if id != (card.ID{}) {
				t.Error("data beside an error")
			}
		})
	}
}

// TestApplicationsDisagree mixes the genuine text of one person with the genuine face of another.
func TestApplicationsDisagree(t *testing.T) {
	a, b := person(t, "sato"), person(t, "suzuki")
	chips := map[bool]*virtual.Card{}
	r := &relay{chips: chips}
	for face, p := range map[bool]*virtual.Person{false: a, true: b} {
		chips[face] = newCard(t, p)
		chips[face].PowerOn()
	}
	c, err := card.Open(t.Context(), r, card.Options{Trust: issuers(t)})
	if err != nil {
		t.Fatal(err)
	}
	r.number = b.MyNumber().Reveal()
	id, err := c.AuthenticatedID(t.Context(), a.PIN(), card.IDOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if id.Authenticity.Attributes != no(card.ReasonApplicationsDisagree) || !id.Authenticity.Face.Valid {
		t.Errorf("got %+v", id.Authenticity)
	}
}

func TestMyNumberCheckDigit(t *testing.T) {
	// by hand: 12345678901: weights from the right 2..7, 2..6: 1*2+0*3+9*4+8*5+7*6+6*7 = 162; 5*2+4*3+3*4+2*5+1*6 = 50;
	// 212 = 19*11 + 3, so the check digit is 8
	for number, want := range map[string]error{
		"123456789018": nil, "123456789017": card.ErrFormat, "12345678901": card.ErrFormat, "1234567890188": card.ErrFormat,
		"12345678901x": card.ErrFormat, "": card.ErrFormat, "000000000000": nil, "000000000001": card.ErrFormat,
		"000000000060": nil, // remainder 1: 6*2 = 12
	} {
		if err := card.CheckMyNumber(digits(number)); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", number, err, want)
		}
	}
	one := []byte("123456789018")
	for i := range one {
		wrong := bytes.Clone(one)
		wrong[i] = '0' + (wrong[i]-'0'+1)%10
		if err := card.CheckMyNumber(secret.New(wrong)); !errors.Is(err, card.ErrFormat) {
			t.Errorf("a slip in digit %d was not found", i+1)
		}
	}
}

func TestFormatsOfNewReads(t *testing.T) {
	s := play(t, identified())
	c := openCard(t, s, card.Options{})
	ctx := t.Context()
	bad := digits("123456789017")
	_, e1 := c.FrontByA(ctx, bad)
	_, e2 := c.MyNumberByA(ctx, bad)
	_, e3 := c.MyNumberImageByA(ctx, bad)
	_, e4 := c.AgeByBirth(ctx, digits("551317"))
	_, e5 := c.AgeByBirth(ctx, digits("19800217"))
	_, e6 := c.MyNumberByPIN(ctx, digits("12345"))
	_, e7 := c.AuthSigner(ctx, digits("123a"))
	_, e8 := c.AuthenticatedID(ctx, digits(""), card.IDOptions{})
	_, e9 := c.ProvenAttributesByB(ctx, digits("55"))
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9, card.RefTextReserved.Check(digits("1234"))} {
		if !errors.Is(err, card.ErrFormat) {
			t.Errorf("%d: got %v, want ErrFormat", i+1, err)
		}
	}
	s.done()
}
