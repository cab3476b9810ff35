package card

import (
	"context"
	"errors"

	"madoguchi/hardware/apdu"
	"madoguchi/internal/secret"
)

// Tries asks how many tries are left (VERIFY without data), which never costs one. Known is false when the card
// answers anything else than a counter, and for RefTextReserved, which is never touched. Errors: the transport's own,
// ErrKind.
func (c *Card) Tries(ctx context.Context, ref Ref) (Tries, error) {
	c.task = TaskTries
	entry, ok := c.profile.reference(ref)
	switch {
	case !ok || !c.speaks(entry.app):
		return Tries{}, ErrKind
	case ref == RefTextReserved:
		return Tries{}, nil
	}
	if found, err := c.has(ctx, entry.app); err != nil || !found {
		return Tries{}, err
	}
	query := apdu.Command{INS: 0x20, P2: 0x80 | entry.SFI}
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
	left := triesOf(resp)
	c.guard.left[ref] = left
	return left, nil
}

// triesOf reads the answer to a query.
func triesOf(resp apdu.Response) Tries {
	var auth apdu.AuthError
	switch err := resp.Err(); {
	case errors.As(err, &auth):
		return Tries{Left: auth.Left, Known: true}
	case errors.Is(err, apdu.ErrBlocked):
		return Tries{Known: true}
	}
	return Tries{}
}

// speaks tells whether cards of this kind have an application: all of them on a My Number Card, JPKI on a phone.
func (c *Card) speaks(a app) bool {
	return c.identity.Kind == KindMyNumber || c.identity.Kind == KindPhone && a == appJPKI
}

// enter checks the form of the value, the kind of card, and what is known of the tries, and verifies: one VERIFY,
// never repeated. Nothing is sent on ErrFormat, ErrKind, ErrLastTry, and on ErrBlocked when that was known before.
func (c *Card) enter(ctx context.Context, task Task, ref Ref, value *secret.Bytes) error {
	entry, ok := c.profile.reference(ref)
	if err := entry.Format.check(value); err != nil {
		return err // by the generation of this card; one without the reference takes no value at all
	}
	c.task = task
	if !ok || !c.speaks(entry.app) {
		return ErrKind
	}
	if err := c.guard.allows(ref); err != nil {
		return err
	}
	c.epoch++
	return c.verify(ctx, entry, value)
}

// verify sends the one VERIFY of a call. It is never repeated by machine.
func (c *Card) verify(ctx context.Context, entry ReferenceEntry, value *secret.Bytes) error {
	if err := c.selectApp(ctx, entry.app); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err // nothing was sent
	}
	c.opened = entry.app
	resp, err := c.send(ctx, apdu.Command{INS: 0x20, P2: 0x80 | entry.SFI, Data: value.Reveal()})
	if err != nil {
		c.guard.left[entry.Ref] = Tries{}
		return &VerifyUnknownError{Err: err}
	}
	return c.guard.answered(entry.Ref, resp.SW)
}
