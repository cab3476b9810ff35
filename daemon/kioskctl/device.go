package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"madoguchi/hardware/card"
	"madoguchi/hardware/pcsc"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
)

const (
	readerAuto    = "auto"
	readerVirtual = "virtual:"
)

// openReader makes the reader that --reader names.
func openReader(name string) (reader.Reader, error) {
	switch {
	case name == "":
		return nil, fmt.Errorf("%w: --reader is missing", errUsage)
	case name == readerAuto:
		return pcsc.New(pcsc.Options{}), nil
	case strings.HasPrefix(name, readerVirtual):
		return virtualReader(strings.TrimPrefix(name, readerVirtual))
	}
	return pcsc.New(pcsc.Options{Pin: regexp.MustCompile("^" + regexp.QuoteMeta(name))}), nil
}

// virtualReader is a reader in this process with the card of a virtual person on it, new for each run.
func virtualReader(id string) (reader.Reader, error) {
	r := virtual.NewReader()
	if id == "" {
		return r, nil // nobody's card: an empty reader
	}
	people, err := virtual.People()
	if err != nil {
		return nil, err
	}
	c, err := virtual.NewDrawer(people).Card(id)
	if err != nil {
		return nil, err
	}
	return r, r.Insert(c)
}

// tap is one card on an open session.
type tap struct {
	session *watched
	card    *card.Card
}

// watched notes whether an exchange failed: then nothing more is sent, and the session leaves the card as it is.
type watched struct {
	reader.Session
	failed bool
}

// Transmit implements card.Transport.
func (w *watched) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	out, err := w.Session.Transmit(ctx, command)
	w.failed = w.failed || err != nil
	return out, err
}

// openCard takes the card. A reader that fails at extended commands is opened once more for short ones; no
// credential has been sent by then.
func openCard(ctx context.Context, r reader.Reader, opt card.Options) (*tap, error) {
	t, err := openOnce(ctx, r, opt)
	if _, ok := errors.AsType[*card.ExtendedError](err); ok {
		opt.Short = true
		return openOnce(ctx, r, opt)
	}
	return t, err
}

func openOnce(ctx context.Context, r reader.Reader, opt card.Options) (*tap, error) {
	s, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	w := &watched{Session: s}
	c, err := card.Open(ctx, w, opt)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return &tap{session: w, card: c}, nil
}

// close leaves the application of the PINs by selecting another one, unless an exchange failed, and ends the session.
func (t *tap) close(ctx context.Context) error {
	var err error
	if !t.session.failed {
		err = t.card.Forget(ctx)
	}
	return errors.Join(err, t.session.Close())
}

// look gives the reader's level now.
func look(ctx context.Context, r reader.Reader) (reader.Level, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var level reader.Level
	seen := false
	err := r.Watch(ctx, func(l reader.Level) {
		if !seen {
			level, seen = l, true
		}
		cancel()
	})
	if !seen {
		return reader.Level{}, err
	}
	return level, nil
}
