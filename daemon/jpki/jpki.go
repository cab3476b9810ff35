// Package jpki reads and checks the certificates of the My Number Card (公的個人認証): what stands in them, whether a
// known authority issued them, and whether they are in force. It is pure: no clock, no files, no network. It says
// nothing of revocation, which only HQ can ask for; so "verified" here is never the deciding result.
//
// Only daemon/... may import it. Personal values come as secrets of the caller's own.
package jpki

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"madoguchi/internal/secret"
)

// Use is what a certificate is for.
type Use string

// The uses.
const (
	Sign Use = "sign" // 署名用電子証明書: names the holder, its signatures bind
	Auth Use = "auth" // 利用者証明用電子証明書: neither name nor place
)

// The typed errors. Test with errors.Is.
var (
	// ErrMalformed is what cannot be a certificate of JPKI's form.
	ErrMalformed = errors.New("jpki: malformed certificate")
	// ErrCritical is a critical extension that this package does not know: such a certificate must be refused (RFC
	// 5280, 4.2).
	ErrCritical = errors.New("jpki: unknown critical extension")
	// ErrUse is a certificate whose key usage is not that of the use.
	ErrUse = errors.New("jpki: the certificate is for another use")
	// ErrUnknownIssuer is a certificate of none of the authorities given. It may be genuine.
	ErrUnknownIssuer = errors.New("jpki: unknown issuer")
	// ErrForged is a certificate that names a known authority's key and bears no signature of it.
	ErrForged = errors.New("jpki: the issuer's signature does not hold")
	// ErrNotYetValid and ErrExpired are certificates, or authorities, outside their validity.
	ErrNotYetValid = errors.New("jpki: not yet valid")
	ErrExpired     = errors.New("jpki: expired")
)

// Certificate is one end-entity certificate as read. Nothing in it is proven before Verify.
type Certificate struct {
	Use                 Use
	Serial              *big.Int // 発行番号, by which HQ asks for the status
	NotBefore, NotAfter time.Time
	Issuer              string         // DN in the form of RFC 2253
	IssuerKeyID         []byte         // which of the authority's keys; nil when the certificate does not say
	Subject             *secret.Bytes  // DN in the form of RFC 2253; holds the place on signature certificates
	KeyID               []byte         // nil when the certificate does not say
	Key                 *rsa.PublicKey // 2048 bits or more
	KeyUsage            x509.KeyUsage
	Policies            []string      // object ids; JPKI's own are not public
	CRL                 *secret.Bytes // DN of the revocation list's directory entry; names the municipality; nil when none
	Holder              Holder        // empty on authentication certificates

	cert *x509.Certificate
}

// Holder is what a signature certificate says of its holder: otherNames 1.2.392.200149.8.5.5.x. A value that the
// certificate does not give is nil.
type Holder struct {
	Name              *secret.Bytes // .1, UTF-8
	NameSubstitutes   *secret.Bytes // .2, one digit for each character of the name, not 0 where a glyph was substituted
	Sex               *secret.Bytes // .3, one ASCII digit: 1 male, 2 female, else unknown or not applicable
	Era               *secret.Bytes // .4, first digit: the class of the birth year's era
	Birth             *secret.Bytes // .4, the rest: YYYYMMDD, Gregorian
	Address           *secret.Bytes // .5, UTF-8
	AddressSubstitute *secret.Bytes // .6, as .2
}

// Wipe wipes the secrets.
func (h *Holder) Wipe() {
	secret.Wipe(h.Name, h.NameSubstitutes, h.Sex, h.Era, h.Birth, h.Address, h.AddressSubstitute)
}

// Wipe wipes the secrets. The parsed form inside, which Verify needs, goes too.
func (c *Certificate) Wipe() {
	secret.Wipe(c.Subject, c.CRL)
	c.Holder.Wipe()
	if c.cert != nil {
		clear(c.cert.Raw) // the parser's slices all lie in it
	}
	c.cert = nil
}

// maxSize bounds what is parsed: the card's file has 2 KiB or less.
const maxSize = 8 << 10

// Parse reads a certificate in DER; filler behind it (FF, as a card's file has) is no part of it and an error here.
// use is what the certificate must be for. der stays the caller's and is not kept.
// Errors: ErrMalformed, ErrCritical, ErrUse.
func Parse(use Use, der []byte) (*Certificate, error) {
	if len(der) > maxSize {
		return nil, ErrMalformed
	}
	own := append([]byte(nil), der...)
	cert, err := x509.ParseCertificate(own)
	if err != nil {
		clear(own)
		return nil, ErrMalformed // the parser's words may quote the content
	}
	c, err := read(use, cert)
	if err != nil {
		c.Wipe()
		return nil, err
	}
	return c, nil
}

// read fills in all fields; what it gives together with an error is for wiping.
func read(use Use, cert *x509.Certificate) (*Certificate, error) {
	c := &Certificate{
		Use: use, Serial: cert.SerialNumber, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		IssuerKeyID: cert.AuthorityKeyId, KeyID: cert.SubjectKeyId, KeyUsage: cert.KeyUsage, cert: cert,
	}
	key, isRSA := cert.PublicKey.(*rsa.PublicKey)
	if !isRSA || key.N.BitLen() < 2048 || cert.SignatureAlgorithm != x509.SHA256WithRSA {
		return c, ErrMalformed
	}
	c.Key = key
	for _, id := range cert.UnhandledCriticalExtensions {
		if !id.Equal(oidSubjectAltName()) { // which Go does not count as handled when it holds otherNames only
			return c, ErrCritical
		}
	}
	for _, policy := range cert.Policies {
		c.Policies = append(c.Policies, policy.String())
	}
	var err error
	if c.Issuer, err = dn(cert.RawIssuer); err != nil {
		return c, err
	}
	subject, err := dn(cert.RawSubject)
	if err != nil {
		return c, err
	}
	c.Subject = secret.New([]byte(subject))
	if err := c.extensions(cert); err != nil {
		return c, err
	}
	return c, c.checkUse()
}

// extensions reads what Go's parser leaves raw.
func (c *Certificate) extensions(cert *x509.Certificate) error {
	for _, e := range cert.Extensions {
		var err error
		switch {
		case e.Id.Equal(oidSubjectAltName()):
			c.Holder, err = parseHolder(e.Value)
		case e.Id.Equal(oidCRLDistributionPoints()):
			c.CRL, err = parseDistributionPoints(e.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkUse holds certificate and use together: the signature certificate binds (nonRepudiation) and names somebody,
// the authentication certificate does neither, and none of them issues others.
func (c *Certificate) checkUse() error {
	binds := c.KeyUsage&x509.KeyUsageContentCommitment != 0
	named := c.Holder.Name.Len() > 0
	if c.cert.IsCA || c.KeyUsage&x509.KeyUsageDigitalSignature == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0 {
		return ErrUse
	}
	switch c.Use {
	case Sign:
		if !binds || !named {
			return ErrUse
		}
	case Auth:
		if binds || named {
			return ErrUse
		}
	default:
		return ErrUse
	}
	return nil
}

// Verify checks that one of the authorities issued the certificate, and that both are in force at the time given.
// It picks the authority by key id and signature, because all generations of JPKI's authorities bear one name. nil is
// all good except revocation, which is not looked at. Errors: ErrUnknownIssuer, ErrForged, ErrNotYetValid, ErrExpired.
func (c *Certificate) Verify(authorities []*x509.Certificate, at time.Time) error {
	if c.cert == nil {
		return ErrMalformed
	}
	verdict := ErrUnknownIssuer
	for _, ca := range authorities {
		if ca == nil || string(ca.RawSubject) != string(c.cert.RawIssuer) {
			continue
		}
		sameKey := len(c.IssuerKeyID) > 0 && string(c.IssuerKeyID) == string(ca.SubjectKeyId)
		if err := c.cert.CheckSignatureFrom(ca); err != nil {
			if sameKey {
				verdict = ErrForged
			}
			continue
		}
		if err := inForce(ca, at); err != nil {
			verdict = fmt.Errorf("authority: %w", err) // another certificate of the same key may be in force
			continue
		}
		return inForce(c.cert, at)
	}
	return verdict
}

// inForce checks the validity, both ends included (RFC 5280, 4.1.2.5).
func inForce(c *x509.Certificate, at time.Time) error {
	switch {
	case at.Before(c.NotBefore):
		return ErrNotYetValid
	case at.After(c.NotAfter):
		return ErrExpired
	}
	return nil
}

// The object ids are functions, so that nobody can change them.
func oidSubjectAltName() asn1.ObjectIdentifier        { return asn1.ObjectIdentifier{2, 5, 29, 17} }
func oidCRLDistributionPoints() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 31} }
