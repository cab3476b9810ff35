package main

import (
	"context"
	"errors"
	"fmt"

	"madoguchi/daemon/jpki"
	"madoguchi/hardware/card"
	"madoguchi/internal/secret"
)

// gathering is one reading: what was read so far, and whether it may be printed.
type gathering struct {
	options *readOptions
	secrets *secrets
	card    *card.Card
	gate    gate

	tries        map[string]*int
	attributes   *card.Attributes
	front        *card.Front
	number       *secret.Bytes
	authenticity card.Authenticity
	auth, sign   *jpki.Certificate
}

func (g *gathering) wipe() {
	id := g.card.Identity()
	id.Wipe()
	g.number.Wipe()
	if g.attributes != nil {
		g.attributes.Wipe()
	}
	if g.front != nil {
		g.front.Wipe()
	}
	for _, c := range []*jpki.Certificate{g.auth, g.sign} {
		if c != nil {
			c.Wipe()
		}
	}
}

// read follows the route. Any error ends it: no credential is sent a second time.
func (g *gathering) read(ctx context.Context) error {
	if id := g.card.Identity(); id.Kind != card.KindMyNumber {
		return fmt.Errorf("%w, but %s", errKind, id.Kind)
	}
	g.authenticity = unread()
	if g.options.route == routeB {
		return g.readB(ctx)
	}
	if err := g.passFirst(ctx); err != nil {
		return err
	}
	if g.options.route != routeJPKI {
		if err := g.readPIN(ctx); err != nil {
			return err
		}
	}
	if g.options.route == routeJPKI || g.options.route == routeAll && g.secrets.password != nil {
		return g.readSign(ctx)
	}
	return nil
}

// readB asks for the issuer of the face, so that a production card is not sent the number, reads the face by
// 照合番号B and proves it, and then the text. The My Number is not touched. 14 commands with everything, all that there
// are: so the authentication certificate is not read; the text's own counter is not asked, because the same number has
// just been accepted by the face; and the text is not proven, which takes four more (0003, 0004, 0007, a challenge).
// Of the text, birth and sex are compared with the proven face; for name and address there are the proven images.
func (g *gathering) readB(ctx context.Context) error {
	if err := g.issuerFirst(ctx, g.card.SurfaceCertificate); err != nil {
		return err
	}
	if err := g.count(ctx, card.RefFaceB); err != nil {
		return err
	}
	front, err := g.card.FrontByB(ctx, g.secrets.numberB)
	if err != nil {
		return credential("number_b", err)
	}
	g.front, g.authenticity = &front, front.Authenticity
	if err := g.gate.surface(&front.Authenticity); err != nil {
		return err
	}
	attributes, err := g.card.AttributesByB(ctx, g.secrets.numberB)
	if err != nil {
		return credential("number_b", err)
	}
	g.attributes = &attributes
	g.authenticity.Compare(&attributes, &front)
	return nil
}

// passFirst finds out before any credential is sent whether this is a test card: by its authentication certificate
// under test trust, else by the issuer that it names. Where there is no test authority and the route can do without
// the certificate, auth stays empty.
func (g *gathering) passFirst(ctx context.Context) error {
	if g.options.route == routeJPKI || len(g.gate.test.JPKIAuth) > 0 {
		proven, err := g.readAuthCertificate(ctx)
		if proven || err != nil {
			return err
		}
	}
	return g.issuerFirst(ctx, g.card.TextCertificate)
}

// issuerFirst passes a card that names an issuer of the test worlds, and in maintenance mode every card.
func (g *gathering) issuerFirst(ctx context.Context, read func(context.Context) (card.IssuerCertificate, error)) error {
	if g.gate.open {
		return nil
	}
	c, err := read(ctx)
	switch {
	case unreadable(err):
		return fmt.Errorf("%w (it shows no issuer's certificate)", errMaintenance)
	case err != nil:
		return err
	}
	err = g.gate.issuer(c.Issuer)
	g.gate.said = err == nil
	return err
}

// unreadable is an answer of a card that has not the file, or not in its form; as opposed to a broken exchange.
func unreadable(err error) bool {
	return errors.Is(err, card.ErrNotFound) || errors.Is(err, card.ErrMalformed) || errors.Is(err, card.ErrSecurity)
}

// readAuthCertificate reads the authentication certificate, which needs no PIN, and tells whether it proves a test
// card. A card without one is no error here.
func (g *gathering) readAuthCertificate(ctx context.Context) (proven bool, err error) {
	c, err := g.card.AuthCertificate(ctx)
	if unreadable(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer c.Wipe()
	if g.auth, err = jpki.Parse(jpki.Auth, c.DER.Reveal()); err != nil {
		return false, fmt.Errorf("authentication certificate: %w", err)
	}
	return g.gate.certificate(g.auth), nil
}

// readPIN reads everything that the 4-digit PIN opens.
func (g *gathering) readPIN(ctx context.Context) error {
	if err := g.count(ctx, card.RefTextPIN); err != nil {
		return err
	}
	id, err := g.card.AuthenticatedID(ctx, g.secrets.pin, card.IDOptions{KeepMyNumber: g.options.withMyNumber})
	if err != nil {
		return credential("pin", err)
	}
	g.attributes, g.front, g.number, g.authenticity = &id.Attributes, &id.Front, id.MyNumber, id.Authenticity
	return g.gate.surface(&id.Authenticity)
}

// readSign reads the signature certificate. Nothing is signed: a signature would bind the holder.
func (g *gathering) readSign(ctx context.Context) error {
	tries, err := g.card.Tries(ctx, card.RefSignPass)
	if err != nil {
		return err
	}
	g.note(card.RefSignPass, tries)
	signer, err := g.card.SignSigner(ctx, g.secrets.password, card.SignOptions{LastTry: g.options.lastTry})
	switch {
	case errors.Is(err, card.ErrNoCertificate) && g.options.route == routeAll:
		return nil // a child's card, or a holder who declined
	case err != nil:
		return credential("sign_password", err)
	}
	defer signer.Close()
	c := signer.Certificate()
	defer c.Wipe()
	if g.sign, err = jpki.Parse(jpki.Sign, c.DER.Reveal()); err != nil {
		return fmt.Errorf("signature certificate: %w", err)
	}
	return nil // the card passed before the password was sent
}

// count reads a counter before its credential is sent, and stops where the duties say so.
func (g *gathering) count(ctx context.Context, ref card.Ref) error {
	tries, err := g.card.Tries(ctx, ref)
	if err != nil {
		return err
	}
	g.note(ref, tries)
	switch {
	case tries.Blocked():
		return fmt.Errorf("%s: %w; nothing was sent", ref, card.ErrBlocked)
	case (!tries.Known || tries.Left == 1) && !g.options.lastTry:
		return fmt.Errorf("%s: %w", ref, errLastTry)
	}
	if g.options.lastTry {
		g.card.ConfirmLastTry(ref)
	}
	return nil
}

// note keeps a counter for the report; one that the card does not tell is null there, never zero.
func (g *gathering) note(ref card.Ref, tries card.Tries) {
	g.tries[ref.String()] = nil
	if tries.Known {
		g.tries[ref.String()] = &tries.Left
	}
}

// credential says which credential failed and how many tries are left.
func credential(name string, err error) error {
	var wrong card.AuthError
	var unknown *card.VerifyUnknownError
	switch {
	case errors.Is(err, card.ErrLastTry):
		return fmt.Errorf("%s: %w", name, errLastTry)
	case errors.As(err, &wrong) && wrong.Left > 0:
		return fmt.Errorf("%s is wrong, tries left: %d: %w", name, wrong.Left, err)
	case errors.Is(err, card.ErrBlocked):
		return fmt.Errorf("%s is blocked: %w; the municipal office unblocks it (PINs also at convenience stores with the app)", name, err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%s was sent and no answer came: %w; ask card tries before anything else", name, err)
	}
	return err
}
