package card

import (
	"context"
	"crypto/sha256"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/tlv"
	"madoguchi/internal/secret"
)

// numberFileSize is the physical size of 0408/0001: FF 10 0C, 12 digits, FF FF. The signed digest covers all of it.
const numberFileSize = 17

// The tags of 0408/0001: that of real cards, and one that a public simulator uses.
const (
	tagNumber      tlv.Tag = 0xFF10
	tagNumberOther tlv.Tag = 0xDF10
)

// The objects of 0402/0005.
const (
	tagImage      tlv.Tag = 0xDF41
	tagImageKey   tlv.Tag = 0xDF42
	tagImageProof tlv.Tag = 0xDF43
)

// MyNumberByPIN reads the My Number (0408/0001, 17 bytes) by the 4-digit PIN, in three commands: one VERIFY, never
// repeated. Only for journeys with a legal basis for handling the number (番号法); never in a telecom profile. The
// number's check digit is verified; the caller wipes it. Errors as AttributesByB.
func (c *Card) MyNumberByPIN(ctx context.Context, pin *secret.Bytes) (*secret.Bytes, error) {
	return c.myNumberBy(ctx, RefTextPIN, pin)
}

// MyNumberByA reads the My Number by 照合番号A, which is the same number as typed by the holder: it shows that the
// card is the one of that number. Otherwise as MyNumberByPIN.
func (c *Card) MyNumberByA(ctx context.Context, a *secret.Bytes) (*secret.Bytes, error) {
	return c.myNumberBy(ctx, RefTextA, a)
}

func (c *Card) myNumberBy(ctx context.Context, ref Ref, value *secret.Bytes) (*secret.Bytes, error) {
	if err := c.enter(ctx, TaskNumber, ref, value); err != nil {
		return nil, err
	}
	number, digest, err := c.readNumber(ctx)
	clear(digest)
	return number, err
}

// readNumber reads 0408/0001 and gives the digest that DF31 must hold. The digest is the My Number in disguise: the
// caller clears it.
func (c *Card) readNumber(ctx context.Context) (number *secret.Bytes, digest []byte, err error) {
	raw, err := c.readHead(ctx, fileNumber, apdu.MaxShort)
	if err != nil {
		return nil, nil, err
	}
	defer clear(raw)
	object, err := tlv.First(raw)
	if err != nil || object.Tag != tagNumber && object.Tag != tagNumberOther {
		return nil, nil, ErrMalformed
	}
	number = secret.Copy(object.Value)
	if CheckMyNumber(number) != nil {
		number.Wipe()
		return nil, nil, ErrMalformed
	}
	sum := sha256.Sum256(raw[:min(len(raw), numberFileSize)])
	return number, sum[:], nil
}

// NumberImage is 0402/0005: the printed My Number as a PNG of one bit (72 x 12 pixels on one card). It is the My
// Number in disguise and falls under the same rules.
type NumberImage struct {
	Image        *secret.Bytes
	Authenticity Authenticity // MyNumber, CardKey and NotACopy
}

// Wipe wipes the image.
func (n *NumberImage) Wipe() { n.Image.Wipe() }

// MyNumberImageByA reads the image of the My Number (0402/0005: DF41 image, DF42 the card's key, DF43 signature over
// both) by 照合番号A, the only reference that opens it: three commands, one VERIFY, never repeated; two more for the
// proof with issuer keys. Errors as AttributesByB.
func (c *Card) MyNumberImageByA(ctx context.Context, a *secret.Bytes) (NumberImage, error) {
	if err := c.enter(ctx, TaskNumber, RefFaceA, a); err != nil {
		return NumberImage{}, err
	}
	set, file, err := c.readSet(ctx, fileNumberImage)
	if err != nil {
		return NumberImage{}, err
	}
	defer clear(file.Raw)
	f := fields{set: set}
	image, key, signature := f.object(tagImage), f.object(tagImageKey), f.get(tagImageProof)
	if f.bad || len(image.Value) == 0 {
		return NumberImage{}, ErrMalformed
	}
	out := NumberImage{Image: secret.Copy(image.Value)}
	state, err := c.proveRecord(ctx, surfaceRecord{parts: [][]byte{image.Raw, key.Raw}, key: key.Value, signature: signature}, ReasonSignatureForged)
	if err != nil {
		out.Wipe()
		return NumberImage{}, err
	}
	out.Authenticity = state.authenticity
	out.Authenticity.MyNumber = state.record
	return out, nil
}
