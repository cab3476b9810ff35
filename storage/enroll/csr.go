package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
)

// newCSR makes a certificate request (PKCS #10) for the device's name and nothing else.
func newCSR(device string, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: device}, SignatureAlgorithm: x509.ECDSAWithSHA256,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	return der, nil
}

// checkCSR verifies the request's own signature and that it asks for nothing but this name: everything else about the
// certificate is HQ's decision.
func checkCSR(der []byte, device string) (*ecdsa.PublicKey, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil || r.SignatureAlgorithm != x509.ECDSAWithSHA256 || r.CheckSignature() != nil {
		return nil, ErrCSR
	}
	if len(r.Subject.Names) != 1 || r.Subject.CommonName != device || len(r.Extensions) != 0 {
		return nil, ErrCSR
	}
	pub, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, ErrCSR
	}
	return pub, nil
}
