package virtual_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

func TestPersonTellsWhatTheCardWillSay(t *testing.T) {
	p := person(t, "yamada")
	birth, expiry, code := p.NumberB()
	got := map[string]string{
		"pin": string(p.PIN().Reveal()), "b": string(birth.Reveal()) + "/" + string(expiry.Reveal()) + "/" + string(code.Reveal()),
		"name": string(p.Name().Reveal()), "address": string(p.Address().Reveal()), "birth": string(p.Birth().Reveal()),
		"sex": string(p.Sex().Reveal()), "number": string(p.MyNumber().Reveal()), "serial": string(p.Serial().Reveal()),
		"password": string(p.SignPassword().Reveal()), "expiry": p.Expiry(), "municipality": p.Municipality(),
		"ja": p.Label("ja"), "en": p.Label("en"), "note": p.Note("ja"), "live": p.Live,
	}
	want := map[string]string{
		"pin": "1234", "b": "550217/2035/2285", "name": "山田　太郎", "address": "東京都架空区見本一丁目２番地３号室東",
		"birth": "19800217", "sex": "1", "number": "123456789018", "serial": "900000000000001", "password": "ABC123",
		"expiry": "20350217", "municipality": "13990", "ja": "山田", "en": "Yamada", "note": "試験", "live": "yamada",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("(-want +got):", d)
	}
	if p.Face().Len() != 1000 || !p.SignCertificate() {
		t.Error("the face has 1000 bytes, and there is a signature certificate")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb+verb, p, *p); strings.Contains(got, "1234") {
			t.Errorf("%s prints secrets", verb)
		}
	}
}

func TestProfilesAreStrict(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"unknown-field":   {"nickname": "x"},
		"wrong-id":        {"id": "other"},
		"bad-date":        {"birth": "19801332"},
		"era-birth":       {"birth": "550217"},
		"short-number":    {"my_number": "1234"},
		"letters-in-pin":  {"pin": "12a4"},
		"no-name":         {"name": ""},
		"escaping-folder": {"live": "../.."},
		"tries":           {"pin_tries": 4},
		"short-password":  {"sign_password": "A1"},
		"wrong-type":      {"pin": 1234},
		"no-label":        {"label": map[string]string{"ja": "", "en": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := people()
			fsys["yamada/profile.json"] = &fstest.MapFile{Data: edited(t, change)}
			_, err := virtual.LoadPeople(fsys)
			if err == nil || !strings.Contains(err.Error(), `"yamada"`) {
				t.Fatalf("got %v, want an error that names the person", err)
			}
			for _, value := range []string{"123456789018", "12a4", "ABC123"} {
				if strings.Contains(err.Error(), value) {
					t.Error("the error holds a value")
				}
			}
		})
	}
	t.Run("missing-image", func(t *testing.T) {
		fsys := people()
		delete(fsys, "yamada/face.jp2")
		if _, err := virtual.LoadPeople(fsys); err == nil {
			t.Error("want an error")
		}
	})
}

func TestDrawerKeepsTheCard(t *testing.T) {
	all, err := virtual.LoadPeople(people())
	if err != nil {
		t.Fatal(err)
	}
	d := virtual.NewDrawer(all)
	c, err := d.Card("yamada")
	if err != nil {
		t.Fatal(err)
	}
	play(t, open(t, c), []exchange{{selectText, "9000"}, {"00200091 04 30303030", "63C2"}})
	if c, err = d.Card("yamada"); err != nil {
		t.Fatal(err)
	}
	play(t, open(t, c), []exchange{{selectText, "9000"}, {"00200091", "63C2"}})
	d.Renew("yamada")
	if c, err = d.Card("yamada"); err != nil {
		t.Fatal(err)
	}
	play(t, open(t, c), []exchange{{selectText, "9000"}, {"00200091", "63C3"}})
	if _, err := d.Card("nobody"); !errors.Is(err, virtual.ErrUnknownPerson) {
		t.Errorf("got %v, want ErrUnknownPerson", err)
	}
}

// TestShippedPeople checks the committed people: that each has a card that opens with what its profile says.
func TestShippedPeople(t *testing.T) {
	all, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	cam, err := virtual.NewCamera()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	keys := map[string]string{}
	for i := range all {
		p := &all[i]
		ids = append(ids, p.ID)
		c, err := p.NewCard()
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, c)
		birth, expiry, code := p.NumberB()
		b := fmt.Sprintf("%X%X%X", birth.Reveal(), expiry.Reveal(), code.Reveal())
		play(t, s, []exchange{{selectFace, "9000"}, {"00200092 0E" + b, "9000"}})
		front := data(t, s, "00B08200 000000")
		if !bytes.Contains(front, p.Face().Reveal()) {
			t.Errorf("%s: the face is not on the card", p.ID)
		}
		key := string(front[46:311])
		if other := keys[key]; other != "" {
			t.Errorf("%s and %s have the same card key", p.ID, other)
		}
		keys[key] = p.ID
		if err := cam.Show(p.ID); err != nil {
			t.Errorf("%s: %v", p.ID, err)
		}
	}
	want := []string{"ito", "kobayashi", "nguyen", "sato", "suzuki", "tanaka", "watanabe"}
	if d := cmp.Diff(want, ids); d != "" {
		t.Error("people (-want +got):", d)
	}
	if err := cam.Show("attack-phone"); err != nil {
		t.Error(err)
	}
}

// TestNobodysCardTellsNothing: the accessors of a card that is made out to nobody are empty, and do not panic.
func TestNobodysCardTellsNothing(t *testing.T) {
	fsys := fstest.MapFS{"card.json": {Data: []byte(`{"id":"suica","live":"sato","card":{"kind":"transit"}}`)}}
	p, err := virtual.LoadProfile(fsys, "card.json")
	if err != nil {
		t.Fatal(err)
	}
	birth, expiry, code := p.NumberB()
	if n := birth.Len() + expiry.Len() + code.Len() + p.PIN().Len() + p.MyNumber().Len() + p.Face().Len(); n != 0 {
		t.Errorf("got %d bytes, want none", n)
	}
}

// TestCheckDigits: the My Numbers of the shipped people have the check digit of the official rule, and none of them
// has two holders.
func TestCheckDigits(t *testing.T) {
	all, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range all {
		n := all[i].MyNumber().Reveal()
		sum := 0
		for at := range 11 { // n-th digit from the right of the first eleven: weights 2 to 7, then 2 to 6
			sum += int(n[10-at]-'0') * (at%6 + 2)
		}
		want := byte('0')
		if r := sum % 11; r > 1 {
			want = byte('0' + 11 - r)
		}
		if n[11] != want || seen[string(n)] {
			t.Errorf("%s: the check digit is wrong, or the number is somebody else's", all[i].ID)
		}
		seen[string(n)] = true
	}
}
