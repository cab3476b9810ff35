package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"madoguchi/daemon/jpki"
	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
)

// gate keeps personal data of production cards from being printed: a card passes only when test trust proves it.
// Every part that was read must pass by itself, so that parts of two cards cannot be mixed.
type gate struct {
	test *trust.Set // the test trust alone
	at   time.Time
}

// certificate passes a certificate that a test authority issued. Out of validity is no reason: an expired test card is
// a test card.
func (g *gate) certificate(c *jpki.Certificate) error {
	authorities := g.test.JPKIAuth
	if c.Use == jpki.Sign {
		authorities = g.test.JPKISign
	}
	err := c.Verify(authorities, g.at)
	if err == nil || errors.Is(err, jpki.ErrExpired) || errors.Is(err, jpki.ErrNotYetValid) {
		return nil
	}
	return fmt.Errorf("%w (%s certificate: %w)", errMaintenance, c.Use, err)
}

// surface passes records whose issuer keys are test trust and of which at least one field is genuine. A field that was
// changed on such a card passes, to be shown as changed. The issuer's name alone proves nothing: its certificate for
// the municipality can be read from any card and put beside the data of another.
func (g *gate) surface(a *card.Authenticity) error {
	for _, s := range []struct {
		issuer string
		fields []card.FieldProof
	}{
		{a.SurfaceIssuer, []card.FieldProof{a.Face, a.NameImage, a.AddressImage, a.Birth}},
		{a.TextIssuer, []card.FieldProof{a.Attributes, a.MyNumber}},
	} {
		if s.issuer == "" {
			continue
		}
		if !g.test.IsTestIssuer(s.issuer) || !anyGenuine(s.fields) {
			return errMaintenance
		}
	}
	if a.SurfaceIssuer == "" {
		return errMaintenance
	}
	return nil
}

// anyGenuine tells whether one field at least is signed by the key that the issuer certified.
func anyGenuine(fields []card.FieldProof) bool {
	return slices.ContainsFunc(fields, func(f card.FieldProof) bool { return f.Checked && f.Valid })
}

// face and number demand more: the field itself must be genuine.
func (g *gate) face(a *card.Authenticity) error { return g.genuine(a.Face, a.SurfaceIssuer) }

func (g *gate) number(a *card.Authenticity) error { return g.genuine(a.MyNumber, a.TextIssuer) }

func (g *gate) genuine(p card.FieldProof, issuer string) error {
	if p.Checked && p.Valid && g.test.IsTestIssuer(issuer) {
		return nil
	}
	return errMaintenance
}
