package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"time"

	"madoguchi/daemon/hq/device"
)

// CertLife is the life of a kiosk's certificate: longer than the longest time without a line that is foreseen.
const CertLife = 90 * 24 * time.Hour

// ErrIssuer is given for an issuer that cannot issue kiosks' certificates.
var ErrIssuer = errors.New("enroll: the issuer's certificate and key cannot issue certificates of kiosks")

// Issuer makes the certificates of kiosks.
type Issuer struct {
	cert *x509.Certificate
	ca   *x509.Certificate
	key  crypto.Signer
}

// NewIssuer takes the issuer's certificate and the CA's (PEM) and the issuer's key. It checks that the CA vouches for
// the issuer, and that the issuer may issue for TLS clients.
func NewIssuer(cert, ca []byte, key crypto.Signer) (*Issuer, error) {
	i := &Issuer{key: key}
	for _, f := range []struct {
		raw  []byte
		into **x509.Certificate
	}{{cert, &i.cert}, {ca, &i.ca}} {
		block, _ := pem.Decode(f.raw)
		if block == nil {
			return nil, ErrIssuer
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA {
			return nil, ErrIssuer
		}
		*f.into = c
	}
	pub, ok := i.cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !pub.Equal(key.Public()) || i.cert.CheckSignatureFrom(i.ca) != nil {
		return nil, ErrIssuer
	}
	return i, nil
}

// Issue makes a certificate for a device: its name, TLS clients only, CertLife, and never longer than the issuer's own.
func (i *Issuer) Issue(name string, pub *ecdsa.PublicKey, now time.Time) (leaf []byte, serial *big.Int, err error) {
	now = now.UTC().Truncate(time.Second)
	end := now.Add(CertLife)
	if i.cert.NotAfter.Before(end) {
		end = i.cert.NotAfter
	}
	if !end.After(now) {
		return nil, nil, ErrIssuer
	}
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	raw[0] = raw[0]&0x7f | 1
	serial = new(big.Int).SetBytes(raw)
	leaf, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-device.Backdate), NotAfter: end,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, i.cert, pub, i.key)
	return leaf, serial, err
}
