// Package perso fills a virtual card: from the profile of a person it makes the files of the four My Number
// applications, with their signatures, certificates, PINs and access rules, as a layout for package chip.
//
// It writes the formats by itself and must not import hardware/tlv or hardware/card, which read them.
// Only hardware/virtual may import it.
package perso

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"madoguchi/hardware/virtual/chip"
	"madoguchi/hardware/virtual/pki"
)

// Profile is one person and the card made out to that person. Dates are YYYYMMDD, Gregorian.
type Profile struct {
	ID              string
	Name            string // family and given name parted by U+3000
	Address         string
	Birth           string
	BirthPrinted    string // YYMMDD as printed on the card: year of the era, or Western for foreign residents
	Sex             string // 1 male, 2 female, 9 not applicable
	MyNumber        string // 12 digits
	Serial          string // 15 digits
	Municipality    string // 5 digits
	Expiry          string
	SecurityCode    string // 4 digits
	PIN             string // 4 digits
	SignPassword    string // empty when there is no signature certificate
	SignCertificate bool
	PINTries        int // tries left of the input-support PIN

	NameImage, AddressImage, CodeImage []byte // PNG, 1-bit grey
	FaceImage                          []byte // JP2, grey
}

// NumberA is 照合番号A, the My Number.
func (p *Profile) NumberA() string { return p.MyNumber }

// NumberB is 照合番号B: birth date as printed, year of expiry, security code.
func (p *Profile) NumberB() string { return p.BirthPrinted + p.Expiry[:4] + p.SecurityCode }

// Options change how the card is made. The zero value is a normal card.
type Options struct {
	Kind               Kind   // default: a My Number Card
	ATR                []byte // default: the commonest contactless ATR, or the one of the kind; see ATR
	MinimalLengths     bool   // write BER lengths in the shortest form (real cards do not)
	KeepRightsOnSelect bool   // see chip.Layout
	BlockedQuery       uint16 // see chip.Layout
	TamperPhoto        bool   // one byte of the photo is changed after signing
	ForeignIssuer      bool   // surface data signed by a key that the issuer did not certify
	Cloned             bool   // genuine data copied to a chip that does not hold the card's private key
	WrongOffsets       bool   // the offset tables are nonsense
	WithoutPIN         bool   // 顔認証マイナンバーカード: every PIN is blocked

	MergedLicence   bool // マイナ免許証: a driver's licence as an applet
	MergedResidence bool // 特定在留カード: also a residence card
	FirstFails      bool // see chip.Layout
	TPDU            bool // see chip.Layout
	SignTime        time.Duration
}

// maker carries what all files of one card need.
type maker struct {
	form
	p    *Profile
	o    Options
	keys pki.PersonKeys
}

// Layout makes the card of a person.
func Layout(p *Profile, o Options) (chip.Layout, error) {
	if err := p.Validate(); err != nil {
		return chip.Layout{}, err
	}
	keys, err := pki.KeysOf(p.ID)
	if err != nil {
		return chip.Layout{}, err
	}
	m := &maker{form: form{minimal: o.MinimalLengths}, p: p, o: o, keys: keys}
	l := chip.Layout{
		ATR: o.ATR, KeepRightsOnSelect: o.KeepRightsOnSelect, BlockedQuery: o.BlockedQuery,
		FirstFails: o.FirstFails, TPDU: o.TPDU, SignTime: o.SignTime,
	}
	if l.ATR == nil {
		l.ATR = DefaultATR()
	}
	if l.Objects, err = m.objects(); err != nil {
		return chip.Layout{}, err
	}
	fills := []func() (chip.Application, error){m.jpki, m.face, m.text, m.common, m.juki, m.master}
	if o.MergedLicence {
		fills = append(fills, m.mergedLicence)
	}
	for _, fill := range fills {
		app, err := fill()
		if err != nil {
			return chip.Layout{}, err
		}
		l.Applications = append(l.Applications, app)
	}
	if o.MergedResidence {
		l.Applications = append(l.Applications, residence()...)
	}
	return l, nil
}

// pin makes a PIN file with its default tries; cards without PIN have them all blocked.
func (m *maker) pin(id uint16, value string, tries int, f chip.Format) chip.File {
	p := &chip.PIN{Value: []byte(value), Max: tries, Left: tries, Format: f}
	if value == "" || (f != chip.Fixed && m.o.WithoutPIN) {
		p.Left = 0
	}
	return chip.File{ID: id, PIN: p}
}

// secretKey is the key that answers challenges.
func (m *maker) secretKey() *rsa.PrivateKey {
	if m.o.Cloned {
		return m.keys.Auth
	}
	return m.keys.Card
}

// signer is the key that signs surface data: the municipality's, or for ForeignIssuer some other one.
func (m *maker) signer(s pki.Surface) (*rsa.PrivateKey, error) {
	if m.o.ForeignIssuer {
		return m.keys.Auth, nil
	}
	return pki.MunicipalityKey(s)
}

// Validate checks the form of every field; the error names the field, never its value.
func (p *Profile) Validate() error {
	for _, c := range []struct {
		field, value string
		digits       int
	}{
		{"birth", p.Birth, 8},
		{"birth_printed", p.BirthPrinted, 6},
		{"sex", p.Sex, 1},
		{"my_number", p.MyNumber, 12},
		{"serial", p.Serial, 15},
		{"municipality", p.Municipality, 5},
		{"expiry", p.Expiry, 8},
		{"security_code", p.SecurityCode, 4},
		{"pin", p.PIN, 4},
	} {
		if !digits(c.value, c.digits) {
			return fmt.Errorf("perso: %s must be %d digits", c.field, c.digits)
		}
	}
	for _, d := range []struct{ field, value string }{{"birth", p.Birth}, {"expiry", p.Expiry}} {
		if _, err := time.Parse("20060102", d.value); err != nil {
			return fmt.Errorf("perso: %s is not a date", d.field)
		}
	}
	switch {
	case p.ID == "" || p.Name == "" || p.Address == "":
		return errors.New("perso: id, name and address must not be empty")
	case p.SignCertificate && (len(p.SignPassword) < 6 || len(p.SignPassword) > 16):
		return errors.New("perso: sign_password must be 6 to 16 characters")
	case p.PINTries < 0 || p.PINTries > 3:
		return errors.New("perso: pin_tries must be 0 to 3")
	case len(p.FaceImage) == 0 || len(p.NameImage) == 0 || len(p.AddressImage) == 0 || len(p.CodeImage) == 0:
		return errors.New("perso: an image is missing")
	case len(p.FaceImage)+len(p.NameImage)+len(p.AddressImage)+len(p.CodeImage) > 60000:
		return errors.New("perso: the images do not fit on the card")
	}
	return nil
}

func digits(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
