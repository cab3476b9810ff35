package card

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/big"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/tlv"
)

// IssuerKey is one key of the card issuer (J-LIS, or the virtual issuer) for 券面事項確認. KeyID are the 16 bytes by
// which card-verifiable certificates name it.
type IssuerKey struct {
	KeyID []byte
	Key   *rsa.PublicKey
}

// The reasons of a Proof that is not Genuine; stable codes.
const (
	ReasonNoKeys                    = "no-issuer-keys"
	ReasonIssuerUnknown             = "issuer-unknown"
	ReasonIssuerUnreadable          = "issuer-unreadable"
	ReasonCertificateForged         = "certificate-forged"
	ReasonSignatureForged           = "signature-forged"
	ReasonAttributesChanged         = "attributes-changed"
	ReasonTextImagesChanged         = "text-images-changed"
	ReasonPhotoChanged              = "photo-changed"
	ReasonChallengeRefused          = "challenge-refused"
	ReasonChallengeFailed           = "challenge-failed"
	challengeSize                   = 32
	keyIDSize                       = 16
	tagCert                 tlv.Tag = 0x7F21
	tagCertBody             tlv.Tag = 0x5F4E
	tagCertSignature        tlv.Tag = 0x5F37
)

// digestInfo is the DER head of a DigestInfo for SHA-256 with an OCTET STRING of n bytes (RFC 8017, 9.2). The
// card's face is signed with n = 96: three digests under the OID of one.
func digestInfo(n int) []byte {
	return []byte{
		0x30, byte(17 + n), 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
		0x05, 0x00, 0x04, byte(n),
	}
}

// signedFront are the signed parts of the front, objects as stored, in the three groups of the signature.
type signedFront struct {
	groups         [3][][]byte
	key, signature []byte
}

// digests are the SHA-256 digests of the three groups, one after the other.
func (s signedFront) digests() []byte {
	var out []byte
	for _, group := range s.groups {
		h := sha256.New()
		for _, object := range group {
			h.Write(object)
		}
		out = h.Sum(out)
	}
	return out
}

// prove checks the chain issuer key, municipality key, signature of the front, and lets the card sign a fresh
// challenge with the key that the front names. Only a failure of the transport is an error.
func (c *Card) prove(ctx context.Context, front signedFront) (Proof, error) {
	if len(c.opt.Trust) == 0 {
		return Proof{Verdict: NotChecked, Reason: ReasonNoKeys}, nil
	}
	cert, err := c.readCertificate(ctx)
	if err != nil {
		if isStatus(err) || err == ErrMalformed { //nolint:errorlint // ours, never wrapped
			return Proof{Verdict: NotCheckable, Reason: ReasonIssuerUnreadable}, nil
		}
		return Proof{}, err
	}
	proof := Proof{Issuer: hex.EncodeToString(cert.issuer), Virtual: cert.issuer[0] == '9'}
	issuer := c.issuerKey(cert.issuer)
	if issuer == nil {
		proof.Verdict, proof.Reason = NotCheckable, ReasonIssuerUnknown
		return proof, nil
	}
	cardKey, reason := checkChain(issuer, cert, front)
	if reason != "" {
		proof.Verdict, proof.Reason = Forged, reason
		return proof, nil
	}
	proof.Verdict, proof.Reason, err = c.challenge(ctx, cardKey)
	return proof, err
}

// issuerKey finds the key by all 16 bytes of its id.
func (c *Card) issuerKey(id []byte) *rsa.PublicKey {
	for _, k := range c.opt.Trust {
		if k.Key != nil && len(k.KeyID) == keyIDSize && bytes.Equal(k.KeyID, id) {
			return k.Key
		}
	}
	return nil
}

// certificate is the card-verifiable certificate of the municipality's key.
type certificate struct {
	issuer, body, key, signature []byte
}

// readCertificate reads EF 0004: 7F21 { 5F4E { issuer id 16, subject id 16, key }, 5F37 signature }.
func (c *Card) readCertificate(ctx context.Context) (certificate, error) {
	file, err := c.readTLV(ctx, efIssuer, tagCert)
	if err != nil {
		return certificate{}, err
	}
	set, err := tlv.Children(file.Value)
	if err != nil {
		return certificate{}, ErrMalformed
	}
	f := fields{set: set}
	body, signature := f.get(tagCertBody), f.get(tagCertSignature)
	if f.bad || len(body) <= 2*keyIDSize {
		return certificate{}, ErrMalformed
	}
	return certificate{issuer: body[:keyIDSize], body: body, key: body[2*keyIDSize:], signature: signature}, nil
}

// checkChain verifies certificate and front and gives the card's own key, or the reason why not.
func checkChain(issuer *rsa.PublicKey, cert certificate, front signedFront) (*rsa.PublicKey, string) {
	sum := sha256.Sum256(cert.body)
	if rsa.VerifyPKCS1v15(issuer, crypto.SHA256, sum[:], cert.signature) != nil {
		return nil, ReasonCertificateForged
	}
	municipality, err := parseKey(cert.key)
	if err != nil {
		return nil, ReasonCertificateForged
	}
	digests := front.digests()
	if rsa.VerifyPKCS1v15(municipality, 0, append(digestInfo(len(digests)), digests...), front.signature) != nil {
		return nil, changedGroup(municipality, front.signature, digests)
	}
	cardKey, err := parseKey(front.key)
	if err != nil {
		return nil, ReasonSignatureForged
	}
	return cardKey, ""
}

// parseKey reads an RSA public key: 90 exponent, 91 modulus. Only 2048 bits with exponent 65537 are accepted.
func parseKey(b []byte) (*rsa.PublicKey, error) {
	set, err := tlv.Children(b)
	if err != nil {
		return nil, ErrMalformed
	}
	f := fields{set: set}
	e, n := f.get(0x90), new(big.Int).SetBytes(f.get(0x91))
	if f.bad || n.BitLen() != 2048 || new(big.Int).SetBytes(e).Cmp(big.NewInt(65537)) != 0 {
		return nil, ErrMalformed
	}
	return &rsa.PublicKey{N: n, E: 65537}, nil
}

// changedGroup finds out for staff what was changed on a front whose signature does not hold: when the signature
// is one of the municipality's, it holds the digests of the original. It decides nothing.
func changedGroup(key *rsa.PublicKey, signature, digests []byte) string {
	head := digestInfo(len(digests))
	s := new(big.Int).SetBytes(signature)
	if len(signature) != key.Size() || s.Cmp(key.N) >= 0 {
		return ReasonSignatureForged
	}
	padded := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	fill := len(padded) - 3 - len(head) - len(digests)
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, fill)...)
	want = append(append(want, 0), head...)
	original, found := bytes.CutPrefix(padded, want)
	if !found {
		return ReasonSignatureForged
	}
	for i, reason := range []string{ReasonAttributesChanged, ReasonTextImagesChanged, ReasonPhotoChanged} {
		if part := i * sha256.Size; !bytes.Equal(original[part:part+sha256.Size], digests[part:part+sha256.Size]) {
			return reason
		}
	}
	return ReasonSignatureForged
}

// challenge lets the card sign 32 fresh random bytes with its own key, which needs no PIN. A copy of a card's
// files cannot do that.
func (c *Card) challenge(ctx context.Context, key *rsa.PublicKey) (Genuineness, string, error) {
	random := make([]byte, challengeSize)
	if _, err := io.ReadFull(c.opt.Rand, random); err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(random)
	resp, err := c.send(ctx, apdu.Command{
		CLA: 0x80, INS: 0x2A, Data: append(digestInfo(len(sum)), sum[:]...), Le: apdu.MaxShort,
	})
	if err != nil {
		return "", "", err
	}
	if resp.SW != apdu.OK {
		return NotCheckable, ReasonChallengeRefused, nil
	}
	if signed := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], resp.Data) == nil; !signed {
		return Forged, ReasonChallengeFailed, nil
	}
	return Genuine, "", nil
}
