package card_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
)

// readJPKI reads the free files, both certificates and signs with both keys.
func readJPKI(t *testing.T, p *virtual.Person, opt card.Options) {
	t.Helper()
	c, _ := place(t, newCard(t, p), opt)
	token, err := c.Token(t.Context())
	if err != nil || token.Label != "JPKIAPICCTOKEN2" || token.MaxPIN != 16 || token.MinPIN != 6 ||
		token.Model != "VIRTUAL" || token.Serial != "9000000000000001" || token.Hardware != "03" {
		t.Errorf("got %+v %v", token, err)
	}
	flags, err := c.Availability(t.Context())
	if err != nil || flags != (card.Availability{Known: true, Sign: p.SignCertificate(), Auth: true}) {
		t.Errorf("got %+v %v", flags, err)
	}
	signCA, authCA, err := virtual.JPKIRoots()
	if err != nil {
		t.Fatal(err)
	}
	for use, want := range map[card.CertificateUse][]byte{card.UseSign: signCA, card.UseAuth: authCA} {
		if got, err := c.CACertificate(t.Context(), use); err != nil || !bytes.Equal(got, want) {
			t.Errorf("CA certificate %v is not the one on the card: %v", use, err)
		}
	}
	free, err := c.AuthCertificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	issuedBy(t, free, authCA)
	digest := sha256.Sum256([]byte("what is signed"))
	if !p.SignCertificate() {
		before := c.Traffic().Commands
		_, err := c.SignJPKI(t.Context(), digits("ABC123"), digest[:], card.SignOptions{})
		if !errors.Is(err, card.ErrNoCertificate) || c.Traffic().Commands-before > 3 {
			t.Errorf("got %v after %d commands", err, c.Traffic().Commands-before)
		}
		return
	}
	signed, err := c.SignJPKI(t.Context(), p.SignPassword(), digest[:], card.SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issuedBy(t, signed.Certificate, signCA)
	if err := rsa.VerifyPKCS1v15(signed.Certificate.Key, crypto.SHA256, digest[:], signed.Signature); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(signed.CA, signCA) || signed.Before != (card.Tries{Left: 5, Known: true}) {
		t.Errorf("CA or counter: %v", signed.Before)
	}
}

func issuedBy(t *testing.T, c card.Certificate, ca []byte) {
	t.Helper()
	cert, err := x509.ParseCertificate(c.DER.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(root); err != nil {
		t.Error(err)
	}
}

func TestSigners(t *testing.T) {
	p := person(t, "sato")
	digest := sha256.Sum256([]byte("what is signed"))
	for _, use := range []string{"sign", "auth"} {
		t.Run(use, func(t *testing.T) {
			chip := newCard(t, p)
			c, _ := place(t, chip, card.Options{})
			open := func() *card.Signer {
				var s *card.Signer
				var err error
				if use == "sign" {
					s, err = c.SignSigner(t.Context(), p.SignPassword(), card.SignOptions{})
				} else {
					s, err = c.AuthSigner(t.Context(), p.PIN())
				}
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			s := open()
			long := sha512.Sum384([]byte("x"))
			if _, err := s.Sign(rand.Reader, long[:], crypto.SHA384); !errors.Is(err, card.ErrAlgorithm) {
				t.Errorf("SHA-384: got %v", err)
			}
			if _, err := s.Sign(rand.Reader, digest[:], &rsa.PSSOptions{Hash: crypto.SHA256}); !errors.Is(err, card.ErrAlgorithm) {
				t.Errorf("PSS: got %v", err)
			}
			signature, err := crypto.Signer(s).Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if err := rsa.VerifyPKCS1v15(s.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
				t.Error(err)
			}
			if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, card.ErrSpent) {
				t.Errorf("second signature: got %v", err)
			}
			s.Close()
			later := open()
			if err := c.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := later.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, card.ErrSpent) {
				t.Errorf("after Forget: got %v", err)
			}
			if n := chip.Stats().AllVerifies(); n != 2 {
				t.Errorf("%d VERIFYs for two signers", n)
			}
			if n := chip.Stats().Selects["0100"]; n != 2 { // identification and Forget
				t.Errorf("Forget did not leave JPKI: %d", n)
			}
		})
	}
}

// signSteps is the transcript of SignJPKI up to the query, with its answer.
func signSteps(flags, tries string) []string {
	return []string{
		selJPKI, "9000", "00B0860020", token2 + "9000", "00B0880003", flags + "9000", "0020009B", tries,
	}
}

func TestSignStopsBeforeTheVerify(t *testing.T) {
	digest := make([]byte, 32)
	for _, tc := range []struct {
		name  string
		steps []string
		want  error
	}{
		{"child", signSteps("008F00", "")[:6], card.ErrNoCertificate},
		{"blocked", signSteps("8F8F00", "63C0"), card.ErrBlocked},
		{"blocked-6984", signSteps("8F8F00", "6984"), card.ErrBlocked},
		{"last-try", signSteps("8F8F00", "63C1"), card.ErrLastTry},
		{"tries-not-told", signSteps("8F8F00", "9000"), card.ErrLastTry},
		{"another-token", []string{selJPKI, "9000", "00B0860020", strings.Replace(token2, "4E32", "4E20", 1) + "9000"}, card.ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, identified(), tc.steps)
			c := openCard(t, s, card.Options{})
			if _, err := c.SignJPKI(t.Context(), digits("ABC123"), digest, card.SignOptions{}); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			s.done()
		})
	}
	t.Run("confirmed-last-try-is-sent", func(t *testing.T) {
		s := play(t, identified(), signSteps("8F8F00", "63C1"), []string{"0020009B06 414243313233", "63C0"})
		c := openCard(t, s, card.Options{})
		_, err := c.SignJPKI(t.Context(), digits("ABC123"), digest, card.SignOptions{LastTry: true})
		if !errors.Is(err, card.ErrBlocked) {
			t.Fatalf("got %v", err)
		}
		s.done()
	})
	t.Run("format", func(t *testing.T) {
		s := play(t, identified())
		c := openCard(t, s, card.Options{})
		for _, w := range []string{"", "AB123", "ABCDEF", "123456", "abc123", "ABC 123", "ABC12345678901234", "ABC12３"} {
			if _, err := c.SignJPKI(t.Context(), digits(w), digest, card.SignOptions{}); !errors.Is(err, card.ErrFormat) {
				t.Errorf("%q: got %v", w, err)
			}
		}
		if _, err := c.SignJPKI(t.Context(), digits("ABC123"), digest[:31], card.SignOptions{}); !errors.Is(err, card.ErrAlgorithm) {
			t.Errorf("digest of 31 bytes: got %v", err)
		}
		s.done()
	})
	for in, want := range map[string]string{
		"abC12z": "ABC12Z", "": "",
		"paſs12": "PAſS12", "mı1234": "Mı1234", // letters whose capitals are S and I: a slip, and not to be guessed
	} {
		typed := digits(in)
		if got := string(card.UpperPassword(typed).Reveal()); got != want || string(typed.Reveal()) != in {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestSchemeFallsBack lets the card refuse scheme 02 and wants a whole DigestInfo with scheme 00, without another
// VERIFY; and it wants a signature that does not fit to be refused.
func TestSchemeFallsBack(t *testing.T) {
	p := person(t, "sato")
	digest := sha256.Sum256([]byte("x"))
	chip := newCard(t, p)
	c, _ := place(t, chip, card.Options{})
	chip.SetFaults(virtual.Faults{Rules: []virtual.Rule{{Prefix: []byte{0x80, 0x2A, 0x02}, SW: 0x6A86}}})
	if _, err := c.SignJPKI(t.Context(), p.SignPassword(), digest[:], card.SignOptions{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(chip.Stats().Verifies, map[string]int{"jpki/001B": 1}); d != "" {
		t.Error(d)
	}
	chip.SetFaults(virtual.Faults{Rules: []virtual.Rule{{Prefix: []byte{0x80, 0x2A}, Flip: true}}})
	if _, err := c.SignJPKI(t.Context(), p.SignPassword(), digest[:], card.SignOptions{}); !errors.Is(err, card.ErrSignature) {
		t.Errorf("got %v, want ErrSignature", err)
	}
}

func TestToken(t *testing.T) {
	// by hand: label, 31 zeros and 1, model, serial, flags, sessions, 16 and 6, four unknowns, versions, time
	full := "4A504B494150494343544F4B454E3220" + strings.Repeat("20", 16) + strings.Repeat("30", 31) + "31" +
		"4531365230314E4A 2020202020202020" + "30303030303030303230353030303033" + "0000040D" +
		"00000001 00000000 00000001 00000000 00000010 00000006" + strings.Repeat("FF", 16) + "3033 3031" + strings.Repeat("39", 16)
	want := card.TokenInfo{
		Label: "JPKIAPICCTOKEN2", Manufacturer: strings.Repeat("0", 31) + "1", Model: "E16R01NJ",
		Serial: "0000000020500003", MaxPIN: 16, MinPIN: 6, Hardware: "03", Firmware: "01",
	}
	for name, tc := range map[string]struct {
		answer string
		want   card.TokenInfo
		err    error
	}{
		"160-bytes":  {full + "9000", want, nil},
		"label-only": {token2 + "9000", card.TokenInfo{Label: "JPKIAPICCTOKEN2"}, nil},
		"31-bytes":   {strings.Repeat("20", 31) + "9000", card.TokenInfo{}, card.ErrMalformed},
		"refused":    {"6982", card.TokenInfo{}, card.ErrSecurity},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, identified(), []string{selJPKI, "9000", "00B08600A0", tc.answer})
			got, err := openCard(t, s, card.Options{}).Token(t.Context())
			if !errors.Is(err, tc.err) || got != tc.want {
				t.Fatalf("got %+v %v", got, err)
			}
			s.done()
		})
	}
}

func TestAvailability(t *testing.T) {
	for answer, want := range map[string]card.Availability{
		"8F8F00 9000": {Known: true, Sign: true, Auth: true}, "008F00 9000": {Known: true, Auth: true},
		"8F 9000": {}, "6A82": {}, "9000": {},
	} {
		s := play(t, identified(), []string{selJPKI, "9000", "00B0880003", answer})
		if got, err := openCard(t, s, card.Options{}).Availability(t.Context()); err != nil || got != want {
			t.Errorf("%s: got %+v %v", answer, got, err)
		}
		s.done()
	}
}

func TestPhone(t *testing.T) {
	p := person(t, "sato")
	chip, err := p.NewPhone()
	if err != nil {
		t.Fatal(err)
	}
	c, _ := place(t, chip, card.Options{})
	if c.Identity().Product != card.ProductAndroid || c.Identity().Kind != card.KindPhone {
		t.Fatalf("got %v", c.Identity().Product)
	}
	if _, err := c.AuthCertificate(t.Context()); !errors.Is(err, card.ErrSecurity) {
		t.Errorf("before the PIN: got %v", err)
	}
	s, err := c.AuthSigner(t.Context(), p.PIN())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := c.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AuthCertificate(t.Context()); !errors.Is(err, card.ErrSecurity) {
		t.Errorf("after Forget: got %v", err)
	}
	if _, err := c.AuthenticatedID(t.Context(), p.PIN(), card.IDOptions{}); !errors.Is(err, card.ErrKind) {
		t.Errorf("got %v", err)
	}
}
