package main

import (
	"errors"
	"fmt"
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

// surface passes records whose issuer keys are test trust, each of which certifies at least one signature that was
// checked. A record that was forged below such an issuer passes, to be shown as forged.
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
		if !g.test.IsTestIssuer(s.issuer) || !below(s.fields) {
			return errMaintenance
		}
	}
	if a.SurfaceIssuer == "" {
		return errMaintenance
	}
	return nil
}

// below tells whether the municipality's key was proven: a certificate that is not the issuer's proves nothing.
func below(fields []card.FieldProof) bool {
	for _, f := range fields {
		if f.Checked && (f.Valid || f.Reason != card.ReasonCertificateForged) {
			return true
		}
	}
	return false
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
