package card_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"

	"madoguchi/hardware/card"
)

// The keys of these tests: issuer, municipality, card, and one of somebody else. Made once, they take a while.
type keySet struct{ issuer, city, card, other *rsa.PrivateKey }

//nolint:gochecknoglobals // a cache of tests
var testKeys = sync.OnceValue(func() keySet {
	var k [4]*rsa.PrivateKey
	for i := range k {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		k[i] = key
	}
	return keySet{k[0], k[1], k[2], k[3]}
})

// sha256Head is the head of a DigestInfo with OID 2.16.840.1.101.3.4.2.1, from RFC 8017: outer length and octet
// string length are filled in.
const sha256Head = "30%02x300d060960864801650304020105000%s"

// forge is what is done to the card of front.
type forge struct {
	cvBy, faceBy, answerBy *rsa.PrivateKey // who signs what; nil is the right one
	edit                   func([]byte) []byte
	issuerID               string
	refuse                 bool   // to the challenge
	cityKey, cardKey       []byte // key objects that are signed instead of the right ones
}

// surface is a card with files 0402/0002 and 0402/0004, written for these tests alone.
type surface struct {
	t       *testing.T
	files   map[byte][]byte
	key     *rsa.PrivateKey
	refuse  bool
	maxRead int // what the reader carries, 0 all
	sent    []string
}

func tl(tag string, value []byte) []byte {
	b, err := hex.DecodeString(tag)
	if err != nil {
		panic(err)
	}
	return append(append(b, 0x82, byte(len(value)>>8), byte(len(value))), value...)
}

func short(tag string, value []byte) []byte {
	b, err := hex.DecodeString(tag)
	if err != nil {
		panic(err)
	}
	return append(append(b, byte(len(value))), value...)
}

func keyValue(k *rsa.PrivateKey) []byte {
	return append(short("90", []byte{1, 0, 1}), tl("91", k.N.FillBytes(make([]byte, 256)))...)
}

// idOf makes a 16-byte key id: seven digits, 08 05, three digits, four bytes.
func idOf(digits string) []byte {
	return append([]byte(digits), 0x08, 0x05, '0', '0', '1', 1, 2, 3, 0xA8)
}

// newSurface personalises a card and then does to it what f says.
func newSurface(t *testing.T, faceSize int, f forge) *surface {
	t.Helper()
	k := testKeys()
	or := func(a, b *rsa.PrivateKey) *rsa.PrivateKey {
		if a != nil {
			return a
		}
		return b
	}
	named := func(other []byte, k *rsa.PrivateKey) []byte {
		if other != nil {
			return other
		}
		return keyValue(k)
	}
	g1 := bytes.Join([][]byte{short("df22", []byte("19800217")), short("df23", []byte("2")), tl("df24", named(f.cardKey, k.card))}, nil)
	g2 := append(tl("df25", []byte("PNG name")), tl("df26", []byte("PNG address"))...)
	g3 := tl("df27", bytes.Repeat([]byte("face"), faceSize/4))
	h1, h2, h3 := sha256.Sum256(g1), sha256.Sum256(g2), sha256.Sum256(g3)
	info, err := hex.DecodeString(fmt.Sprintf(sha256Head, 0x71, "460"))
	if err != nil {
		t.Fatal(err)
	}
	info = append(info, bytes.Join([][]byte{h1[:], h2[:], h3[:]}, nil)...)
	sig, err := rsa.SignPKCS1v15(nil, or(f.faceBy, k.city), 0, info)
	if err != nil {
		t.Fatal(err)
	}
	value := bytes.Join([][]byte{
		short("df21", make([]byte, 18)), g1, g2, g3, tl("df28", sig),
		short("df29", []byte("20350217")), short("df2a", []byte("PNG code")),
	}, nil)
	if f.edit != nil {
		value = f.edit(value)
	}
	id := f.issuerID
	if id == "" {
		id = "9000023"
	}
	body := bytes.Join([][]byte{idOf(id), idOf("9132210"), named(f.cityKey, k.city)}, nil)
	sum := sha256.Sum256(body)
	cvSig, err := rsa.SignPKCS1v15(nil, or(f.cvBy, k.issuer), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return &surface{
		t: t, key: or(f.answerBy, k.card), refuse: f.refuse,
		files: map[byte][]byte{
			2: append(tl("ff20", value), bytes.Repeat([]byte{0xFF}, 500)...),
			4: tl("7f21", append(tl("5f4e", body), tl("5f37", cvSig)...)),
		},
	}
}

// Transmit plays identification by transcript, then serves VERIFY 0012, READ BINARY and the challenge.
func (s *surface) Transmit(_ context.Context, c []byte) ([]byte, error) {
	head := hex.EncodeToString(c[:4])
	s.sent = append(s.sent, head)
	switch {
	case head == "00a4040c" && c[4] == 0x0A:
		return []byte{0x90, 0}, nil
	case head == "00b08600":
		return append(unhex(s.t, token2), 0x90, 0), nil
	case head == "00b2010c":
		return append(unhex(s.t, record), 0x90, 0), nil
	case head == "00200092" && bytes.Equal(c[4:], append([]byte{14}, "55021720352285"...)):
		return []byte{0x90, 0}, nil
	case head == "00200091" && bytes.Equal(c[4:], append([]byte{6}, "550217"...)):
		return []byte{0x90, 0}, nil
	case c[1] == 0xB0:
		return s.read(c), nil
	case head == "802a0000" && c[4] == 51 && len(c) == 57 && !s.refuse:
		sig, err := rsa.SignPKCS1v15(nil, s.key, 0, c[5:56])
		return append(sig, 0x90, 0), err
	}
	return []byte{0x6D, 0}, nil
}

// read serves READ BINARY in both forms; the file of a short id becomes current.
func (s *surface) read(c []byte) []byte {
	extended := len(c) == 7
	if extended && s.maxRead == 256 {
		return []byte{0x67, 0}
	}
	offset := int(c[2])<<8 | int(c[3])
	if c[2]&0x80 != 0 {
		s.files[0] = s.files[c[2]&0x1F]
		offset = int(c[3])
	}
	file := s.files[0]
	if offset > len(file) {
		return []byte{0x6B, 0}
	}
	n := len(file) - offset
	if !extended {
		n = min(n, (int(c[4])+255)%256+1)
	}
	if s.maxRead > 0 {
		n = min(n, s.maxRead)
	}
	return append(bytes.Clone(file[offset:offset+n]), 0x90, 0)
}

func trust(id string) []card.IssuerKey {
	return []card.IssuerKey{{KeyID: idOf(id), Key: &testKeys().issuer.PublicKey}}
}

func number() string { return "55021720352285" }

func TestFrontByB(t *testing.T) {
	s := newSurface(t, 12000, forge{})
	c := openCard(t, s, card.Options{Trust: trust("9000023")})
	front, err := c.FrontByB(t.Context(), digits(number()))
	if err != nil {
		t.Fatal(err)
	}
	if string(front.Birth.Reveal()) != "19800217" || string(front.Sex.Reveal()) != "2" ||
		string(front.NameImage.Reveal()) != "PNG name" || string(front.AddressImage.Reveal()) != "PNG address" ||
		string(front.SecurityCodeImage.Reveal()) != "PNG code" ||
		!bytes.Equal(front.Face.Reveal(), bytes.Repeat([]byte("face"), 3000)) ||
		front.Expiry != (card.Date{Year: 2035, Month: 2, Day: 17}) {
		t.Fatal("the front is not what the card holds")
	}
	want := card.Proof{Verdict: card.Genuine, Issuer: "39303030303233" + "0805" + "303031" + "010203a8", Virtual: true}
	if front.Proof != want {
		t.Fatalf("got %+v, want %+v", front.Proof, want)
	}
	if n := c.Counts(); n[card.TaskFront] != 3 || n[card.TaskProof] != 2 {
		t.Fatalf("got %v, want 3 commands for the front and 2 for the proof", n)
	}
}

func TestFrontShort(t *testing.T) {
	for name, maxRead := range map[string]int{"extended-refused": 256, "reader-cuts-at-300": 300} {
		t.Run(name, func(t *testing.T) {
			s := newSurface(t, 12000, forge{})
			s.maxRead = maxRead
			c := openCard(t, s, card.Options{Trust: trust("9000023")})
			front, err := c.FrontByB(t.Context(), digits(number()))
			if err != nil || front.Proof.Verdict != card.Genuine {
				t.Fatalf("got %v %v", front.Proof, err)
			}
			if !bytes.Equal(front.Face.Reveal(), bytes.Repeat([]byte("face"), 3000)) {
				t.Fatal("the face is not what the card holds")
			}
		})
	}
}

func TestProofVerdicts(t *testing.T) {
	k := testKeys()
	swap := func(old, with string) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
	}
	strange := short("86", []byte{4, 1, 2}) // signed, but no key that this generation has: never "forged"
	for _, tc := range []struct {
		name   string
		f      forge
		trust  []card.IssuerKey
		want   card.Genuineness
		reason string
	}{
		{"no-keys", forge{}, nil, card.NotChecked, card.ReasonNoKeys},
		{"issuer-unknown", forge{issuerID: "5000023"}, trust("9000023"), card.NotCheckable, card.ReasonIssuerUnknown},
		{"certificate-of-somebody-else", forge{cvBy: k.other}, trust("9000023"), card.Forged, card.ReasonCertificateForged},
		{"front-of-somebody-else", forge{faceBy: k.other}, trust("9000023"), card.Forged, card.ReasonSignatureForged},
		{"birth-changed", forge{edit: swap("19800217", "19800218")}, trust("9000023"), card.Forged, card.ReasonAttributesChanged},
		{"name-changed", forge{edit: swap("PNG name", "PNG NAME")}, trust("9000023"), card.Forged, card.ReasonTextImagesChanged},
		{"photo-changed", forge{edit: swap("faceface", "faceFACE")}, trust("9000023"), card.Forged, card.ReasonPhotoChanged},
		{"expiry-is-not-signed", forge{edit: swap("20350217", "20360217")}, trust("9000023"), card.Genuine, ""},
		{"copied-card", forge{answerBy: k.other}, trust("9000023"), card.Forged, card.ReasonChallengeFailed},
		{"mute-copy", forge{refuse: true}, trust("9000023"), card.NotCheckable, card.ReasonChallengeRefused},
		{"city-key-of-another-kind", forge{cityKey: strange}, trust("9000023"), card.NotCheckable, card.ReasonIssuerUnreadable},
		{"card-key-of-another-kind", forge{cardKey: strange}, trust("9000023"), card.NotCheckable, card.ReasonRecordUnreadable},
		{"city-key-and-certificate-of-another", forge{cityKey: strange, cvBy: k.other}, trust("9000023"), card.Forged, card.ReasonCertificateForged},
		{"card-key-and-front-of-another", forge{cardKey: strange, faceBy: k.other}, trust("9000023"), card.Forged, card.ReasonSignatureForged},
		{"production-issuer", forge{issuerID: "5000023"}, trust("5000023"), card.Genuine, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := openCard(t, newSurface(t, 400, tc.f), card.Options{Trust: tc.trust})
			front, err := c.FrontByB(t.Context(), digits(number()))
			if err != nil {
				t.Fatal(err)
			}
			if front.Proof.Verdict != tc.want || front.Proof.Reason != tc.reason {
				t.Fatalf("got %v %q, want %v %q", front.Proof.Verdict, front.Proof.Reason, tc.want, tc.reason)
			}
			if tc.trust != nil && front.Proof.Virtual != (tc.f.issuerID == "") {
				t.Fatalf("virtual is %v", front.Proof.Virtual)
			}
		})
	}
	t.Run("no-certificate", func(t *testing.T) {
		s := newSurface(t, 400, forge{})
		s.files[4] = []byte("not a certificate")
		c := openCard(t, s, card.Options{Trust: trust("9000023")})
		front, err := c.FrontByB(t.Context(), digits(number()))
		if err != nil || front.Proof.Verdict != card.NotCheckable || front.Proof.Reason != card.ReasonIssuerUnreadable {
			t.Fatalf("got %v %v", front.Proof, err)
		}
	})
}

func TestFrontMalformed(t *testing.T) {
	for name, edit := range map[string]func([]byte) []byte{
		"no-face":      func(b []byte) []byte { return bytes.Replace(b, []byte{0xDF, 0x27}, []byte{0xDF, 0x2B}, 1) },
		"second-birth": func(b []byte) []byte { return append(b, short("df22", []byte("19990101"))...) },
		"no-expiry":    func(b []byte) []byte { return bytes.Replace(b, []byte("20350217"), []byte("2035021x"), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			c := openCard(t, newSurface(t, 400, forge{edit: edit}), card.Options{})
			if _, err := c.FrontByB(t.Context(), digits(number())); !errors.Is(err, card.ErrMalformed) {
				t.Fatalf("got %v, want ErrMalformed", err)
			}
		})
	}
}

// TestChallengeIsFresh wants the bytes of Options.Rand to reach the card, and no front without randomness.
func TestChallengeIsFresh(t *testing.T) {
	s := newSurface(t, 400, forge{})
	c := openCard(t, s, card.Options{Trust: trust("9000023"), Rand: bytes.NewReader(make([]byte, 32))})
	if front, err := c.FrontByB(t.Context(), digits(number())); err != nil || front.Proof.Verdict != card.Genuine {
		t.Fatalf("got %v %v", front.Proof, err)
	}
	if front, err := c.FrontByB(t.Context(), digits(number())); err == nil || front != (card.Front{}) {
		t.Fatal("a challenge was made without randomness")
	}
}

// FuzzFront feeds files to the parser through a card whose VERIFY always succeeds.
func FuzzFront(f *testing.F) {
	f.Add([]byte{0xFF, 0x20, 0x03, 0xDF, 0x22, 0x00})
	f.Add(unhex(f, "FF20820009DF220831393830303231377F21"))
	whole := bytes.Join([][]byte{
		short("df21", make([]byte, 18)), short("df22", []byte("19800217")), short("df23", []byte("2")),
		tl("df24", append(short("90", []byte{1, 0, 1}), short("91", []byte{0xFF})...)), tl("df25", []byte("PNG name")),
		short("df26", []byte("PNG address")), tl("df27", []byte("face")), short("df28", make([]byte, 32)),
		short("df29", []byte("20350217")), short("df2a", []byte("PNG code")),
	}, nil)
	f.Add(append(tl("ff20", whole), 0xFF, 0xFF))
	f.Add(tl("ff20", whole[:len(whole)-9]))
	f.Add(tl("7f21", append(short("5f4e", append(idOf("9000023"), idOf("9132210")...)), short("5f37", []byte{1})...)))
	f.Fuzz(func(t *testing.T, file []byte) {
		s := &surface{t: t, files: map[byte][]byte{2: file, 4: file}, key: nil, refuse: true}
		c, err := card.Open(t.Context(), s, card.Options{Trust: []card.IssuerKey{{KeyID: idOf("9000023")}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.FrontByB(t.Context(), digits(number())); err == nil && len(file) < 40 {
			t.Fatal("a front out of nothing")
		}
		if n := len(s.sent); n > 2000 {
			t.Fatalf("%d commands", n)
		}
	})
}
