package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"madoguchi/hardware/card"
)

// triesJSON is what card tries prints. A counter is null when the card does not tell it.
type triesJSON struct {
	Kind  string          `json:"kind"`
	Tries map[string]*int `json:"tries"`
	APDUs int             `json:"apdus"`
}

// countTries is card tries: it asks the counters, which never costs a try and needs neither secret nor trust.
func countTries(ctx context.Context, args []string, out io.Writer) error {
	f := flags("card tries")
	name := f.String("reader", "", "")
	all := f.Bool("all", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	r, err := openReader(*name)
	if err != nil {
		return err
	}
	t, err := openCard(ctx, r, card.Options{})
	if err != nil {
		return err
	}
	counters, err := query(ctx, t.card, *all)
	id := t.card.Identity()
	id.Wipe()
	if closed := t.close(ctx); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	rep := triesJSON{Kind: string(id.Kind), Tries: map[string]*int{}, APDUs: t.card.Traffic().Commands}
	for _, c := range counters {
		rep.Tries[c.Ref.String()] = nil
		if c.Tries.Known {
			rep.Tries[c.Ref.String()] = &c.Tries.Left
		}
	}
	return json.NewEncoder(out).Encode(rep)
}

func query(ctx context.Context, c *card.Card, all bool) (card.Counters, error) {
	if kind := c.Identity().Kind; kind != card.KindMyNumber {
		return nil, fmt.Errorf("%w, but %s", errKind, kind)
	}
	if all {
		return c.AllTries(ctx)
	}
	return c.MainTries(ctx)
}
