package perso

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"fmt"

	"madoguchi/hardware/virtual/chip"
	"madoguchi/hardware/virtual/pki"
)

// text is 券面事項入力補助, 0408: PIN 0011, 照合番号A 0014, 照合番号B 0015.
func (m *maker) text() (chip.Application, error) {
	key, err := m.signer(pki.Text)
	if err != nil {
		return chip.Application{}, err
	}
	cv, err := pki.Certificate(pki.Text)
	if err != nil {
		return chip.Application{}, err
	}
	number := append(m.tlv(0xFF10, []byte(m.p.MyNumber)), 0xFF, 0xFF)
	attributes := [][]byte{
		m.tlv(0xDF22, []byte(m.p.Name)), m.tlv(0xDF23, []byte(m.p.Address)),
		m.tlv(0xDF24, []byte(m.p.Birth)), m.tlv(0xDF25, []byte(m.p.Sex)),
	}
	integrity, err := m.integrity(key, number, bytes.Join(attributes, nil))
	if err != nil {
		return chip.Application{}, err
	}
	public := pki.PublicKey(&m.keys.Card.PublicKey)
	cardKey := m.tlv(0xDF51, public)
	proof, err := signature(key, cardKey)
	if err != nil {
		return chip.Application{}, err
	}
	messaging, err := pki.MessagingKey()
	if err != nil {
		return chip.Application{}, err
	}
	pin := m.pin(0x0011, m.p.PIN, 3, chip.Digits4)
	pin.PIN.Left = min(pin.PIN.Left, m.p.PINTries)
	any3 := chip.Access{0x0011, 0x0014, 0x0015}
	return chip.Application{
		Name: "0408", AID: aid(0x04, 0x08), DefaultKey: 0x0013,
		Session: &chip.Session{Key: messaging, Access: chip.Access{0x0011}}, // by the PIN only, though A and B open 0006
		Files: []chip.File{
			{ID: 0x0001, Data: number, Access: chip.Access{0x0011, 0x0014}},
			{ID: 0x0002, Data: pad(m.withOffsets(0xFF20, m.o.WrongOffsets, attributes), 256), Access: chip.Access{0x0011, 0x0015}},
			{ID: 0x0003, Data: integrity, Access: any3},
			{ID: 0x0004, Data: cv},
			{ID: 0x0005, Data: pad(m.basicInfo(), 256)},
			{ID: 0x0006, Data: m.tlv(0xA1, pki.PublicKey(&messaging.PublicKey)), Access: any3},
			{ID: 0x0007, Data: m.tlv(0xFF50, cardKey, m.tlv(0xDF52, proof)), Access: any3},
			{ID: 0x0008, Data: bytes.Repeat([]byte{0xFF}, 16)},
			pin,
			m.pin(0x0012, "", 0, chip.Fixed),
			{ID: 0x0013, Key: m.secretKey()},
			m.pin(0x0014, m.p.NumberA(), 10, chip.Fixed),
			m.pin(0x0015, m.p.NumberB(), 10, chip.Fixed),
		},
	}, nil
}

// integrity is 0408/0003: digests of the whole My Number file and of the attributes without their table, signed.
func (m *maker) integrity(key *rsa.PrivateKey, number, attributes []byte) ([]byte, error) {
	digests := append(m.tlv(0xDF31, hash(number)), m.tlv(0xDF32, hash(attributes))...)
	s, err := signature(key, digests)
	if err != nil {
		return nil, err
	}
	return m.tlv(0xFF30, digests, m.tlv(0xDF33, s)), nil
}

// basicInfo is 0408/0005. The second byte of DF41 says that extended APDUs work.
func (m *maker) basicInfo() []byte {
	return m.tlv(0xFF40, m.tlv(0xDF41, []byte{0x01, 0x03, 0x0E, 0x01}), m.tlv(0xDF42, pki.Text.SubjectKeyID()),
		m.tlv(0xDF43, bytes.Repeat([]byte{0x00}, 32), bytes.Repeat([]byte{0xFF}, 96)))
}

// face is 券面事項確認, 0402: birth date 0011, 照合番号B 0012, 照合番号A 0013.
func (m *maker) face() (chip.Application, error) {
	key, err := m.signer(pki.Face)
	if err != nil {
		return chip.Application{}, err
	}
	cv, err := pki.Certificate(pki.Face)
	if err != nil {
		return chip.Application{}, err
	}
	public := pki.PublicKey(&m.keys.Card.PublicKey)
	front, err := m.front(key, public)
	if err != nil {
		return chip.Application{}, err
	}
	age, err := m.signed(key, 0xFF10, 0xDF13, m.tlv(0xDF11, []byte(m.p.Birth)), m.tlv(0xDF12, public))
	if err != nil {
		return chip.Application{}, err
	}
	number, err := m.signed(key, 0xFF40, 0xDF43, m.tlv(0xDF41, digitsImage(m.p.MyNumber)), m.tlv(0xDF42, public))
	if err != nil {
		return chip.Application{}, err
	}
	return chip.Application{
		Name: "0402", AID: aid(0x04, 0x02), DefaultKey: 0x001A, Messaging: 0x66F1,
		Files: []chip.File{
			{ID: 0x0001, Data: age, Access: chip.Access{0x0011}},
			{ID: 0x0002, Data: pad(front, 512), Access: chip.Access{0x0012, 0x0013}},
			{ID: 0x0003, Data: m.faceInfo()},
			{ID: 0x0004, Data: cv},
			{ID: 0x0005, Data: pad(number, 256), Access: chip.Access{0x0013}},
			{ID: 0x0006, Data: bytes.Repeat([]byte{0xFF}, 16)},
			m.pin(0x0011, m.p.BirthPrinted, 10, chip.Fixed),
			m.pin(0x0012, m.p.NumberB(), 10, chip.Fixed),
			m.pin(0x0013, m.p.NumberA(), 10, chip.Fixed),
			{ID: 0x001A, Key: m.secretKey()},
		},
	}, nil
}

// signed is an object whose last part signs all parts before it.
func (m *maker) signed(key *rsa.PrivateKey, outer, last uint16, parts ...[]byte) ([]byte, error) {
	s, err := signature(key, parts...)
	if err != nil {
		return nil, err
	}
	return m.tlv(outer, append(parts, m.tlv(last, s))...), nil
}

// front is 0402/0002, the face of the card. Expiry and security code stand outside the signature.
func (m *maker) front(key *rsa.PrivateKey, public []byte) ([]byte, error) {
	person := [][]byte{
		m.tlv(0xDF22, []byte(m.p.Birth)), m.tlv(0xDF23, []byte(m.p.Sex)), m.tlv(0xDF24, public),
	}
	images := [][]byte{m.tlv(0xDF25, m.p.NameImage), m.tlv(0xDF26, m.p.AddressImage)}
	photo := m.tlv(0xDF27, m.p.FaceImage)
	info := threeHashes(hash(person...), hash(images...), hash(photo))
	s, err := rsa.SignPKCS1v15(nil, key, crypto.Hash(0), info)
	if err != nil {
		return nil, fmt.Errorf("perso: %w", err)
	}
	if m.o.TamperPhoto {
		photo[len(photo)-3] ^= 0x01
	}
	objects := append(append(person, images...), photo, m.tlv(0xDF28, s),
		m.tlv(0xDF29, []byte(m.p.Expiry)), m.tlv(0xDF2A, m.p.CodeImage))
	return m.withOffsets(0xFF20, m.o.WrongOffsets, objects), nil
}

// faceInfo is 0402/0003. What the 256 bytes of DF35 mean is not known publicly.
func (m *maker) faceInfo() []byte {
	id := pki.Face.SubjectKeyID()
	return m.tlv(0xFF30, m.tlv(0xDF31, []byte{0x06, 0x03, 0x0E, 0x01}), m.tlv(0xDF32, id),
		m.tlv(0xDF33, []byte{0x00}), m.tlv(0xDF34, []byte(m.p.Municipality)),
		m.tlv(0xDF35, id, bytes.Repeat([]byte{0x00}, 256)))
}

// aid is the id of one of the J-LIS applications.
func aid(a, b byte) []byte { return []byte{0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, a, b} }
