package virtual

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"

	"madoguchi/hardware/virtual/chip"
	"madoguchi/hardware/virtual/perso"
	"madoguchi/internal/secret"
)

//go:embed people
var embedded embed.FS

// ErrUnknownPerson is the error for an id that no virtual person has.
var ErrUnknownPerson = errors.New("virtual: no such person")

const maxProfile = 16 << 10

// text is a sentence in the two languages of the product.
type text struct {
	JA string `json:"ja"`
	EN string `json:"en"`
}

func (t text) in(lang string) string {
	if lang == "ja" {
		return t.JA
	}
	return t.EN
}

// profile is the form of profile.json.
type profile struct {
	ID              string `json:"id"`
	Label           text   `json:"label"`
	Note            text   `json:"note"`
	Name            string `json:"name"`
	Address         string `json:"address"`
	Birth           string `json:"birth"`
	BirthPrinted    string `json:"birth_printed"`
	Sex             string `json:"sex"`
	MyNumber        string `json:"my_number"`
	Serial          string `json:"serial"`
	Municipality    string `json:"municipality"`
	Expiry          string `json:"expiry"`
	SecurityCode    string `json:"security_code"`
	PIN             string `json:"pin"`
	SignPassword    string `json:"sign_password"`
	SignCertificate bool   `json:"sign_certificate"`
	PINTries        int    `json:"pin_tries"`
	Live            string `json:"live"`

	Card *making `json:"card,omitempty"`
}

// Person is one virtual person with a card. The accessors give what the card will say, as secrets of the
// caller's own, so that tests and the developer panel can type and compare it.
type Person struct {
	ID   string // folder name, e.g. "sato"
	Live string // folder of the live frames, somebody else's for an impostor

	label, note text
	profile     perso.Profile
	making      Options // how NewCard makes the card when it is given no Options
}

// People are the persons that ship with the product, by id.
func People() ([]Person, error) {
	sub, err := fs.Sub(embedded, "people")
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	return LoadPeople(sub)
}

// LoadPeople reads a folder that holds one folder for each person, each with profile.json, face.jp2, name.png,
// address.png and code.png. Folders without profile.json are skipped: they hold live frames only.
func LoadPeople(fsys fs.FS) ([]Person, error) {
	dirs, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	var out []Person
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		p, err := loadPerson(fsys, d.Name())
		if errors.Is(err, fs.ErrNotExist) {
			if _, e := fs.Stat(fsys, path.Join(d.Name(), "profile.json")); e != nil {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("virtual: person %q: %w", d.Name(), err)
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, nil
}

func loadPerson(fsys fs.FS, dir string) (Person, error) {
	raw, err := readAtMost(fsys, path.Join(dir, "profile.json"), maxProfile)
	if err != nil {
		return Person{}, err
	}
	j, err := parseProfile(raw)
	if err != nil {
		return Person{}, err
	}
	if j.ID != dir {
		return Person{}, errors.New("the id in profile.json is not the folder's name")
	}
	if j.Label.JA == "" || j.Label.EN == "" {
		return Person{}, errors.New("profile.json lacks a label")
	}
	p, err := j.person()
	if err != nil {
		return Person{}, err
	}
	for _, f := range []struct {
		name string
		into *[]byte
	}{
		{"face.jp2", &p.profile.FaceImage},
		{"name.png", &p.profile.NameImage},
		{"address.png", &p.profile.AddressImage},
		{"code.png", &p.profile.CodeImage},
	} {
		if *f.into, err = readAtMost(fsys, path.Join(dir, f.name), maxImage); err != nil {
			return Person{}, err
		}
	}
	return p, p.profile.Validate()
}

// parseProfile is strict: unknown fields and trailing data are errors. Errors never hold values.
func parseProfile(raw []byte) (profile, error) {
	if len(raw) > maxProfile {
		return profile{}, errors.New("profile.json is too long")
	}
	var j profile
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return profile{}, errors.New("profile.json is not of the right form")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return profile{}, errors.New("profile.json goes on after its end")
	}
	if !plainName(j.ID) || !plainName(j.Live) {
		return profile{}, errors.New("the id or the folder of live frames is not plain")
	}
	return j, nil
}

// person is what a profile says, without the images.
func (j *profile) person() (Person, error) {
	o, err := j.Card.options()
	if err != nil {
		return Person{}, err
	}
	return Person{ID: j.ID, Live: j.Live, label: j.Label, note: j.Note, making: o, profile: perso.Profile{
		ID: j.ID, Name: j.Name, Address: j.Address, Birth: j.Birth, BirthPrinted: j.BirthPrinted, Sex: j.Sex,
		MyNumber: j.MyNumber, Serial: j.Serial, Municipality: j.Municipality, Expiry: j.Expiry,
		SecurityCode: j.SecurityCode, PIN: j.PIN, SignPassword: j.SignPassword,
		SignCertificate: j.SignCertificate, PINTries: j.PINTries,
	}}, nil
}

// plainName keeps names that come from outside within their folder.
func plainName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// String names the person by id only: a Person holds secrets.
func (p Person) String() string { return "virtual person " + p.ID }

// GoString is String.
func (p Person) GoString() string { return p.String() }

// Label is the name for a list of people, in "ja" or else English.
func (p *Person) Label(lang string) string { return p.label.in(lang) }

// Note says what is special about the person, in "ja" or else English.
func (p *Person) Note(lang string) string { return p.note.in(lang) }

// PIN is the 4-digit PIN.
func (p *Person) PIN() *secret.Bytes { return own(p.profile.PIN) }

// SignPassword is the password of the signature key; empty when the card has no signature certificate.
func (p *Person) SignPassword() *secret.Bytes { return own(p.profile.SignPassword) }

// NumberB is 照合番号B in its three printed parts: birth date, year of expiry, security code.
func (p *Person) NumberB() (birth, expiry, code *secret.Bytes) {
	year := p.profile.Expiry[:min(4, len(p.profile.Expiry))] // empty for a card that is nobody's
	return own(p.profile.BirthPrinted), own(year), own(p.profile.SecurityCode)
}

// Name is the name as the chip holds it.
func (p *Person) Name() *secret.Bytes { return own(p.profile.Name) }

// Address is the address as the chip holds it.
func (p *Person) Address() *secret.Bytes { return own(p.profile.Address) }

// Birth is YYYYMMDD.
func (p *Person) Birth() *secret.Bytes { return own(p.profile.Birth) }

// Sex is one digit: 1 male, 2 female, 9 not applicable.
func (p *Person) Sex() *secret.Bytes { return own(p.profile.Sex) }

// MyNumber is the 12-digit number, which is also 照合番号A.
func (p *Person) MyNumber() *secret.Bytes { return own(p.profile.MyNumber) }

// Serial is the 15-digit number of the card.
func (p *Person) Serial() *secret.Bytes { return own(p.profile.Serial) }

// Face is the photo in the chip, as JP2.
func (p *Person) Face() *secret.Bytes { return secret.Copy(p.profile.FaceImage) }

// Municipality is the 5-digit code.
func (p *Person) Municipality() string { return p.profile.Municipality }

// Expiry is the card's last day as YYYYMMDD.
func (p *Person) Expiry() string { return p.profile.Expiry }

// SignCertificate is false for children under 15 and others without one.
func (p *Person) SignCertificate() bool { return p.profile.SignCertificate }

func own(s string) *secret.Bytes { return secret.New([]byte(s)) }

// NewCard makes a new card of the person, with all counters as issued. At most one Options is used; without one
// the card is made as the profile says.
func (p *Person) NewCard(o ...Options) (*Card, error) {
	making := p.making
	if len(o) > 0 {
		making = o[0]
	}
	return made(perso.Make(&p.profile, making))
}

// Making is how NewCard makes the card when it is given no Options.
func (p *Person) Making() Options { return p.making }

// NewPhone makes the person's JPKI on an Android phone: no surface applications.
func (p *Person) NewPhone() (*Card, error) { return p.NewCard(Options{Kind: perso.KindPhoneAndroid}) }

// NewJukiCard makes an old 住基 card of the person.
func (p *Person) NewJukiCard() (*Card, error) { return p.NewCard(Options{Kind: perso.KindJuki}) }

func made(l chip.Layout, err error) (*Card, error) {
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	return chip.New(l), nil
}
