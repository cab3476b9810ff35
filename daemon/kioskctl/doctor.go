package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"madoguchi/daemon/doctor"
	"madoguchi/hardware/card"
	"madoguchi/hardware/pcsc"
	"madoguchi/hardware/reader"
)

// diagnosis prints findings and keeps the worst.
type diagnosis struct {
	out   io.Writer
	worst error
}

func (d *diagnosis) good(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, "ok    "+format+"\n", args...)
}

func (d *diagnosis) note(text string) { _, _ = fmt.Fprintln(d.out, "note  "+text) }

// bad says what is wrong and the cure; kind decides the exit code.
func (d *diagnosis) bad(kind error, wrong, cure string) {
	_, _ = fmt.Fprintf(d.out, "BAD   %s\n      cure: %s\n", wrong, cure)
	if d.worst == nil {
		d.worst = kind
	}
}

var errUnhealthy = errors.New("not healthy, see above")

// cardDoctor is card doctor. It reads nothing that belongs to a person and costs no try. An empty reader is healthy.
func cardDoctor(ctx context.Context, args []string, out io.Writer) error {
	f := flags("card doctor")
	name := f.String("reader", readerAuto, "")
	if err := parse(f, args); err != nil {
		return err
	}
	r, err := openReader(*name)
	if err != nil {
		return err
	}
	d := &diagnosis{out: out}
	if p, ok := r.(*pcsc.Reader); ok && !d.service(ctx, p) {
		return d.worst
	}
	d.level(ctx, r)
	return d.worst
}

// service looks at pcscd and its readers, as the doctor of the whole kiosk does.
func (d *diagnosis) service(ctx context.Context, r *pcsc.Reader) bool {
	listed, err := r.List(ctx)
	kind := err
	if kind == nil {
		kind = reader.ErrReaderLost
	}
	fit := true
	for _, f := range doctor.Readers(readersOf(listed, err)) {
		if f.Grade == doctor.OK {
			d.good("%s", f.Text)
			continue
		}
		d.bad(kind, f.Text, f.Cure)
		fit = false
	}
	return fit
}

// level looks at what lies on the reader.
func (d *diagnosis) level(ctx context.Context, r reader.Reader) {
	l, err := look(ctx, r)
	if err != nil {
		d.bad(err, "the reader cannot be watched", "restart pcscd: systemctl restart pcscd")
		return
	}
	switch l.Presence {
	case reader.Card:
		d.onReader(ctx, r, l)
	case reader.Empty:
		d.note("no card on the reader; with one on it the doctor can say more")
	case reader.MuteCard:
		d.bad(reader.ErrTimeout, "something lies on the reader that does not answer", "take it away; lay one card alone, flat, in the middle, without case or coins")
	case reader.NoReader:
		d.bad(reader.ErrReaderLost, "the reader is gone", "plug it in again")
	case reader.NoService:
		d.bad(reader.ErrService, "pcscd is gone", "systemctl restart pcscd")
	}
}

// onReader identifies the card and finds out whether the reader carries extended commands.
func (d *diagnosis) onReader(ctx context.Context, r reader.Reader, l reader.Level) {
	t, err := openCard(ctx, r, card.Options{ATR: l.ATR})
	switch {
	case errors.Is(err, reader.ErrBusy):
		d.bad(err, "another program holds the reader", "end it; on a kiosk kioskd itself holds the reader while a customer is served")
		return
	case err != nil:
		d.bad(errors.Join(errUnhealthy, err), "the card cannot be read: "+err.Error(), "lift the card, wait a second, lay it down again; if it stays, restart pcscd")
		return
	}
	id := t.card.Identity()
	id.Wipe()
	short := t.card.Short()
	if err := t.close(ctx); err != nil {
		d.bad(errors.Join(errUnhealthy, err), "the session did not end well", "lift the card and lay it down again")
		return
	}
	d.good("card: %s", id.Product)
	if id.Kind == card.KindMyNumber && id.Serial == nil {
		d.note("the card does not tell its serial number and expiry")
	}
	switch {
	case id.Kind != card.KindMyNumber && id.Kind != card.KindJuki && id.Kind != card.KindPhone:
		d.note("extended length: not tested, this card has no file to test it with")
	case short:
		d.note("extended length: this reader refuses it; cards are read in pieces of 256 bytes, which takes longer. Cure: another reader, or its newer firmware or driver")
	default:
		d.good("extended length works")
	}
}
