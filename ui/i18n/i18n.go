// Package i18n holds every text that a customer or a member of staff reads, in Japanese and English: one typed
// struct value per language, the consents with their versions and digests, and the closed list of trouble codes
// with cause and way out. It is pure. ui/page and ui/console show the texts; daemon/... takes consents (for the
// record) and trouble codes from here.
//
// Rules for the words: plain, polite and short; never that a card cannot be used, but what happened and what to do
// next; no PIN demanded in the introduction; two short sentences rather than a long one.
package i18n

import (
	"bytes"
	"fmt"

	"madoguchi/ui/screen"
)

// The languages.
const (
	Japanese = "ja"
	English  = "en"
)

// Languages lists the languages in the order of the language buttons; screen.InLanguage carries an index into it.
func Languages() []string { return []string{Japanese, English} }

// For gives the catalogue of a language; an unknown language gets Japanese.
func For(lang string) Catalog {
	if lang == English {
		return english()
	}
	return japanese()
}

// Screen gives the texts of a kind of screen. An unknown kind gets the texts of out-of-service, so that a mistake
// still shows the customer a way to staff.
func (c *Catalog) Screen(k screen.Kind) ScreenText {
	switch k {
	case screen.Idle:
		return c.Screens.Idle
	case screen.Language:
		return c.Screens.Language
	case screen.CaseReference:
		return c.Screens.Case
	case screen.Consent:
		return c.Screens.Consent
	case screen.PlaceCard:
		return c.Screens.PlaceCard
	case screen.CardCheck:
		return c.Screens.CardCheck
	case screen.Credential:
		return c.Screens.Credential
	case screen.LastTry:
		return c.Screens.LastTry
	case screen.Reading:
		return c.Screens.Reading
	case screen.Document:
		return c.Screens.Document
	case screen.PutBack:
		return c.Screens.PutBack
	case screen.Ways:
		return c.Screens.Ways
	case screen.Review:
		return c.Screens.Review
	case screen.Face:
		return c.Screens.Face
	case screen.Deciding:
		return c.Screens.Deciding
	case screen.WaitStaff:
		return c.Screens.WaitStaff
	case screen.Result:
		return c.Screens.Result
	case screen.TakeCard:
		return c.Screens.TakeCard
	case screen.OutOfService:
		return c.Screens.OutOfService
	}
	return c.Screens.OutOfService
}

// Tries says how many tries are left.
func (e *EntryText) Tries(left int) string {
	if left == 1 {
		return e.OneTry
	}
	return fmt.Sprintf(e.ManyTries, left)
}

// Hint gives the text of a face hint; an unknown hint gets the general guidance.
func (f *FaceText) Hint(code string) string {
	switch code {
	case "starting":
		return f.Starting
	case "good":
		return f.Good
	case "no-face":
		return f.NoFace
	case "many-faces":
		return f.ManyFaces
	case "closer":
		return f.Closer
	case "back":
		return f.Back
	case "centre":
		return f.Centre
	case "dark":
		return f.Dark
	case "bright":
		return f.Bright
	case "still":
		return f.Still
	case "straight":
		return f.Straight
	}
	return f.NoFace
}

// Date gives YYYYMMDD in the words of the language, and anything else as it is, in bytes that the caller may wipe.
func (c *Catalog) Date(b []byte) []byte {
	if len(b) != 8 || bytes.ContainsFunc(b, func(r rune) bool { return r < '0' || r > '9' }) {
		return bytes.Clone(b)
	}
	month := int(b[4]-'0')*10 + int(b[5]-'0')
	if month < 1 || month > 12 {
		return bytes.Clone(b)
	}
	day := bytes.TrimPrefix(b[6:], []byte("0"))
	out := make([]byte, 0, 64)
	for f := c.Review.Date; f != ""; {
		switch {
		case len(f) >= 3 && f[:3] == "{y}":
			out, f = append(out, b[:4]...), f[3:]
		case len(f) >= 3 && f[:3] == "{m}":
			out, f = append(out, c.Review.Months[month-1]...), f[3:]
		case len(f) >= 3 && f[:3] == "{d}":
			out, f = append(out, day...), f[3:]
		default:
			out, f = append(out, f[0]), f[1:]
		}
	}
	return out
}
