package main

import (
	"errors"
	"time"

	"madoguchi/daemon/jpki"
	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
)

// gate keeps personal data of production cards from being printed (duty 12). A card passes that test trust proves, and
// one that says itself that it is of a test world: a virtual one, or one of J-LIS's test environment. The second kind
// is shown with every field "not verified". The claim needs no proof here: real cards do not make it, and who can
// build a card that does can as well read one with a program of his own. It is not enough for the photo's file and the
// My Number.
type gate struct {
	test *trust.Set // the test trust alone
	at   time.Time
	open bool // maintenance mode: every card may be shown
	said bool // the card named a test issuer before: enough where no keys make the reading look for it again
}

// certificate tells whether a test authority issued the certificate. Out of validity is no reason against it: an
// expired test card is a test card.
func (g *gate) certificate(c *jpki.Certificate) bool {
	authorities := g.test.JPKIAuth
	if c.Use == jpki.Sign {
		authorities = g.test.JPKISign
	}
	err := c.Verify(authorities, g.at)
	return err == nil || errors.Is(err, jpki.ErrExpired) || errors.Is(err, jpki.ErrNotYetValid)
}

// issuer passes the issuer key ids of the test worlds, and those that test trust holds.
func (g *gate) issuer(id string) error {
	if g.open || trust.NamesTestIssuer(id) || g.test.IsTestIssuer(id) {
		return nil
	}
	return errMaintenance
}

// surface passes what was read when every issuer in it passes and the card's face named one.
func (g *gate) surface(a *card.Authenticity) error {
	if a.TextIssuer != "" {
		if err := g.issuer(a.TextIssuer); err != nil {
			return err
		}
	}
	if a.SurfaceIssuer == "" && g.said {
		return nil
	}
	return g.issuer(a.SurfaceIssuer)
}

// face and number demand more: the field itself must be genuine under test trust.
func (g *gate) face(a *card.Authenticity) error { return g.genuine(a.Face, a.SurfaceIssuer) }

func (g *gate) number(a *card.Authenticity) error { return g.genuine(a.MyNumber, a.TextIssuer) }

func (g *gate) genuine(p card.FieldProof, issuer string) error {
	if p.Checked && p.Valid && g.test.IsTestIssuer(issuer) {
		return nil
	}
	return errUnproven
}
