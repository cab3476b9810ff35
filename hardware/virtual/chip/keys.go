package chip

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
)

// pin finds the PIN that P2 means: 80 the current file, 80|sfi directly.
func (c *Card) pin(p2 byte) (*File, uint16) {
	f, sw := c.referenced(p2)
	if sw != 0 {
		return nil, sw
	}
	if !f.isPIN() {
		return nil, swWrongType
	}
	return f, 0
}

func (c *Card) referenced(p2 byte) (*File, uint16) {
	if p2&0x80 == 0 || p2&0x60 != 0 {
		return nil, swParameters
	}
	if id := p2 & 0x1F; id != 0 {
		return c.short(id)
	}
	if c.current == nil {
		return nil, swNoCurrentEF
	}
	return c.current, 0
}

// verify answers 63Cx to an empty VERIFY even when the PIN is verified, as the JPKI application does.
func (c *Card) verify(cmd command) []byte {
	if cmd.p1 != 0 {
		return status(swParameters)
	}
	f, sw := c.pin(cmd.p2)
	if sw != 0 {
		return status(sw)
	}
	p := f.PIN
	if len(cmd.data) == 0 {
		c.stats.count(&c.stats.Queries, c.name(f))
		if p.Left == 0 && c.layout.BlockedQuery != 0 {
			return status(c.layout.BlockedQuery)
		}
		return status(swNoTry | uint16(min(p.Left, 15)))
	}
	c.stats.count(&c.stats.Verifies, c.name(f))
	switch {
	case p.Left == 0:
		return status(swBlocked)
	case len(cmd.data) > 16:
		return status(swLength)
	case !bytes.Equal(cmd.data, p.Value):
		p.Left--
		delete(c.verified, f)
		return status(swNoTry | uint16(min(p.Left, 15)))
	}
	p.Left = p.Max
	c.verified[f] = true
	return status(swOK)
}

// change replaces a verified PIN: 00 24 01 80 in most applications, 80 32 00 80 in some.
func (c *Card) change(cmd command, alternative bool) []byte {
	want := byte(0x01)
	if alternative {
		want = 0x00
	}
	switch {
	case c.selected == nil:
		return status(swNoCurrentEF)
	case c.selected.AltChange != alternative:
		return status(swInstruction)
	case cmd.p1 != want:
		return status(swParameters)
	}
	f, sw := c.pin(cmd.p2)
	if sw != 0 {
		return status(sw)
	}
	switch {
	case !c.verified[f]:
		return status(swSecurity)
	case len(cmd.data) == 0 || len(cmd.data) > 16:
		return status(swLength)
	case !f.PIN.Format.accepts(cmd.data):
		return status(swData)
	}
	clear(f.PIN.Value)
	f.PIN.Value = bytes.Clone(cmd.data)
	f.PIN.Left = f.PIN.Max
	c.stats.count(&c.stats.Changes, c.name(f))
	return status(swOK)
}

// signingKey finds the private key that P2 of 80 2A means; 00 is the default key of the application.
func (c *Card) signingKey(p2 byte) (*File, uint16) {
	if c.selected == nil {
		return nil, swNoCurrentEF
	}
	var f *File
	var sw uint16
	if p2 == 0 {
		if f = c.selected.file(c.selected.DefaultKey); f == nil {
			return nil, swParameters
		}
	} else if f, sw = c.referenced(p2); sw != 0 {
		return nil, sw
	}
	if !f.isKey() {
		return nil, swWrongType
	}
	if !c.allowed(f) {
		return nil, swSecurity
	}
	return f, 0
}

// sign is 80 2A. P1: 00 pads the data as it is, 01 the SHA-256 of the data, 02 and 03 add a DigestInfo to a hash
// or to the hash of the data, 04 and 05 do PSS on a hash or a message.
func (c *Card) sign(cmd command) []byte {
	if cmd.p1 > 0x05 {
		return status(swParameters)
	}
	f, sw := c.signingKey(cmd.p2)
	if sw != 0 {
		return status(sw)
	}
	c.stats.count(&c.stats.Signs, c.name(f))
	data, sw := toBeSigned(cmd)
	if sw != 0 {
		return status(sw)
	}
	var signature []byte
	var err error
	switch cmd.p1 {
	case 0x00, 0x01:
		signature, err = rsa.SignPKCS1v15(nil, f.Key, crypto.Hash(0), data)
	case 0x02, 0x03:
		signature, err = rsa.SignPKCS1v15(nil, f.Key, crypto.SHA256, data)
	default:
		signature, err = rsa.SignPSS(rand.Reader, f.Key, crypto.SHA256, data, nil)
	}
	if err != nil {
		return status(swNoDiagnosis)
	}
	c.took = c.layout.SignTime
	return answer(signature)
}

func toBeSigned(cmd command) ([]byte, uint16) {
	n := len(cmd.data)
	switch {
	case n == 0:
		return nil, swLength
	case cmd.p1 == 0x00:
		if n > 245 {
			return nil, swConditions
		}
		return cmd.data, 0
	case cmd.p1 == 0x02 || cmd.p1 == 0x04:
		if n != sha256.Size {
			return nil, swConditions
		}
		return cmd.data, 0
	case n > 255:
		return nil, swLength
	}
	sum := sha256.Sum256(cmd.data)
	return sum[:], 0
}

// authenticate is INTERNAL AUTHENTICATE. Only EF 0019 of the common application answers, whose public half is not on
// the card; keys behind a PIN are 6982 (assumed: also after it) and the two keys of the surface applications 6985.
func (c *Card) authenticate(cmd command) []byte {
	if cmd.p1 != 0 {
		return status(swParameters)
	}
	f, sw := c.referenced(cmd.p2)
	switch {
	case sw != 0:
		return status(sw)
	case !f.isKey():
		return status(swWrongType)
	case f.Access != nil:
		return status(swSecurity)
	case !c.selected.Answers:
		return status(swConditions)
	case len(cmd.data) == 0 || len(cmd.data) > 255:
		return status(swLength)
	}
	c.stats.count(&c.stats.Signs, c.name(f))
	sum := sha256.Sum256(cmd.data)
	signature, err := rsa.SignPKCS1v15(nil, f.Key, crypto.SHA256, sum[:])
	if err != nil {
		return status(swNoDiagnosis)
	}
	c.took = c.layout.SignTime
	return answer(signature)
}
