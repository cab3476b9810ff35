package card

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"

	"madoguchi/internal/secret"
)

// CertificateUse is what a JPKI certificate is for.
type CertificateUse uint8

// The uses.
const (
	UseSign CertificateUse = iota // 署名用
	UseAuth                       // 利用者証明用
)

// TokenInfo is JPKI EF 0006: 160 bytes in the form of PKCS #11 CK_TOKEN_INFO, free to read. A card that holds the
// 32 bytes of the label only leaves the rest empty.
type TokenInfo struct {
	Label        string // 32 bytes at 0, see Product
	Manufacturer string // 32 bytes at 32
	Model        string // 16 bytes at 64
	Serial       string // 16 bytes at 80; of the token, not of the card
	MaxPIN       int    // big-endian at 116
	MinPIN       int    // big-endian at 120
	Hardware     string // 2 characters at 140
	Firmware     string // 2 characters at 142
}

// Availability is JPKI EF 0008: three bytes, free to read; 8F in the first one for the signature certificate, in the
// second one for the authentication certificate. A child under 15 has no signature certificate.
type Availability struct {
	Known bool // false when the card does not say; then nothing may be concluded
	Sign  bool
	Auth  bool
}

// Certificate is a certificate of the holder. DER is personal data: the signature certificate names the holder and
// its address, the authentication certificate is a lasting identifier.
type Certificate struct {
	DER *secret.Bytes
	Key *rsa.PublicKey // as the certificate says; nothing of the certificate is verified here
}

// Wipe wipes the certificate.
func (c *Certificate) Wipe() { c.DER.Wipe() }

// JPKISigned is what SignJPKI brings.
type JPKISigned struct {
	Signature    []byte      // 256 bytes, RSASSA-PKCS1-v1_5 with SHA-256; verified under Certificate
	Certificate  Certificate // EF 0001
	CA           []byte      // EF 0002 in DER; it comes from the same card and proves nothing by itself
	Token        TokenInfo
	Availability Availability
	Before       Tries // tries of the password before this VERIFY
}

// Wipe wipes the certificate.
func (s *JPKISigned) Wipe() { s.Certificate.Wipe() }

// SignOptions are the settings of SignJPKI and SignSigner.
type SignOptions struct {
	// LastTry confirms that the last try, or one of an unknown number, may be spent. Set it only after the holder
	// has been told and has agreed.
	LastTry bool
}

// Token reads the token information (JPKI EF 0006): SELECT and one READ. Errors: ErrKind, ErrNotFound, ErrMalformed,
// the transport's own.
func (c *Card) Token(ctx context.Context) (TokenInfo, error) {
	c.task = TaskJPKI
	if !c.speaks(appJPKI) {
		return TokenInfo{}, ErrKind
	}
	raw, err := c.readHead(ctx, fileToken, 160)
	if err != nil {
		return TokenInfo{}, err
	}
	return parseToken(raw)
}

// parseToken reads token information of 32 bytes or 160.
func parseToken(b []byte) (TokenInfo, error) {
	if len(b) < tokenSize {
		return TokenInfo{}, ErrMalformed
	}
	info := TokenInfo{Label: trimmed(b[:32])}
	if len(b) < 160 {
		return info, nil
	}
	info.Manufacturer, info.Model, info.Serial = trimmed(b[32:64]), trimmed(b[64:80]), trimmed(b[80:96])
	info.MaxPIN, info.MinPIN = int(binary.BigEndian.Uint32(b[116:])), int(binary.BigEndian.Uint32(b[120:]))
	info.Hardware, info.Firmware = trimmed(b[140:142]), trimmed(b[142:144])
	return info, nil
}

// Availability reads which certificates exist (JPKI EF 0008): SELECT and one READ. Errors as Token; a card without
// the file gives Known false.
func (c *Card) Availability(ctx context.Context) (Availability, error) {
	c.task = TaskJPKI
	if !c.speaks(appJPKI) {
		return Availability{}, ErrKind
	}
	raw, err := c.readHead(ctx, fileFlags, 3)
	if err != nil {
		if isStatus(err) || err == ErrMalformed { //nolint:errorlint // ours, never wrapped
			err = nil
		}
		return Availability{}, err
	}
	if len(raw) < 2 {
		return Availability{}, nil
	}
	return Availability{Known: true, Sign: raw[0] == 0x8F, Auth: raw[1] == 0x8F}, nil
}

// AuthCertificate reads the authentication certificate (JPKI EF 000A, about 1.6 kB of X.509 DER), which is free on
// a plastic card and ErrSecurity on a phone before its PIN. The certificate belongs to the caller. Errors: ErrKind,
// ErrSecurity, ErrNotFound, ErrMalformed (also a file of filler: no certificate), the transport's own.
func (c *Card) AuthCertificate(ctx context.Context) (Certificate, error) {
	c.task = TaskJPKI
	if !c.speaks(appJPKI) {
		return Certificate{}, ErrKind
	}
	return c.certificateOf(ctx, fileAuthCert)
}

// CACertificate reads the certificate of the issuing CA from the card (JPKI EF 0002 or 000B, 1301 to 1319 bytes on
// cards so far), free to read. It proves nothing by itself. Errors as AuthCertificate.
func (c *Card) CACertificate(ctx context.Context, use CertificateUse) ([]byte, error) {
	c.task = TaskJPKI
	if !c.speaks(appJPKI) {
		return nil, ErrKind
	}
	f := fileAuthCA
	if use == UseSign {
		f = fileSignCA
	}
	o, err := c.readObject(ctx, f)
	return o.Raw, err
}

// certificateOf reads a certificate of the holder and finds its key.
func (c *Card) certificateOf(ctx context.Context, f file) (Certificate, error) {
	o, err := c.readObject(ctx, f)
	if err != nil {
		return Certificate{}, err
	}
	parsed, err := x509.ParseCertificate(o.Raw)
	if err != nil {
		clear(o.Raw)
		return Certificate{}, ErrMalformed
	}
	key, ok := parsed.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() != c.profile.KeyBits {
		clear(o.Raw)
		return Certificate{}, ErrMalformed
	}
	return Certificate{DER: secret.New(o.Raw), Key: key}, nil
}

// SignJPKI signs a SHA-256 digest with the holder's signature key and brings the certificates, in eight commands
// with extended length: SELECT, token (32 bytes), flags (3 bytes), tries, VERIFY, signature, certificate, CA
// certificate. password and digest stay the caller's; one VERIFY, never repeated. The signature is a binding one:
// the exact document must have been shown to the holder.
//
// Before the VERIFY: ErrFormat, ErrAlgorithm (digest not 32 bytes), ErrKind, ErrNoCertificate, ErrBlocked,
// ErrLastTry, ErrMalformed. At it: AuthError, ErrBlocked, *VerifyUnknownError. After it: ErrMalformed, ErrSignature.
// Any time the transport's own.
func (c *Card) SignJPKI(ctx context.Context, password *secret.Bytes, digest []byte, opt SignOptions) (JPKISigned, error) {
	if err := CheckPassword(password); err != nil {
		return JPKISigned{}, err
	}
	if len(digest) != sha256.Size {
		return JPKISigned{}, ErrAlgorithm
	}
	out, err := c.openSign(ctx, password, opt)
	if err != nil {
		return JPKISigned{}, err
	}
	if out.Signature, err = c.signDigest(ctx, keySign, digest); err != nil {
		return JPKISigned{}, err
	}
	if out.Certificate, err = c.certificateOf(ctx, fileSignCert); err != nil {
		return JPKISigned{}, err
	}
	ca, err := c.readObject(ctx, fileSignCA)
	if err == nil {
		err = fits(out.Certificate.Key, digest, out.Signature)
	}
	if err != nil {
		out.Wipe()
		return JPKISigned{}, err
	}
	out.CA = ca.Raw
	return out, nil
}

// openSign makes the first five commands of SignJPKI.
func (c *Card) openSign(ctx context.Context, password *secret.Bytes, opt SignOptions) (out JPKISigned, err error) {
	c.task = TaskJPKI
	if !c.speaks(appJPKI) {
		return out, ErrKind
	}
	label, err := c.readHead(ctx, fileToken, tokenSize)
	if err != nil {
		return out, err
	}
	if out.Token, err = parseToken(label); err != nil {
		return out, err
	}
	if productOf(out.Token.Label) != c.identity.Product {
		return out, ErrMalformed // not the card that was identified
	}
	if out.Availability, err = c.Availability(ctx); err != nil {
		return out, err
	}
	if out.Availability.Known && !out.Availability.Sign {
		return out, ErrNoCertificate
	}
	if out.Before, err = c.Tries(ctx, RefSignPass); err != nil {
		return out, err
	}
	switch {
	case out.Before.Blocked():
		return out, ErrBlocked
	case (!out.Before.Known || out.Before.Left == 1) && !opt.LastTry:
		return out, ErrLastTry
	}
	if opt.LastTry {
		c.ConfirmLastTry(RefSignPass)
	}
	return out, c.enter(ctx, TaskJPKI, RefSignPass, password)
}
