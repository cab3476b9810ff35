// Package enroll is how a kiosk becomes known to HQ and stays so: the wire forms of enrolment and renewal, which both
// sides use, and the kiosk's side of them.
//
// Enrolment: an operator gives the kiosk a one-time code. The kiosk makes a TLS key and a device key and sends the code
// with a certificate request and a proof that it holds the device key, over TLS 1.3 to a server that it can verify (by
// a CA file or a pinned CA). HQ answers with the certificate, its root and the signed list of its keys. Renewal: the
// same over mutual TLS with the old certificate, proved by the device key instead of the code, with a TLS key that is
// new each time. Only daemon/... may import it.
package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"madoguchi/internal/secret"
	"madoguchi/storage/canon"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Paths of HQ.
const (
	PathEnroll = "/v1/enroll"
	PathRenew  = "/v1/renew"
	PathKeys   = "/v1/keys"
)

// Caps of what is parsed.
const (
	MaxRequest = 8 << 10
	MaxAnswer  = 512 << 10
	maxCSR     = 2 << 10
	maxSPKI    = 256
	maxSig     = 128
	maxCert    = 4 << 10
	maxCerts   = 4
)

// Domains of the device key's signatures.
const (
	domainCode   = "madoguchi enrolment code v1"
	domainEnroll = "madoguchi enrolment proof v1"
	domainRenew  = "madoguchi renewal proof v1"
)

// Errors of parsing and of proofs. They quote nothing.
var (
	ErrForm  = errors.New("enroll: malformed")
	ErrCSR   = errors.New("enroll: the certificate request is not acceptable")
	ErrProof = errors.New("enroll: the proof that the device key is held does not verify")
	ErrCode  = errors.New("enroll: this is no code")
)

// CodeBytes is how many random bytes a code has: 100 bits, written as 20 characters.
const codeChars = 20

// codeAlphabet is Crockford's base 32: no I, L, O, U.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewCode makes a code, in groups for typing. The caller shows it once and wipes it.
func NewCode() *secret.Bytes {
	raw := make([]byte, codeChars)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	defer clear(raw)
	out := make([]byte, 0, codeChars+3)
	for i, b := range raw {
		if i > 0 && i%5 == 0 {
			out = append(out, '-')
		}
		out = append(out, codeAlphabet[b&31])
	}
	return secret.New(out)
}

// normalize gives the code's 20 characters whatever way they were typed: spaces, hyphens and case do not matter, and
// O, I and L stand for the digits that they look like. The caller wipes the result.
func normalize(code *secret.Bytes) (*secret.Bytes, error) {
	out := make([]byte, 0, codeChars)
	for _, b := range code.Reveal() {
		switch {
		case b == ' ' || b == '-' || b == '\n' || b == '\r' || b == '\t':
			continue
		case b >= 'a' && b <= 'z':
			b -= 'a' - 'A'
		}
		switch b {
		case 'O':
			b = '0'
		case 'I', 'L':
			b = '1'
		}
		if len(out) == codeChars || !strings.Contains(codeAlphabet, string(b)) {
			clear(out)
			return nil, ErrCode
		}
		out = append(out, b)
	}
	if len(out) != codeChars {
		clear(out)
		return nil, ErrCode
	}
	return secret.New(out), nil
}

// HashCode is what HQ stores of a code, and what the proof binds: a hash with the device's name. A code has 100 random
// bits, so that a slow hash would add nothing.
func HashCode(device string, code *secret.Bytes) ([32]byte, error) {
	n, err := normalize(code)
	if err != nil {
		return [32]byte{}, err
	}
	defer n.Wipe()
	return framed(domainCode, []byte(device), n.Reveal()), nil
}

// Request is the body of POST /v1/enroll.
type Request struct {
	Code         *secret.Bytes
	CSR          []byte // DER; its key becomes the TLS key
	Device       string
	DevicePublic []byte // SubjectPublicKeyInfo of the device key
	Proof        []byte // the device key's signature over code, name, request and key
}

// RenewRequest is the body of POST /v1/renew.
type RenewRequest struct {
	CSR    []byte
	Device string
	Proof  []byte // the device key's signature over name and request
}

// Answer is HQ's answer to both.
type Answer struct {
	CA     [][]byte // DER, the CA of the chain
	Chain  [][]byte // DER, leaf first, without the CA
	Device string
	Keys   []byte // the signed key list
	Root   []byte // SubjectPublicKeyInfo of the root
}

// NewRequest makes the two proofs and the body. The code stays with the caller; Wipe the request's own copy.
func NewRequest(device string, code *secret.Bytes, tlsKey, deviceKey crypto.Signer) (*Request, error) {
	hash, err := HashCode(device, code)
	if err != nil {
		return nil, err
	}
	r := &Request{Device: device}
	if r.CSR, err = newCSR(device, tlsKey); err != nil {
		return nil, err
	}
	if r.DevicePublic, err = x509.MarshalPKIXPublicKey(deviceKey.Public()); err != nil {
		return nil, ErrProof
	}
	sum := r.proven(hash)
	if r.Proof, err = deviceKey.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	r.Code, err = normalize(code)
	return r, err
}

// Wipe wipes the code.
func (r *Request) Wipe() { r.Code.Wipe() }

func (r *Request) proven(codeHash [32]byte) [32]byte {
	return framed(domainEnroll, []byte(r.Device), codeHash[:], r.CSR, r.DevicePublic)
}

// Check verifies everything about the request that needs no knowledge of the code: the name, the request and its own
// signature, both keys, and the proof. It gives the TLS key, the device key and the code's hash.
func (r *Request) Check() (tlsKey, deviceKey *ecdsa.PublicKey, codeHash [32]byte, err error) {
	if codeHash, err = HashCode(r.Device, r.Code); err != nil {
		return nil, nil, codeHash, err
	}
	if tlsKey, err = checkCSR(r.CSR, r.Device); err != nil {
		return nil, nil, codeHash, err
	}
	pub, err := x509.ParsePKIXPublicKey(r.DevicePublic)
	if err != nil {
		return nil, nil, codeHash, ErrProof
	}
	deviceKey, ok := pub.(*ecdsa.PublicKey)
	if !ok || deviceKey.Curve != elliptic.P256() || deviceKey.Equal(tlsKey) { // one key for two purposes proves neither
		return nil, nil, codeHash, ErrProof
	}
	sum := r.proven(codeHash)
	if !ecdsa.VerifyASN1(deviceKey, sum[:], r.Proof) {
		return nil, nil, codeHash, ErrProof
	}
	return tlsKey, deviceKey, codeHash, nil
}

// NewRenewRequest makes the body of a renewal.
func NewRenewRequest(device string, tlsKey, deviceKey crypto.Signer) (*RenewRequest, error) {
	r := &RenewRequest{Device: device}
	var err error
	if r.CSR, err = newCSR(device, tlsKey); err != nil {
		return nil, err
	}
	sum := r.proven()
	if r.Proof, err = deviceKey.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return r, nil
}

func (r *RenewRequest) proven() [32]byte { return framed(domainRenew, []byte(r.Device), r.CSR) }

// Check verifies the request against the device key that HQ has registered.
func (r *RenewRequest) Check(deviceKey *ecdsa.PublicKey) (tlsKey *ecdsa.PublicKey, err error) {
	if tlsKey, err = checkCSR(r.CSR, r.Device); err != nil {
		return nil, err
	}
	sum := r.proven()
	if deviceKey.Equal(tlsKey) || !ecdsa.VerifyASN1(deviceKey, sum[:], r.Proof) {
		return nil, ErrProof
	}
	return tlsKey, nil
}

// Encode writes the body. The caller wipes it: the code is in it.
func (r *Request) Encode() ([]byte, error) { return encode(MaxRequest, r.shape) }

// ParseRequest accepts what Encode writes and nothing else.
func ParseRequest(b []byte) (*Request, error) {
	r := &Request{}
	return r, decode(b, MaxRequest, r.shape)
}

// Encode writes the body.
func (r *RenewRequest) Encode() ([]byte, error) { return encode(MaxRequest, r.shape) }

// ParseRenewRequest accepts what Encode writes and nothing else.
func ParseRenewRequest(b []byte) (*RenewRequest, error) {
	r := &RenewRequest{}
	return r, decode(b, MaxRequest, r.shape)
}

// Encode writes the answer.
func (a *Answer) Encode() ([]byte, error) { return encode(MaxAnswer, a.shape) }

// ParseAnswer accepts what Encode writes and nothing else.
func ParseAnswer(b []byte) (*Answer, error) {
	a := &Answer{}
	return a, decode(b, MaxAnswer, a.shape)
}

func (r *Request) shape(c *canon.Coder) {
	c.Object("", func() {
		c.Text("code", &r.Code, codeChars)
		c.Data("csr", &r.CSR, maxCSR)
		c.String("device", &r.Device, record.MaxDevice)
		c.Data("device_public", &r.DevicePublic, maxSPKI)
		c.Data("proof", &r.Proof, maxSig)
		version(c)
	})
	name(c, r.Device)
}

func (r *RenewRequest) shape(c *canon.Coder) {
	c.Object("", func() {
		c.Data("csr", &r.CSR, maxCSR)
		c.String("device", &r.Device, record.MaxDevice)
		c.Data("proof", &r.Proof, maxSig)
		version(c)
	})
	name(c, r.Device)
}

func (a *Answer) shape(c *canon.Coder) {
	certs := func(b *[]byte) { c.Data("", b, maxCert) }
	c.Object("", func() {
		canon.List(c, "ca", &a.CA, maxCerts, certs)
		canon.List(c, "chain", &a.Chain, maxCerts, certs)
		c.String("device", &a.Device, record.MaxDevice)
		c.Data("keys", &a.Keys, seal.MaxList)
		c.Data("root", &a.Root, maxSPKI)
		version(c)
	})
	name(c, a.Device)
}

func version(c *canon.Coder) {
	v := 1
	c.Int("v", &v, 1, 1)
}

func name(c *canon.Coder, device string) {
	if c.OK() && !record.ValidDevice(device) {
		c.Fail(canon.CodeValue, "device")
	}
}

func encode(limit int, shape func(*canon.Coder)) ([]byte, error) {
	c := canon.NewWriter(limit)
	shape(c)
	b, err := c.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	return b, nil
}

func decode(b []byte, limit int, shape func(*canon.Coder)) error {
	c := canon.NewReader(b, limit)
	shape(c)
	if err := c.Done(); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	return nil
}

// framed hashes a domain and fields, each with its length before it.
func framed(domain string, fields ...[]byte) [32]byte {
	var b []byte
	for _, f := range slices.Insert(fields, 0, []byte(domain)) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f))) //nolint:gosec // capped by the parser
		b = append(b, f...)
	}
	defer clear(b)
	return sha256.Sum256(b)
}
