package card_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/card"
)

func TestOpenMyNumberCard(t *testing.T) {
	s := play(t, identified())
	c := openCard(t, s, card.Options{})
	s.done()
	id := c.Identity()
	if id.Kind != card.KindMyNumber || string(id.Serial.Reveal()) != "400000000000123" ||
		id.Municipality != "13221" || id.Expiry != (card.Date{Year: 2035, Month: 2, Day: 17}) {
		t.Fatalf("got %v %s %s %v", id.Kind, id.Serial.Reveal(), id.Municipality, id.Expiry)
	}
	if d := cmp.Diff(c.Counts(), map[card.Task]int{card.TaskIdentify: 4}); d != "" {
		t.Fatal(d)
	}
	if c.Short() {
		t.Fatal("the extended read worked, but Short is set")
	}
}

func TestOpenOtherCards(t *testing.T) {
	token := func(text string) string {
		padded := text + strings.Repeat(" ", 32-len(text))
		var hexed strings.Builder
		for _, c := range []byte(padded) {
			hexed.WriteString(strings.ToUpper(string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15])))
		}
		return hexed.String() + "9000"
	}
	none := []string{selJPKI, "6A82", selText, "6A82"}
	for _, tc := range []struct {
		name  string
		steps []string
		want  card.Kind
	}{
		{"juki", []string{selJPKI, "9000", readToken, token("JPKIAPICCTOKEN")}, card.KindJuki},
		{"android", []string{selJPKI, "9000", readToken, token("JPKIAPGPSETOKEN")}, card.KindPhone},
		{"iphone", []string{selJPKI, "9000", readToken, token("JPKIAPIOSTOKEN")}, card.KindPhone},
		{"new-token", []string{
			selJPKI, "9000", readToken, token("JPKIAPICCTOKEN9"),
			selText, "6A82", selLicence, "6A82", selResid, "6A82", selPass, "6A82",
		}, card.KindUnknown},
		{"unreadable-token", []string{
			selJPKI, "9000", readToken, "6982",
			selText, "6A82", selLicence, "6A82", selResid, "6A82", selPass, "6A82",
		}, card.KindUnknown},
		{"licence", append(none[:4:4], selLicence, "9000"), card.KindDriversLicence},
		{"residence", append(none[:4:4], selLicence, "6A82", selResid, "9000", selMaster, "6A82"), card.KindResidenceCard},
		{"passport", append(none[:4:4], selLicence, "6A82", selResid, "6A82", selPass, "9000"), card.KindPassport},
		{"nothing-known", append(none[:4:4], selLicence, "6D00", selResid, "6E00", selPass, "6A81"), card.KindUnknown},
		{"text-application-only", []string{
			selJPKI, "6A82", selText, "9000", selCommon, "9000", readRecord, record + "9000",
		}, card.KindMyNumber},
		{"first-command-6f00", append([]string{selJPKI, "6F00"}, identified()...), card.KindMyNumber},
		{"no-common-application", []string{selJPKI, "9000", readToken, token2 + "9000", selCommon, "6A82"}, card.KindMyNumber},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, tc.steps)
			c := openCard(t, s, card.Options{})
			s.done()
			if got := c.Identity().Kind; got != tc.want {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
			if tc.name == "no-common-application" && c.Identity().Expiry != (card.Date{}) {
				t.Fatal("an expiry out of nothing")
			}
		})
	}
}

func TestOpenMalformedRecord(t *testing.T) {
	for name, answer := range map[string]string{
		"short":      "011B 343030303030303030303030313233313332323132303335303231 9000",
		"letters":    "011C 41303030303030303030303031323331333232313230333530323137 9000",
		"month-13":   "011C 34303030303030303030303031323331333232313230333531333137 9000",
		"wrong-tag":  "021C 34303030303030303030303031323331333232313230333530323137 9000",
		"empty":      "9000",
		"truncated":  "011C 3430 9000",
		"no-minimum": "FFFF 9000",
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, identified()[:6], []string{readRecord, answer})
			if _, err := card.Open(t.Context(), s, card.Options{}); !errors.Is(err, card.ErrMalformed) {
				t.Fatalf("got %v, want ErrMalformed", err)
			}
		})
	}
}

func TestExtendedRefusedAtIdentification(t *testing.T) {
	for name, refusal := range map[string]string{"by-length": "6700", "without-diagnosis": "6F00", "by-the-reader": "pull"} {
		t.Run(name, func(t *testing.T) {
			s := play(t, []string{selJPKI, "9000", readToken, refusal, "00B0860000", token2 + "9000"}, identified()[4:])
			if c := openCard(t, s, card.Options{}); !c.Short() {
				t.Fatal("the refusal was not remembered")
			}
			s.done()
		})
	}
	t.Run("and-the-card-is-gone", func(t *testing.T) {
		s := play(t, []string{selJPKI, "9000", readToken, "pull", "00B0860000", "pull"})
		_, err := card.Open(t.Context(), s, card.Options{})
		var ext *card.ExtendedError
		if !errors.As(err, &ext) || !errors.Is(err, errPulled) {
			t.Fatalf("got %v, want an ExtendedError of the transport's error", err)
		}
	})
	t.Run("forbidden-by-option", func(t *testing.T) {
		s := play(t, []string{selJPKI, "9000", "00B0860000", token2 + "9000"}, identified()[4:])
		openCard(t, s, card.Options{Short: true})
		s.done()
	})
}

func TestTries(t *testing.T) {
	for _, tc := range []struct {
		name  string
		ref   card.Ref
		steps []string
		want  card.Tries
	}{
		{"text-pin", card.RefTextPIN, []string{selText, "9000", "00200091", "63C3"}, card.Tries{Left: 3, Known: true}},
		{"text-b", card.RefTextB, []string{selText, "9000", "00200095", "63CA"}, card.Tries{Left: 10, Known: true}},
		{"face-b", card.RefFaceB, []string{selFace, "9000", "00200092", "63C9"}, card.Tries{Left: 9, Known: true}},
		{"auth-pin", card.RefAuthPIN, []string{selJPKI, "9000", "00200098", "63C1"}, card.Tries{Left: 1, Known: true}},
		{"sign", card.RefSignPass, []string{selJPKI, "9000", "0020009B", "63C5"}, card.Tries{Left: 5, Known: true}},
		{"exhausted", card.RefTextPIN, []string{selText, "9000", "00200091", "63C0"}, card.Tries{Known: true}},
		{"blocked-6984", card.RefTextPIN, []string{selText, "9000", "00200091", "6984"}, card.Tries{Known: true}},
		{"blocked-6983", card.RefTextPIN, []string{selText, "9000", "00200091", "6983"}, card.Tries{Known: true}},
		{"answers-9000", card.RefTextPIN, []string{selText, "9000", "00200091", "9000"}, card.Tries{}},
		{"answers-6300", card.RefTextPIN, []string{selText, "9000", "00200091", "6300"}, card.Tries{}},
		{"no-such-pin", card.RefTextPIN, []string{selText, "9000", "00200091", "6A82"}, card.Tries{}},
		{"no-such-application", card.RefTextPIN, []string{selText, "6A82"}, card.Tries{}},
		{"case-1-mangled", card.RefTextPIN, []string{selText, "9000", "00200091", "6700", "0020009100", "63C2"}, card.Tries{Left: 2, Known: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, identified(), tc.steps)
			c := openCard(t, s, card.Options{})
			got, err := c.Tries(t.Context(), tc.ref)
			if err != nil || got != tc.want {
				t.Fatalf("got %v %v, want %v", got, err, tc.want)
			}
			if got.Blocked() != (tc.want.Known && tc.want.Left == 0) {
				t.Fatal("Blocked disagrees")
			}
			s.done()
		})
	}
	t.Run("card-pulled", func(t *testing.T) {
		s := play(t, identified(), []string{selText, "9000", "00200091", "pull"})
		c := openCard(t, s, card.Options{})
		if got, err := c.Tries(t.Context(), card.RefTextPIN); got.Known || !errors.Is(err, errPulled) {
			t.Fatalf("got %v %v", got, err)
		}
	})
}

// attributesFile is 券面事項入力補助 EF 0002 of 山田　花子, written by hand, with non-minimal lengths and filler.
const attributesFile = "FF20 82 003E" +
	"DF21 08 000E 0020 0059 0064" +
	"DF22 82 000F E5B1B1E794B0E38080E88AB1E5AD90" +
	"DF23 0C E69DB1E4BAACE983BDEFBC91" +
	"DF24 08 3139383030323137" +
	"DF25 81 01 32" + "FFFFFFFFFF"

func TestAttributes(t *testing.T) {
	verifyB := "002000950E 3535303231373230333532323835"
	read := "00B0820000 0000"
	for _, tc := range []struct {
		name   string
		byPIN  bool
		steps  []string
		counts int
	}{
		{"by-b", false, []string{selText, "9000", verifyB, "9000", read, attributesFile + "9000"}, 3},
		{"by-pin", true, []string{selText, "9000", "0020009104 31323334", "9000", read, attributesFile + "9000"}, 3},
		{"end-of-file-warning", false, []string{selText, "9000", verifyB, "9000", read, attributesFile + "6282"}, 3},
		{"reader-cuts", false, []string{
			selText, "9000", verifyB, "9000", read, "FF2082003E 9000", "00B000053E", attributesFile[len("FF20 82 003E"):] + "9000",
		}, 4},
		{"one-byte-first", false, []string{
			selText, "9000", verifyB, "9000", read, "FF 9000", "00B0000101", "20 9000",
			"00B0000201", "82 9000", "00B0000301", "00 9000", "00B0000401", "3E 9000",
			"00B000053E", attributesFile[len("FF20 82 003E"):] + "9000",
		}, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, identified(), tc.steps)
			c := openCard(t, s, card.Options{})
			var got card.Attributes
			var err error
			if tc.byPIN {
				got, err = c.AttributesByPIN(t.Context(), digits("1234"))
			} else {
				got, err = c.AttributesByB(t.Context(), digits("55021720352285"))
			}
			if err != nil {
				t.Fatal(err)
			}
			s.done()
			if string(got.Name.Reveal()) != "山田　花子" || string(got.Address.Reveal()) != "東京都１" ||
				string(got.Birth.Reveal()) != "19800217" || string(got.Sex.Reveal()) != "2" {
				t.Fatalf("got %s %s %s %s", got.Name.Reveal(), got.Address.Reveal(), got.Birth.Reveal(), got.Sex.Reveal())
			}
			if n := c.Counts()[card.TaskAttributes]; n != tc.counts {
				t.Fatalf("%d commands, want %d", n, tc.counts)
			}
		})
	}
}

func TestVerifyRefused(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		check        func(error) bool
	}{
		{"wrong", "63C2", func(err error) bool {
			var auth card.AuthError
			return errors.As(err, &auth) && auth.Left == 2 && !errors.Is(err, card.ErrBlocked)
		}},
		{"last-try-spent", "63C0", func(err error) bool { return errors.Is(err, card.ErrBlocked) }},
		{"blocked", "6984", func(err error) bool { return errors.Is(err, card.ErrBlocked) }},
		{"pulled", "pull", func(err error) bool {
			var unknown *card.VerifyUnknownError
			return errors.As(err, &unknown) && errors.Is(err, errPulled)
		}},
		{"no-status-word", "90", isUnknown},
		{"no-diagnosis", "6F00", isUnknown},
		{"memory-failure", "6581", isUnknown},
		{"length-asked-for", "6C00", func(err error) bool { return err != nil && !isUnknown(err) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := play(t, identified(), []string{selText, "9000", "0020009104 31323334", tc.answer})
			c := openCard(t, s, card.Options{})
			got, err := c.AttributesByPIN(t.Context(), digits("1234"))
			if !tc.check(err) {
				t.Fatalf("got error %v", err)
			}
			if got != (card.Attributes{}) {
				t.Fatal("attributes beside an error")
			}
			s.done() // the one VERIFY and nothing after it
		})
	}
}

func isUnknown(err error) bool {
	var unknown *card.VerifyUnknownError
	return errors.As(err, &unknown)
}

func TestFormatIsCheckedBeforeAnythingIsSent(t *testing.T) {
	s := play(t, identified())
	c := openCard(t, s, card.Options{})
	for _, pin := range []string{"", "123", "12345", "12a4", "１２"} {
		if _, err := c.AttributesByPIN(t.Context(), digits(pin)); !errors.Is(err, card.ErrFormat) {
			t.Errorf("PIN %q: got %v, want ErrFormat", pin, err)
		}
	}
	for name, b := range map[string]string{
		"empty": "", "short": "5502172035228", "long": "550217203522855", "letter": "5502172035228x",
		"month-13": "55131720352285", "day-32": "55023220352285", "expired-before-the-first-card": "55021720152285",
		"year-2100": "55021721002285", "year-first-eight-digits": "19800217203522",
	} {
		if _, err := c.AttributesByB(t.Context(), digits(b)); !errors.Is(err, card.ErrFormat) {
			t.Errorf("%s: attributes: got %v, want ErrFormat", name, err)
		}
		if _, err := c.FrontByB(t.Context(), digits(b)); !errors.Is(err, card.ErrFormat) {
			t.Errorf("%s: front: got %v, want ErrFormat", name, err)
		}
	}
	if err := card.CheckB(digits("02022420300000")); err != nil { // 令和2年2月24日
		t.Errorf("a plausible number was refused: %v", err)
	}
	if err := card.CheckB(digits("10000020300000")); err != nil { // birthday not known
		t.Errorf("month and day 00 were refused: %v", err)
	}
}

func TestCancelledBeforeVerifySendsNothing(t *testing.T) {
	s := play(t, identified(), []string{selText, "9000"})
	c := openCard(t, s, card.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.AttributesByPIN(ctx, digits("1234"))
	if !errors.Is(err, context.Canceled) || isUnknown(err) {
		t.Fatalf("got %v, want a plain context.Canceled", err)
	}
	s.done()
}

func TestOtherKindsAreRefused(t *testing.T) {
	s := play(t, []string{selJPKI, "6A82", selText, "6A82", selLicence, "9000"})
	c := openCard(t, s, card.Options{})
	_, err1 := c.AttributesByPIN(t.Context(), digits("1234"))
	_, err2 := c.FrontByB(t.Context(), digits("55021720352285"))
	_, err3 := c.Tries(t.Context(), card.RefTextPIN)
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, card.ErrKind) {
			t.Errorf("got %v, want ErrKind", err)
		}
	}
	s.done()
}

func TestForget(t *testing.T) {
	s := play(t, identified(), []string{selText, "9000", "00200091", "63C3", selCommon, "9000"})
	c := openCard(t, s, card.Options{})
	if _, err := c.Tries(t.Context(), card.RefTextPIN); err != nil {
		t.Fatal(err)
	}
	if err := c.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Forget(t.Context()); err != nil { // nothing more to leave
		t.Fatal(err)
	}
	s.done()
}

func TestHostileFiles(t *testing.T) {
	for name, steps := range map[string][]string{
		"no-progress":     {"FF2082003E 9000", "00B000053E", "9000"},
		"ends-too-early":  {"FF2082003E 9000", "00B000053E", "6B00"},
		"wrong-outer-tag": {"FF30 00 9000"},
		"announces-16-mb": {"FF2083FFFFFF 00 9000"},
		"announces-64-kb": {"FF2082FFFE 00 9000"},
		"twins":           {"FF20 08 DF250131 DF250132 9000"},
		"no-name":         {"FF20 04 DF250131 9000"},
		"indefinite":      {"FF2080 0000 9000"},
		"empty":           {"9000"},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, identified(), []string{
				selText, "9000", "0020009104 31323334", "9000", "00B0820000 0000",
			}, steps)
			c := openCard(t, s, card.Options{})
			if _, err := c.AttributesByPIN(t.Context(), digits("1234")); !errors.Is(err, card.ErrMalformed) {
				t.Fatalf("got %v, want ErrMalformed", err)
			}
			s.done()
		})
	}
}
