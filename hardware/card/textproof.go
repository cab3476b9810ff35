package card

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"

	"madoguchi/hardware/tlv"
	"madoguchi/internal/secret"
)

// The objects of the signed records of 券面事項入力補助: 0003 { DF31 SHA-256 of the My Number file of 17 bytes, DF32
// SHA-256 of the attributes without their table, DF33 signature over both objects } and 0007 { DF51 the card's key,
// DF52 signature over it }.
const (
	tagNumberDigest    tlv.Tag = 0xDF31
	tagTextDigest      tlv.Tag = 0xDF32
	tagDigestSignature tlv.Tag = 0xDF33
	tagTextKey         tlv.Tag = 0xDF51
	tagTextKeySigned   tlv.Tag = 0xDF52

	tagOffsets tlv.Tag = 0xDF21
)

// ProvenAttributes are the four attributes with their proof.
type ProvenAttributes struct {
	Attributes   Attributes
	Authenticity Authenticity // Attributes, CardKey and NotACopy of 0408
}

// Wipe wipes the secrets.
func (p *ProvenAttributes) Wipe() { p.Attributes.Wipe() }

// ProvenAttributesByB reads the four attributes by 照合番号B and proves them, in seven commands: SELECT 0408, VERIFY,
// 0002, 0003, 0004, 0007, challenge. The My Number is not read; its digest in 0003, from which it could be computed,
// is wiped unread by anybody. Attributes that are not genuine are returned all the same, for staff to see. The
// records of 0408 do not name the card's key: that these attributes are of the card that answered the challenge takes
// the face as well, see Authenticity. Errors as AttributesByB.
func (c *Card) ProvenAttributesByB(ctx context.Context, b *secret.Bytes) (ProvenAttributes, error) {
	return c.provenAttributes(ctx, RefTextB, b)
}

// ProvenAttributesByPIN is ProvenAttributesByB by the 4-digit PIN.
func (c *Card) ProvenAttributesByPIN(ctx context.Context, pin *secret.Bytes) (ProvenAttributes, error) {
	return c.provenAttributes(ctx, RefTextPIN, pin)
}

func (c *Card) provenAttributes(ctx context.Context, ref Ref, value *secret.Bytes) (ProvenAttributes, error) {
	if err := c.enter(ctx, TaskAttributes, ref, value); err != nil {
		return ProvenAttributes{}, err
	}
	attributes, digest, err := c.readAttributes(ctx)
	if err != nil {
		return ProvenAttributes{}, err
	}
	out := ProvenAttributes{Attributes: attributes}
	if out.Authenticity, err = c.proveText(ctx, nil, digest); err != nil {
		out.Wipe()
		return ProvenAttributes{}, err
	}
	return out, nil
}

// readAttributes reads 0408/0002 and gives the digest that DF32 must hold.
func (c *Card) readAttributes(ctx context.Context) (Attributes, []byte, error) {
	file, err := c.readObject(ctx, fileAttributes)
	if err != nil {
		return Attributes{}, nil, err
	}
	defer clear(file.Raw)
	attributes, err := parseAttributes(file.Value)
	if err != nil {
		return Attributes{}, nil, err
	}
	signed := file.Value
	if first, err := tlv.First(signed); err == nil && first.Tag == tagOffsets {
		signed = signed[len(first.Raw):]
	}
	sum := sha256.Sum256(signed)
	return attributes, sum[:], nil
}

// proveText reads 0003, 0004 and 0007, in this order, and lets the card answer a challenge. A digest of nil was not
// read. Only a failure of the transport is an error. Without issuer keys nothing is read.
func (c *Card) proveText(ctx context.Context, numberDigest, textDigest []byte) (Authenticity, error) {
	auth := notRead()
	if len(c.opt.Trust) == 0 {
		auth.settle(unproven(ReasonNoKeys), numberDigest != nil, textDigest != nil)
		return auth, nil
	}
	record, err := c.readIntegrity(ctx)
	if err != nil {
		return notRead(), err
	}
	defer record.wipe()
	ch, err := c.readChain(ctx, fileTextCert)
	if err != nil {
		return notRead(), err
	}
	cardKey, err := c.readCardKey(ctx)
	if err != nil {
		return notRead(), err
	}
	auth.TextIssuer, auth.Virtual = ch.issuer, ch.virtual
	if !ch.state.Valid {
		auth.settle(ch.state, numberDigest != nil, textDigest != nil)
		return auth, nil
	}
	if numberDigest != nil {
		auth.MyNumber = record.judge(ch.municipality, record.number, numberDigest, ReasonNumberChanged)
	}
	if textDigest != nil {
		auth.Attributes = record.judge(ch.municipality, record.text, textDigest, ReasonAttributesChanged)
	}
	auth.CardKey = cardKey.judge(ch.municipality)
	auth.NotACopy = unproven(ReasonKeyNotProven)
	if auth.CardKey.Valid {
		if auth.NotACopy, err = c.challenge(ctx, keyText, cardKey.key); err != nil {
			return notRead(), err
		}
	}
	return auth, nil
}

// settle gives every field of 0408 that was read the state of a chain that does not hold.
func (a *Authenticity) settle(state FieldProof, number, text bool) {
	if number {
		a.MyNumber = state
	}
	if text {
		a.Attributes = state
	}
	a.CardKey, a.NotACopy = state, unproven(state.Reason)
}

// integrity is 0408/0003. number is the My Number in disguise (its unsalted digest).
type integrity struct {
	found                   bool
	number, text, signature []byte
	signed                  []byte // the two objects as stored
	raw                     []byte
}

func (r *integrity) wipe() {
	clear(r.raw)
	clear(r.signed)
}

// readIntegrity reads 0408/0003; a card that does not give it, or not in its form, is found = false.
func (c *Card) readIntegrity(ctx context.Context) (integrity, error) {
	set, file, err := c.readSet(ctx, fileIntegrity)
	if err != nil {
		if isRefusal(err) {
			err = nil
		}
		return integrity{}, err
	}
	f := fields{set: set}
	number, text, signature := f.object(tagNumberDigest), f.object(tagTextDigest), f.get(tagDigestSignature)
	if f.bad || len(number.Value) != sha256.Size || len(text.Value) != sha256.Size {
		clear(file.Raw)
		return integrity{}, nil
	}
	return integrity{
		found: true, number: number.Value, text: text.Value, signature: signature,
		signed: bytes.Join([][]byte{number.Raw, text.Raw}, nil), raw: file.Raw,
	}, nil
}

// judge compares one digest with the signed one.
func (r *integrity) judge(municipality *rsa.PublicKey, want, got []byte, changed string) FieldProof {
	switch {
	case !r.found:
		return unproven(ReasonRecordUnreadable)
	case !signed(municipality, r.signature, r.signed):
		return refuted(ReasonSignatureForged)
	}
	return judge(bytes.Equal(want, got), changed)
}

// signedKey is 0408/0007.
type signedKey struct {
	key               *rsa.PublicKey
	object, signature []byte
}

// readCardKey reads 0408/0007; a card that does not give it, or not in its form, leaves the key nil.
func (c *Card) readCardKey(ctx context.Context) (signedKey, error) {
	set, _, err := c.readSet(ctx, fileCardKey)
	if err != nil {
		if isRefusal(err) {
			err = nil
		}
		return signedKey{}, err
	}
	f := fields{set: set}
	object, signature := f.object(tagTextKey), f.get(tagTextKeySigned)
	key, err := parseKey(object.Value)
	if f.bad || err != nil {
		return signedKey{}, nil //nolint:nilerr // a malformed record is not checkable, which is a verdict
	}
	return signedKey{key: key, object: object.Raw, signature: signature}, nil
}

func (k signedKey) judge(municipality *rsa.PublicKey) FieldProof {
	if k.key == nil {
		return unproven(ReasonRecordUnreadable)
	}
	return judge(signed(municipality, k.signature, k.object), ReasonSignatureForged)
}
