package console

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"strconv"

	"github.com/a-h/templ"

	"madoguchi/internal/secret"
	"madoguchi/ui/i18n"
	"madoguchi/ui/screen"
)

// page is a view with its catalogue and the session's own address of pictures.
type page struct {
	View
	c      *i18n.Catalog
	s      *i18n.StaffText
	images string
}

func newPage(v View, images string) page {
	c := i18n.For(v.Lang)
	return page{View: v, c: &c, s: &c.Staff, images: images}
}

// name changes when the page is about something else, so that the focus moves only then.
func (p page) name() string {
	switch {
	case p.Staff == "":
		return "sign-in-" + p.Problem
	case p.Case != nil:
		return "case-" + p.Case.ID + "-" + p.Case.Decided + p.Problem
	}
	return "idle" + p.Problem
}

func (p page) problem() string {
	switch p.Problem {
	case "bad-sign-in":
		return p.s.BadSignIn
	case "locked":
		return p.s.Locked
	case "digit-run":
		return p.s.DigitRun
	case "second-person":
		return p.s.SecondPerson
	case "already-decided":
		return p.s.AlreadyDecided
	}
	if t, ok := i18n.TroubleFor(p.c.Lang, p.Problem); ok {
		return t.Title
	}
	return p.Problem
}

func (p page) time(seconds int) string {
	if seconds < 60 {
		return fmt.Sprintf(p.s.Seconds, seconds)
	}
	return fmt.Sprintf(p.s.Minutes, seconds/60, seconds%60)
}

// state names what the kiosk is doing; a phase without a screen of that name is shown as it is.
func (p page) state() string {
	for _, k := range screen.Kinds() {
		if string(k) == p.Kiosk.State {
			return p.c.Screen(k).Step
		}
	}
	return p.Kiosk.State
}

// health says "working" or what is wrong with a device.
func (p page) health(code string) string {
	if code == "ok" {
		return p.s.OK
	}
	if t, ok := i18n.TroubleFor(p.c.Lang, code); ok {
		return t.Title
	}
	return code
}

// scores prints ten-thousandths as they are usually written.
func scores(score, threshold int) string {
	return fmt.Sprintf("%.4f / %.4f", float64(score)/10000, float64(threshold)/10000)
}

func (p page) src(handle string) string { return "/img/" + p.images + "/" + handle }

func (p page) sex(s *secret.Bytes) string {
	switch string(s.Reveal()) {
	case "1":
		return p.c.Review.Male
	case "2":
		return p.c.Review.Female
	}
	return p.c.Review.OtherSex
}

// radio is the id of a reason's radio button; it carries the case, so that a choice never moves to another case.
func radio(caseID, group string, i int) string { return group + "-" + strconv.Itoa(i) + "-" + caseID }

// text writes a secret straight to w, escaped, without making a string of it that could not be wiped.
func text(s *secret.Bytes) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		template.HTMLEscape(w, s.Reveal())
		return nil
	})
}

// date writes YYYYMMDD in the words of the language.
func date(p page, s *secret.Bytes) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		out := p.c.Date(s.Reveal())
		defer clear(out)
		template.HTMLEscape(w, out)
		return nil
	})
}
