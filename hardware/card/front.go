package card

import (
	"context"

	"madoguchi/hardware/tlv"
	"madoguchi/internal/secret"
)

// The objects of 券面事項確認 EF 0002. DF22 to DF27 are signed by DF28; DF29 and DF2A are not.
const (
	tagBirth     tlv.Tag = 0xDF22
	tagSex       tlv.Tag = 0xDF23
	tagCardKey   tlv.Tag = 0xDF24
	tagName      tlv.Tag = 0xDF25
	tagAddress   tlv.Tag = 0xDF26
	tagFace      tlv.Tag = 0xDF27
	tagSignature tlv.Tag = 0xDF28
	tagExpiry    tlv.Tag = 0xDF29
	tagCode      tlv.Tag = 0xDF2A
)

// FrontByB reads the face of the card (0402/0002) by 照合番号B, and proves it when there are issuer keys: one VERIFY,
// never repeated; three commands with extended length and at most two for the proof. b stays the caller's. Front.Proof
// holds the verdict; a front that is not genuine is returned all the same, for staff to see. Errors as AttributesByB;
// when the card is lost during the proof nothing is returned.
//
// The number goes to a card that has not yet shown that it is no copy, and it cannot be otherwise: the key for the
// challenge lies in the file that the number opens, and no other record that names it is free to read. What can be
// known before is the issuer, by SurfaceCertificate, which costs no command more: the proof does not read it again.
func (c *Card) FrontByB(ctx context.Context, b *secret.Bytes) (Front, error) {
	return c.frontBy(ctx, RefFaceB, b)
}

// FrontByA is FrontByB by 照合番号A, which is the My Number: only where its handling has a legal basis (番号法). Its
// check digit is verified before anything is sent.
func (c *Card) FrontByA(ctx context.Context, a *secret.Bytes) (Front, error) {
	return c.frontBy(ctx, RefFaceA, a)
}

func (c *Card) frontBy(ctx context.Context, ref Ref, value *secret.Bytes) (Front, error) {
	if err := c.enter(ctx, TaskFront, ref, value); err != nil {
		return Front{}, err
	}
	return c.readFront(ctx)
}

// readFront reads and proves the front after a VERIFY.
func (c *Card) readFront(ctx context.Context) (Front, error) {
	file, err := c.readObject(ctx, fileFront)
	if err != nil {
		return Front{}, err
	}
	defer clear(file.Raw)
	front, signed, err := parseFront(file.Value)
	if err != nil {
		return Front{}, err
	}
	task := c.task
	if task == TaskFront {
		c.task = TaskProof
	}
	if front.Proof, front.Authenticity, err = c.proveFront(ctx, signed); err != nil {
		front.Wipe()
		return Front{}, err
	}
	c.task = task
	return front, nil
}

// parseFront reads the value of the file and gives the signed groups beside it.
func parseFront(value []byte) (Front, signedFront, error) {
	set, err := tlv.Children(value)
	if err != nil {
		return Front{}, signedFront{}, ErrMalformed
	}
	f := fields{set: set}
	birth, sex, key := f.object(tagBirth), f.object(tagSex), f.object(tagCardKey)
	name, address, face := f.object(tagName), f.object(tagAddress), f.object(tagFace)
	signature, code := f.get(tagSignature), f.get(tagCode)
	expiry, err := parseDate(f.get(tagExpiry))
	if f.bad || err != nil || !isBirth(birth.Value) || !isSex(sex.Value) || len(face.Value) == 0 {
		return Front{}, signedFront{}, ErrMalformed
	}
	signed := signedFront{
		groups: [3][][]byte{{birth.Raw, sex.Raw, key.Raw}, {name.Raw, address.Raw}, {face.Raw}},
		key:    key.Value, signature: signature,
	}
	return Front{
		Birth: secret.Copy(birth.Value), Sex: secret.Copy(sex.Value),
		NameImage: secret.Copy(name.Value), AddressImage: secret.Copy(address.Value),
		Face: secret.Copy(face.Value), SecurityCodeImage: secret.Copy(code), Expiry: expiry,
	}, signed, nil
}
