package card

import (
	"context"
	"strings"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/tlv"
	"madoguchi/internal/secret"
)

const tokenSize = 32 // the label at the start of the token file

// identify finds the kind of the card. The My Number applications come first: a 特定在留カード and a マイナ免許証
// are My Number Cards too.
func (c *Card) identify(ctx context.Context) error {
	product, err := c.product(ctx)
	if err != nil {
		return err
	}
	c.identity.Product, c.identity.Kind = product, product.Kind()
	if product != ProductMyNumber {
		return nil
	}
	c.identity.Profile = c.profile.Version
	return c.readCommon(ctx)
}

// product decides by application id and token file. A storage card whose reader fails at the first SELECT, instead of
// refusing it, is known by its ATR.
func (c *Card) product(ctx context.Context) (Product, error) {
	jpki, err := c.has(ctx, appJPKI)
	if err != nil && ctx.Err() == nil && isStorageATR(c.opt.ATR) {
		return ProductTransit, nil
	}
	if err != nil {
		return "", err
	}
	noApplications := c.refused == noFunction
	if jpki {
		p, err := c.productByToken(ctx)
		if p != ProductUnknown || err != nil {
			return p, err
		}
	}
	for _, probe := range []struct {
		app     app
		product Product
	}{
		{appText, ProductMyNumber}, // the old 住基 card has no 券面事項入力補助
		{appLicence, ProductDriversLicence},
		{appResidence, ProductResidence},
		{appPassport, ProductPassport},
	} {
		found, err := c.has(ctx, probe.app)
		if err != nil {
			return "", err
		}
		if found && probe.app == appResidence {
			return c.residence(ctx)
		}
		if found {
			return probe.product, nil
		}
		noApplications = noApplications && c.refused == noFunction
	}
	if noApplications || isStorageATR(c.opt.ATR) {
		return ProductTransit, nil
	}
	return ProductUnknown, nil
}

// noFunction is the status word with which readers answer for cards that have no applications (FeliCa).
const noFunction apdu.SW = 0x6A81

// residence tells the certificate of a special permanent resident from a residence card by the free file 8A of the
// master file: C1 01 and the type, 1 residence card, 2 special permanent resident (出入国在留管理庁, 仕様書). A card
// that does not say stays a residence card.
func (c *Card) residence(ctx context.Context) (Product, error) {
	c.current = appNone
	resp, err := c.send(ctx, apdu.Command{INS: 0xA4, Data: []byte{0x3F, 0x00}})
	if err != nil || resp.SW != apdu.OK {
		return ProductResidence, err
	}
	resp, err = c.send(ctx, apdu.Command{INS: 0xB0, P1: 0x8A, Le: apdu.MaxShort})
	if err != nil || resp.SW != apdu.OK {
		return ProductResidence, err
	}
	if o, err := tlv.First(resp.Data); err == nil && o.Tag == 0xC1 && string(o.Value) == "2" {
		return ProductSpecialPermanent, nil
	}
	return ProductResidence, nil
}

// productByToken reads the token label. It is read with an extended command on purpose: a reader that refuses
// these is found out here, before any PIN is typed. An unreadable or new token is ProductUnknown, and so is one that
// ends before its label does: its first 14 characters would be the label of another card.
func (c *Card) productByToken(ctx context.Context) (Product, error) {
	raw, err := c.readFile(ctx, c.sfi(fileToken), func([]byte) (int, error) { return tokenSize, nil })
	if err != nil {
		if isRefusal(err) {
			err = nil
		}
		return ProductUnknown, err
	}
	label := trimmed(raw)
	c.profile = profileOf(label)
	return productOf(label), nil
}

// trimmed is text without the padding that cards use: spaces and NUL.
func trimmed(b []byte) string { return strings.TrimRight(string(b), " \x00") }

// readCommon reads serial number, municipality and expiry from record 1 of the common application: 28 digits.
// A card that refuses leaves them unknown; a record of another form is ErrMalformed.
func (c *Card) readCommon(ctx context.Context) error {
	found, err := c.has(ctx, appCommon)
	if err != nil || !found {
		return err
	}
	resp, err := c.send(ctx, apdu.Command{INS: 0xB2, P1: 1, P2: c.sfi(fileCommon)<<3 | 4, Le: apdu.MaxShort})
	if err != nil {
		return err
	}
	defer clear(resp.Data)
	if err := resp.Err(); err != nil {
		return nil //nolint:nilerr // refused: expiry stays unknown, which is never taken for valid
	}
	objects, err := tlv.AllSimple(resp.Data)
	if err != nil || len(objects) == 0 || objects[0].Tag != 1 {
		return ErrMalformed
	}
	digits := objects[0].Value
	if len(digits) != 28 || !isDigits(digits) {
		return ErrMalformed
	}
	expiry, err := parseDate(digits[20:28])
	if err != nil {
		return err
	}
	c.identity.Serial = secret.Copy(digits[:15])
	c.identity.Municipality = string(digits[15:20])
	c.identity.Expiry = expiry
	return nil
}

// parseDate reads YYYYMMDD of an expiry.
func parseDate(b []byte) (Date, error) {
	if len(b) != 8 || !isDigits(b) {
		return Date{}, ErrMalformed
	}
	d := Date{Year: number(b[:4]), Month: number(b[4:6]), Day: number(b[6:8])}
	if d.Month < 1 || d.Month > 12 || d.Day < 1 || d.Day > 31 {
		return Date{}, ErrMalformed
	}
	return d, nil
}

// number is the value of ASCII digits.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		n = 10*n + int(c-'0')
	}
	return n
}

// isDigits tells whether b consists of ASCII digits.
func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
