package virtual

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"madoguchi/hardware/virtual/perso"
)

// maxImage is the largest image file a profile may have beside it.
const maxImage = 60_000

// making is the part "card" of profile.json: how the card of the person is made. All of it may be left out.
type making struct {
	Kind               Kind   `json:"kind,omitempty"`          // "my-number", "phone-iphone", ...; see perso.Kind
	ATR                string `json:"atr,omitempty"`           // a name of ATRs
	BlockedQuery       string `json:"blocked_query,omitempty"` // "63C0" (default) or "6984"
	MinimalLengths     bool   `json:"minimal_lengths,omitempty"`
	KeepRightsOnSelect bool   `json:"keep_rights_on_select,omitempty"`
	TamperPhoto        bool   `json:"tamper_photo,omitempty"`
	ForeignIssuer      bool   `json:"foreign_issuer,omitempty"`
	Cloned             bool   `json:"cloned,omitempty"`
	WrongOffsets       bool   `json:"wrong_offsets,omitempty"`
	WithoutPIN         bool   `json:"without_pin,omitempty"`
	MergedLicence      bool   `json:"merged_licence,omitempty"`
	MergedResidence    bool   `json:"merged_residence,omitempty"`
	FirstFails         bool   `json:"first_fails,omitempty"`
	TPDU               bool   `json:"tpdu,omitempty"`
	SignMS             int    `json:"sign_ms,omitempty"` // 0 to 10000
}

// options turns the part into Options; nothing written is a normal card.
func (m *making) options() (Options, error) {
	if m == nil {
		return Options{}, nil
	}
	o := Options{
		Kind: m.Kind, MinimalLengths: m.MinimalLengths, KeepRightsOnSelect: m.KeepRightsOnSelect,
		TamperPhoto: m.TamperPhoto, ForeignIssuer: m.ForeignIssuer, Cloned: m.Cloned, WrongOffsets: m.WrongOffsets,
		WithoutPIN: m.WithoutPIN, MergedLicence: m.MergedLicence, MergedResidence: m.MergedResidence,
		FirstFails: m.FirstFails, TPDU: m.TPDU, SignTime: time.Duration(m.SignMS) * time.Millisecond,
	}
	switch m.BlockedQuery {
	case "", "63C0":
	case "6984":
		o.BlockedQuery = 0x6984
	default:
		return Options{}, errors.New("card.blocked_query must be 63C0 or 6984")
	}
	if m.ATR != "" {
		if o.ATR = ATR(m.ATR); o.ATR == nil {
			return Options{}, errors.New("card.atr is not a known name")
		}
	}
	if !m.Kind.Personal() && !slices.Contains(perso.Others(), m.Kind) {
		return Options{}, errors.New("card.kind is not a known kind")
	}
	if m.SignMS < 0 || m.SignMS > 10_000 {
		return Options{}, errors.New("card.sign_ms must be 0 to 10000")
	}
	return o, nil
}

// OpenProfile is LoadProfile for a file of the operating system.
func OpenProfile(file string) (Person, error) {
	return LoadProfile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
}

// LoadProfile reads one profile, of the form of the shipped people's profile.json, from the file name of fsys. It
// is as strict as LoadPeople: unknown fields, wrong forms and trailing data are errors, which name fields and
// never values. But label and note may be left out, and the id is free.
//
// Images are taken from beside the file: face.jp2, name.png, address.png, code.png. For one that is missing there
// is a stand-in: the face of the shipped person whom "live" names (else of sato), empty strips for name and
// address, the drawn digits of the security code. The part "card" says how NewCard makes the card; when its kind
// is not made out to a person (a driver's licence, a transit card), all of the person's fields may be left out.
func LoadProfile(fsys fs.FS, name string) (Person, error) {
	p, err := loadProfile(fsys, name)
	if err != nil {
		return Person{}, fmt.Errorf("virtual: profile: %w", err)
	}
	return p, nil
}

func loadProfile(fsys fs.FS, name string) (Person, error) {
	raw, err := readAtMost(fsys, name, maxProfile)
	if err != nil {
		return Person{}, err
	}
	j, err := parseProfile(raw)
	if err != nil {
		return Person{}, err
	}
	if j.Label == (text{}) {
		j.Label = text{JA: j.ID, EN: j.ID}
	}
	p, err := j.person()
	if err != nil || !p.making.Kind.Personal() {
		return p, err
	}
	if err := p.images(fsys, path.Dir(name)); err != nil {
		return Person{}, err
	}
	return p, p.profile.Validate()
}

// images reads the four images from dir, or takes a stand-in for those that are missing.
func (p *Person) images(fsys fs.FS, dir string) error {
	for _, f := range []struct {
		name    string
		into    *[]byte
		instead func() ([]byte, error)
	}{
		{"face.jp2", &p.profile.FaceImage, p.borrowedFace},
		{"name.png", &p.profile.NameImage, func() ([]byte, error) { return perso.EmptyStrip(512, 48), nil }},
		{"address.png", &p.profile.AddressImage, func() ([]byte, error) { return perso.EmptyStrip(768, 48), nil }},
		{"code.png", &p.profile.CodeImage, func() ([]byte, error) { return perso.DigitsImage(p.profile.SecurityCode) }},
	} {
		b, err := readAtMost(fsys, path.Join(dir, f.name), maxImage)
		if errors.Is(err, fs.ErrNotExist) {
			b, err = f.instead()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		*f.into = b
	}
	return nil
}

// borrowedFace is the photo of a shipped person.
func (p *Person) borrowedFace() ([]byte, error) {
	b, err := embedded.ReadFile("people/" + p.Live + "/face.jp2")
	if errors.Is(err, fs.ErrNotExist) {
		b, err = embedded.ReadFile("people/sato/face.jp2")
	}
	return b, err
}

// readAtMost reads a regular file that is not longer than most.
func readAtMost(fsys fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > most:
		return nil, errors.New("not a file, or too long")
	}
	return fs.ReadFile(fsys, name)
}
