package virtual_test

import (
	"fmt"
	"strings"
	"testing"

	"madoguchi/hardware/virtual"
)

// TestKinds: what each kind of card says to the probes of a kiosk.
func TestKinds(t *testing.T) {
	const (
		licence   = "00A4040C10 A0000002310100000000000000000000"
		photo     = "00A4040C10 A0000002310200000000000000000000"
		merged    = "00A4040C10 A0000002310600000000000000000000"
		residence = "00A4040C10 D392F0004F0200000000000000000000"
		permit    = "00A4040C10 D392F0004F0300000000000000000000"
		proof     = "00A4040C10 D392F0004F0400000000000000000000"
		passport  = "00A4040C07 A0000002471001"
	)
	none := []exchange{
		{selectJPKI, "6A82"}, {selectText, "6A82"}, {selectFace, "6A82"}, {selectCommon, "6A82"}, {merged, "6A82"},
	}
	foreign := append(append([]exchange{}, none...), exchange{licence, "6A82"}, exchange{residence, "6A82"}, exchange{passport, "6A82"})
	residenceOf := func(kind, generation string) []exchange {
		return append(append([]exchange{}, none...), []exchange{
			{"00A40000 02 3F00", "9000"},
			{"00B08B00 00", "C004 303030" + generation + "9000"},
			{"00B08A00 00", "C101" + kind + "9000"},
			{residence, "9000"},
			{"00B08500 00", "6982"}, // images need secure messaging
			{"00B08600 00", "6982"},
			{permit, "9000"},
			{"00B08100 00", "6982"},
			{proof, "9000"},
			{licence, "6A82"},
		}...)
	}
	for kind, script := range map[virtual.Kind][]exchange{
		"drivers-licence": append(append([]exchange{}, none...), []exchange{
			{"00A40000", "9000"},
			{"00A4020C 02 2F01", "9000"},
			{"00B00000 00", "450B 303130 20251027 20301117 46029000 9000"},
			{"00B08A00 00", "050101 9000"},
			{"00200081", "63C3"}, // PIN 1 by its short id, not the free file 2F01
			{"00200082", "63C3"},
			{licence, "9000"},
			{"00B08100 00", "6982"},
			{"00B08200 00", "6982"},
			{photo, "9000"},
			{"00B08100 00", "6982"},
			{residence, "6A82"},
			{passport, "6A82"},
		}...),
		"residence-card":             residenceOf("31", "31"),
		"residence-card-2":           residenceOf("31", "32"),
		"special-permanent-resident": residenceOf("32", "31"),
		"passport":                   append(append([]exchange{}, none...), exchange{licence, "6A82"}, exchange{residence, "6A82"}, exchange{passport, "9000"}),
		"transit":                    {{selectJPKI, "6A81"}, {passport, "6A81"}, {"FFCA0000 00", "012E900000000001 9000"}},
		"mifare":                     {{selectJPKI, "6A81"}, {"FFCA0000 00", "90000001 9000"}},
		"foreign":                    foreign,
		"dead":                       nil,
	} {
		t.Run(string(kind), func(t *testing.T) {
			c, err := virtual.NewDrawer(nil).Card(string(kind))
			if err != nil {
				t.Fatal(err)
			}
			if script == nil {
				if c.ATR() != nil || c.PowerOn() != nil {
					t.Error("a dead card has no ATR")
				}
				return
			}
			play(t, open(t, c), script)
		})
	}
	if got := len(virtual.OtherKinds()); got != 9 {
		t.Errorf("got %d kinds, and 9 are tested here", got)
	}
	if _, err := virtual.OtherCard("my-number"); err == nil {
		t.Error("a My Number Card is made out to a person")
	}
}

// TestPersonalKinds: phones, the old card, and My Number Cards with more than the usual on them.
func TestPersonalKinds(t *testing.T) {
	const (
		merged    = "00A4040C10 A0000002310600000000000000000000"
		residence = "00A4040C10 D392F0004F0200000000000000000000"
	)
	token := func(s string) string { return fmt.Sprintf("%X", s+strings.Repeat(" ", 32-len(s))) + "9000" }
	phone := func(text string) []exchange {
		return []exchange{
			{selectJPKI, "9000"},
			{"00B08600 20", token(text)},
			{"00B08800 00", "8F8F00 9000"},
			{"00B08A00 02", "6982"},
			{"00200098 04 31323334", "9000"},
			{"00B08A00 02", "3082 9000"},
			{selectText, "6A82"},
			{selectFace, "6A82"},
			{selectCommon, "6A82"},
			{selectJuki, "6A82"},
		}
	}
	for _, tc := range []struct {
		name string
		o    virtual.Options
		play []exchange
	}{
		{"android", virtual.Options{Kind: virtual.KindPhoneAndroid}, phone("JPKIAPGPSETOKEN")},
		{"iphone", virtual.Options{Kind: virtual.KindPhoneIPhone}, phone("JPKIAPIOSTOKEN")},
		{"juki", virtual.Options{Kind: virtual.KindJuki}, []exchange{
			{selectJPKI, "9000"},
			{"00B08600 20", token("JPKIAPICCTOKEN")},
			{selectText, "6A82"},
			{selectFace, "9000"},
			{selectJuki, "9000"},
			{selectCommon, "6A82"},
		}},
		{"usual", virtual.Options{}, []exchange{
			{selectJPKI, "9000"},
			{"00B08600 20", token("JPKIAPICCTOKEN2")},
			{"00A4020C 02 001E", "9000"}, // there, and of no known use
			{"00B00000 00", "6982"},
			{merged, "6A82"},
			{residence, "6A82"},
		}},
		{"merged-licence", virtual.Options{MergedLicence: true}, []exchange{
			{selectJPKI, "9000"},
			{"00B08600 0F", "4A504B494150494343544F4B454E32 9000"},
			{merged, "9000"},
			{"00B09A00 00", "C10101 9000"},
			{"00B09B00 02", "6982"},
			{"00200086", "63C3"},
			{"00200082", "6A82"}, // the other reading of the sources
			{"00200086 04 31323334", "9000"},
			{"00B09B00 02", "FFFF 9000"},
			{residence, "6A82"},
		}},
		{"merged-residence", virtual.Options{MergedResidence: true}, []exchange{
			{selectJPKI, "9000"},
			{"00B08600 0F", "4A504B494150494343544F4B454E32 9000"},
			{selectText, "9000"},
			{residence, "9000"},
			{"00B08500 00", "6982"},
			{merged, "6A82"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { play(t, open(t, newCard(t, tc.o)), tc.play) })
	}
	if _, err := person(t, "yamada").NewCard(virtual.Options{Kind: "spaceship"}); err == nil {
		t.Error("want an error for an unknown kind")
	}
	if c, err := person(t, "yamada").NewCard(virtual.Options{Kind: "transit", ATR: virtual.ATR("plain")}); err != nil || len(c.ATR()) != 5 {
		t.Errorf("got %v, want a transit card with another ATR", err)
	}
}
