package card_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
)

// relay speaks for two cards: 券面事項確認 of the one, everything else of the other, and it answers the number of the
// one for that of the other, as a forger would.
type relay struct {
	chips  map[bool]*virtual.Card
	face   bool
	number []byte
}

func (r *relay) Transmit(_ context.Context, c []byte) ([]byte, error) {
	if c[1] == 0xA4 {
		r.face = c[len(c)-1] == 0x02
	}
	if r.face && c[1] == 0x20 && len(c) == 17 {
		c = append(append([]byte(nil), c[:5]...), r.number...)
	}
	return r.chips[r.face].Exchange(c).Data, nil
}

// The commands of the reads below, by hand.
const (
	verifyPIN = "0020009104 31323334"
	readText  = "00B08200 000000" // by short id, with an extended Le of 65536
)

func TestMyNumber(t *testing.T) {
	file := "FF100C 313233343536373839303138 FFFF" // 1234 5678 9018, 17 bytes
	for _, tc := range []struct {
		name, verify, answer string
		byA                  bool
		err                  error
	}{
		{"by-pin", verifyPIN, file + "9000", false, nil},
		{"by-a", "002000940C 313233343536373839303138", file + "9000", true, nil},
		{"other-tag", verifyPIN, "DF10" + file[4:] + "9000", false, nil},
		{"without-filler", verifyPIN, file[:len(file)-5] + "9000", false, nil},
		{"wrong-check-digit", verifyPIN, strings.Replace(file, "3138 ", "3137 ", 1) + "9000", false, card.ErrMalformed},
		{"eleven-digits", verifyPIN, "FF100B 3132333435363738393031 9000", false, card.ErrMalformed},
		{"wrong-tag", verifyPIN, "FF200C" + file[6:] + "9000", false, card.ErrMalformed},
		{"truncated", verifyPIN, "FF100C 3132 9000", false, card.ErrMalformed},
		{"refused", verifyPIN, "6982", false, card.ErrSecurity},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, identified(), []string{selText, "9000", tc.verify, "9000", "00B0810000", tc.answer})
			c := openCard(t, s, card.Options{})
			read, credential := c.MyNumberByPIN, digits("1234")
			if tc.byA {
				read, credential = c.MyNumberByA, digits("123456789018")
			}
			number, err := read(t.Context(), credential)
			if !errors.Is(err, tc.err) || err == nil && string(number.Reveal()) != "123456789018" {
				t.Fatalf("got %s %v, want %v", number.Reveal(), err, tc.err)
			}
			s.done()
		})
	}
}

func TestAgeRecord(t *testing.T) {
	key := "90 03 010001 91 02 00FF"
	file := "FF10 820019" + "DF1108 3139383030323137" + "DF1209" + key + "DF1301 00" + "FFFF"
	file = strings.Replace(file, "820019", "82001B", 1) // 11 + 12 + 4 = 27
	s := play(t, identified(), []string{
		selFace, "9000", "0020009106 353530323137", "9000", "00B0810000 0000", file + "9000",
	})
	c := openCard(t, s, card.Options{})
	got, err := c.AgeByBirth(t.Context(), digits("550217"))
	if err != nil || string(got.Birth.Reveal()) != "19800217" {
		t.Fatalf("got %s %v", got.Birth.Reveal(), err)
	}
	if got.Authenticity.Birth != (card.FieldProof{Reason: card.ReasonNoKeys}) {
		t.Errorf("got %v", got.Authenticity.Birth)
	}
	s.done()
}

func TestNumberImage(t *testing.T) {
	file := "FF40 0F" + "DF4103 89504E" + "DF4201 00" + "DF4302 0000" + "FF"
	s := play(t, identified(), []string{
		selFace, "9000", "002000930C 313233343536373839303138", "9000", "00B0850000 0000", file + "9000",
	})
	c := openCard(t, s, card.Options{})
	got, err := c.MyNumberImageByA(t.Context(), digits("123456789018"))
	if err != nil || string(got.Image.Reveal()) != "\x89PN" || got.Authenticity.MyNumber.Valid {
		t.Fatalf("got %x %v", got.Image.Reveal(), err)
	}
	s.done()
}

func TestBasicInformation(t *testing.T) {
	id := "353030303032340805303031000000A8"
	t.Run("surface", func(t *testing.T) {
		file := "FF30 820026" + "DF3104 06030E01" + "DF3210" + id + "DF3301 00" + "DF3405 3133323231"
		s := play(t, identified(), []string{selFace, "9000", "00B0830000 0000", file + "9000"})
		got, err := openCard(t, s, card.Options{}).SurfaceInfo(t.Context())
		want := card.SurfaceInfo{Application: "06030e01", KeyID: strings.ToLower(id), Version: "00", Municipality: "13221"}
		if err != nil || got != want {
			t.Fatalf("got %+v %v", got, err)
		}
		s.done()
	})
	t.Run("text", func(t *testing.T) {
		file := "FF40 82001A" + "DF4104 01030E01" + "DF4210" + id
		s := play(t, identified(), []string{selText, "9000", "00B0850000 0000", file + "9000"})
		got, err := openCard(t, s, card.Options{}).TextInfo(t.Context())
		if err != nil || got != (card.TextInfo{Application: "01030e01", Extended: true, KeyID: strings.ToLower(id)}) {
			t.Fatalf("got %+v %v", got, err)
		}
		s.done()
	})
}

// TestAllTriesTranscript is the order of the fourteen commands: the application that is selected comes first, 住基 is
// asked for its counter and nothing else, and 0408/0012 is not touched.
func TestAllTriesTranscript(t *testing.T) {
	s := play(t, identified(), []string{
		"0020009C", "63C3",
		selJPKI, "9000", "0020009B", "63C5", "00200098", "63C3",
		selText, "9000", "00200091", "63C3", "00200094", "63CA", "00200095", "63CA",
		selFace, "9000", "00200093", "63CA", "00200092", "6984", "00200091", "9000",
		"00A4040C0A D3921000310001010401", "9000", "0020009C", "63C2",
	})
	got, err := openCard(t, s, card.Options{}).AllTries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.done()
	var names []string
	for _, c := range got {
		names = append(names, c.Ref.String())
	}
	want := []string{
		"sign-password", "auth-pin", "text-pin", "text-a", "text-b", "face-a", "face-b", "face-birth",
		"common-pin", "juki-pin", "text-reserved",
	}
	if d := cmp.Diff(names, want); d != "" {
		t.Error(d)
	}
	if got.Of(card.RefJukiPIN).Left != 2 || got.Of(card.RefFaceBirth).Known || !got.Of(card.RefFaceB).Blocked() {
		t.Errorf("got %+v", got)
	}
	if got.Of(card.RefTextReserved) != (card.Tries{}) {
		t.Error("a counter that was not asked is told")
	}
	if card.RefFaceB.Max() != 10 || card.RefFaceBirth.Max() != 0 {
		t.Error("tries as issued")
	}
}

func TestFindings(t *testing.T) {
	counters := func(sign, auth, text, b int) card.Counters {
		known := func(n int) card.Tries { return card.Tries{Left: n, Known: true} }
		return card.Counters{
			{Ref: card.RefSignPass, Tries: known(sign)},
			{Ref: card.RefAuthPIN, Tries: known(auth)},
			{Ref: card.RefTextPIN, Tries: known(text)},
			{Ref: card.RefFaceB, Tries: known(b)},
		}
	}
	both := card.Availability{Known: true, Sign: true, Auth: true}
	child := card.Availability{Known: true, Auth: true}
	for _, tc := range []struct {
		name  string
		flags card.Availability
		tries card.Counters
		want  []card.Finding
	}{
		{"normal", both, counters(5, 3, 3, 10), nil},
		{"child", child, counters(0, 3, 3, 10), []card.Finding{card.FindingNoSignCertificate}},
		{"without-pin", both, counters(0, 0, 0, 10), []card.Finding{card.FindingWithoutPIN}},
		{"without-pin-or-sign", child, counters(0, 0, 0, 10), []card.Finding{card.FindingNoSignCertificate, card.FindingWithoutPIN}},
		{"text-blocked", both, counters(5, 3, 0, 10), []card.Finding{card.FindingTextBlocked}},
		{"sign-and-b-blocked", both, counters(0, 3, 3, 0), []card.Finding{card.FindingSignBlocked, card.FindingNumberBBlocked}},
		{"nothing-known", card.Availability{}, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if d := cmp.Diff(card.Findings(tc.flags, tc.tries), tc.want); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestProducts(t *testing.T) {
	residence := []string{selJPKI, "6A82", selText, "6A82", selLicence, "6A82", selResid, "9000", selMaster, "9000", "00B08A0000"}
	transit := []string{selJPKI, "6A81", selText, "6A81", selLicence, "6A81", selResid, "6A81", selPass, "6A81"}
	unknown := []string{selJPKI, "6A82", selText, "6A82", selLicence, "6A82", selResid, "6A82", selPass, "6A82"}
	for _, tc := range []struct {
		name  string
		steps []string
		atr   string
		want  card.Product
	}{
		{"residence", append(residence, "C10131 9000"), "", card.ProductResidence},
		{"special-permanent-resident", append(slices.Clip(residence), "C10132 9000"), "", card.ProductSpecialPermanent},
		{"residence-does-not-say", append(slices.Clip(residence), "6A82"), "", card.ProductResidence},
		{"felica", transit, "", card.ProductTransit},
		{"mifare-by-atr", unknown, "3B8F8001804F0CA000000306030001000000006A", card.ProductTransit},
		{"felica-and-the-reader-fails", []string{selJPKI, "pull"}, "3B8F8001804F0CA0000003061100 3B0000000042", card.ProductTransit},
		{"nothing-known", unknown, "3B80800101", card.ProductUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, tc.steps)
			id := openCard(t, s, card.Options{ATR: unhex(t, tc.atr)}).Identity()
			if id.Product != tc.want || id.Kind != tc.want.Kind() || id.Product.MessageKey() != "card."+string(tc.want) {
				t.Fatalf("got %v %v", id.Product, id.Kind)
			}
			s.done()
		})
	}
}

// TestOnlyVerifySpeaksOfPINs wants a counter or a lock in the answer to a READ to be no wrong and no blocked PIN.
func TestOnlyVerifySpeaksOfPINs(t *testing.T) {
	for _, sw := range []string{"63C0", "63C2", "6983", "6984"} {
		s := play(t, identified(), []string{selText, "9000", verifyPIN, "9000", readText, sw})
		_, err := openCard(t, s, card.Options{}).AttributesByPIN(t.Context(), digits("1234"))
		var auth card.AuthError
		if err == nil || errors.As(err, &auth) || errors.Is(err, card.ErrBlocked) {
			t.Errorf("%s: got %v", sw, err)
		}
		s.done()
	}
}

// TestSlowReader wants a slow answer to the first small extended read to be remembered, and the answer to stand.
func TestSlowReader(t *testing.T) {
	for _, tc := range []struct {
		name  string
		took  time.Duration
		short bool
	}{{"slow", 900 * time.Millisecond, true}, {"quick", 30 * time.Millisecond, false}} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
			opt := card.Options{SlowAfter: 500 * time.Millisecond, Now: func() time.Time { now = now.Add(tc.took); return now }}
			s := play(t, identified())
			c := openCard(t, s, opt)
			s.done()
			if c.Short() != tc.short || c.Identity().Kind != card.KindMyNumber {
				t.Fatalf("short is %v", c.Short())
			}
		})
	}
}

// TestVirtualKinds tells the cards of the virtual drawer apart, and finds what is special about two My Number Cards.
func TestVirtualKinds(t *testing.T) {
	p := person(t, "sato")
	juki, err := p.NewJukiCard()
	if err != nil {
		t.Fatal(err)
	}
	for want, chip := range map[card.Product]*virtual.Card{
		card.ProductMyNumber: newCard(t, p), card.ProductJuki: juki, card.ProductDriversLicence: virtual.DriversLicence(),
		card.ProductResidence: virtual.ResidenceCard(), card.ProductPassport: virtual.Passport(), card.ProductTransit: virtual.FeliCa(),
	} {
		c, _ := place(t, chip, card.Options{})
		if got := c.Identity().Product; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	c, _ := place(t, newCard(t, p, virtual.Options{WithoutPIN: true}), card.Options{})
	flags, err := c.Availability(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tries, err := c.MainTries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(card.Findings(flags, tries), card.FindingWithoutPIN) {
		t.Errorf("got %v", card.Findings(flags, tries))
	}
}
