package card

import (
	"context"
	"errors"

	"madoguchi/hardware/apdu"
	"madoguchi/internal/secret"
)

// place gives the application and the short EF id of a reference; appNone for an unknown one.
func (r Ref) place() (app, byte) {
	switch r {
	case RefTextPIN:
		return appText, 0x11
	case RefTextB:
		return appText, 0x15
	case RefFaceB:
		return appFace, 0x12
	case RefAuthPIN:
		return appJPKI, 0x18
	case RefSignPass:
		return appJPKI, 0x1B
	}
	return appNone, 0
}

// Tries asks how many tries are left (VERIFY without data), which never costs one. Known is false when the card
// answers anything else than a counter. Errors: the transport's own, ErrKind.
func (c *Card) Tries(ctx context.Context, ref Ref) (Tries, error) {
	c.task = TaskTries
	a, sfi := ref.place()
	phone := c.identity.Kind == KindPhone && a == appJPKI
	if a == appNone || c.identity.Kind != KindMyNumber && !phone {
		return Tries{}, ErrKind
	}
	if found, err := c.has(ctx, a); err != nil || !found {
		return Tries{}, err
	}
	query := apdu.Command{INS: 0x20, P2: 0x80 | sfi}
	if c.padQuery {
		query.Le = apdu.MaxShort
	}
	resp, err := c.send(ctx, query)
	if err == nil && !c.padQuery && errors.Is(resp.Err(), apdu.ErrLength) {
		// some readers cannot carry a command of four bytes; with Le it is still a query without data
		query.Le = apdu.MaxShort
		if resp, err = c.send(ctx, query); err == nil && !errors.Is(resp.Err(), apdu.ErrLength) {
			c.padQuery = true
		}
	}
	if err != nil {
		return Tries{}, err
	}
	var auth apdu.AuthError
	switch err := resp.Err(); {
	case errors.As(err, &auth):
		return Tries{Left: auth.Left, Known: true}, nil
	case errors.Is(err, apdu.ErrBlocked):
		return Tries{Known: true}, nil
	}
	return Tries{}, nil
}

// verify sends the one VERIFY of a call. It is never repeated by machine.
func (c *Card) verify(ctx context.Context, ref Ref, value *secret.Bytes) error {
	a, sfi := ref.place()
	if err := c.selectApp(ctx, a); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err // nothing was sent
	}
	resp, err := c.send(ctx, apdu.Command{INS: 0x20, P2: 0x80 | sfi, Data: value.Reveal()})
	if err != nil {
		return &VerifyUnknownError{Err: err}
	}
	err = resp.Err()
	if high := resp.SW >> 8; high == 0x6F || high == 0x65 || high == 0x64 {
		return &VerifyUnknownError{Err: err} // an execution error: the counter may have moved
	}
	return err
}

// CheckPIN tells whether a PIN has the form of the 4-digit PINs: four ASCII digits. Else ErrFormat.
func CheckPIN(pin *secret.Bytes) error {
	if b := pin.Reveal(); len(b) != 4 || !isDigits(b) {
		return ErrFormat
	}
	return nil
}

// CheckB tells whether a 照合番号B can be one: 14 ASCII digits, the birth date as printed on the card (two digits
// of the year, era or Western, then month and day), the Western year of expiry, and four digits of the security
// code. Month and day 00 pass, for holders whose birthday is not known. Nothing is converted or guessed. Else
// ErrFormat.
func CheckB(b *secret.Bytes) error {
	d := b.Reveal()
	if len(d) != 14 || !isDigits(d) {
		return ErrFormat
	}
	month, day, expiry := number(d[2:4]), number(d[4:6]), number(d[6:10])
	if month > 12 || day > 31 || expiry < 2016 || expiry > 2099 { // the first cards were issued in 2016
		return ErrFormat
	}
	return nil
}
