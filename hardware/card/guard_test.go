package card_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"

	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
)

// TestNoTryIsWasted wants a session to remember what it learned of the tries, and to send nothing more without a word
// from the holder.
func TestNoTryIsWasted(t *testing.T) {
	const query = "00200091"
	read := func(c *card.Card) error {
		_, err := c.AttributesByPIN(t.Context(), digits("1234"))
		return err
	}
	ask := func(c *card.Card) error {
		_, err := c.Tries(t.Context(), card.RefTextPIN)
		return err
	}
	confirm := func(c *card.Card) error {
		c.ConfirmLastTry(card.RefTextPIN)
		return nil
	}
	type step struct {
		do   func(*card.Card) error
		want error
	}
	unknown := &card.VerifyUnknownError{}
	for _, tc := range []struct {
		name  string
		sent  []string // after SELECT
		steps []step
	}{
		{"one-left-by-query", []string{query, "63C1"}, []step{{ask, nil}, {read, card.ErrLastTry}}},
		{"one-left-by-query-and-confirmed", []string{query, "63C1", verifyPIN, "63C0"}, []step{
			{ask, nil}, {confirm, nil}, {read, card.ErrBlocked}, {confirm, nil}, {read, card.ErrBlocked},
		}},
		{"one-left-by-a-wrong-one", []string{verifyPIN, "63C1"}, []step{{read, card.AuthError{Left: 1}}, {read, card.ErrLastTry}}},
		{"a-confirmation-holds-once", []string{query, "63C1", verifyPIN, "63C1"}, []step{
			{ask, nil}, {confirm, nil}, {read, card.AuthError{Left: 1}}, {read, card.ErrLastTry},
		}},
		{"blocked-by-query", []string{query, "6984"}, []step{{ask, nil}, {confirm, nil}, {read, card.ErrBlocked}}},
		{"not-told", []string{query, "9000"}, []step{{ask, nil}, {read, card.ErrLastTry}}},
		{"no-answer", []string{verifyPIN, "pull"}, []step{{read, unknown}, {read, card.ErrLastTry}}},
		{"no-answer-and-asked-again", []string{verifyPIN, "pull", query, "63C3", verifyPIN, "63C2"}, []step{
			{read, unknown}, {ask, nil}, {read, card.AuthError{Left: 2}},
		}},
		{"execution-error", []string{verifyPIN, "6581"}, []step{{read, unknown}, {read, card.ErrLastTry}}},
		{"wrong-without-a-counter", []string{verifyPIN, "6300"}, []step{{read, unknown}, {read, card.ErrLastTry}}},
		{"security-environment", []string{verifyPIN, "6600"}, []step{{read, unknown}, {read, card.ErrLastTry}}},
		{"two-left", []string{query, "63C2", verifyPIN, "63C1"}, []step{{ask, nil}, {read, card.AuthError{Left: 1}}}},
		{"right-fills-the-counter", []string{
			query, "63C2", verifyPIN, "9000", readText, "6982", verifyPIN, "9000", readText, "6982",
		}, []step{{ask, nil}, {read, card.ErrSecurity}, {read, card.ErrSecurity}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, identified(), []string{selText, "9000"}, tc.sent)
			c := openCard(t, s, card.Options{})
			for i, st := range tc.steps {
				err := st.do(c)
				if errors.Is(st.want, unknown) && isUnknown(err) {
					continue
				}
				if !errors.Is(err, st.want) {
					t.Fatalf("step %d: got %v, want %v", i+1, err, st.want)
				}
			}
			s.done()
		})
	}
}

// TestOwnNumberIsNoTyping: the card's own number may spend the last try of 照合番号A, but not when it is blocked.
func TestOwnNumberIsNoTyping(t *testing.T) {
	p := person(t, "sato")
	chip := newCard(t, p)
	for wrong := 0; chip.TriesLeft("0402", 0x13) > 1; wrong++ {
		if wrong > 10 {
			t.Fatal("the counter does not fall")
		}
		c, _ := place(t, chip, card.Options{})
		if _, err := c.FrontByA(t.Context(), digits("123456789018")); err == nil {
			t.Fatal("choose another person")
		}
	}
	c, _ := place(t, chip, card.Options{})
	if tries, err := c.Tries(t.Context(), card.RefFaceA); err != nil || tries.Left != 1 {
		t.Fatalf("got %v %v", tries, err)
	}
	if _, err := c.FrontByA(t.Context(), p.MyNumber()); !errors.Is(err, card.ErrLastTry) {
		t.Fatalf("as typed: got %v, want ErrLastTry", err)
	}
	if _, err := c.AuthenticatedID(t.Context(), p.PIN(), card.IDOptions{}); err != nil {
		t.Fatalf("as read: %v", err)
	}
	if n := chip.TriesLeft("0402", 0x13); n != 10 {
		t.Fatalf("%d tries left, want 10", n)
	}
}

// TestTokenInPieces is a reader that gives the label up to where that of another card ends.
func TestTokenInPieces(t *testing.T) {
	first, rest := token2[:28], token2[28:]
	t.Run("and-the-rest", func(t *testing.T) {
		s := play(t, []string{selJPKI, "9000", readToken, first + "9000", "00B0000E12", rest + "9000"}, identified()[4:])
		if p := openCard(t, s, card.Options{}).Identity().Product; p != card.ProductMyNumber {
			t.Fatalf("got %v", p)
		}
		s.done()
	})
	t.Run("and-nothing-more", func(t *testing.T) {
		s := play(t, []string{selJPKI, "9000", readToken, first + "9000", "00B0000E12", "6B00", selText, "9000"}, identified()[4:])
		if p := openCard(t, s, card.Options{}).Identity().Product; p != card.ProductMyNumber {
			t.Fatalf("got %v, want what the next application says", p)
		}
		s.done()
	})
}

// TestIssuerFirst wants the issuer's certificate to be read once, and the challenge to go to the right application.
func TestIssuerFirst(t *testing.T) {
	p := person(t, "sato")
	chip := newCard(t, p)
	c, _ := place(t, chip, card.Options{Trust: issuers(t)})
	for name, look := range map[string]func(context.Context) (card.IssuerCertificate, error){
		"surface": c.SurfaceCertificate, "text": c.TextCertificate,
	} {
		for range 2 {
			if cert, err := look(t.Context()); err != nil || !cert.State.Valid {
				t.Fatalf("%s: %v %v", name, cert.State, err)
			}
		}
	}
	id, err := c.AuthenticatedID(t.Context(), p.PIN(), card.IDOptions{})
	if err != nil {
		t.Fatal(err)
	}
	valid(t, map[string]card.FieldProof{"attributes": id.Authenticity.Attributes, "not a copy": id.Authenticity.NotACopy})
	if r := chip.Stats().Reads; r["0402/0004"] != 1 || r["0408/0004"] != 1 {
		t.Errorf("certificates read: %v", r)
	}
}

// TestAgeRecordWithAKeyOfAnotherKind: signed all right, but nothing that could be challenged.
func TestAgeRecordWithAKeyOfAnotherKind(t *testing.T) {
	for _, tc := range []struct {
		name          string
		key           []byte
		by            *rsa.PrivateKey
		birth, cardK  card.FieldProof
		notACopyIsYes bool
	}{
		{"right", keyValue(testKeys().card), testKeys().city, yes(), yes(), true},
		{"another-kind", short("86", []byte{4, 1, 2}), testKeys().city, yes(), unsure(card.ReasonRecordUnreadable), false},
		{"forged", keyValue(testKeys().card), testKeys().other, no(card.ReasonSignatureForged), no(card.ReasonSignatureForged), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSurface(t, 400, forge{})
			record := append(short("df11", []byte("19800217")), tl("df12", tc.key)...)
			sum := sha256.Sum256(record)
			sig, err := rsa.SignPKCS1v15(nil, tc.by, crypto.SHA256, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			s.files[1] = tl("ff10", append(record, tl("df13", sig)...))
			c := openCard(t, s, card.Options{Trust: trust("9000023")})
			age, err := c.AgeByBirth(t.Context(), digits("550217"))
			if err != nil {
				t.Fatal(err)
			}
			a := age.Authenticity
			if a.Birth != tc.birth || a.CardKey != tc.cardK || a.NotACopy.Valid != tc.notACopyIsYes {
				t.Fatalf("birth %v, card key %v, not a copy %v", a.Birth, a.CardKey, a.NotACopy)
			}
		})
	}
}

// TestTextAgainstAProvenFace mixes the text of one person with the proven face of another, as route b reads them.
func TestTextAgainstAProvenFace(t *testing.T) {
	a, b := person(t, "sato"), person(t, "suzuki")
	for _, tc := range []struct {
		name  string
		text  *virtual.Person
		trust []card.IssuerKey
		want  card.FieldProof
	}{
		{"of-another", b, issuers(t), no(card.ReasonApplicationsDisagree)},
		{"of-the-same", a, issuers(t), unsure(card.ReasonNotRead)},
		{"nothing-proven", b, nil, unsure(card.ReasonNotRead)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := place(t, newCard(t, a), card.Options{Trust: tc.trust})
			front, err := c.FrontByB(t.Context(), numberBOf(a))
			if err != nil {
				t.Fatal(err)
			}
			c, _ = place(t, newCard(t, tc.text), card.Options{})
			text, err := c.AttributesByB(t.Context(), numberBOf(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			front.Authenticity.Compare(&text, &front)
			if got := front.Authenticity.Attributes; got != tc.want {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
		})
	}
}
