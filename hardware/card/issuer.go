package card

import (
	"context"
	"crypto/rsa"
	"encoding/hex"
)

// IssuerCertificate is EF 0004 of 0402 or 0408 (568 bytes, free to read): the card-verifiable certificate of the
// municipality's key, 7F21 { 5F4E { issuer key id 16, subject key id 16, key 265 }, 5F37 signature }.
type IssuerCertificate struct {
	Issuer  string         // key id in hex; first ASCII digit 5 production, 6 J-LIS test, 9 ours (virtual)
	Subject string         // key id in hex
	Key     *rsa.PublicKey // of the municipality; of no worth unless State is valid
	State   FieldProof     // under the issuer keys of Options.Trust
}

// SurfaceCertificate reads 0402/0004: SELECT and one READ, no PIN. It tells whether there is an issuer key for a
// card before anything is typed. Errors: ErrKind, ErrNotFound, ErrMalformed, the transport's own.
func (c *Card) SurfaceCertificate(ctx context.Context) (IssuerCertificate, error) {
	return c.issuerCertificate(ctx, fileFaceCert)
}

// TextCertificate reads 0408/0004, otherwise as SurfaceCertificate.
func (c *Card) TextCertificate(ctx context.Context) (IssuerCertificate, error) {
	return c.issuerCertificate(ctx, fileTextCert)
}

func (c *Card) issuerCertificate(ctx context.Context, f file) (IssuerCertificate, error) {
	c.task = TaskInfo
	if c.identity.Kind != KindMyNumber {
		return IssuerCertificate{}, ErrKind
	}
	cert, err := c.readCertificate(ctx, f)
	if err != nil {
		return IssuerCertificate{}, err
	}
	key, err := parseKey(cert.key)
	if err != nil {
		return IssuerCertificate{}, err
	}
	return IssuerCertificate{
		Issuer: hex.EncodeToString(cert.issuer), Subject: hex.EncodeToString(cert.body[keyIDSize : 2*keyIDSize]),
		Key: key, State: c.checkCertificate(cert, key),
	}, nil
}

// checkCertificate verifies a certificate under the issuer key that it names; key is the one in it, nil when that
// is none.
func (c *Card) checkCertificate(cert certificate, key *rsa.PublicKey) FieldProof {
	if len(c.opt.Trust) == 0 {
		return unproven(ReasonNoKeys)
	}
	issuer := c.issuerKey(cert.issuer)
	if issuer == nil {
		return unproven(ReasonIssuerUnknown)
	}
	state := judge(signed(issuer, cert.signature, cert.body), ReasonCertificateForged)
	if state.Valid && key == nil {
		return unproven(ReasonIssuerUnreadable) // signed all right, but of a kind that this generation does not have
	}
	return state
}
