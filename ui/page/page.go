// Package page renders screens to HTML: one templ component per screen.Kind, in the language, text size and
// contrast of the screen. It is pure. Only ui/hub and tests may import it.
//
// Rules of the markup: no inline style and no on* attribute (the page's CSP forbids them); no <input> for a PIN
// (the keypad sends positions, bullets come from counts); every control is a <button> with a stable id, data-t
// (screen.InputKind) and data-i (index); every language button carries its own lang.
package page

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/a-h/templ"

	"madoguchi/internal/secret"
	"madoguchi/ui/i18n"
	"madoguchi/ui/screen"
)

// Render writes the HTML of a screen: one element with id "app". It fails when a consent has no text, so that
// nobody agrees to what they could not read.
func Render(w io.Writer, s screen.Screen) error {
	c := i18n.For(s.Settings.Lang)
	for _, item := range s.Consent {
		if err := i18n.HasConsent(c.Lang, item.ID, item.Version); err != nil {
			return fmt.Errorf("page: consent %q version %q: %w", item.ID, item.Version, err)
		}
	}
	return app(view{Screen: s, c: &c}).Render(context.Background(), w)
}

// view is a screen with its catalogue.
type view struct {
	screen.Screen
	c *i18n.Catalog
}

// name tells screens apart for the focus: it changes when the screen is a new one, when something
// went wrong, or when a question opens over it.
func (v view) name() string {
	name := string(v.Kind) + "-" + strconv.FormatUint(v.Instance, 10)
	if v.Trouble != nil {
		name += "-" + v.Trouble.Code
	}
	if v.AskCancel {
		name += "-ask"
	}
	return name
}

func (v view) classes() string {
	class := fmt.Sprintf("app s%d c%d", min(max(v.Settings.Size, 0), 2), min(max(v.Settings.Contrast, 0), 1))
	if v.Dev != nil {
		class += " has-dev"
	}
	return class
}

// texts gives heading and lead; some screens have more than one.
func (v view) texts() i18n.ScreenText {
	t := v.c.Screen(v.Kind)
	switch {
	case v.Kind == screen.Credential && v.Entry != nil && v.Entry.Route == screen.RoutePIN:
		t.Title, t.Lead = v.c.Entry.TitlePIN, v.c.Entry.LeadPIN
	case v.Kind == screen.Credential && v.Entry != nil && v.Entry.Route == screen.RouteSign:
		t.Title, t.Lead = v.c.Entry.TitleSign, v.c.Entry.LeadSign
	case v.Kind == screen.Credential:
		t.Title, t.Lead = v.c.Entry.TitleB, v.c.Entry.LeadB
	case v.Kind == screen.LastTry && v.Entry != nil && v.Entry.Route == screen.RoutePIN:
		t.Lead = v.c.Entry.LastPIN
	case v.Kind == screen.LastTry && v.Entry != nil && v.Entry.Route == screen.RouteSign:
		t.Lead = v.c.Entry.LastSign
	case v.Kind == screen.LastTry:
		t.Lead = v.c.Entry.LastB
	case v.Kind == screen.Face && v.Face != nil && v.Face.Declined:
		t.Title, t.Lead = v.c.Screens.WaitStaff.Title, v.c.Screens.WaitStaff.Lead
	case v.Kind == screen.Result && v.Result != nil:
		t.Title, t.Lead = v.outcome(v.Result.Outcome)
	}
	return t
}

func (v view) outcome(o screen.Outcome) (title, lead string) {
	r := &v.c.Result
	switch o {
	case screen.Verified:
		return r.Verified, r.VerifiedLead
	case screen.Pending:
		return r.Pending, r.PendingLead
	case screen.Referred:
		return r.Referred, r.ReferredLead
	case screen.Refused:
		return r.Refused, r.RefusedLead
	case screen.Cancelled:
		return r.Cancelled, r.CancelledLead
	}
	return r.Referred, r.ReferredLead
}

// trouble gives the texts of a code. An unknown code must not leave the customer without words.
func (v view) trouble(code string) i18n.Trouble {
	t, ok := i18n.TroubleFor(v.c.Lang, code)
	if !ok {
		t, _ = i18n.TroubleFor(v.c.Lang, "internal")
	}
	return t
}

// field gives label and help of an entry field.
func (v view) field(name string) (label, help string) {
	e := &v.c.Entry
	switch name {
	case "birth":
		return e.Birth, e.BirthHelp
	case "expiry":
		return e.Expiry, e.ExpiryHelp
	case "code":
		return e.Code, e.CodeHelp
	case "password":
		return e.Password, e.PasswordHelp
	}
	return e.PIN, e.PINHelp
}

// tries says how many tries are left; an unknown counter is never shown as a number.
func (v view) tries() string {
	if !v.Entry.TriesKnown {
		return v.c.Entry.TriesUnknown
	}
	return v.c.Entry.Tries(v.Entry.TriesLeft)
}

// code is what the key at a position sends.
func code(codes []int, position int) int {
	if position < len(codes) {
		return codes[position]
	}
	return position
}

// rows are the caps of the keyboard with the position of the first key of each row.
func rows() []struct {
	first int
	caps  string
} {
	return []struct {
		first int
		caps  string
	}{{0, "1234567890"}, {10, "QWERTYUIOP"}, {20, "ASDFGHJKL"}, {29, "ZXCVBNM"}}
}

// digit is the cap of the key at a position: 1 to 9 and 0 in the usual order, or as laid out.
func digit(layout []int, position int) string {
	if position < len(layout) {
		return strconv.Itoa(layout[position])
	}
	return strconv.Itoa((position + 1) % 10)
}

// text writes a secret straight to w, escaped, without making a string of it that could not be wiped.
func text(s *secret.Bytes) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error { return escape(w, s.Reveal()) })
}

// date writes YYYYMMDD in the words of the language, and anything else as it is.
func date(v view, s *secret.Bytes) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		out := v.c.Date(s.Reveal())
		defer clear(out)
		return escape(w, out)
	})
}

// expiry writes YYYY-MM-DD in the words of the language.
func expiry(v view) string {
	digits := bytes.ReplaceAll([]byte(v.Review.Expiry), []byte("-"), nil)
	if len(digits) != 8 {
		return v.Review.Expiry
	}
	return string(v.c.Date(digits))
}

// news is true on screens where a trouble explains what happens next rather than asks for a correction.
func (v view) news() bool {
	return v.Kind == screen.WaitStaff || v.Kind == screen.Result || v.Kind == screen.Face || v.Kind == screen.TakeCard
}

// sex names the digit of the card: 1 male, 2 female, anything else other.
func sex(v view, s *secret.Bytes) string {
	switch string(s.Reveal()) {
	case "1":
		return v.c.Review.Male
	case "2":
		return v.c.Review.Female
	}
	return v.c.Review.OtherSex
}

func escape(w io.Writer, b []byte) error {
	for len(b) > 0 {
		n := bytes.IndexAny(b, `&<>"'`)
		if n < 0 {
			n = len(b)
		}
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; len(b) > 0 {
			if _, err := fmt.Fprintf(w, "&#%d;", b[0]); err != nil {
				return err
			}
			b = b[1:]
		}
	}
	return nil
}
