package present_test

import (
	"testing"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
	"madoguchi/daemon/present"
	"madoguchi/ui/screen"
)

// Every phase has a screen of its own, and every screen is some phase's.
func TestEveryPhaseHasAScreen(t *testing.T) {
	want := map[flow.Phase]screen.Kind{
		flow.Idle: screen.Idle, flow.Language: screen.Language, flow.CaseRef: screen.CaseReference,
		flow.Consent: screen.Consent, flow.PlaceCard: screen.PlaceCard, flow.CardCheck: screen.CardCheck,
		flow.Credential: screen.Credential, flow.LastTry: screen.LastTry, flow.Reading: screen.Reading,
		flow.Confirm: screen.Review, flow.Face: screen.Face, flow.WaitStaff: screen.WaitStaff,
		flow.Deciding: screen.Deciding, flow.Result: screen.Result, flow.TakeCard: screen.TakeCard,
		flow.OutOfService: screen.OutOfService, flow.PutBack: screen.PutBack, flow.Ways: screen.Ways,
		flow.Document: screen.Document,
	}
	if len(want) != len(flow.Phases()) || len(want) != len(screen.Kinds()) {
		t.Fatal("phases and screens differ in number")
	}
	for p, k := range want {
		if got := present.Screen(flow.State{Phase: p, Profile: &policy.Profile{}}, present.View{}).Kind; got != k {
			t.Errorf("%v: got %q, want %q", p, got, k)
		}
	}
}

// A result that was never decided is shown as a referral, never as a success.
func TestOutcomes(t *testing.T) {
	want := map[flow.Outcome]screen.Outcome{
		flow.NoOutcome: screen.Referred, flow.Verified: screen.Verified, flow.Refused: screen.Refused,
		flow.Referred: screen.Referred, flow.Cancelled: screen.Cancelled, flow.Pending: screen.Pending,
	}
	for o, w := range want {
		s := flow.State{Phase: flow.Result}
		s.Decision.Outcome = o
		if got := present.Screen(s, present.View{}).Result.Outcome; got != w {
			t.Errorf("%v: got %q, want %q", o, got, w)
		}
	}
}

// A counter that is not known is not shown as zero.
func TestUnknownTries(t *testing.T) {
	e := present.Screen(flow.State{Phase: flow.Credential, Profile: &policy.Profile{}}, present.View{}).Entry
	if e.TriesKnown {
		t.Fatal("an unknown counter is shown")
	}
	s := flow.State{Phase: flow.Credential, Profile: &policy.Profile{}}
	s.Route = flow.RoutePIN
	s.TriesPIN = flow.Tries{Left: 2, Known: true}
	s.TriesB = flow.Tries{Left: 9, Known: true}
	if e := present.Screen(s, present.View{}).Entry; e.TriesLeft != 2 || !e.TriesKnown || e.Route != screen.RoutePIN {
		t.Fatalf("got %+v, want the PIN's two tries", e)
	}
}
