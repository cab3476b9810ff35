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
		Name: "master", AID: []byte{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00}, Domain: true,
	}, nil
}

// objects are those of the master file. The values stand bare, without their tag, and so do the two certificates,
// which lack their template 7F21: 00F8 certifies the intermediate key that 00F7 names, 7F21 is signed by it.
//
// Known from cards: the tags, that 0042 and 00F7 are key references, 00F0 five and 00F2 eight digits, 5F51 the
// contact ATR without its first byte. Assumed: which key 0042 names (the root of the chain), that 0045 is the
// card's 15-digit serial, the coding of 0066 (GlobalPlatform's example, of a card of version 2.1.1 with secure
// channel 02), and that 5F51 answers in every state (cards differ).
func (m *maker) objects() ([]chip.Object, error) {
	upper, err := pki.Certificate(pki.Chain)
	if err != nil {
		return nil, err
	}
	lower, err := pki.Certificate(pki.Link)
	if err != nil {
		return nil, err
	}
	const template = 5 // 7F21 82 0233
	return []chip.Object{
		{Tag: 0x0042, Data: pki.Chain.IssuerKeyID()},
		{Tag: 0x0045, Data: []byte(m.p.Serial)},
		{Tag: 0x0066, Data: recognition()},
		{Tag: 0x00F0, Data: []byte(m.p.Municipality)},
		{Tag: 0x00F2, Data: []byte(m.p.Expiry)},
		{Tag: 0x00F7, Data: pki.Chain.SubjectKeyID()},
		{Tag: 0x00F8, Data: upper[template:]},
		{Tag: 0x7F21, Data: lower[template:]},
		{Tag: 0x5F51, Data: contactHistory(), Anywhere: true},
	}, nil
}

// recognition is GlobalPlatform's card recognition data: 73 { 06 1.2.840.114283.1, 60 { 06 ....2.2.1.1 },
// 63 { 06 ....3 }, 64 { 06 ....4.2.21 } }.
func recognition() []byte {
	arc := []byte{0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B}
	oid := func(end ...byte) []byte { return form{}.tlv(0x06, arc, end) }
	return form{}.tlv(0x73, oid(1), form{}.tlv(0x60, oid(2, 2, 1, 1)), form{}.tlv(0x63, oid(3)), form{}.tlv(0x64, oid(4, 2, 21)))
}

func keyReference() []byte {
	return append([]byte("9000020\x08\x05001"), bytes.Repeat([]byte{0x00}, 4)...)
}
