package perso

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"madoguchi/hardware/virtual/chip"
	"madoguchi/hardware/virtual/pki"
)

// The token texts that tell the kinds of card apart.
const (
	tokenCard    = "JPKIAPICCTOKEN2"
	tokenJuki    = "JPKIAPICCTOKEN"
	tokenAndroid = "JPKIAPGPSETOKEN"
	tokenIPhone  = "JPKIAPIOSTOKEN"
)

func jpkiAID() []byte { return []byte{0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01} }

// jpki is 公的個人認証: authentication PIN 0018 and key 0017, signature password 001B and key 001A.
func (m *maker) jpki() (chip.Application, error) {
	auth, err := m.certificate(pki.Auth)
	if err != nil {
		return chip.Application{}, err
	}
	sign, exists := bytes.Repeat([]byte{0xFF}, 2048), []byte{0x00, 0x8F, 0x00}
	if m.p.SignCertificate {
		if sign, err = m.certificate(pki.Sign); err != nil {
			return chip.Application{}, err
		}
		exists[0] = 0x8F
	}
	signCA, err := pki.Root(pki.Sign)
	if err != nil {
		return chip.Application{}, err
	}
	authCA, err := pki.Root(pki.Auth)
	if err != nil {
		return chip.Application{}, err
	}
	terminals, err := pki.TerminalAuthority()
	if err != nil {
		return chip.Application{}, err
	}
	password := m.p.SignPassword
	if !m.p.SignCertificate {
		password = ""
	}
	files := []chip.File{
		{ID: 0x0001, Data: pad(sign, 256), Access: chip.Access{0x001B}},
		{ID: 0x0002, Data: pad(signCA, 256)},
		{ID: 0x0006, Data: token(tokenCard)},
		{ID: 0x0008, Data: exists},
		{ID: 0x0009, Data: []byte{0xFF}, Access: chip.Never()},
		{ID: 0x000A, Data: pad(auth, 256)},
		{ID: 0x000B, Data: pad(authCA, 256)},
		{ID: 0x0016, Verifier: &chip.Verifier{KeyID: terminals.KeyID, Key: terminals.Key}},
		{ID: 0x0017, Key: m.keys.Auth, Access: chip.Access{0x0018}, Terminal: true},
		m.pin(0x0018, m.p.PIN, 3, chip.Digits4),
		{ID: 0x001A, Key: m.keys.Sign, Access: chip.Access{0x001B}},
		m.pin(0x001B, password, 5, chip.Password),
	}
	for _, id := range []uint16{0x0005, 0x0010, 0x0019, 0x001C, 0x001E} { // there on real cards, for no known purpose
		files = append(files, chip.File{ID: id, Data: []byte{0xFF}, Access: chip.Never()})
	}
	return chip.Application{Name: "jpki", AID: jpkiAID(), Messaging: 0x6982, Terminals: true, Files: files}, nil
}

// token is the 160-byte PKCS #11 token info.
func token(label string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%-32s", label)
	b.WriteString("0000000000000000000000000000000" + "1")
	fmt.Fprintf(&b, "%-16s", "VIRTUAL")
	b.WriteString("9000000000000001")
	for _, v := range []uint32{
		0x0000040D, 1, 0, 1, 0, 16, 6, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF,
	} {
		b.Write(binary.BigEndian.AppendUint32(nil, v))
	}
	b.WriteString("03" + "01" + "9999999999999999")
	return b.Bytes()
}

// certificate issues the holder's certificate for one use.
func (m *maker) certificate(u pki.Use) ([]byte, error) {
	from, until, err := m.p.validity()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(m.p.ID + "/" + string(u)))
	h := pki.Holder{
		Serial: new(big.Int).SetUint64(uint64(binary.BigEndian.Uint32(sum[:4])>>1 | 1)),
		From:   from, Until: until,
		CommonName: fmt.Sprintf("%X%s003A", sum[4:11], m.p.Municipality),
		Prefecture: "Kaso-ken", City: "Kaso-shi-" + m.p.Municipality,
		Name: m.p.Name, Address: m.p.Address, Sex: m.p.Sex, Birth: m.p.eraDigit() + m.p.Birth,
	}
	key := &m.keys.Auth.PublicKey
	if u == pki.Sign {
		key = &m.keys.Sign.PublicKey
	}
	return pki.Issue(u, h, key)
}

// validity ends on the fifth birthday after issue, and not after the card. All virtual cards were issued on one
// day, or five years before their expiry when that is earlier.
func (p *Profile) validity() (from, until time.Time, err error) {
	expiry, err := time.Parse("20060102", p.Expiry)
	if err != nil {
		return from, until, fmt.Errorf("perso: expiry: %w", err)
	}
	birth, err := time.Parse("20060102", p.Birth)
	if err != nil {
		return from, until, fmt.Errorf("perso: birth: %w", err)
	}
	from = time.Date(2025, 10, 27, 0, 0, 0, 0, time.UTC)
	if !expiry.After(from) {
		from = expiry.AddDate(-5, 0, 0)
	}
	until = time.Date(from.Year()+5, birth.Month(), birth.Day(), 0, 0, 0, 0, time.UTC)
	if next := time.Date(from.Year(), birth.Month(), birth.Day(), 0, 0, 0, 0, time.UTC); next.After(from) {
		until = until.AddDate(-1, 0, 0)
	}
	if until.After(expiry) {
		until = expiry
	}
	// The day ends in Japan, at 14:59:59 UTC.
	return from, until.Add(15*time.Hour - time.Second), nil
}

// eraDigit is the class of the birth year: 1 Meiji to 5 Reiwa, 0 when the card prints the Western year.
func (p *Profile) eraDigit() string {
	printed := p.BirthPrinted[:2]
	for _, era := range []struct {
		digit, from string
		year        int
	}{
		{"5", "20190501", 2019},
		{"4", "19890108", 1989},
		{"3", "19261225", 1926},
		{"2", "19120730", 1912},
		{"1", "18680125", 1868},
	} {
		if p.Birth < era.from {
			continue
		}
		var year int
		if _, err := fmt.Sscanf(p.Birth[:4], "%d", &year); err != nil {
			return "0"
		}
		if fmt.Sprintf("%02d", year-era.year+1) == printed {
			return era.digit
		}
		return "0"
	}
	return "0"
}
