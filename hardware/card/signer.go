package card

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"

	"madoguchi/hardware/apdu"
	"madoguchi/internal/secret"
)

var _ crypto.Signer = (*Signer)(nil)

// Signer is a key of JPKI as a crypto.Signer. It is bound to its card session and to one VERIFY: it makes one
// signature and is spent, it holds no PIN, and it is spent too when the card has gone on to another application or
// reference. It is used by the goroutine of its Card.
type Signer struct {
	ctx   context.Context //nolint:containedctx // crypto.Signer has no context; this is the one of the tap
	card  *Card
	key   key
	cert  Certificate
	epoch int
}

// SignSigner verifies the signature password (one VERIFY, never repeated) and gives the signature key (JPKI 001A)
// with its certificate (EF 0001). ctx bounds the later signature too. password stays the caller's and may be wiped
// at once. Errors as SignJPKI; the Signer is closed by the caller.
func (c *Card) SignSigner(ctx context.Context, password *secret.Bytes, opt SignOptions) (*Signer, error) {
	if err := CheckPassword(password); err != nil {
		return nil, err
	}
	if _, err := c.openSign(ctx, password, opt); err != nil {
		return nil, err
	}
	cert, err := c.certificateOf(ctx, fileSignCert)
	if err != nil {
		return nil, err
	}
	return &Signer{ctx: ctx, card: c, key: keySign, cert: cert, epoch: c.epoch}, nil
}

// AuthSigner verifies the 4-digit authentication PIN (one VERIFY, never repeated) and gives the authentication key
// (JPKI 0017) with its certificate (EF 000A). ctx and pin as in SignSigner. Errors: ErrFormat, ErrKind, AuthError,
// ErrBlocked, *VerifyUnknownError, ErrMalformed, the transport's own.
func (c *Card) AuthSigner(ctx context.Context, pin *secret.Bytes) (*Signer, error) {
	if err := c.enter(ctx, TaskJPKI, RefAuthPIN, pin); err != nil {
		return nil, err
	}
	cert, err := c.certificateOf(ctx, fileAuthCert)
	if err != nil {
		return nil, err
	}
	return &Signer{ctx: ctx, card: c, key: keyAuth, cert: cert, epoch: c.epoch}, nil
}

// Public implements crypto.Signer: the *rsa.PublicKey of the certificate.
func (s *Signer) Public() crypto.PublicKey { return s.cert.Key }

// Certificate is the certificate of the key; a copy of the caller's own.
func (s *Signer) Certificate() Certificate {
	return Certificate{DER: s.cert.DER.Clone(), Key: s.cert.Key}
}

// Sign implements crypto.Signer for SHA-256 and PKCS #1 v1.5; rand is not used. The signature is verified under
// the certificate before it is returned. Errors: ErrAlgorithm (nothing was sent, the Signer is not spent), ErrSpent,
// ErrSecurity, ErrSignature, the transport's own.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, ErrAlgorithm
	}
	if s.card == nil || s.card.epoch != s.epoch || s.card.current != appJPKI {
		return nil, ErrSpent
	}
	c := s.card
	s.card = nil
	c.task = TaskJPKI
	signature, err := c.signDigest(s.ctx, s.key, digest)
	if err == nil {
		err = fits(s.cert.Key, digest, signature)
	}
	if err != nil {
		return nil, err
	}
	return signature, nil
}

// Close wipes the certificate and spends the signer. The rights on the card end with Card.Forget and the session.
func (s *Signer) Close() {
	s.card = nil
	s.cert.Wipe()
}

// signDigest is PERFORM SECURITY OPERATION on a SHA-256 digest with the scheme of the profile. A card that does not
// know scheme 02 is asked once more with a full DigestInfo (scheme 00), which costs no try.
func (c *Card) signDigest(ctx context.Context, k key, digest []byte) ([]byte, error) {
	e, ok := c.profile.keyEntry(k)
	if !ok {
		return nil, ErrKind
	}
	info := append(digestInfo(len(digest)), digest...)
	command := apdu.Command{CLA: 0x80, INS: 0x2A, P1: e.Scheme, P2: e.P2, Data: digest, Le: apdu.MaxShort}
	if e.Scheme == schemeDigestInfo {
		command.Data = info
	}
	resp, err := c.send(ctx, command)
	if err == nil && e.Scheme != schemeDigestInfo && resp.SW == wrongParameters {
		command.P1, command.Data = schemeDigestInfo, info
		resp, err = c.send(ctx, command)
	}
	if err == nil {
		err = refusal(resp)
	}
	if err != nil {
		return nil, err
	}
	return resp.Data, nil
}

const (
	schemeDigestInfo         = 0x00
	wrongParameters  apdu.SW = 0x6A86
)

// fits verifies a signature of the card under the key of its own certificate.
func fits(key *rsa.PublicKey, digest, signature []byte) error {
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) != nil {
		return ErrSignature
	}
	return nil
}

// signChallenge is signDigest for a proof: refused is true when the card answered with a status word.
func (c *Card) signChallenge(ctx context.Context, k key, digest []byte) (signature []byte, refused bool, err error) {
	signature, err = c.signDigest(ctx, k, digest)
	if err != nil && (isStatus(err) || errors.Is(err, ErrKind)) {
		return nil, true, nil
	}
	return signature, false, err
}
