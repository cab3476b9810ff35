package flow_test

import (
	"slices"
	"testing"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
)

func profile() policy.Profile {
	return policy.Profile{
		ID: "walk", Channel: policy.Attended, MachineMayDecide: true, PINRoute: true,
		FaceTries: 2, CardTries: 2, MinorAge: 15,
	}
}

// signature is a service that prefers the JPKI method and compares no faces.
func signature() policy.Profile {
	p := profile()
	p.PINRoute = false
	p.Service = policy.Service{
		Kind: policy.AddressChange, Methods: [policy.MaxMethods]methods.Code{methods.JPKISignature, methods.InPersonChip},
		Face: policy.FaceNone, Offline: policy.Offline{Pending: true, MaxHours: 24, MaxCount: 9},
	}
	return p
}

// events gives, for a state, every event that could come: fresh and stale.
func events(s flow.State) []flow.Event {
	var all []flow.Event
	for _, a := range flow.Acts() {
		switch a {
		case flow.SetRoute:
			all = append(all, flow.Customer{Act: a}, flow.Customer{Act: a, Arg: 1}, flow.Customer{Act: a, Arg: 2})
		case flow.SetLanguage, flow.Tick:
			all = append(all, flow.Customer{Act: a}, flow.Customer{Act: a, Arg: 1})
		case flow.SetSize, flow.SetContrast, flow.SetSlow: // pure decoration: TestSettings
		default:
			all = append(all, flow.Customer{Act: a})
		}
	}
	for _, l := range []flow.Level{flow.ReaderDown, flow.ReaderEmpty, flow.ReaderMute, flow.ReaderCard} {
		all = append(all, flow.ReaderLevel{Level: l, Seq: s.CardSeq}, flow.ReaderLevel{Level: l, Seq: s.CardSeq + 1})
	}
	all = append(
		all,
		flow.CameraLevel{Ready: true}, flow.CameraLevel{}, flow.StorageLevel{Room: true}, flow.StorageLevel{},
		flow.MaintenanceLevel{On: true}, flow.MaintenanceLevel{},
		flow.Duty{Staff: "s1"}, flow.Duty{}, flow.Submitted{}, flow.Submitted{Trouble: "number-b-format"},
		flow.StaffRefers{Staff: "s1"}, flow.StaffRefers{}, flow.HelpAnswered{},
		flow.Timeout{Timer: s.Timer}, flow.Timeout{Timer: s.Timer - 1},
	)
	tries := []flow.Tries{{}, {Left: 0, Known: true}, {Left: 1, Known: true}, {Left: 3, Known: true}}
	old := s.Gen - 1 // stale results
	all = append(
		all, flow.Identified{Gen: old, TriesB: tries[3], TriesPIN: tries[3], TriesSign: tries[3]}, flow.Identified{Gen: old, Other: true},
		flow.ReadDone{Gen: old, Read: flow.Read{Done: true, Photo: true, Proof: policy.Pass}}, flow.ReadDone{Gen: old, Trouble: "card-removed"},
		flow.FaceDone{Gen: old, Match: policy.Pass, Live: policy.Pass}, flow.Stored{Gen: old, OK: true},
		flow.StaffDecides{Gen: old, Approve: true, Staff: "s1", Reason: "photo-same-person"},
	)
	for _, gen := range []uint32{s.Gen} {
		all = append(all, flow.Identified{Gen: gen, Trouble: "card-not-my-number"}, flow.Identified{Gen: gen, Trouble: "card-removed"}, flow.Identified{Gen: gen, Expired: true}, flow.Identified{Gen: gen, Other: true, TriesB: tries[3], TriesPIN: tries[3]})
		for _, b := range tries {
			for _, pin := range tries { // the other one of the service
				if s.Profile.PINRoute {
					all = append(all, flow.Identified{Gen: gen, TriesB: b, TriesPIN: pin})
				} else {
					all = append(all, flow.Identified{Gen: gen, TriesB: b, TriesSign: pin})
				}
			}
		}
		all = append(
			all, flow.Identified{Gen: gen, TriesB: tries[3], TriesPIN: tries[3], NoSign: true},
			flow.Identified{Gen: gen, TriesB: tries[3], TriesPIN: tries[1], TriesSign: tries[1], WithoutPIN: true},
			flow.ReadDone{Gen: gen, Trouble: "certificate-expired"}, flow.ReadDone{Gen: gen, Trouble: "sign-wrong", Again: true},
		)
		for _, c := range []policy.Check{policy.NotChecked, policy.Pass, policy.Unsure, policy.Fail} {
			all = append(all, flow.ReadDone{Gen: gen, Read: flow.Read{Done: true, Photo: s.Route != flow.RouteSign, Proof: c}})
			all = append(all, flow.FaceDone{Gen: gen, Match: c, Live: policy.Pass}, flow.FaceDone{Gen: gen, Match: policy.Pass, Live: c})
		}
		all = append(
			all,
			flow.ReadDone{Gen: gen, Read: flow.Read{Done: true, Minor: true, Proof: policy.Pass}},
			flow.ReadDone{Gen: gen, Trouble: "number-b-wrong", Again: true},
			flow.ReadDone{Gen: gen, Trouble: "card-unreadable"}, flow.ReadDone{Gen: gen, Trouble: "card-removed"},
			flow.Stored{Gen: gen, OK: true}, flow.Stored{Gen: gen}, flow.Represented{Gen: gen, Staff: "s1"}, flow.Represented{Gen: gen},
			flow.StaffDecides{Gen: gen, Approve: true, Staff: "s1", Reason: "photo-same-person"},
			flow.StaffDecides{Gen: gen, Approve: true, Staff: "s2", Reason: "photo-same-person"}, flow.StaffDecides{Gen: gen, Approve: true},
			flow.StaffDecides{Gen: gen, Staff: "s1", Reason: "other-person"},
		)
	}
	return all
}

// key forgets what only counts or decorates, and what the phases ahead ask anew. TestSettings and the literal
// table hold those.
func key(s flow.State) flow.State {
	s.Gen, s.Timer, s.Dropped, s.CardSeq = 0, 0, 0, 0
	s.StaffCalled, s.Trouble, s.StaffReason = false, "", ""
	s.Settings.Lang = 0
	if !s.Read.Minor {
		s.Represented = false // what nothing asks for
	}
	switch s.Phase {
	case flow.Document, flow.Credential, flow.LastTry, flow.Reading, flow.Ways:
	default:
		s.TriesB, s.TriesPIN, s.TriesSign = flow.Tries{}, flow.Tries{}, flow.Tries{}
		s.NoSign, s.WithoutPIN = false, false
	}
	switch s.Phase {
	case flow.Result, flow.TakeCard, flow.OutOfService:
		s.Session = flow.Session{CardLeft: s.CardLeft, AskCancel: s.AskCancel, Warned: s.Warned, Decision: s.Decision}
	}
	return s
}

type walker struct {
	t     *testing.T
	edges int
	turns map[[2]flow.Phase][]string // the labels of the changes of phase
}

func has[E flow.Effect](effects []flow.Effect) (found E, n int) {
	for _, e := range effects {
		if e, ok := e.(E); ok {
			found = e
			n++
		}
	}
	return found, n
}

// check holds the invariants of one edge. They are literal: nothing here asks the machine's own functions.
func (w *walker) check(s flow.State, e flow.Event, next flow.State, effects []flow.Effect) {
	fail := func(why string) {
		w.t.Helper()
		w.t.Fatalf("%s\nfrom %v %+v\nevent %T %+v\nto %v %+v\neffects %#v", why, s.Phase, s, e, e, next.Phase, next, effects)
	}
	if (next.Phase == flow.PlaceCard || next.Phase == flow.PutBack) && next.Reader == flow.ReaderCard && !next.Lift {
		fail("waits for a card that lies there")
	}
	if next.Phase == flow.Idle && (next.Session != flow.Session{} || next.Settings != flow.Settings{}) {
		fail("idle remembers the last customer")
	}
	if next.Phase == flow.Idle && (next.Reader == flow.ReaderDown || !next.Storage) {
		fail("idle while a customer could not be served")
	}
	if next.Maintenance && (next.Phase != flow.OutOfService || next.Trouble != "maintenance") {
		fail("in service while being worked on")
	}
	if id, ok := e.(flow.Identified); ok && s.Known && id.Other && next.Known && s.Phase == flow.CardCheck && id.Gen == s.Gen && next.Phase != flow.Result {
		fail("another card goes on with the session")
	}
	if _, n := has[flow.ForgetCard](effects); n > 0 && (next.Known || next.Read.Done) {
		fail("a card that was forgotten is still known")
	}
	w.checkTimer(s, next, effects, fail)
	w.checkSpending(s, e, effects, fail)
	w.checkDecision(s, e, next, effects, fail)
	if next.Phase != s.Phase {
		switch next.Phase {
		case flow.Idle, flow.Result, flow.TakeCard, flow.OutOfService:
			if _, n := has[flow.Wipe](effects); n == 0 {
				fail("the end does not wipe")
			}
		case flow.Credential:
			if _, n := has[flow.ClearEntry](effects); n == 0 {
				fail("an old entry survives")
			}
		}
	}
	if stale(s, e) && (next.Phase != s.Phase || len(effects) > 0 || next.Dropped != s.Dropped+1) {
		fail("a stale result did something")
	}
}

func stale(s flow.State, e flow.Event) bool {
	switch e := e.(type) {
	case flow.Identified:
		return e.Gen != s.Gen
	case flow.ReadDone:
		return e.Gen != s.Gen
	case flow.FaceDone:
		return e.Gen != s.Gen
	case flow.Stored:
		return e.Gen != s.Gen
	case flow.StaffDecides:
		return e.Gen != s.Gen
	case flow.Timeout:
		return e.Timer != s.Timer
	}
	return false
}

func (w *walker) checkTimer(s, next flow.State, effects []flow.Effect, fail func(string)) {
	if next.Gen != s.Gen && next.Timer == s.Timer {
		fail("a phase was entered on the deadline of another")
	}
	if next.Timer == s.Timer {
		return
	}
	var last flow.Effect
	for _, e := range effects {
		switch e.(type) {
		case flow.SetTimer, flow.StopTimer:
			last = e
		}
	}
	set, armed := last.(flow.SetTimer)
	switch {
	case next.Phase == flow.Idle && armed:
		fail("idle has a deadline")
	case next.Phase != flow.Idle && (!armed || set.Timer != next.Timer || set.After <= 0):
		fail("a phase without a deadline")
	}
}

func (w *walker) checkSpending(s flow.State, e flow.Event, effects []flow.Effect, fail func(string)) {
	if _, n := has[flow.ReadCard](effects); n == 0 {
		return
	} else if n > 1 {
		fail("two tries are spent at once")
	}
	if s.Route == flow.RouteSign && !s.Shown {
		fail("something is signed that was not shown")
	}
	left := map[flow.Route]flow.Tries{flow.RouteB: s.TriesB, flow.RoutePIN: s.TriesPIN, flow.RouteSign: s.TriesSign}[s.Route]
	if s.Reader != flow.ReaderCard {
		fail("a try is spent without a card")
	}
	if sub, ok := e.(flow.Submitted); ok {
		if s.Phase != flow.Credential || sub.Trouble != "" || !left.Known || left.Left < 2 {
			fail("a try is spent that must not be")
		}
		return
	}
	if e != (flow.Customer{Act: flow.LastTryYes}) || s.Phase != flow.LastTry || left.Left != 1 {
		fail("a try is spent without the customer's word")
	}
}

func (w *walker) checkDecision(s flow.State, e flow.Event, next flow.State, effects []flow.Effect, fail func(string)) {
	store, n := has[flow.Store](effects)
	if n > 0 && store.Decision.Outcome != flow.Verified && store.Decision.Outcome != flow.Refused && store.Decision.Outcome != flow.Pending {
		fail("a session without a decision is stored")
	}
	if next.Decision.Outcome == flow.Verified && next.Read.Minor && !next.Represented {
		fail("a child was verified without a guardian")
	}
	if next.Decision.Outcome == flow.Verified && next.Route == flow.RouteSign {
		fail("verified before anybody has asked for the revocation")
	}
	if next.Decision.Outcome == flow.Pending && next.Decision != s.Decision &&
		(!next.Read.Done || !next.Confirmed || next.Read.Proof == policy.Fail || next.Route != flow.RouteSign || n != 1) {
		fail("pending without its grounds")
	}
	if next.Decision.Outcome == flow.Verified && next.Decision != s.Decision {
		ok := next.Read.Done && next.Confirmed && next.Read.Proof != policy.Fail && n == 1
		if next.Decision.ByStaff {
			d, isStaff := e.(flow.StaffDecides)
			ok = ok && isStaff && d.Approve && (next.Decision.Staff == "s1" || next.Decision.Staff == "s2")
		} else {
			ok = ok && next.Read.Photo && next.Read.Proof == policy.Pass && next.Match == policy.Pass &&
				next.Live == policy.Pass && next.AgreeFace && !next.FaceDeclined && !next.Read.Minor && next.Duty == "s1"
		}
		if !ok {
			fail("verified without its grounds")
		}
	}
	if d, ok := e.(flow.StaffDecides); ok && d.Approve && d.Staff == s.First && next.Decision != s.Decision {
		fail("the second person is the first")
	}
	if d, ok := e.(flow.StaffDecides); ok && !d.Approve && next.Decision != s.Decision && next.Decision.Outcome == flow.Verified {
		fail("a refusal verifies")
	}
	if _, entered := has[flow.Wipe](effects); s.Phase == flow.Deciding && next.Phase == flow.Result && entered > 0 {
		if st, ok := e.(flow.Stored); ok && !st.OK && next.Decision.Outcome != flow.Referred {
			fail("an outcome without a record")
		}
	}
}

func TestWalkAllReachableStates(t *testing.T) {
	w := &walker{t: t, turns: map[[2]flow.Phase][]string{}}
	phases := map[flow.Phase]int{}
	for name, p := range profiles() {
		w.walk(name, p, phases)
	}
	for _, p := range flow.Phases() {
		if phases[p] == 0 {
			t.Errorf("phase %v is never reached", p)
		}
	}
	requireDiagram(t, w.turns)
}

// walk visits every state that a service can reach.
func (w *walker) walk(name string, p policy.Profile, phases map[flow.Phase]int) {
	t := w.t
	before := w.edges
	start, effects := flow.New(p)
	if set, n := has[flow.SetTimer](effects); n != 1 || set.Timer != start.Timer {
		t.Fatal("the machine starts without a deadline")
	}
	seen := map[flow.State]bool{key(start): true}
	queue := []flow.State{start}
	for len(queue) > 0 {
		s := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		phases[s.Phase]++
		endsByTimeAlone(t, s)
		noDeadEnd(t, s)
		for _, e := range events(s) {
			next, effects := flow.On(s, e)
			w.edges++
			w.check(s, e, next, effects)
			w.turn(s.Phase, next.Phase, e)
			if k := key(next); !seen[k] {
				seen[k] = true
				queue = append(queue, next)
			}
		}
	}
	t.Logf("%s: %d states, %d edges", name, len(seen), w.edges-before)
}

func (w *walker) turn(from, to flow.Phase, e flow.Event) {
	if from == to {
		return
	}
	pair := [2]flow.Phase{from, to}
	if l := label(e); !slices.Contains(w.turns[pair], l) {
		w.turns[pair] = append(w.turns[pair], l)
	}
}

// profiles are the services that are walked.
func profiles() map[string]policy.Profile {
	return map[string]policy.Profile{"in-person": profile(), "signature": signature()}
}

// endsByTimeAlone: if nobody does anything more, every session ends: at idle, at the card-left alarm, or out of
// service because a device is down.
func endsByTimeAlone(t *testing.T, s flow.State) {
	t.Helper()
	for range 14 {
		switch {
		case s.Phase == flow.Idle, s.Phase == flow.TakeCard && s.CardLeft,
			s.Phase == flow.OutOfService && (s.Reader == flow.ReaderDown || !s.Storage || s.Maintenance):
			return
		}
		s, _ = flow.On(s, flow.Timeout{Timer: s.Timer})
	}
	t.Fatalf("time alone does not end %v: %+v", s.Phase, s)
}

// noDeadEnd: whatever happened, the customer alone and staff alone also reach an end with a name, at once or after what
// machines are doing; and a failure leads to a decision, not only to a cancellation.
func noDeadEnd(t *testing.T, s flow.State) {
	t.Helper()
	switch s.Phase {
	case flow.Idle, flow.OutOfService, flow.Result, flow.TakeCard, flow.Deciding, flow.Reading, flow.CardCheck:
		return // ends, and machines: endsByTimeAlone
	}
	byCustomer, _ := flow.On(s, flow.Customer{Act: flow.AskCancel})
	byCustomer, _ = flow.On(byCustomer, flow.Customer{Act: flow.CancelYes})
	if byCustomer.Phase != flow.Result || byCustomer.Decision.Outcome != flow.Cancelled {
		t.Fatalf("the customer alone cannot end %v", s.Phase)
	}
	byStaff, _ := flow.On(s, flow.StaffRefers{Staff: "s1"})
	if byStaff.Phase != flow.Result || byStaff.Decision.Outcome != flow.Referred || byStaff.Trouble == "" {
		t.Fatalf("staff alone cannot end %v", s.Phase)
	}
	if s.Phase == flow.WaitStaff {
		refused, _ := flow.On(s, flow.StaffDecides{Gen: s.Gen, Staff: "s1", Reason: "other-person"})
		if refused.Phase != flow.Deciding || refused.Decision.Outcome != flow.Refused {
			t.Fatalf("staff cannot decide %+v", s)
		}
		return
	}
	if way := toStaff(s.Phase); way != 0 {
		next, _ := flow.On(s, flow.Customer{Act: way})
		if next.Phase != flow.WaitStaff && next.Phase != flow.Deciding {
			t.Fatalf("the customer cannot reach a decision from %v by act %d: %v", s.Phase, way, next.Phase)
		}
	}
}

// toStaff is the act by which a customer gets people to decide in a phase that may have begun with a failure.
func toStaff(p flow.Phase) flow.Act {
	switch p {
	case flow.PlaceCard, flow.Document, flow.Ways, flow.PutBack, flow.Credential, flow.LastTry:
		return flow.WithStaff
	case flow.Confirm:
		return flow.WrongData
	case flow.Face:
		return flow.SkipFace
	}
	return 0
}
