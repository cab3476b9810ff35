package perso

import (
	"bytes"

	"madoguchi/hardware/virtual/chip"
)

// Phone is the JPKI application on an Android phone: no surface applications, and the authentication certificate
// needs the PIN.
func Phone(p *Profile) (chip.Layout, error) {
	l, err := jpkiOnly(p, tokenPhone)
	if err != nil {
		return l, err
	}
	for i := range l.Applications[0].Files {
		if f := &l.Applications[0].Files[i]; f.ID == 0x000A {
			f.Access = chip.Access{0x0018}
		}
	}
	return l, nil
}

// Juki is the old 住基 card: the token JPKIAPICCTOKEN and the older surface applications.
func Juki(p *Profile) (chip.Layout, error) {
	l, err := jpkiOnly(p, tokenJuki)
	if err != nil {
		return l, err
	}
	l.ATR = []byte{0x3B, 0x88, 0x80, 0x01, 0x00, 0x00, 0x14, 0xE0, 0xB3, 0x81, 0x91, 0x00, 0x5E}
	l.Applications = append(l.Applications,
		chip.Application{Name: "0401", AID: aid(0x04, 0x01)}, chip.Application{Name: "0402", AID: aid(0x04, 0x02)})
	return l, nil
}

func jpkiOnly(p *Profile, text string) (chip.Layout, error) {
	l, err := Layout(p, Options{})
	if err != nil {
		return l, err
	}
	l.Applications = l.Applications[:1]
	for i := range l.Applications[0].Files {
		if f := &l.Applications[0].Files[i]; f.ID == 0x0006 {
			f.Data = token(text)
		}
	}
	return l, nil
}

// DriversLicence answers to its master file and its first application, no more.
func DriversLicence() chip.Layout {
	pin := func(id uint16) chip.File {
		return chip.File{ID: id, PIN: &chip.PIN{Value: []byte("0000"), Max: 3, Left: 3}}
	}
	return chip.Layout{
		ATR:        []byte{0x3B, 0x88, 0x80, 0x01, 0x00, 0x00, 0x00, 0x00, 0x91, 0x81, 0xC1, 0x00, 0xD8},
		MasterFile: true,
		Applications: []chip.Application{
			{Name: "master", AID: []byte{0x3F, 0x00}, Files: []chip.File{
				{ID: 0x2F01, Data: bytes.Repeat([]byte{0x20}, 17)},
				{ID: 0x000A, Data: []byte{0x05, 0x01, 0x01}},
				pin(0x0001), pin(0x0002),
			}},
			{Name: "licence", AID: long(0xA0, 0x00, 0x00, 0x02, 0x31, 0x01)},
		},
	}
}

// ResidenceCard is a residence card of the first generation, by its application id only.
func ResidenceCard() chip.Layout {
	return one("residence", long(0xD3, 0x92, 0xF0, 0x00, 0x4F, 0x02))
}

// Passport is an electronic passport, by its application id only.
func Passport() chip.Layout {
	return one("passport", []byte{0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01})
}

func one(name string, id []byte) chip.Layout {
	return chip.Layout{
		ATR:          []byte{0x3B, 0x80, 0x80, 0x01, 0x01},
		Applications: []chip.Application{{Name: name, AID: id}},
	}
}

// FeliCa is a transit card: it answers 6A81 to everything.
func FeliCa() chip.Layout {
	return chip.Layout{
		ATR: []byte{
			0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06, 0x11, 0x00, 0x3B,
			0x00, 0x00, 0x00, 0x00, 0x42,
		},
		Only: 0x6A81,
	}
}

// Dead is something that does not even answer to power.
func Dead() chip.Layout { return chip.Layout{Dead: true} }

func long(head ...byte) []byte { return append(head, make([]byte, 16-len(head))...) }
