package chip

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
)

// Verifier is the public key that a terminal's certificate is checked with (an internal file: it cannot be read).
type Verifier struct {
	KeyID []byte // 16 bytes, as in the certificate
	Key   *rsa.PublicKey
}

// The two parts of a card-verifiable certificate of 568 bytes, as 80 A2 takes them.
const (
	certificateHead = 307 // 7F21 82 0233, 5F4E 82 0129 and 297 bytes
	certificateTail = 261 // 5F37 82 0100 and the signature
)

// terminal is 80 A2: a terminal presents its card-verifiable certificate in two parts, P1P2 06C1 and then 00C1, to
// the selected key file, and may then use the key that is open to terminals (0017) without PIN.
//
// The instruction, both P1P2, both lengths and the file come from public probes of cards; P1P2 0000, 00AE, 8000 and
// 00B6 are 6A86 there, and 00C1 with 256 bytes is 6700. Nobody has a certificate that a real card accepts, so the
// rest is assumed: that the right opens with the signature and asks for no proof of the terminal's own key, 6985
// for parts out of order, 6A88 for another issuer, 6A80 for anything wrong inside, 6D00 in other applications.
func (c *Card) terminal(cmd command) []byte {
	if c.selected == nil || !c.selected.Terminals {
		return status(swInstruction)
	}
	want := certificateTail
	switch {
	case cmd.p2 != 0xC1 || (cmd.p1 != 0x06 && cmd.p1 != 0x00):
		return status(swParameters)
	case cmd.p1 == 0x06:
		want = certificateHead
	}
	head := c.certificate
	c.certificate = nil
	switch {
	case len(cmd.data) != want:
		return status(swLength)
	case c.current == nil:
		return status(swNoCurrentEF)
	case c.current.Verifier == nil:
		return status(swWrongType)
	case cmd.p1 == 0x06:
		if !bytes.HasPrefix(cmd.data, []byte{0x7F, 0x21, 0x82, 0x02, 0x33, 0x5F, 0x4E, 0x82, 0x01, 0x29}) {
			return status(swData)
		}
		c.certificate = bytes.Clone(cmd.data)
		return status(swOK)
	case head == nil:
		return status(swConditions)
	}
	if sw := c.current.Verifier.accepts(head[10:], cmd.data); sw != 0 {
		return status(sw)
	}
	c.admitted = true
	return status(swOK)
}

// accepts checks the signature 5F37 over a certificate's body; 0 is good.
func (v *Verifier) accepts(body, tail []byte) uint16 {
	switch sum := sha256.Sum256(body); {
	case !bytes.HasPrefix(body, v.KeyID):
		return swNoObject
	case !bytes.HasPrefix(tail, []byte{0x5F, 0x37, 0x82, 0x01, 0x00}),
		rsa.VerifyPKCS1v15(v.Key, crypto.SHA256, sum[:], tail[5:]) != nil:
		return swData
	}
	return 0
}
