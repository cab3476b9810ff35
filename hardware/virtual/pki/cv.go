package pki

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
)

// PublicKey is the 265-byte form of a key on the card: 90 03 exponent, 91 82 01 00 modulus.
func PublicKey(key *rsa.PublicKey) []byte {
	out := []byte{0x90, 0x03, byte(key.E >> 16), byte(key.E >> 8), byte(key.E), 0x91, 0x82, 0x01, 0x00}
	return append(out, key.N.FillBytes(make([]byte, 256))...)
}

// IssueCV makes a card-verifiable certificate: 7F21 { 5F4E issuer id, subject id, key; 5F37 signature }. Only the
// generator calls it.
func IssueCV(s Surface, issuer *rsa.PrivateKey, subject *rsa.PublicKey) ([]byte, error) {
	body := append(s.IssuerKeyID(), s.SubjectKeyID()...)
	body = append(body, PublicKey(subject)...)
	sum := sha256.Sum256(body)
	signature, err := rsa.SignPKCS1v15(nil, issuer, crypto.SHA256, sum[:])
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	out := []byte{0x7F, 0x21, 0x82, 0x02, 0x33, 0x5F, 0x4E, 0x82, 0x01, 0x29}
	out = append(out, body...)
	out = append(out, 0x5F, 0x37, 0x82, 0x01, 0x00)
	return append(out, signature...), nil
}
