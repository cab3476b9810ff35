package card

import (
	"context"
	"strings"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/tlv"
	"madoguchi/internal/secret"
)

// The files read without a PIN.
const (
	efToken   = 0x06 // JPKI: CK_TOKEN_INFO, begins with a label of 32 bytes
	efCommon  = 0x01 // common application, record 1
	tokenSize = 32
)

// identify finds the kind of the card. The My Number applications come first: a 特定在留カード and a マイナ免許証
// are My Number Cards too.
func (c *Card) identify(ctx context.Context) error {
	kind, err := c.kind(ctx)
	if err != nil {
		return err
	}
	c.identity.Kind = kind
	if kind != KindMyNumber {
		return nil
	}
	return c.readCommon(ctx)
}

// kind decides by application id and token file.
func (c *Card) kind(ctx context.Context) (Kind, error) {
	jpki, err := c.has(ctx, appJPKI)
	if err != nil {
		return "", err
	}
	if jpki {
		kind, err := c.kindByToken(ctx)
		if kind != KindUnknown || err != nil {
			return kind, err
		}
	}
	for _, probe := range []struct {
		app  app
		kind Kind
	}{
		{appText, KindMyNumber}, // the old 住基 card has no 券面事項入力補助
		{appLicence, KindDriversLicence},
		{appResidence, KindResidenceCard},
		{appPassport, KindPassport},
	} {
		if found, err := c.has(ctx, probe.app); err != nil || found {
			return probe.kind, err
		}
	}
	return KindUnknown, nil
}

// kindByToken reads the token label. It is read with an extended command on purpose: a reader that refuses these
// is found out here, before any PIN is typed. An unreadable or new token is KindUnknown.
func (c *Card) kindByToken(ctx context.Context) (Kind, error) {
	raw, err := c.readFile(ctx, efToken, func(b []byte) (int, error) { return min(len(b), tokenSize), nil })
	if err != nil {
		if isStatus(err) {
			err = nil
		}
		return KindUnknown, err
	}
	switch strings.TrimRight(string(raw), " \x00") {
	case "JPKIAPICCTOKEN2":
		return KindMyNumber, nil
	case "JPKIAPICCTOKEN":
		return KindJuki, nil
	case "JPKIAPGPSETOKEN", "JPKIAPIOSTOKEN":
		return KindPhone, nil
	}
	return KindUnknown, nil
}

// readCommon reads serial number, municipality and expiry from record 1 of the common application: 28 digits.
// A card that refuses leaves them unknown; a record of another form is ErrMalformed.
func (c *Card) readCommon(ctx context.Context) error {
	found, err := c.has(ctx, appCommon)
	if err != nil || !found {
		return err
	}
	resp, err := c.send(ctx, apdu.Command{INS: 0xB2, P1: 1, P2: efCommon<<3 | 4, Le: apdu.MaxShort})
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
