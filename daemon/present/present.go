// Package present maps the machine's state to a screen: flow.State and what the session holds for showing (View)
// in, ui/screen.Screen out. It is pure and free of any language. Only daemon/session imports it.
package present

import (
	"madoguchi/daemon/flow"
	"madoguchi/internal/secret"
	"madoguchi/ui/screen"
)

// View is what the session holds for showing. Secrets in it belong to the session's vault and are wiped there.
type View struct {
	CaseDigits  string
	Fields      []screen.EntryField
	Complete    bool
	Codes       []int // of the keys
	Review      *screen.ReviewData
	Document    *secret.Bytes // of the Document phase
	Hint        string
	Good, Need  int
	SecondsLeft int
	Receipt     string
	Virtual     bool
	Dev         *screen.Dev
}

// ConsentItems are the consents of the service in the order of flow's ticks.
func ConsentItems(s flow.State) []screen.ConsentItem {
	return []screen.ConsentItem{
		{ID: "identity", Version: "1", Required: true, Ticked: s.AgreeIdentity},
		{ID: "face", Version: "1", Ticked: s.AgreeFace},
	}
}

// Lang gives the language tag of the settings.
func Lang(s flow.Settings) string {
	if s.Lang == 1 {
		return "en"
	}
	return "ja"
}

const steps = 5

// Screen is the mapping.
func Screen(s flow.State, v View) screen.Screen {
	kind, step := kindOf(s.Phase)
	out := screen.Screen{
		Kind: kind, Instance: uint64(s.Gen), Step: step, Steps: steps,
		Settings:  screen.Settings{Lang: Lang(s.Settings), Size: int(s.Settings.Size), Contrast: int(s.Settings.Contrast), Slow: int(s.Settings.Slow)},
		CanCancel: flow.CanCancel(s.Phase), CanBack: canBack(s.Phase), StaffCalled: s.StaffCalled,
		CanCallStaff: s.Phase != flow.Idle && s.Phase != flow.OutOfService && !s.StaffCalled,
		AskCancel:    s.AskCancel, Virtual: v.Virtual, CardOnReader: s.Reader == flow.ReaderCard, Dev: v.Dev,
	}
	if s.Warned {
		out.SecondsLeft = max(v.SecondsLeft, 1)
	}
	if s.Trouble != "" && s.Phase != flow.Result {
		out.Trouble = &screen.Trouble{Code: string(s.Trouble)}
	}
	parts(&out, s, v)
	return out
}

func parts(out *screen.Screen, s flow.State, v View) {
	switch s.Phase {
	case flow.CaseRef:
		out.Case = &screen.Case{Digits: v.CaseDigits, Required: s.CaseRequired()}
	case flow.Consent:
		out.Consent = ConsentItems(s)
	case flow.Credential, flow.LastTry:
		out.Entry = entry(s, v)
	case flow.Document:
		out.Document = v.Document
		out.Ways = ways(s)
	case flow.PutBack:
		out.Countdown = max(v.SecondsLeft, 1)
	case flow.Ways:
		out.Ways = ways(s)
	case flow.Confirm:
		out.Review = v.Review
	case flow.Face:
		out.Face = &screen.FaceGuide{Hint: v.Hint, Good: v.Good, Need: v.Need}
	case flow.Result, flow.TakeCard:
		out.Result = result(s, v)
	case flow.Idle, flow.Language, flow.PlaceCard, flow.CardCheck, flow.Reading, flow.WaitStaff, flow.Deciding,
		flow.OutOfService:
	}
}

func kindOf(p flow.Phase) (kind screen.Kind, step int) {
	switch p {
	case flow.Idle:
		return screen.Idle, 0
	case flow.Language:
		return screen.Language, 0
	case flow.CaseRef:
		return screen.CaseReference, 1
	case flow.Consent:
		return screen.Consent, 1
	case flow.PlaceCard:
		return screen.PlaceCard, 2
	case flow.CardCheck:
		return screen.CardCheck, 2
	case flow.Document:
		return screen.Document, 3
	case flow.Credential:
		return screen.Credential, 3
	case flow.LastTry:
		return screen.LastTry, 3
	case flow.Reading:
		return screen.Reading, 3
	case flow.PutBack:
		return screen.PutBack, 3
	case flow.Ways:
		return screen.Ways, 3
	case flow.Confirm:
		return screen.Review, 4
	case flow.Face:
		return screen.Face, 5
	case flow.WaitStaff:
		return screen.WaitStaff, 5
	case flow.Deciding:
		return screen.Deciding, 5
	case flow.Result:
		return screen.Result, 0
	case flow.TakeCard:
		return screen.TakeCard, 0
	case flow.OutOfService:
		return screen.OutOfService, 0
	}
	return screen.OutOfService, 0
}

func canBack(p flow.Phase) bool {
	switch p {
	case flow.CaseRef, flow.Consent, flow.PlaceCard, flow.Document, flow.Credential, flow.LastTry:
		return true
	case flow.Idle, flow.Language, flow.CardCheck, flow.Reading, flow.PutBack, flow.Ways, flow.Confirm, flow.Face,
		flow.WaitStaff, flow.Deciding, flow.Result, flow.TakeCard, flow.OutOfService:
		return false
	}
	return false
}

func entry(s flow.State, v View) *screen.Entry {
	tries := s.TriesLeft()
	e := &screen.Entry{
		Route: routeOf(s.Route), Fields: v.Fields, Complete: v.Complete, TriesLeft: int(tries.Left),
		TriesKnown: tries.Known, Switch: ways(s), Codes: v.Codes,
	}
	return e
}

// ways are the other routes that are open.
func ways(s flow.State) []screen.Route {
	var out []screen.Route
	for _, r := range s.OpenRoutes() {
		if r != s.Route || s.Phase == flow.Ways {
			out = append(out, routeOf(r))
		}
	}
	return out
}

func routeOf(r flow.Route) screen.Route {
	switch r {
	case flow.RoutePIN:
		return screen.RoutePIN
	case flow.RouteSign:
		return screen.RouteSign
	case flow.RouteB:
	}
	return screen.RouteB
}

func result(s flow.State, v View) *screen.ResultData {
	r := &screen.ResultData{Code: string(s.Trouble), Receipt: v.Receipt}
	switch s.Decision.Outcome {
	case flow.Verified:
		r.Outcome = screen.Verified
	case flow.Pending:
		r.Outcome = screen.Pending
	case flow.Refused:
		r.Outcome = screen.Refused
	case flow.Cancelled:
		r.Outcome = screen.Cancelled
	case flow.Referred, flow.NoOutcome:
		r.Outcome = screen.Referred
	}
	return r
}
