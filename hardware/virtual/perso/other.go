package perso

import (
	"bytes"

	"madoguchi/hardware/virtual/chip"
)

// phone is the JPKI application on a phone: no surface applications, and the authentication certificate needs the
// PIN.
func phone(p *Profile, o Options, text string) (chip.Layout, error) {
	l, err := jpkiOnly(p, o, text)
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
func Juki(p *Profile, o Options) (chip.Layout, error) {
	l, err := jpkiOnly(p, o, tokenJuki)
	if err != nil {
		return l, err
	}
	l.ATR = atrJuki()
	l.Applications = append(l.Applications,
		chip.Application{Name: "0401", AID: aid(0x04, 0x01)}, chip.Application{Name: "0402", AID: aid(0x04, 0x02)})
	return l, nil
}

func jpkiOnly(p *Profile, o Options, text string) (chip.Layout, error) {
	l, err := Layout(p, o)
	if err != nil {
		return l, err
	}
	l.Applications, l.Objects = l.Applications[:1], nil
	for i := range l.Applications[0].Files {
		if f := &l.Applications[0].Files[i]; f.ID == 0x0006 {
			f.Data = token(text)
		}
	}
	return l, nil
}

// DriversLicence has the free files of its master file, and its two applications with files that open for nobody.
// The 17 bytes of 2F01 are version, issue and expiry dates and maker; that they are so is not confirmed.
func DriversLicence() chip.Layout {
	pin := func(id uint16) chip.File {
		return chip.File{ID: id, PIN: &chip.PIN{Value: []byte("0000"), Max: 3, Left: 3}}
	}
	shut := func(id uint16, size int) chip.File {
		return chip.File{ID: id, Data: bytes.Repeat([]byte{0xFF}, size), Access: chip.Never()}
	}
	common := []byte{
		0x45, 0x0B, '0', '1', '0', 0x20, 0x25, 0x10, 0x27, 0x20, 0x30, 0x11, 0x17, 0x46, 0x02, 0x90, 0x00,
	}
	return chip.Layout{
		ATR:        atrLicence(),
		MasterFile: true,
		Applications: []chip.Application{
			{Name: "master", AID: []byte{0x3F, 0x00}, Files: []chip.File{
				{ID: 0x2F01, Data: common},
				{ID: 0x000A, Data: []byte{0x05, 0x01, 0x01}},
				pin(0x0001), pin(0x0002),
			}},
			{Name: "licence", AID: long(0xA0, 0x00, 0x00, 0x02, 0x31, 0x01), Files: []chip.File{
				shut(0x0001, 880), shut(0x0002, 82), shut(0x0007, 256),
			}},
			{Name: "licence-photo", AID: long(0xA0, 0x00, 0x00, 0x02, 0x31, 0x02), Files: []chip.File{shut(0x0001, 2005)}},
		},
	}
}

// ResidenceCard is a residence card ('1') or a certificate of a special permanent resident ('2'): the free files
// of its master file and its applications, with files that open for nobody. No public source names the ids of the
// second generation: the same are taken, with another version.
func ResidenceCard(generation byte, kind byte) chip.Layout {
	master := chip.Application{Name: "master", AID: []byte{0x3F, 0x00}, Files: []chip.File{
		{ID: 0x000A, Data: []byte{0xC1, 0x01, kind}},
		{ID: 0x000B, Data: []byte{0xC0, 0x04, '0', '0', '0', '0' + generation}},
	}}
	return chip.Layout{
		ATR: atrPlain(), MasterFile: true, Applications: append([]chip.Application{master}, residence()...),
	}
}

// residence are the applications of a residence card: images, permissions, signature.
func residence() []chip.Application {
	df := func(name string, n byte, ids ...uint16) chip.Application {
		a := chip.Application{Name: name, AID: long(0xD3, 0x92, 0xF0, 0x00, 0x4F, n)}
		for _, id := range ids {
			a.Files = append(a.Files, chip.File{ID: id, Data: bytes.Repeat([]byte{0xFF}, 256), Access: chip.Never()})
		}
		return a
	}
	return []chip.Application{
		df("residence", 0x02, 0x0005, 0x0006), df("residence-permit", 0x03, 0x0001, 0x0002, 0x0003, 0x0004),
		df("residence-proof", 0x04, 0x0002),
	}
}

// mergedLicence is マイナ免許証, an applet on a My Number Card: PIN 0006 (VERIFY with P2 = 86), its status 001A,
// data 001B and signature 001C. What is in data and signature is not simulated.
func (m *maker) mergedLicence() (chip.Application, error) {
	return chip.Application{
		Name: "merged-licence", AID: long(0xA0, 0x00, 0x00, 0x02, 0x31, 0x06),
		Files: []chip.File{
			m.pin(0x0006, m.p.PIN, 3, chip.Digits4),
			{ID: 0x001A, Data: []byte{0xC1, 0x01, 0x01}},
			{ID: 0x001B, Data: bytes.Repeat([]byte{0xFF}, 256), Access: chip.Access{0x0006}},
			{ID: 0x001C, Data: bytes.Repeat([]byte{0xFF}, 256), Access: chip.Access{0x0006}},
		},
	}, nil
}

// Passport is an electronic passport, by its application id only.
func Passport() chip.Layout {
	return one("passport", []byte{0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01})
}

func one(name string, id []byte) chip.Layout {
	return chip.Layout{ATR: atrPlain(), Applications: []chip.Application{{Name: name, AID: id}}}
}

// FeliCa is a transit card: it answers 6A81 to everything.
func FeliCa() chip.Layout {
	return chip.Layout{
		ATR: atrFeliCa(), Only: 0x6A81, UID: []byte{0x01, 0x2E, 0x90, 0x00, 0x00, 0x00, 0x00, 0x01},
	}
}

// MIFARE is a memory card of Type A: it has no ISO commands either.
func MIFARE() chip.Layout {
	return chip.Layout{ATR: atrMIFARE(), Only: 0x6A81, UID: []byte{0x90, 0x00, 0x00, 0x01}}
}

// Dead is something that does not even answer to power.
func Dead() chip.Layout { return chip.Layout{Dead: true} }

func long(head ...byte) []byte { return append(head, make([]byte, 16-len(head))...) }
