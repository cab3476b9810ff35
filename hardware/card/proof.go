package card

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/big"

	"madoguchi/hardware/tlv"
)

// IssuerKey is one key of the card issuer (J-LIS, or the virtual issuer) for 券面事項確認 (0402) or 券面事項入力補助
// (0408), which have different ones. KeyID are the 16 bytes by
// which card-verifiable certificates name it.
type IssuerKey struct {
	KeyID []byte
	Key   *rsa.PublicKey
}

// The reasons of a Proof that is not Genuine; stable codes.
const (
	ReasonNoKeys                       = "no-issuer-keys"
	ReasonIssuerUnknown                = "issuer-unknown"
	ReasonIssuerUnreadable             = "issuer-unreadable"
	ReasonCertificateForged            = "certificate-forged"
	ReasonSignatureForged              = "signature-forged"
	ReasonAttributesChanged            = "attributes-changed"
	ReasonTextImagesChanged            = "text-images-changed"
	ReasonPhotoChanged                 = "photo-changed"
	ReasonChallengeRefused             = "challenge-refused"
	ReasonChallengeFailed              = "challenge-failed"
	ReasonNotRead                      = "not-read"              // the record was not read
	ReasonRecordUnreadable             = "record-unreadable"     // the signed record is missing or malformed
	ReasonKeyNotProven                 = "card-key-not-proven"   // no challenge without a proven key
	ReasonNumberChanged                = "my-number-changed"     // the signature holds for another number
	ReasonApplicationsDisagree         = "applications-disagree" // birth or sex differ between 0402 and 0408
	challengeSize                      = 32
	keyIDSize                          = 16
	tagCertBody                tlv.Tag = 0x5F4E
	tagCertSignature           tlv.Tag = 0x5F37
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

// proveFront checks the chain issuer key, municipality key, signature of the front, and lets the card sign a fresh
// challenge with the key that the front names. Only a failure of the transport is an error.
func (c *Card) proveFront(ctx context.Context, front signedFront) (Proof, Authenticity, error) {
	auth := notRead()
	all := func(p FieldProof) {
		auth.NameImage, auth.AddressImage, auth.Face, auth.Birth, auth.CardKey = p, p, p, p, p
		auth.NotACopy = unproven(p.Reason)
	}
	ch, err := c.readChain(ctx, fileFaceCert)
	if err != nil {
		return Proof{}, auth, err
	}
	auth.SurfaceIssuer, auth.Virtual = ch.issuer, ch.virtual
	proof := Proof{Issuer: ch.issuer, Virtual: ch.virtual, Reason: ch.state.Reason}
	if !ch.state.Valid {
		all(ch.state)
		proof.Verdict = ch.verdict()
		return proof, auth, nil
	}
	groups := checkGroups(ch.municipality, front)
	auth.Birth = judge(groups.ok[0], groups.reasonOf(0, ReasonAttributesChanged))
	auth.CardKey = auth.Birth
	auth.NameImage = judge(groups.ok[1], groups.reasonOf(1, ReasonTextImagesChanged))
	auth.AddressImage = auth.NameImage
	auth.Face = judge(groups.ok[2], groups.reasonOf(2, ReasonPhotoChanged))
	auth.NotACopy = unproven(ReasonKeyNotProven)
	cardKey, keyErr := parseKey(front.key)
	switch {
	case !auth.CardKey.Valid:
	case keyErr != nil: // signed all right, but of a kind that this generation does not have
		auth.CardKey = unproven(ReasonRecordUnreadable)
	default: // also beside a changed photo: it tells a changed file from a changed chip
		if auth.NotACopy, err = c.challenge(ctx, keyFace, cardKey); err != nil {
			return Proof{}, notRead(), err
		}
	}
	switch {
	case groups.reason != "":
		proof.Verdict, proof.Reason = Forged, groups.reason
	case keyErr != nil:
		proof.Verdict, proof.Reason = NotCheckable, ReasonRecordUnreadable
	default:
		proof.Verdict, proof.Reason = verdictOf(auth.NotACopy), auth.NotACopy.Reason
	}
	return proof, auth, nil
}

// verdictOf is the Genuineness of one FieldProof.
func verdictOf(p FieldProof) Genuineness {
	switch {
	case p.Valid:
		return Genuine
	case p.Checked:
		return Forged
	case p.Reason == ReasonNoKeys:
		return NotChecked
	}
	return NotCheckable
}

// chain is the upper part of the proof: who certified the municipality's key.
type chain struct {
	municipality *rsa.PublicKey // nil unless state is valid
	issuer       string         // key id in hex
	virtual      bool
	state        FieldProof
}

func (ch chain) verdict() Genuineness { return verdictOf(ch.state) }

// readChain reads a card-verifiable certificate and verifies it under the issuer key that it names. Without issuer
// keys nothing is read. Only a failure of the transport is an error.
func (c *Card) readChain(ctx context.Context, f file) (chain, error) {
	if len(c.opt.Trust) == 0 {
		return chain{state: unproven(ReasonNoKeys)}, nil
	}
	cert, err := c.readCertificate(ctx, f)
	if err != nil {
		if isRefusal(err) {
			return chain{state: unproven(ReasonIssuerUnreadable)}, nil
		}
		return chain{}, err
	}
	ch := chain{issuer: hex.EncodeToString(cert.issuer), virtual: cert.issuer[0] == '9'}
	municipality, keyErr := parseKey(cert.key)
	if keyErr != nil {
		municipality = nil
	}
	if ch.state = c.checkCertificate(cert, municipality); ch.state.Valid {
		ch.municipality = municipality
	}
	return ch, nil
}

// isRefusal tells a file that the card does not give, or not in its form, from a failure of the transport.
func isRefusal(err error) bool { return isStatus(err) || errors.Is(err, ErrMalformed) }

// signed verifies a signature over the parts, with SHA-256 and PKCS #1 v1.5.
func signed(key *rsa.PublicKey, signature []byte, parts ...[]byte) bool {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, h.Sum(nil), signature) == nil
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

// readCertificate reads EF 0004: 7F21 { 5F4E { issuer id 16, subject id 16, key }, 5F37 signature }. It is read once
// in a session, so that looking at the issuer before a credential is sent costs the proof nothing.
func (c *Card) readCertificate(ctx context.Context, file file) (certificate, error) {
	if kept, ok := c.certs[file]; ok {
		e, _ := c.profile.entry(file)
		return kept, c.selectApp(ctx, e.app) // the challenge that follows goes to this application
	}
	set, _, err := c.readSet(ctx, file)
	if err != nil {
		return certificate{}, err
	}
	f := fields{set: set}
	body, signature := f.get(tagCertBody), f.get(tagCertSignature)
	if f.bad || len(body) <= 2*keyIDSize {
		return certificate{}, ErrMalformed
	}
	cert := certificate{issuer: body[:keyIDSize], body: body, key: body[2*keyIDSize:], signature: signature}
	c.certs[file] = cert
	return cert, nil
}

// groupCheck is what the signature of the front says of its three groups; reason is empty when it holds.
type groupCheck struct {
	ok     [3]bool
	reason string
}

// reasonOf is the reason of one group that is not ok: the specific one when the signature is the municipality's.
func (g groupCheck) reasonOf(group int, specific string) string {
	if g.ok[group] || g.reason != ReasonSignatureForged {
		return specific
	}
	return g.reason
}

// checkGroups verifies the three-digest signature. When it does not hold, the digests in it are compared one by
// one: if it is one of the municipality's, it holds those of the original, and the groups that match them are
// still proven.
func checkGroups(municipality *rsa.PublicKey, front signedFront) groupCheck {
	digests := front.digests()
	if rsa.VerifyPKCS1v15(municipality, 0, append(digestInfo(len(digests)), digests...), front.signature) == nil {
		return groupCheck{ok: [3]bool{true, true, true}}
	}
	out := groupCheck{reason: ReasonSignatureForged}
	original, found := recoverDigests(municipality, front.signature, len(digests))
	if !found {
		return out
	}
	for i, reason := range []string{ReasonAttributesChanged, ReasonTextImagesChanged, ReasonPhotoChanged} {
		part := i * sha256.Size
		out.ok[i] = bytes.Equal(original[part:part+sha256.Size], digests[part:part+sha256.Size])
		if !out.ok[i] && out.reason == ReasonSignatureForged {
			out.reason = reason
		}
	}
	return out
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

// recoverDigests opens a PKCS #1 v1.5 signature with the public key and gives the size bytes of digests in it, when
// every other byte is as it must be (RFC 8017, 8.2.2 and 9.2).
func recoverDigests(key *rsa.PublicKey, signature []byte, size int) ([]byte, bool) {
	head := digestInfo(size)
	s := new(big.Int).SetBytes(signature)
	if len(signature) != key.Size() || s.Cmp(key.N) >= 0 {
		return nil, false
	}
	padded := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	fill := len(padded) - 3 - len(head) - size
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, fill)...)
	want = append(append(want, 0), head...)
	return bytes.CutPrefix(padded, want)
}

// challenge lets the card sign 32 fresh random bytes with its own key, which needs no PIN. A copy of a card's
// files cannot do that.
func (c *Card) challenge(ctx context.Context, k key, public *rsa.PublicKey) (FieldProof, error) {
	random := make([]byte, challengeSize)
	if _, err := io.ReadFull(c.opt.Rand, random); err != nil {
		return FieldProof{}, err
	}
	sum := sha256.Sum256(random)
	signature, refused, err := c.signChallenge(ctx, k, sum[:])
	switch {
	case err != nil:
		return FieldProof{}, err
	case refused:
		return unproven(ReasonChallengeRefused), nil
	}
	return judge(rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil, ReasonChallengeFailed), nil
}
