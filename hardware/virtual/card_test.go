package virtual_test

import (
	"bytes"
	"fmt"
	"testing"

	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

func TestFreeFiles(t *testing.T) {
	s := open(t, newCard(t))
	play(t, s, []exchange{
		{"00A40000", "6A86"},
		{selectJPKI, "9000"},
		{"00A40000", "9000"}, // no effect
		{"00A40000 02 3F00", "6A82"},
		{"00B08600 0F", "4A504B494150494343544F4B454E32 9000"}, // JPKIAPICCTOKEN2
		{"00B0000F 04", "20202020 9000"},                       // the file is current now
		{"00B08800 00", "8F8F00 9000"},
		{"00A4020C 02 0008", "9000"},
		{"00B00000 02", "8F8F 9000"},
		{"00B00003 01", "6B00"},
		{"00A4020C 02 0077", "6A82"},
		{"00B08100 00", "6982"}, // signature certificate before its password
		{"00B09800 00", "6981"}, // a PIN is no data
		{selectCommon, "9000"},
		{"00B2010C 00", "011C 393030303030303030303030303031 3133393930 3230333530323137 9000"},
		{"00A4020C 02 0001", "9000"},
		{"00B20104 00", "011C 393030303030303030303030303031 3133393930 3230333530323137 9000"},
		{"00B20204 00", "6A83"},
		{"00B00000 00", "6981"},
		{"00A4040C 06 A00000023101", "6A82"},
		{"00A4040C 07 A0000001510000", "9000"},
		{"00B00000 00", "6986"},
	})
}

func TestAttributesByPIN(t *testing.T) {
	c := newCard(t)
	s := open(t, c)
	name := fmt.Sprintf("%X", "山田　太郎")
	address := fmt.Sprintf("%X", "東京都架空区見本一丁目２番地３号室東")
	file := "FF2065 DF2108 000E 0020 0059 0064 DF220F" + name + "DF2336" + address +
		"DF2408 3139383030323137 DF2501 31"
	play(t, s, []exchange{
		{selectText, "9000"},
		{"00B08200 00", "6982"},
		{"00200091", "63C3"},
		{"00200091 04 39393939", "63C2"},
		{"00200091", "63C2"},
		{"00200091 04 31323334", "9000"},
		{"00200091", "63C3"}, // the counter even when verified
		{"00B08200 68", file + "9000"},
		{"00B00068 02", "FFFF 9000"}, // filler
		{"00B08100 00", "FF100C 313233343536373839303138 FFFF 9000"},
		{"00B08100 000000", "FF100C 313233343536373839303138 FFFF 9000"},
		{selectText, "9000"},
		{"00B08200 00", "6982"}, // SELECT took the right away
	})
	got := c.Stats()
	want := map[string]int{"0408/0001": 2, "0408/0002": 4}
	if d := cmp.Diff(want, got.Reads); d != "" {
		t.Error("reads (-want +got):", d)
	}
	if got.Verifies["0408/0011"] != 2 || got.Queries["0408/0011"] != 3 || got.AllVerifies() != 2 {
		t.Errorf("got %d and %d, want 2 VERIFY and 3 queries", got.Verifies["0408/0011"], got.Queries["0408/0011"])
	}
	if got.ReadsOf("0401") != 0 || got.ReadsOf("0408") != 6 {
		t.Errorf("got %d and %d reads, want 0 of 0401 and 6 of 0408", got.ReadsOf("0401"), got.ReadsOf("0408"))
	}
}

func TestWhoOpensWhat(t *testing.T) {
	const a, b, pin = "0C 313233343536373839303138", "0E 3535303231373230333532323835", "04 31323334"
	for _, tc := range []struct{ name, app, verify, read, want string }{
		{"text-number-by-a", selectText, "00200094" + a, "00B08100 03", "FF100C9000"},
		{"text-number-not-by-b", selectText, "00200095" + b, "00B08100 03", "6982"},
		{"text-attributes-by-b", selectText, "00200095" + b, "00B08200 03", "FF20659000"},
		{"text-attributes-not-by-a", selectText, "00200094" + a, "00B08200 03", "6982"},
		{"text-integrity-by-a", selectText, "00200094" + a, "00B08300 05", "FF3082014B9000"},
		{"text-card-key-by-b", selectText, "00200095" + b, "00B08700 05", "FF508202139000"},
		{"face-front-by-a", selectFace, "00200093" + a, "00B08200 04", "FF2082089000"},
		{"face-front-by-b", selectFace, "00200092" + b, "00B08200 04", "FF2082089000"},
		{"face-age-by-birth", selectFace, "00200091 06 353530323137", "00B08100 05", "FF1082021E9000"},
		{"face-age-not-by-b", selectFace, "00200092" + b, "00B08100 05", "6982"},
		{"face-number-image-by-a", selectFace, "00200093" + a, "00B08500 03", "FF40829000"},
		{"face-number-image-not-by-b", selectFace, "00200092" + b, "00B08500 03", "6982"},
		{"sign-certificate", selectJPKI, "0020009B 06 414243313233", "00B08100 02", "30829000"},
		{"sign-certificate-not-by-pin", selectJPKI, "00200098" + pin, "00B08100 02", "6982"},
		{"juki-record-by-pin", selectJuki, "0020009C" + pin, "00B2010C 02", "010B9000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			play(t, open(t, newCard(t)), []exchange{{tc.app, "9000"}, {tc.verify, "9000"}, {tc.read, tc.want}})
		})
	}
}

func TestSizesOfTheFiles(t *testing.T) {
	s := open(t, newCard(t))
	play(t, s, []exchange{{selectText, "9000"}, {"00200091 04 31323334", "9000"}})
	for read, want := range map[string]int{
		"00B08100 000000": 17, "00B08300 000000": 336, "00B08400 000000": 568, "00B08700 000000": 536,
		"00B08500 000000": 256, "00B08800 000000": 16,
	} {
		if got := len(data(t, s, read)); got != want {
			t.Errorf("%s: got %d bytes, want %d", read, got, want)
		}
	}
	if got := data(t, s, "00B08500 05"); !bytes.Equal(got, unhex(t, "FF4082009F")) {
		t.Errorf("got %X, want the length 82 00 9F", got)
	}
	play(t, s, []exchange{{selectFace, "9000"}, {"00200091 06 353530323137", "9000"}})
	for read, want := range map[string]int{"00B08100 000000": 547, "00B08300 000000": 320, "00B08400 000000": 568} {
		if got := len(data(t, s, read)); got != want {
			t.Errorf("%s: got %d bytes, want %d", read, got, want)
		}
	}
}

func TestTriesAndLock(t *testing.T) {
	c := newCard(t)
	r := virtual.NewReader()
	if err := r.Insert(c); err != nil {
		t.Fatal(err)
	}
	s, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	play(t, s, []exchange{
		{selectText, "9000"},
		{"00200091 04 30303030", "63C2"},
		{"00200091 04 30303030", "63C1"},
	})
	if err := s.Close(); err != nil { // power off: the counter must not recover
		t.Fatal(err)
	}
	if s, err = r.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	play(t, s, []exchange{
		{selectText, "9000"},
		{"00200091", "63C1"},
		{"00200091 04 30303030", "63C0"},
		{"00200091 04 31323334", "6984"}, // right, but too late
		{"00200091", "63C0"},
		{"00B08200 00", "6982"},
		{"00200095", "63CA"},
		{"00200092", "63C0"}, // the blocked reference every card has
		{"00200092 04 31323334", "6984"},
		{selectFace, "9000"},
		{"00200092", "63CA"},
		{"00200093", "63CA"},
		{selectJPKI, "9000"},
		{"00200098", "63C3"},
		{"0020009B", "63C5"},
		{selectJuki, "9000"},
		{"0020009C", "63C3"},
	})
	if got := c.TriesLeft("0408", 0x0011); got != 0 {
		t.Errorf("got %d tries, want 0", got)
	}
	if c.Stats().PowerOns != 2 || c.Stats().PowerOffs != 1 {
		t.Errorf("got %d on and %d off, want 2 and 1", c.Stats().PowerOns, c.Stats().PowerOffs)
	}
}

func TestStatusWords(t *testing.T) {
	for _, tc := range []struct{ name, before, send, want string }{
		{"too-short", "", "00A404", "6700"},
		{"empty", "", "", "6700"},
		{"lc-too-long", "", "00A4040C0AD392", "6700"},
		{"class", "", "B0A40000", "6E00"},
		{"channel", "", "01A40000", "6881"},
		{"secure-messaging-text", selectText, "0CB08200 00", "69FC"},
		{"secure-messaging-face", selectFace, "08B08200 00", "69FC"},
		{"instruction", "", "00EE0000", "6D00"},
		{"select-p1", "", "00A4080C 02 0001", "6A86"},
		{"select-p2", "", "00A40404 02 0001", "6A86"},
		{"ef-without-df", "", "00A4020C 02 0001", "6A82"},
		{"read-without-ef", selectText, "00B00000 00", "6986"},
		{"read-without-le", selectText, "00B08400", "6700"},
		{"read-p1", selectText, "00B0E400 00", "6A86"},
		{"read-no-file", selectText, "00B09F00 00", "6A82"},
		{"read-past-end", selectText, "00B084FF 00", ""},
		{"verify-p2", selectText, "00200011", "6A86"},
		{"verify-p1", selectText, "00200191", "6A86"},
		{"verify-without-ef", selectText, "00200080", "6986"},
		{"verify-on-data", selectText, "00200084", "6981"},
		{"verify-too-long", selectText, "00200091 11 3131313131313131313131313131313131", "6700"},
		{"verify-case-2", selectText, "00200091 00", "63C3"},
		{"challenge-extended", "", "00840000 000008", "6985"},
		{"get-data", "", "00CA0043 00", "6A88"},
		{"get-data-atr", "", "00CA5F51 00", "E000FF8131FE4514 9000"},
		{"authenticate-elsewhere", selectText, "00880093 01 00 00", "6985"},
		{"authenticate-behind-pin", selectJPKI, "00880097 01 00 00", "6982"},
		{"authenticate-no-key", selectText, "00880091 01 00 00", "6981"},
		{"authenticate-no-file", selectText, "00880099 01 00 00", "6A82"},
		{"terminal-key-file", selectJPKI, "00B09600 00", "6981"},
		{"sign-scheme", selectText, "802A0600 01 00 00", "6A86"},
		{"sign-without-pin", selectJPKI, "802A0097 01 00 00", "6982"},
		{"sign-with-a-pin-file", selectJPKI, "802A0098 01 00 00", "6981"},
		{"sign-no-default", selectJPKI, "802A0000 01 00 00", "6A86"},
		{"sign-no-data", selectText, "802A0000", "6700"},
		{"sign-hash-length", selectText, "802A0200 01 00 00", "6985"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, newCard(t))
			if tc.before != "" {
				data(t, s, tc.before)
			}
			if tc.want == "" {
				return
			}
			play(t, s, []exchange{{tc.send, tc.want}})
		})
	}
	s := open(t, newCard(t))
	for _, n := range []int{1, 255} {
		if got := len(data(t, s, fmt.Sprintf("00840000 %02X", n))); got != n {
			t.Errorf("GET CHALLENGE: got %d bytes, want %d", got, n)
		}
	}
	if got := len(data(t, s, "00840000 00")); got != 256 {
		t.Errorf("GET CHALLENGE: got %d bytes, want 256", got)
	}
}

func TestChangePIN(t *testing.T) {
	play(t, open(t, newCard(t)), []exchange{
		{selectJPKI, "9000"},
		{"00A4020C 02 0018", "9000"},
		{"00240180 04 35363738", "6982"},
		{"00200080 04 31323334", "9000"},
		{"00240180 05 3536373839", "6A80"},
		{"00240180 04 35363738", "9000"},
		{"00200080 04 31323334", "63C2"},
		{"00200080 04 35363738", "9000"},
		{"80320098 04 31323334", "6D00"},
		{selectCommon, "9000"},
		{"0020009C 04 31323334", "9000"},
		{"0024019C 04 35363738", "6D00"},
		{"8032009C 04 35363738", "9000"},
		{"0020009C 04 35363738", "9000"},
	})
}

func TestCardWithoutSignCertificate(t *testing.T) {
	c, err := person(t, "child").NewCard()
	if err != nil {
		t.Fatal(err)
	}
	play(t, open(t, c), []exchange{
		{selectJPKI, "9000"},
		{"00B08800 00", "008F00 9000"},
		{"0020009B", "63C0"},
		{"0020009B 06 414243313233", "6984"},
		{selectText, "9000"},
		{"00200091", "63C0"}, // pin_tries 0
	})
}

func TestOptions(t *testing.T) {
	t.Run("minimal-lengths", func(t *testing.T) {
		s := open(t, newCard(t, virtual.Options{MinimalLengths: true}))
		play(t, s, []exchange{{selectText, "9000"}, {"00B08500 04", "FF40819E 9000"}})
	})
	t.Run("keep-rights-on-select", func(t *testing.T) {
		play(t, open(t, newCard(t, virtual.Options{KeepRightsOnSelect: true})), []exchange{
			{selectText, "9000"},
			{"00200091 04 31323334", "9000"},
			{selectFace, "9000"},
			{selectText, "9000"},
			{"00B08100 03", "FF100C9000"},
		})
	})
	t.Run("blocked-query", func(t *testing.T) {
		play(t, open(t, newCard(t, virtual.Options{BlockedQuery: 0x6984})), []exchange{
			{selectText, "9000"}, {"00200092", "6984"}, {"00200091", "63C3"},
		})
	})
	t.Run("without-pin", func(t *testing.T) {
		play(t, open(t, newCard(t, virtual.Options{WithoutPIN: true})), []exchange{
			{selectText, "9000"},
			{"00200091", "63C0"},
			{"00200095", "63CA"},
			{selectJPKI, "9000"},
			{"00200098", "63C0"},
			{"0020009B", "63C0"},
		})
	})
	t.Run("wrong-offsets", func(t *testing.T) {
		play(t, open(t, newCard(t, virtual.Options{WrongOffsets: true})), []exchange{
			{selectText, "9000"},
			{"00200091 04 31323334", "9000"},
			{"00B08200 0E", "FF2065 DF2108 7FFF 7FFF 7FFF 7FFF 9000"},
		})
	})
	t.Run("atr", func(t *testing.T) {
		atr := unhex(t, "3BE000FF8131FE4514")
		if got := newCard(t, virtual.Options{ATR: atr}).ATR(); !bytes.Equal(got, atr) {
			t.Errorf("got %X, want %X", got, atr)
		}
		want := unhex(t, "3B888001000005E0B381A1007F")
		if got := newCard(t).ATR(); !bytes.Equal(got, want) {
			t.Errorf("got %X, want %X", got, want)
		}
	})
}

func TestOtherCards(t *testing.T) {
	p := person(t, "yamada")
	phone, err := p.NewPhone()
	if err != nil {
		t.Fatal(err)
	}
	juki, err := p.NewJukiCard()
	if err != nil {
		t.Fatal(err)
	}
	const licence = "00A4040C10 A0000002310100000000000000000000"
	for _, tc := range []struct {
		name string
		card *virtual.Card
		play []exchange
	}{
		{"phone", phone, []exchange{
			{selectJPKI, "9000"},
			{"00B08600 11", fmt.Sprintf("%X", "JPKIAPGPSETOKEN  ") + "9000"},
			{"00B08A00 02", "6982"},
			{"00200098 04 31323334", "9000"},
			{"00B08A00 02", "3082 9000"},
			{selectText, "6A82"},
			{selectFace, "6A82"},
			{selectCommon, "6A82"},
		}},
		{"juki", juki, []exchange{
			{selectJPKI, "9000"},
			{"00B08600 0F", fmt.Sprintf("%X", "JPKIAPICCTOKEN ") + "9000"},
			{selectText, "6A82"},
			{selectJuki, "9000"},
		}},
		{"drivers-licence", virtual.DriversLicence(), []exchange{
			{selectJPKI, "6A82"},
			{licence, "9000"},
			{"00A40000", "9000"},
			{"00A4020C 02 2F01", "9000"},
			{"00B00000 11", "450B 303130 20251027 20301117 46029000 9000"},
		}},
		{"residence-card", virtual.ResidenceCard(), []exchange{
			{selectJPKI, "6A82"}, {"00A4040C10 D392F0004F0200000000000000000000", "9000"},
		}},
		{"passport", virtual.Passport(), []exchange{{selectJPKI, "6A82"}, {"00A4040C07 A0000002471001", "9000"}}},
		{"felica", virtual.FeliCa(), []exchange{{selectJPKI, "6A81"}, {"00", "6A81"}}},
	} {
		t.Run(tc.name, func(t *testing.T) { play(t, open(t, tc.card), tc.play) })
	}
}

func FuzzExchange(f *testing.F) {
	for _, s := range []string{
		"00A40000", selectText, "00B08200 000000", "00200091 04 31323334", "802A0000 04 01020304 00",
		"00B2010C 00", "00240191 04 31323334", "00880099 0000 01 00 0000", "00", "",
	} {
		f.Add(unhex(f, selectFace), unhex(f, s))
	}
	cards := []*virtual.Card{newCard(f), newCard(f, virtual.Options{TPDU: true, KeepRightsOnSelect: true, MergedLicence: true})}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		for _, c := range cards {
			c.PowerOn()
			for _, cmd := range [][]byte{one, two, {0x00, 0xC0, 0x00, 0x00, 0x00}, two} {
				if a := c.Exchange(cmd); len(a.Data) < 2 || len(a.Data) > 65536+2 || a.Mute || a.Gone || a.Broken {
					t.Fatalf("got an answer of %d bytes, mute %v, gone %v", len(a.Data), a.Mute, a.Gone)
				}
				if out, own := c.ReaderCommand(cmd); own && len(out) < 2 {
					t.Fatal("got no status word from the reader")
				}
			}
			c.Stats()
			c.PowerOff()
		}
	})
}

func BenchmarkNewCard(b *testing.B) {
	p := person(b, "yamada")
	for b.Loop() {
		if _, err := p.NewCard(); err != nil {
			b.Fatal(err)
		}
	}
}
