package chip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"
)

// Session is what an application needs for secure messaging: the private key that takes session keys, and the
// PINs of which one must have been presented (in clear: nothing can protect it).
type Session struct {
	Key    *rsa.PrivateKey
	Access Access
}

// messaging is the secure messaging of the selected application. It gives confidentiality only: AES-128-CBC with
// no MAC. One public source describes it, from measurements on cards; what that source leaves open is marked
// "assumed" here and in the README of package virtual.
type messaging struct {
	open    bool
	key     [aes.BlockSize]byte
	counter uint64 // of the next command
}

// end forgets the session key. Commands under secure messaging are 69FC from then on.
func (m *messaging) end() { *m = messaging{} }

// setSessionKey is 80 AE 00 00: 256 bytes, RSA-OAEP (SHA-256, also in the mask, empty label) of A0 22 80 20 and 32
// bytes, of which the first 16 become the session key. The right is looked at before anything is decrypted. The
// forms with a key for checksums (tag 81) are refused, so there never is a MAC.
//
// Assumed: 6A86, 6700; a refused key leaves the old session as it was; without an application the answer is that of
// an application with nothing configured.
func (c *Card) setSessionKey(cmd command) []byte {
	switch {
	case !c.messages():
		return status(swInstruction)
	case c.selected == nil || (c.selected.Session == nil && c.selected.Messaging == 0):
		return status(swNoEnvironment)
	case c.selected.Session == nil:
		return status(c.selected.Messaging)
	case !c.presented(c.selected.Session.Access):
		return status(swSecurity)
	case cmd.p1 != 0 || cmd.p2 != 0:
		return status(swParameters)
	}
	key := c.selected.Session.Key
	if len(cmd.data) != key.Size() {
		return status(swLength)
	}
	if new(big.Int).SetBytes(cmd.data).Cmp(key.N) >= 0 {
		return status(swNoDiagnosis)
	}
	plain, err := rsa.DecryptOAEP(sha256.New(), nil, key, cmd.data, nil)
	defer clear(plain)
	if err != nil || len(plain) != 4+32 || !bytes.HasPrefix(plain, []byte{0xA0, 0x22, 0x80, 0x20}) {
		return status(swData)
	}
	c.session = messaging{open: true, counter: 1, key: [aes.BlockSize]byte(plain[4:20])}
	return status(swOK)
}

// messages tells whether this kind of card knows secure messaging at all. Other kinds are there to be told apart only.
func (c *Card) messages() bool {
	return slices.ContainsFunc(c.layout.Applications, func(a Application) bool { return a.Session != nil || a.Messaging != 0 })
}

// secure executes one command of class 08. Each that reaches an open session takes one step of the counter,
// whatever the application then says. An error of secure messaging itself ends the session.
//
// Assumed: class 0C (header authenticated) ends it too; commands other than SELECT, VERIFY and READ BINARY are 6882
// and end it; an answer without data is a bare status word; READ BINARY takes a short file id as in clear; 6700
// when the answer does not fit into Le, or there is none.
func (c *Card) secure(cmd command) []byte {
	switch {
	case !c.messages():
		return status(swSecurity)
	case !c.session.open:
		return status(swNoSession)
	}
	s := c.session // by value: SELECT of an application ends the session of the card
	defer s.end()
	c.session.counter++
	inner, sw := s.unwrap(cmd)
	if sw != 0 {
		c.session.end()
		return status(sw)
	}
	defer clear(inner.data)
	out := c.execute(inner)
	n := len(out) - 2
	if n == 0 {
		return out
	}
	defer clear(out)
	wrapped := s.wrap(out[:n])
	if len(wrapped) > cmd.le {
		return status(swLength)
	}
	return append(wrapped, out[n:]...)
}

// unwrap makes the command in clear from its one data object: 86 L 01 and the cryptogram of the data for SELECT and
// VERIFY, 96 03 00 and the length wanted for READ BINARY (0000: all).
func (m *messaging) unwrap(cmd command) (command, uint16) {
	inner := command{ins: cmd.ins, p1: cmd.p1, p2: cmd.p2, le: -1}
	tag := byte(0x86)
	switch {
	case cmd.cla != classSecure:
		return inner, swObjectMissing
	case cmd.ins == insRead:
		tag = 0x96
	case cmd.ins != insSelect && cmd.ins != insVerify:
		return inner, swNoSecureForm
	}
	if len(cmd.data) == 0 {
		return inner, swObjectMissing
	}
	value, ok := onlyObject(cmd.data, tag)
	if !ok {
		return inner, swObjectWrong
	}
	if tag == 0x96 {
		if len(value) != 3 || value[0] != 0 {
			return inner, swObjectWrong
		}
		inner.le = orMax(int(value[1])<<8|int(value[2]), maxLength)
		return inner, 0
	}
	if inner.data, ok = m.decrypt(value); !ok {
		return inner, swObjectWrong
	}
	return inner, 0
}

// onlyObject is the value of the one object in b, which must fill it, have this tag and a length of one byte or in
// one of the forms 81 and 82.
func onlyObject(b []byte, tag byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, false
	}
	head, n := 2, int(b[1])
	switch {
	case b[1] < 0x80:
	case b[1] == 0x81 && len(b) >= 3:
		head, n = 3, int(b[2])
	case b[1] == 0x82 && len(b) >= 4:
		head, n = 4, int(b[2])<<8|int(b[3])
	default:
		return nil, false
	}
	return b[min(head, len(b)):], len(b) == head+n
}

// decrypt takes the padding indicator 01 and whole blocks, and gives the data without the padding of ISO 7816-4.
func (m *messaging) decrypt(value []byte) ([]byte, bool) {
	if len(value) < 1+aes.BlockSize || value[0] != 0x01 || (len(value)-1)%aes.BlockSize != 0 {
		return nil, false
	}
	plain := make([]byte, len(value)-1)
	block, iv := m.cipher()
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, value[1:])
	end := len(bytes.TrimRight(plain, "\x00")) - 1
	if end < 0 || plain[end] != 0x80 || len(plain)-end > aes.BlockSize {
		clear(plain)
		return nil, false
	}
	return plain[:end], true
}

// wrap is the answer's object, 86 L 01 and the cryptogram under the counter of the command.
func (m *messaging) wrap(data []byte) []byte {
	padded := make([]byte, len(data)/aes.BlockSize*aes.BlockSize+aes.BlockSize)
	padded[copy(padded, data)] = 0x80
	block, iv := m.cipher()
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	out := []byte{0x86}
	switch n := len(padded) + 1; {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(append(out, 0x01), padded...)
}

// cipher is AES under the session key, and the vector of this counter: the counter as 16 bytes, encrypted.
func (m *messaging) cipher() (cipher.Block, []byte) {
	block, err := aes.NewCipher(m.key[:])
	if err != nil {
		panic("chip: a key of 16 bytes is an AES key") // cannot be: the length is the type's
	}
	iv := make([]byte, aes.BlockSize)
	binary.BigEndian.PutUint64(iv[aes.BlockSize-8:], m.counter)
	block.Encrypt(iv, iv)
	return block, iv
}
