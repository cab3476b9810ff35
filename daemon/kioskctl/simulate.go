package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"madoguchi/hardware/virtual"
	"madoguchi/hardware/virtual/vpcd"
)

// simulate is card simulate: a virtual card behind pcscd's vpcd until ctx ends.
func simulate(ctx context.Context, args []string, out io.Writer) error {
	f := flags("card simulate")
	profile, addr := f.String("profile", "", ""), f.String("vpcd", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if *profile == "" || *addr == "" {
		return fmt.Errorf("%w: --profile and --vpcd are needed", errUsage)
	}
	c, err := simulated(*profile)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "serving a virtual card to %s until interrupted\n", *addr); err != nil {
		return err
	}
	return vpcd.Serve(ctx, *addr, c)
}

// simulated makes the card of a profile file (its name ends in .json or has a slash), or of a shipped person.
func simulated(profile string) (*virtual.Card, error) {
	if strings.HasSuffix(profile, ".json") || strings.Contains(profile, "/") {
		p, err := virtual.OpenProfile(profile)
		if err != nil {
			return nil, err
		}
		return p.NewCard()
	}
	people, err := virtual.People()
	if err != nil {
		return nil, err
	}
	return virtual.NewDrawer(people).Card(profile)
}
