// Package devicekey is the kiosk's signing key: ECDSA P-256, in a TPM 2.0 that made it and never gives it out, or in a
// file for machines without one. Both sign SHA-256 hashes and nothing else, and both are a crypto.Signer, so that a TLS
// certificate can use them too. Which of the two a PEM file holds is said by its type: "TSS2 PRIVATE KEY" (a blob that
// only its own TPM can load; the form of the TPM key files that other tools use) or "PRIVATE KEY" (PKCS #8).
//
// Only storage/..., daemon/kiosk, daemon/kioskctl and daemon/doctor may import it.
package devicekey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// Errors of device keys. They quote no key and no file content.
var (
	ErrNoTPM   = errors.New("devicekey: there is no TPM 2.0 at this address, or no right to use it")
	ErrLost    = errors.New("devicekey: the TPM does not answer any more")
	ErrForeign = errors.New("devicekey: the key is not one of this TPM")
	ErrTPM     = errors.New("devicekey: the TPM refused")
	ErrKey     = errors.New("devicekey: the key file is malformed, or not ECDSA P-256")
	ErrMode    = errors.New("devicekey: others can read or change the key file (chmod 0600)")
	ErrHash    = errors.New("devicekey: only SHA-256 hashes are signed")
)

// PEM types of the two forms.
const (
	pemFile = "PRIVATE KEY"
	pemTPM  = "TSS2 PRIVATE KEY"
)

// Key is a signing key and the file that brings it back.
type Key interface {
	crypto.Signer
	// PEM is the private file. For a TPM's key it is useless without that TPM.
	PEM() ([]byte, error)
}

// NewFile makes a key that lives in a file.
func NewFile() (Key, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return fileKey{k}, nil
}

// IsTPM says whether the PEM file holds a TPM's key.
func IsTPM(raw []byte) bool {
	block, _ := pem.Decode(raw)
	if block == nil {
		return false
	}
	defer clear(block.Bytes)
	return block.Type == pemTPM
}

// Parse reads either form and wipes raw. Open gives the TPM and is asked only for a TPM's key; nil means there is none.
func Parse(raw []byte, open func() (*TPM, error)) (Key, error) {
	defer clear(raw)
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, ErrKey
	}
	defer clear(block.Bytes)
	switch block.Type {
	case pemFile:
		return parsePKCS8(block.Bytes)
	case pemTPM:
		if open == nil {
			return nil, ErrNoTPM
		}
		t, err := open()
		if err != nil {
			return nil, err
		}
		return t.load(block.Bytes)
	}
	return nil, ErrKey
}

// Load is Parse on a file that nobody else may read or change.
func Load(path string, open func() (*TPM, error)) (Key, error) {
	f, err := os.Open(path) //nolint:gosec // named by the wiring
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrMode)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxBlob))
	if err != nil {
		clear(raw)
		return nil, err
	}
	return Parse(raw, open)
}

// maxBlob bounds a key file.
const maxBlob = 16 << 10

// fileKey hides everything of the private key but signing.
type fileKey struct{ key *ecdsa.PrivateKey }

func parsePKCS8(der []byte) (Key, error) {
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, ErrKey
	}
	ec, ok := k.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, ErrKey
	}
	return fileKey{ec}, nil
}

// Public implements crypto.Signer: an *ecdsa.PublicKey on P-256.
func (k fileKey) Public() crypto.PublicKey { return k.key.Public() }

// Sign implements crypto.Signer: ASN.1 ECDSA over a SHA-256 hash.
func (k fileKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := checkHash(digest, opts); err != nil {
		return nil, err
	}
	return k.key.Sign(random, digest, opts)
}

// PEM implements Key.
func (k fileKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, ErrKey
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: pemFile, Bytes: der}), nil
}

// Format keeps the key out of every print.
func (k fileKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[device key]") }

func checkHash(digest []byte, opts crypto.SignerOpts) error {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return ErrHash
	}
	return nil
}
