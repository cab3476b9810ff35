package card

import (
	"context"
	"errors"

	"madoguchi/hardware/apdu"
	"madoguchi/internal/secret"
)

// Tries asks how many tries are left (VERIFY without data), which never costs one. Known is false when the card
// answers anything else than a counter. Errors: the transport's own, ErrKind.
func (c *Card) Tries(ctx context.Context, ref Ref) (Tries, error) {
	c.task = TaskTries
	entry, ok := c.profile.reference(ref)
	if !ok || !c.speaks(entry.app) {
		return Tries{}, ErrKind
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
	var auth apdu.AuthError
	switch err := resp.Err(); {
	case errors.As(err, &auth):
		return Tries{Left: auth.Left, Known: true}, nil
	case errors.Is(err, apdu.ErrBlocked):
		return Tries{Known: true}, nil
	}
	return Tries{}, nil
}

// speaks tells whether cards of this kind have an application: all of them on a My Number Card, JPKI on a phone.
func (c *Card) speaks(a app) bool {
	return c.identity.Kind == KindMyNumber || c.identity.Kind == KindPhone && a == appJPKI
}

// enter checks the form of the value, notes the task and the kind of card, and verifies: one VERIFY, never
// repeated. Nothing is sent on ErrFormat and ErrKind.
func (c *Card) enter(ctx context.Context, task Task, ref Ref, value *secret.Bytes) error {
	entry, ok := c.profile.reference(ref)
	if err := entry.Format.check(value); err != nil {
		return err // by the generation of this card; one without the reference takes no value at all
	}
	c.task = task
	if !ok || !c.speaks(entry.app) {
		return ErrKind
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
		return &VerifyUnknownError{Err: err}
	}
	err = resp.Err()
	if high := resp.SW >> 8; high == 0x6F || high == 0x65 || high == 0x64 {
		return &VerifyUnknownError{Err: err} // an execution error: the counter may have moved
	}
	return err
}
