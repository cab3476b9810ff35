package card

import (
	"bytes"
	"context"
	"unicode/utf8"

	"madoguchi/hardware/tlv"
	"madoguchi/internal/secret"
)

// The objects of 券面事項入力補助 EF 0002.
const (
	tagTextName  tlv.Tag = 0xDF22
	tagTextAddr  tlv.Tag = 0xDF23
	tagTextBirth tlv.Tag = 0xDF24
	tagTextSex   tlv.Tag = 0xDF25
)

// AttributesByB reads the four attributes (0408/0002) by 照合番号B: one VERIFY, never repeated; three commands. b
// stays the caller's.
//
// Nothing is proven. ProvenAttributesByB does it with four commands more (0003, 0004, 0007, a challenge), and they do
// not fit into the fourteen of a whole reading by 照合番号B with the proven face: identification 4, tries 2, issuer 1,
// face 3 with its challenge, attributes 3, end 1. Such a reading has the proven images of name and address, and
// Authenticity.Compare for birth and sex.
//
// Errors: ErrFormat, ErrKind, AuthError, ErrBlocked, ErrLastTry (see ConfirmLastTry), *VerifyUnknownError,
// *ExtendedError, ErrMalformed, the transport's own.
func (c *Card) AttributesByB(ctx context.Context, b *secret.Bytes) (Attributes, error) {
	return c.attributes(ctx, RefTextB, b)
}

// AttributesByPIN reads the four attributes by the 4-digit PIN: one VERIFY, never repeated. pin stays the
// caller's. Errors as AttributesByB.
func (c *Card) AttributesByPIN(ctx context.Context, pin *secret.Bytes) (Attributes, error) {
	return c.attributes(ctx, RefTextPIN, pin)
}

func (c *Card) attributes(ctx context.Context, ref Ref, value *secret.Bytes) (Attributes, error) {
	if err := c.enter(ctx, TaskAttributes, ref, value); err != nil {
		return Attributes{}, err
	}
	file, err := c.readObject(ctx, fileAttributes)
	if err != nil {
		return Attributes{}, err
	}
	defer clear(file.Raw)
	return parseAttributes(file.Value)
}

// parseAttributes reads the value of the attributes file. Its offset table (DF21) is ignored: the objects are
// found by walking.
func parseAttributes(value []byte) (Attributes, error) {
	set, err := tlv.Children(value)
	if err != nil {
		return Attributes{}, ErrMalformed
	}
	f := fields{set: set}
	name, address := f.get(tagTextName), f.get(tagTextAddr)
	birth, sex := f.get(tagTextBirth), f.get(tagTextSex)
	if f.bad || !isText(name) || !isText(address) || !isBirth(birth) || !isSex(sex) {
		return Attributes{}, ErrMalformed
	}
	return Attributes{
		Name: secret.Copy(name), Address: secret.Copy(address),
		Birth: secret.Copy(birth), Sex: secret.Copy(sex),
	}, nil
}

// fields takes mandatory objects out of a set and remembers whether one was missing.
type fields struct {
	set tlv.Set
	bad bool
}

func (f *fields) object(tag tlv.Tag) tlv.Object {
	o, err := f.set.Get(tag)
	if err != nil {
		f.bad = true
	}
	return o
}

func (f *fields) get(tag tlv.Tag) []byte { return f.object(tag).Value }

// isText tells whether b is text without control characters.
func isText(b []byte) bool {
	return len(b) > 0 && utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r < 0x20 || r == 0x7F })
}

// isBirth accepts any eight digits: the birthday of some holders is not known in full.
func isBirth(b []byte) bool { return len(b) == 8 && isDigits(b) }

func isSex(b []byte) bool { return len(b) == 1 && isDigits(b) }
