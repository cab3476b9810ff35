package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
)

// Root is the public half of HQ's offline root. It verifies key lists and signed messages of other domains.
type Root struct {
	public crypto.PublicKey
	spki   []byte
	id     string
}

// ErrRoot is given for a root key that is neither Ed25519 nor ECDSA P-256.
var ErrRoot = errors.New("seal: the root key is neither Ed25519 nor ECDSA P-256")

// NewRoot takes a public key: ed25519.PublicKey, or *ecdsa.PublicKey on P-256.
func NewRoot(pub crypto.PublicKey) (*Root, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return nil, ErrRoot
		}
	case *ecdsa.PublicKey:
		if k == nil || k.Curve != elliptic.P256() {
			return nil, ErrRoot
		}
	default:
		return nil, ErrRoot
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, ErrRoot
	}
	sum := sha256.Sum256(spki)
	return &Root{public: pub, spki: spki, id: "root-" + hex.EncodeToString(sum[:8])}, nil
}

// ParseRootDER reads a root from its SubjectPublicKeyInfo. It is strict: no other encoding of the same key.
func ParseRootDER(spki []byte) (*Root, error) {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, ErrRoot
	}
	r, err := NewRoot(pub)
	if err != nil || string(r.spki) != string(spki) {
		return nil, ErrRoot
	}
	return r, nil
}

// ParseRoot reads the PEM file of a root ("PUBLIC KEY").
func ParseRoot(b []byte) (*Root, error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		return nil, ErrRoot
	}
	return ParseRootDER(block.Bytes)
}

// PEM is the file that ParseRoot reads.
func (r *Root) PEM() []byte { return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: r.spki}) }

// DER is the SubjectPublicKeyInfo.
func (r *Root) DER() []byte { return append([]byte(nil), r.spki...) }

// ID names the root by its public bytes.
func (r *Root) ID() string { return r.id }

// Fingerprint is the SHA-256 of the SubjectPublicKeyInfo, for comparing by eye and for pinning.
func (r *Root) Fingerprint() [32]byte { return sha256.Sum256(r.spki) }

// verify checks a signature over the framed hash.
func (r *Root) verify(sum [32]byte, sig []byte) bool {
	switch k := r.public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, sum[:], sig)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum[:], sig)
	}
	return false
}

// signRoot signs the framed hash with the root's private key.
func signRoot(key crypto.Signer, sum [32]byte) ([]byte, error) {
	opts := crypto.SignerOpts(crypto.SHA256)
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		opts = crypto.Hash(0)
	}
	return key.Sign(rand.Reader, sum[:], opts)
}

// framed is what the root signs: a hash with its own domain, so that the signature means nothing elsewhere.
func framed(domain string, message []byte) [32]byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(domain))) //nolint:gosec // a constant of ours
	b = append(b, domain...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message))) //nolint:gosec // capped by the coder
	return sha256.Sum256(append(b, message...))
}
