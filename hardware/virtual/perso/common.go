package perso

import (
	"bytes"

	"madoguchi/hardware/virtual/chip"
	"madoguchi/hardware/virtual/pki"
)

// common is the common application, 0100: one free record of serial, municipality and expiry in simple TLV.
func (m *maker) common() (chip.Application, error) {
	record := append([]byte{0x01, 0x1C}, m.p.Serial+m.p.Municipality+m.p.Expiry...)
	return chip.Application{
		Name: "0100", AID: aid(0x01, 0x00), Messaging: 0x66F1, AltChange: true, Answers: true,
		Files: []chip.File{
			{ID: 0x0001, Records: [][]byte{record}},
			{ID: 0x0002, Data: keyReference()},
			{ID: 0x0019, Key: m.secretKey()},
			m.pin(0x001C, m.p.PIN, 3, chip.Digits4),
		},
	}, nil
}

// juki is 住基, 0401. Private firms may ask for its tries only; its record is here so that a test can prove that
// nobody tries to read it.
func (m *maker) juki() (chip.Application, error) {
	return chip.Application{
		Name: "0401", AID: aid(0x04, 0x01), Messaging: 0x6982, AltChange: true,
		Files: []chip.File{
			{ID: 0x0001, Records: [][]byte{append([]byte{0x01, 0x0B}, "00000000000"...)}, Access: chip.Access{0x001C}},
			{ID: 0x0002, Data: keyReference()},
			m.pin(0x001C, m.p.PIN, 3, chip.Digits4),
		},
	}, nil
}

// master is the issuer security domain, selected by its GlobalPlatform id.
func (m *maker) master() (chip.Application, error) {
	return chip.Application{
		Name: "master", AID: []byte{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00}, Messaging: 0x6982,
		Domain: true,
	}, nil
}

// objects are those of the master file. Their tags are public, their coding is not: the values are given bare, and
// 0042, 0045, 0066 and 00F7 are left out. 00F8 and 7F21 are the two halves of a chain of card-verifiable
// certificates; here both are the virtual issuer's certificate of that hierarchy.
func (m *maker) objects() ([]chip.Object, error) {
	cv, err := pki.Certificate(pki.Chain)
	if err != nil {
		return nil, err
	}
	return []chip.Object{
		{Tag: 0x00F0, Data: []byte(m.p.Municipality)},
		{Tag: 0x00F2, Data: []byte(m.p.Expiry)},
		{Tag: 0x00F8, Data: cv},
		{Tag: 0x7F21, Data: cv},
		{Tag: 0x5F51, Data: contactHistory(), Anywhere: true},
	}, nil
}

func keyReference() []byte {
	return append([]byte("9000020\x08\x05001"), bytes.Repeat([]byte{0x00}, 4)...)
}
