package virtual_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

// lone is a folder with one profile and nothing else.
func lone(t *testing.T, change map[string]any) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{"cards/one.json": {Data: edited(t, change)}}
}

func TestLoadProfileWithImages(t *testing.T) {
	fsys := people()
	fsys["yamada/another.json"] = &fstest.MapFile{Data: edited(t, map[string]any{"id": "anything-plain", "card": map[string]any{}})}
	p, err := virtual.LoadProfile(fsys, "yamada/another.json")
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "anything-plain" || p.Face().Len() != 1000 || p.Label("en") != "Yamada" {
		t.Errorf("got %s, a face of %d bytes, %s", p.ID, p.Face().Len(), p.Label("en"))
	}
}

func TestLoadProfileWithStandIns(t *testing.T) {
	raw := map[string]any{}
	if err := json.Unmarshal([]byte(yamada), &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "label")
	delete(raw, "note")
	raw["live"] = "tanaka"
	short, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := virtual.LoadProfile(fstest.MapFS{"p.json": {Data: short}}, "p.json")
	if err != nil {
		t.Fatal(err)
	}
	face, err := os.ReadFile("people/tanaka/face.jp2")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Face().Reveal(), face) || p.Label("ja") != "yamada" {
		t.Errorf("want the face of the person in live, and the id as label, got %s", p.Label("ja"))
	}
	c, err := p.NewCard()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, c)
	data(t, s, selectFace)
	data(t, s, "00200092 0E 3535303231373230333532323835")
	_, _, outer := objects(t, data(t, s, "00B08200 000000"))
	_, _, value := objects(t, outer["FF20"])
	for tag, size := range map[string][2]int{"DF25": {512, 48}, "DF26": {768, 48}, "DF2A": {24, 12}} {
		img, err := png.Decode(bytes.NewReader(value[tag]))
		if err != nil {
			t.Fatal(tag, err)
		}
		if b := img.Bounds(); b.Dx() != size[0] || b.Dy() != size[1] {
			t.Errorf("%s: got %v, want %v", tag, b, size)
		}
	}
	p, err = virtual.LoadProfile(lone(t, map[string]any{"live": "attack-phone"}), "cards/one.json")
	sato, e := os.ReadFile("people/sato/face.jp2")
	if err != nil || e != nil || !bytes.Equal(p.Face().Reveal(), sato) {
		t.Errorf("want the face of sato, got %v, %v", err, e)
	}
}

func TestLoadProfileMaking(t *testing.T) {
	p, err := virtual.LoadProfile(lone(t, map[string]any{"card": map[string]any{
		"kind": "phone-iphone", "atr": "contactless-4b", "blocked_query": "6984", "minimal_lengths": true,
		"keep_rights_on_select": true, "tamper_photo": true, "foreign_issuer": true, "cloned": true, "wrong_offsets": true,
		"without_pin": true, "merged_licence": true, "merged_residence": true, "first_fails": true, "tpdu": true, "sign_ms": 300,
	}}), "cards/one.json")
	if err != nil {
		t.Fatal(err)
	}
	want := virtual.Options{
		Kind: virtual.KindPhoneIPhone, ATR: unhex(t, "3B888001004B51FFB381D1000F"), BlockedQuery: 0x6984, MinimalLengths: true,
		KeepRightsOnSelect: true, TamperPhoto: true, ForeignIssuer: true, Cloned: true, WrongOffsets: true, WithoutPIN: true,
		MergedLicence: true, MergedResidence: true, FirstFails: true, TPDU: true, SignTime: 300 * time.Millisecond,
	}
	if d := cmp.Diff(want, p.Making()); d != "" {
		t.Error("(-want +got):", d)
	}
	c, err := p.NewCard()
	if err != nil {
		t.Fatal(err)
	}
	play(t, open(t, c), []exchange{
		{selectJPKI, "6F00"}, {selectJPKI, "9000"}, {"00B08600 0F", "4A504B494150494F53544F4B454E20 9000"}, {selectText, "6A82"},
	})
	// A card that is nobody's needs no person.
	fsys := fstest.MapFS{"t.json": {Data: []byte(`{"id":"t","live":"t","card":{"kind":"transit"}}`)}}
	if p, err = virtual.LoadProfile(fsys, "t.json"); err != nil {
		t.Fatal(err)
	}
	if c, err = virtual.NewDrawer([]virtual.Person{p}).Card("t"); err != nil {
		t.Fatal(err)
	}
	play(t, open(t, c), []exchange{{selectJPKI, "6A81"}})
}

func TestLoadProfileIsStrict(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"unknown-field":      {"nickname": "x"},
		"unknown-card-field": {"card": map[string]any{"colour": "blue"}},
		"kind":               {"card": map[string]any{"kind": "spaceship"}},
		"atr":                {"card": map[string]any{"atr": "3B00"}},
		"blocked-query":      {"card": map[string]any{"blocked_query": "9000"}},
		"sign-ms":            {"card": map[string]any{"sign_ms": 20000}},
		"negative-ms":        {"card": map[string]any{"sign_ms": -1}},
		"wrong-type":         {"card": []string{"x"}},
		"pin":                {"pin": "12a4"},
		"live":               {"live": "../.."},
		"no-id":              {"id": ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := virtual.LoadProfile(lone(t, change), "cards/one.json")
			if err == nil || p.ID != "" {
				t.Fatalf("got %v and %v, want an error", p, err)
			}
			for _, secret := range []string{"123456789018", "ABC123", "550217", "12a4"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v holds a value", err)
				}
			}
		})
	}
	big := lone(t, nil)
	big["cards/face.jp2"] = &fstest.MapFile{Data: make([]byte, 60_001)}
	more := lone(t, nil)
	more["cards/one.json"].Data = append(more["cards/one.json"].Data, "{}"...)
	long := lone(t, map[string]any{"note": map[string]string{"ja": strings.Repeat("x", 20_000), "en": ""}})
	folder := fstest.MapFS{"cards/one.json/x": {}}
	for name, fsys := range map[string]fs.FS{"big-image": big, "trailing": more, "long": long, "folder": folder} {
		if _, err := virtual.LoadProfile(fsys, "cards/one.json"); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	if _, err := virtual.LoadProfile(fstest.MapFS{}, "none.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is no such file", err)
	}
}

func TestOpenProfile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "card.json")
	for name, content := range map[string][]byte{"card.json": []byte(yamada), "face.jp2": []byte("a face")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := virtual.OpenProfile(path)
	if err != nil || string(p.Face().Reveal()) != "a face" {
		t.Errorf("got %v, want the face beside the profile", err)
	}
	if _, err := virtual.OpenProfile(filepath.Join(dir, "other.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is no such file", err)
	}
}

// TestShippedPeopleLoadAlone: each shipped profile is also a good profile file, and makes the same card.
func TestShippedPeopleLoadAlone(t *testing.T) {
	all, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]string{}, map[string]string{}
	for i := range all {
		p, err := virtual.OpenProfile(filepath.Join("people", all[i].ID, "profile.json"))
		if err != nil {
			t.Fatal(err)
		}
		got[p.ID] = string(p.Face().Reveal()) + string(p.MyNumber().Reveal())
		want[all[i].ID] = string(all[i].Face().Reveal()) + string(all[i].MyNumber().Reveal())
	}
	if !maps.Equal(got, want) || len(got) < 7 {
		t.Errorf("%d of %d people are the same", len(got), len(want))
	}
}
