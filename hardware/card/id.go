package card

import (
	"bytes"
	"context"
	"errors"

	"madoguchi/internal/secret"
)

// IDOptions are the settings of AuthenticatedID.
type IDOptions struct {
	// KeepMyNumber gives the My Number to the caller, who wipes it. Only for the collection of My Numbers, a journey
	// of its own with a legal basis; otherwise it is wiped inside as soon as it has opened the face.
	KeepMyNumber bool
}

// ID is everything that the 4-digit PIN opens, proven.
type ID struct {
	Attributes   Attributes
	Front        Front
	MyNumber     *secret.Bytes // nil unless IDOptions.KeepMyNumber
	Authenticity Authenticity  // both applications together
}

// Wipe wipes the secrets.
func (id *ID) Wipe() {
	id.Attributes.Wipe()
	id.Front.Wipe()
	id.MyNumber.Wipe()
}

// AuthenticatedID reads the card by the 4-digit PIN in thirteen commands with extended length: SELECT 0408, VERIFY
// 0011, 0001, 0002, 0003, 0004, 0007, challenge; SELECT 0402, VERIFY 0013, 0002, 0004, challenge. Two VERIFYs, none
// repeated: the PIN, and 照合番号A, which is the My Number that the card itself has just given and whose check digit
// holds. pin stays the caller's.
//
// It handles the My Number, if only for a moment: the operator needs a legal basis (番号法). FrontByB does not.
// Without issuer keys the proofs are left out. Data that are not genuine are returned all the same, for staff to see.
//
// Errors as AttributesByB, and *NumberRefusedError at the second VERIFY; with any error nothing is returned.
func (c *Card) AuthenticatedID(ctx context.Context, pin *secret.Bytes, opt IDOptions) (out ID, err error) {
	if err := c.enter(ctx, TaskID, RefTextPIN, pin); err != nil {
		return ID{}, err
	}
	number, numberDigest, err := c.readNumber(ctx)
	if err != nil {
		return ID{}, err
	}
	defer func() {
		clear(numberDigest)
		if err != nil {
			out.Wipe()
			out = ID{}
		}
		if err != nil || !opt.KeepMyNumber {
			number.Wipe()
		}
	}()
	var textDigest []byte
	if out.Attributes, textDigest, err = c.readAttributes(ctx); err != nil {
		return out, err
	}
	text, err := c.proveText(ctx, numberDigest, textDigest)
	if err != nil {
		return out, err
	}
	c.ConfirmLastTry(RefFaceA) // the card's own number, not somebody's typing
	if err = c.enter(ctx, TaskID, RefFaceA, number); err != nil {
		return out, ownNumber(err)
	}
	if out.Front, err = c.readFront(ctx); err != nil {
		return out, err
	}
	out.Authenticity = merge(text, out.Front.Authenticity)
	out.Authenticity.Compare(&out.Attributes, &out.Front)
	if opt.KeepMyNumber {
		out.MyNumber = number
	}
	return out, nil
}

// ownNumber makes the refusal of 照合番号A distinct from that of the PIN.
func ownNumber(err error) error {
	var wrong AuthError
	blocked := errors.Is(err, ErrBlocked)
	if blocked || errors.As(err, &wrong) {
		return &NumberRefusedError{Blocked: blocked}
	}
	return err
}

// Agree tells whether birth and sex, which both applications hold, are the same in both.
func (a *Attributes) Agree(f *Front) bool {
	return bytes.Equal(a.Birth.Reveal(), f.Birth.Reveal()) && bytes.Equal(a.Sex.Reveal(), f.Sex.Reveal())
}

// Compare refutes attributes that are not those of the face file, when either of them is proven: each may be genuine
// by itself, and attributes that contradict what is proven are not unproven but wrong.
func (a *Authenticity) Compare(text *Attributes, front *Front) {
	if (a.Attributes.Valid || a.Birth.Valid) && !text.Agree(front) {
		a.Attributes = refuted(ReasonApplicationsDisagree)
	}
}
