package setup

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// serverName is the common name of the receiver's certificate, which kiosks do not look at: they check the address.
const serverName = "madoguchi-hq-receiver"

// authority signs certificates: the private CA, or the issuer below it.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// loadOrMakeCA gives the private CA. It signs the receiver's certificate and the issuer's, and belongs offline.
func loadOrMakeCA(dir string, now time.Time) (*authority, error) {
	ca, err := loadOrMakeAuthority(filepath.Join(dir, "ca.crt.pem"), filepath.Join(dir, "ca.key.pem"), &x509.Certificate{
		Subject:  pkix.Name{CommonName: "Madoguchi private CA (development)"},
		NotAfter: now.Add(caLife), MaxPathLen: 1,
	}, nil, now)
	if err == nil && ca.cert.MaxPathLen != 1 {
		err = fmt.Errorf("setup: %s was made by an earlier version and can have no issuer below it; begin anew in an empty directory", dir)
	}
	return ca, err
}

// loadOrMakeIssuer gives the issuer of the kiosks' certificates, which the receiver holds: a receiver that is broken
// into can make kiosks, which HQ's list of devices does not know, and no servers.
func loadOrMakeIssuer(dir string, ca *authority, now time.Time) (*authority, error) {
	return loadOrMakeAuthority(filepath.Join(dir, FileIssuer), filepath.Join(dir, FileIssuerKey), &x509.Certificate{
		Subject:  pkix.Name{CommonName: "Madoguchi kiosk issuer (development)"},
		NotAfter: now.Add(issuerLife), MaxPathLenZero: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, now)
}

func loadOrMakeAuthority(certPath, keyPath string, t *x509.Certificate, parent *authority, now time.Time) (*authority, error) {
	key, err := loadOrMakeKey(keyPath, func() (any, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("setup: %s cannot sign", filepath.Base(keyPath))
	}
	if _, err := os.Stat(certPath); errors.Is(err, os.ErrNotExist) {
		t.SerialNumber, t.NotBefore = serial(), now.Add(-time.Hour)
		t.BasicConstraintsValid, t.IsCA, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		over := &authority{cert: t, key: signer} // self-signed
		if parent != nil {
			over = parent
		}
		der, err := x509.CreateCertificate(rand.Reader, t, over.cert, signer.Public(), over.key)
		if err != nil {
			return nil, err
		}
		if err := writeNew(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
			return nil, err
		}
	}
	cert, err := readCert(certPath)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: signer}, nil
}

// copyTo puts the CA's certificate where it is needed.
func (a *authority) copyTo(paths ...string) error {
	for _, p := range paths {
		if err := writeNew(p, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})); err != nil {
			return err
		}
	}
	return nil
}

// issue makes a key and a certificate for name, unless both are there. The file holds the authority's certificate too:
// a kiosk's, because HQ knows the CA only; the receiver's, so that a kiosk can find the CA that an operator pinned.
func (a *authority) issue(certPath, keyPath, name string, server bool, now time.Time) error {
	key, err := loadOrMakeKey(keyPath, func() (any, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	if err != nil {
		return err
	}
	if _, err := os.Stat(certPath); err == nil {
		return nil
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fmt.Errorf("setup: the key of %s cannot sign", name)
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certLife),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if server {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		t.DNSNames = []string{"localhost"}
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, signer.Public(), a.key)
	if err != nil {
		return err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return writeNew(certPath, append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...))
}

// serial is 16 random bytes, positive.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails since Go 1.24
	b[0] = b[0]&0x7f | 1
	return new(big.Int).SetBytes(b)
}

func readCert(path string) (*x509.Certificate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("setup: %s is not PEM", filepath.Base(path))
	}
	return x509.ParseCertificate(block.Bytes)
}

// LoadKey reads a PKCS #8 key in PEM.
func LoadKey(path string) (any, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(raw)
	if err != nil {
		return nil, fmt.Errorf("setup: %s: %w", filepath.Base(path), err)
	}
	return key, nil
}

// ParseKey is LoadKey on bytes, which it wipes.
func ParseKey(raw []byte) (any, error) {
	defer clear(raw)
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("not PEM")
	}
	defer clear(block.Bytes)
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

func loadOrMakeKey(path string, generate func() (any, error)) (any, error) {
	key, err := LoadKey(path)
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	if key, err = generate(); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	if err := writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return nil, err
	}
	return LoadKey(path) // another Init may have been first
}

// writeNew writes a file whole and durably, or leaves an existing one as it is.
func writeNew(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(data); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
