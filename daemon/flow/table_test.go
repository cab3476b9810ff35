package flow_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
)

const anyTime = time.Duration(-1)

// in makes a state in a phase, with levels as on a good day.
func in(p flow.Phase, change ...func(*flow.State)) flow.State {
	service := profile()
	s := flow.State{
		Profile: &service, Phase: p, Gen: 7, Timer: 70, Reader: flow.ReaderCard, CardSeq: 3, Camera: true,
		Storage: true, Duty: "s1",
	}
	s.AgreeIdentity, s.AgreeFace = true, true
	s.Known = true
	s.TriesB, s.TriesPIN = flow.Tries{Left: 10, Known: true}, flow.Tries{Left: 3, Known: true}
	for _, c := range change {
		c(&s)
	}
	return s
}

func read(s *flow.State) {
	s.Read = flow.Read{Done: true, Photo: true, Proof: policy.Pass}
	s.Confirmed = true
}

func bLeft(n int8) func(*flow.State) {
	return func(s *flow.State) { s.TriesB = flow.Tries{Left: n, Known: true} }
}

func timer(n uint32) flow.Effect { return flow.SetTimer{Timer: n, After: anyTime} }

// The decisive transitions, by hand: from, event, to, effects (deadlines are held by TestDeadlines).
func TestDecisiveTransitions(t *testing.T) {
	seven := uint32(7)
	verified := flow.Decision{Outcome: flow.Verified}
	approved := flow.Decision{Outcome: flow.Verified, ByStaff: true, Staff: "s1", Reason: "photo-same-person"}
	refused := flow.Decision{Outcome: flow.Refused, ByStaff: true, Staff: "s1", Reason: "other-person"}
	expired := flow.Decision{Outcome: flow.Refused, Reason: "card-expired"}
	tests := []struct {
		name    string
		from    flow.State
		event   flow.Event
		to      flow.Phase
		trouble flow.Code
		reason  flow.Code
		effects []flow.Effect
	}{
		{"touch-starts", in(flow.Idle), flow.Customer{Act: flow.Start}, flow.Language, "", "", []flow.Effect{timer(71)}},
		{"card-starts", in(flow.Idle, func(s *flow.State) { s.Reader = flow.ReaderEmpty }), flow.ReaderLevel{Level: flow.ReaderCard, Seq: 4}, flow.Language, "", "", []flow.Effect{timer(71)}},
		{"reader-lost-at-idle", in(flow.Idle), flow.ReaderLevel{}, flow.OutOfService, "reader-missing", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"disk-full-at-idle", in(flow.Idle), flow.StorageLevel{}, flow.OutOfService, "storage-full", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"clock-wrong-at-idle", in(flow.Idle), flow.StorageLevel{Why: flow.CodeClock}, flow.OutOfService, "clock-wrong", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"maintenance-at-idle", in(flow.Idle), flow.MaintenanceLevel{On: true}, flow.OutOfService, "maintenance", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"no-maintenance-beside-a-customer", in(flow.Consent), flow.MaintenanceLevel{On: true}, flow.Consent, "", "", nil},
		{"maintenance-ends", in(flow.OutOfService, func(s *flow.State) { s.Maintenance = true }), flow.MaintenanceLevel{}, flow.Idle, "", "", []flow.Effect{flow.Wipe{}, flow.StopTimer{}}},
		{"reader-back-during-maintenance", in(flow.OutOfService, func(s *flow.State) { s.Maintenance = true; s.Reader = flow.ReaderDown }), flow.ReaderLevel{Level: flow.ReaderCard, Seq: 4}, flow.OutOfService, "maintenance", "", nil},
		{"no-consent-no-card", in(flow.Consent, func(s *flow.State) { s.AgreeIdentity = false }), flow.Customer{Act: flow.Next}, flow.Consent, "consent-needed", "", []flow.Effect{timer(71)}},
		{"card-already-there", in(flow.Consent), flow.Customer{Act: flow.Next}, flow.CardCheck, "", "", []flow.Effect{flow.ClearEntry{}, timer(71), flow.Identify{Gen: 9}, timer(72)}},
		{"card-expired", in(flow.CardCheck), flow.Identified{Gen: 7, Expired: true}, flow.Deciding, "card-expired", "", []flow.Effect{flow.Store{Gen: 8, Decision: expired}, timer(71)}},
		{"unknown-counter", in(flow.CardCheck), flow.Identified{Gen: 7, TriesPIN: flow.Tries{Left: 3, Known: true}}, flow.PlaceCard, "card-unreadable", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"b-blocked-offers-pin", in(flow.CardCheck), flow.Identified{Gen: 7, TriesB: flow.Tries{Known: true}, TriesPIN: flow.Tries{Left: 3, Known: true}}, flow.Credential, "number-b-blocked", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"both-blocked", in(flow.CardCheck), flow.Identified{Gen: 7, TriesB: flow.Tries{Known: true}, TriesPIN: flow.Tries{Known: true}}, flow.Ways, "number-b-blocked", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"a-lock-found-by-the-last-try", in(flow.Reading, bLeft(1)), flow.ReadDone{Gen: 7, Trouble: "number-b-blocked", Again: true}, flow.CardCheck, "number-b-blocked", "", []flow.Effect{flow.ClearEntry{}, flow.Identify{Gen: 8}, timer(71)}},
		{"ways-to-staff", in(flow.Ways, func(s *flow.State) { s.Trouble = "pin-blocked" }), flow.Customer{Act: flow.WithStaff}, flow.WaitStaff, "pin-blocked", "pin-blocked", []flow.Effect{timer(71)}},
		{"ways-to-the-numbers", in(flow.Ways), flow.Customer{Act: flow.SetRoute}, flow.CardCheck, "", "", []flow.Effect{flow.ClearEntry{}, timer(71), flow.Identify{Gen: 9}, timer(72)}},
		{"ways-never-to-what-is-locked", in(flow.Ways, bLeft(0)), flow.Customer{Act: flow.SetRoute}, flow.Ways, "", "", nil},
		{"no-card-to-staff", in(flow.PlaceCard, func(s *flow.State) { s.Reader = flow.ReaderEmpty }), flow.Customer{Act: flow.WithStaff}, flow.WaitStaff, "", "no-chip", []flow.Effect{timer(71)}},
		{"format-costs-nothing", in(flow.Credential), flow.Submitted{Trouble: "number-b-format"}, flow.Credential, "number-b-format", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"typing-ends-the-notice", in(flow.Credential, func(s *flow.State) { s.Trouble = "number-b-wrong" }), flow.Customer{Act: flow.Touched}, flow.Credential, "", "", []flow.Effect{timer(71)}},
		{"submit-reads", in(flow.Credential), flow.Submitted{}, flow.Reading, "", "", []flow.Effect{flow.ReadCard{Gen: 8, Route: flow.RouteB}, timer(71)}},
		{"last-try-asks", in(flow.Credential, bLeft(1)), flow.Submitted{}, flow.LastTry, "", "", []flow.Effect{timer(71)}},
		{"last-try-yes", in(flow.LastTry, bLeft(1)), flow.Customer{Act: flow.LastTryYes}, flow.Reading, "", "", []flow.Effect{flow.ReadCard{Gen: 8, Route: flow.RouteB}, timer(71)}},
		{"removed-while-typing", in(flow.Credential), flow.ReaderLevel{Level: flow.ReaderEmpty, Seq: 4}, flow.PutBack, "card-removed", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"removed-before-it-was-known", in(flow.CardCheck, func(s *flow.State) { s.Known = false }), flow.ReaderLevel{Level: flow.ReaderEmpty, Seq: 4}, flow.PlaceCard, "card-removed", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"removed-while-reading-waits-for-the-work", in(flow.Reading), flow.ReaderLevel{Level: flow.ReaderEmpty, Seq: 4}, flow.Reading, "", "", nil},
		{"removed-in-mid-read", in(flow.Reading, func(s *flow.State) { s.Reader = flow.ReaderEmpty }), flow.ReadDone{Gen: 7, Trouble: "card-removed"}, flow.PutBack, "card-removed", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"lost-before-the-reader-says-so", in(flow.Reading), flow.ReadDone{Gen: 7, Trouble: "card-removed"}, flow.PutBack, "card-removed", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"lost-and-back-before-the-work-says-so", in(flow.Reading, func(s *flow.State) { s.Moved = true }), flow.ReadDone{Gen: 7, Trouble: "card-removed"}, flow.CardCheck, "card-removed", "", []flow.Effect{flow.ClearEntry{}, timer(71), flow.Identify{Gen: 9}, timer(72)}},
		{"put-back", in(flow.PutBack, func(s *flow.State) { s.Reader = flow.ReaderEmpty; s.Trouble = "card-removed" }), flow.ReaderLevel{Level: flow.ReaderCard, Seq: 5}, flow.CardCheck, "card-removed", "", []flow.Effect{flow.Identify{Gen: 8}, timer(71)}},
		{"the-same-card", in(flow.CardCheck, func(s *flow.State) { s.Trouble = "card-removed" }), flow.Identified{Gen: 7, TriesB: flow.Tries{Left: 9, Known: true}, TriesPIN: flow.Tries{Left: 3, Known: true}}, flow.Credential, "", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"another-card", in(flow.CardCheck), flow.Identified{Gen: 7, Other: true, TriesB: flow.Tries{Left: 9, Known: true}, TriesPIN: flow.Tries{Left: 3, Known: true}}, flow.Result, "card-swapped", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"not-put-back", in(flow.PutBack, func(s *flow.State) { s.Reader = flow.ReaderEmpty; s.Trouble = "card-removed" }), flow.Timeout{Timer: 70}, flow.PlaceCard, "card-removed", "", []flow.Effect{flow.ForgetCard{}, flow.ClearEntry{}, timer(71)}},
		{"swapped-while-typing", in(flow.Credential), flow.ReaderLevel{Level: flow.ReaderCard, Seq: 5}, flow.CardCheck, "card-removed", "", []flow.Effect{flow.ClearEntry{}, timer(71), flow.Identify{Gen: 9}, timer(72)}},
		{"wrong-number-asks-the-card", in(flow.Reading), flow.ReadDone{Gen: 7, Trouble: "number-b-wrong", Again: true}, flow.CardCheck, "number-b-wrong", "", []flow.Effect{flow.ClearEntry{}, flow.Identify{Gen: 8}, timer(71)}},
		{"unreadable-must-be-lifted", in(flow.Reading), flow.ReadDone{Gen: 7, Trouble: "card-unreadable"}, flow.PlaceCard, "card-unreadable", "", []flow.Effect{flow.ClearEntry{}, timer(71)}},
		{"unreadable-twice", in(flow.Reading, func(s *flow.State) { s.CardFailures = 1 }), flow.ReadDone{Gen: 7, Trouble: "card-unreadable"}, flow.WaitStaff, "card-unreadable", "card-unreadable", []flow.Effect{timer(71)}},
		{"no-cancel-while-reading", in(flow.Reading, func(s *flow.State) { s.AskCancel = true }), flow.Customer{Act: flow.CancelYes}, flow.Reading, "", "", nil},
		{"data-is-wrong", in(flow.Confirm), flow.Customer{Act: flow.WrongData}, flow.WaitStaff, "", "wrong-data", []flow.Effect{timer(71)}},
		{"confirm-films", in(flow.Confirm, read), flow.Customer{Act: flow.ConfirmData}, flow.Face, "", "", []flow.Effect{flow.Capture{Gen: 8}, timer(71)}},
		{"no-camera", in(flow.Confirm, read, func(s *flow.State) { s.Camera = false }), flow.Customer{Act: flow.ConfirmData}, flow.WaitStaff, "camera-missing", "face-not-checked", []flow.Effect{timer(71)}},
		{"no-face-consent", in(flow.Confirm, read, func(s *flow.State) { s.AgreeFace = false }), flow.Customer{Act: flow.ConfirmData}, flow.WaitStaff, "", "face-not-checked", []flow.Effect{timer(71)}},
		{"face-declined", in(flow.Face, read), flow.Customer{Act: flow.SkipFace}, flow.WaitStaff, "", "face-not-checked", []flow.Effect{timer(71)}},
		{"machine-accepts", in(flow.Face, read), flow.FaceDone{Gen: 7, Match: policy.Pass, Live: policy.Pass}, flow.Deciding, "", "", []flow.Effect{flow.Store{Gen: 8, Decision: verified}, timer(71)}},
		{"nobody-on-duty", in(flow.Face, read, func(s *flow.State) { s.Duty = "" }), flow.FaceDone{Gen: 7, Match: policy.Pass, Live: policy.Pass}, flow.WaitStaff, "", "no-staff", []flow.Effect{timer(71)}},
		{"not-checked-never-passes", in(flow.Face, read, func(s *flow.State) { s.FaceTries = 2 }), flow.FaceDone{Gen: 7}, flow.WaitStaff, "", "face-not-checked", []flow.Effect{timer(71)}},
		{"mismatch-once-more", in(flow.Face, read, func(s *flow.State) { s.FaceTries = 1 }), flow.FaceDone{Gen: 7, Match: policy.Fail, Live: policy.Pass}, flow.Face, "face-mismatch", "", []flow.Effect{flow.Capture{Gen: 8}, timer(71)}},
		{"mismatch-goes-to-staff", in(flow.Face, read, func(s *flow.State) { s.FaceTries = 2 }), flow.FaceDone{Gen: 7, Match: policy.Fail, Live: policy.Pass}, flow.WaitStaff, "", "face-mismatch", []flow.Effect{timer(71)}},
		{"attack-is-not-retried", in(flow.Face, read, func(s *flow.State) { s.FaceTries = 1 }), flow.FaceDone{Gen: 7, Match: policy.Pass, Live: policy.Fail}, flow.WaitStaff, "", "face-attack", []flow.Effect{timer(71)}},
		{"stale-face", in(flow.Face, read), flow.FaceDone{Gen: 6, Match: policy.Pass, Live: policy.Pass}, flow.Face, "", "", nil},
		{"staff-approve", in(flow.WaitStaff, read), flow.StaffDecides{Gen: 7, Approve: true, Staff: "s1", Reason: "photo-same-person"}, flow.Deciding, "", "", []flow.Effect{flow.Store{Gen: 8, Decision: approved}, timer(71)}},
		{"staff-refuse", in(flow.WaitStaff, read), flow.StaffDecides{Gen: 7, Staff: "s1", Reason: "other-person"}, flow.Deciding, "staff-refused", "", []flow.Effect{flow.Store{Gen: 8, Decision: refused}, timer(71)}},
		{"nothing-read-nothing-approved", in(flow.WaitStaff), flow.StaffDecides{Gen: 7, Approve: true, Staff: "s1", Reason: "photo-same-person"}, flow.WaitStaff, "", "", nil},
		{"forged-is-not-approved", in(flow.WaitStaff, read, func(s *flow.State) { s.Read.Proof = policy.Fail }), flow.StaffDecides{Gen: 7, Approve: true, Staff: "s1", Reason: "photo-same-person"}, flow.WaitStaff, "", "", nil},
		{"a-child-without-a-guardian", in(flow.WaitStaff, read, func(s *flow.State) { s.Read.Minor = true }), flow.StaffDecides{Gen: 7, Approve: true, Staff: "s1", Reason: "document-checked"}, flow.WaitStaff, "", "", nil},
		{"a-child-with-a-guardian", in(flow.WaitStaff, read, func(s *flow.State) { s.Read.Minor, s.Represented = true, true }), flow.StaffDecides{Gen: 7, Approve: true, Staff: "s1", Reason: "photo-same-person"}, flow.Deciding, "", "", []flow.Effect{flow.Store{Gen: 8, Decision: approved}, timer(71)}},
		{"a-guardian-of-another-case", in(flow.WaitStaff, read), flow.Represented{Gen: 6, Staff: "s1"}, flow.WaitStaff, "", "", nil},
		{"decision-without-a-name", in(flow.WaitStaff, read), flow.StaffDecides{Gen: 7, Approve: true}, flow.WaitStaff, "", "", nil},
		{"staff-never-come", in(flow.WaitStaff, read), flow.Timeout{Timer: 70}, flow.Result, "no-staff", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"stored", in(flow.Deciding), flow.Stored{Gen: seven, OK: true}, flow.Result, "", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"not-stored-not-verified", in(flow.Deciding, func(s *flow.State) { s.Decision = verified }), flow.Stored{Gen: 7}, flow.Result, "storage-failed", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"card-still-there", in(flow.Result), flow.Customer{Act: flow.Done}, flow.TakeCard, "", "", []flow.Effect{flow.Wipe{}, timer(71)}},
		{"card-left-alarm", in(flow.TakeCard), flow.Timeout{Timer: 70}, flow.TakeCard, "", "", []flow.Effect{timer(71)}},
		{"card-taken", in(flow.TakeCard), flow.ReaderLevel{Level: flow.ReaderEmpty, Seq: 4}, flow.Idle, "", "", []flow.Effect{flow.Wipe{}, flow.StopTimer{}}},
		{"walked-away-asks", in(flow.Confirm, read), flow.Timeout{Timer: 70}, flow.Confirm, "", "", []flow.Effect{timer(71)}},
		{"walked-away", in(flow.Confirm, read, func(s *flow.State) { s.Warned = true }), flow.Timeout{Timer: 70}, flow.Result, "time-up", "", []flow.Effect{flow.Wipe{}, timer(71)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, effects := flow.On(tt.from, tt.event)
			for i, e := range effects {
				if set, ok := e.(flow.SetTimer); ok {
					effects[i] = flow.SetTimer{Timer: set.Timer, After: anyTime}
				}
			}
			if got.Phase != tt.to || got.Trouble != tt.trouble || got.StaffReason != tt.reason {
				t.Errorf("got %v %q %q, want %v %q %q", got.Phase, got.Trouble, got.StaffReason, tt.to, tt.trouble, tt.reason)
			}
			if diff := cmp.Diff(tt.effects, effects); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}

// sign is a state of the service that prefers the JPKI method.
func sign(p flow.Phase, change ...func(*flow.State)) flow.State {
	s := in(p)
	service := signature()
	s.Profile, s.Route = &service, flow.RouteSign
	s.TriesSign = flow.Tries{Left: 5, Known: true}
	for _, c := range change {
		c(&s)
	}
	return s
}

// The JPKI method, by hand.
func TestSignatureTransitions(t *testing.T) {
	b10, s5, s1, s0 := flow.Tries{Left: 10, Known: true}, flow.Tries{Left: 5, Known: true}, flow.Tries{Left: 1, Known: true}, flow.Tries{Known: true}
	shown := func(s *flow.State) { s.Shown = true }
	left := func(n flow.Tries) func(*flow.State) { return func(s *flow.State) { s.TriesSign = n } }
	cert := func(s *flow.State) { s.Read = flow.Read{Done: true, Proof: policy.Pass} }
	tests := []struct {
		name    string
		from    flow.State
		event   flow.Event
		to      flow.Phase
		trouble flow.Code
		outcome flow.Outcome
	}{
		{"the-document-comes-first", sign(flow.CardCheck), flow.Identified{Gen: 7, TriesB: b10, TriesSign: s5}, flow.Document, "", 0},
		{"then-the-password", sign(flow.Document), flow.Customer{Act: flow.Next}, flow.Credential, "", 0},
		{"not-wanted", sign(flow.Document), flow.Customer{Act: flow.SetRoute}, flow.Credential, "", 0},
		{"not-wanted-staff", sign(flow.Document), flow.Customer{Act: flow.WithStaff}, flow.WaitStaff, "", 0},
		{"signs", sign(flow.Credential, shown), flow.Submitted{}, flow.Reading, "", 0},
		{"last-try-asks", sign(flow.Credential, shown, left(s1)), flow.Submitted{}, flow.LastTry, "", 0},
		{"wrong-asks-the-card", sign(flow.Reading, shown), flow.ReadDone{Gen: 7, Trouble: "sign-wrong", Again: true}, flow.CardCheck, "sign-wrong", 0},
		{"locked-is-not-wrong", sign(flow.CardCheck, shown), flow.Identified{Gen: 7, TriesB: b10, TriesSign: s0}, flow.Ways, "sign-blocked", 0},
		{"a-child", sign(flow.CardCheck), flow.Identified{Gen: 7, TriesB: b10, NoSign: true}, flow.Ways, "no-sign-certificate", 0},
		{"without-pin", sign(flow.CardCheck), flow.Identified{Gen: 7, TriesB: b10, TriesSign: s0, WithoutPIN: true}, flow.Ways, "card-without-pin", 0},
		{"certificate-expired", sign(flow.Reading, shown), flow.ReadDone{Gen: 7, Trouble: "certificate-expired"}, flow.Ways, "certificate-expired", 0},
		{"read", sign(flow.Reading, shown), flow.ReadDone{Gen: 7, Read: flow.Read{Done: true, Proof: policy.Pass}}, flow.Confirm, "", 0},
		{"pending-and-never-verified", sign(flow.Confirm, shown, cert), flow.Customer{Act: flow.ConfirmData}, flow.Deciding, "revocation-pending", flow.Pending},
		{"forged", sign(flow.Confirm, shown, cert, func(s *flow.State) { s.Read.Proof = policy.Fail }), flow.Customer{Act: flow.ConfirmData}, flow.WaitStaff, "", 0},
		{"unknown-authority", sign(flow.Confirm, shown, cert, func(s *flow.State) { s.Read.Proof = policy.Unsure }), flow.Customer{Act: flow.ConfirmData}, flow.WaitStaff, "", 0},
		{"staff-cannot-know-either", sign(flow.WaitStaff, shown, read, func(s *flow.State) { s.StaffReason = "staff-needed" }), flow.StaffDecides{Gen: 7, Approve: true, Staff: "s1", Reason: "document-checked"}, flow.Deciding, "revocation-pending", flow.Pending},
		{"unattended-has-no-numbers", sign(flow.Document, func(s *flow.State) { p := *s.Profile; p.Channel = policy.Unattended; s.Profile = &p }), flow.Customer{Act: flow.SetRoute}, flow.Document, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := flow.On(tt.from, tt.event)
			if got.Phase != tt.to || got.Trouble != tt.trouble || got.Decision.Outcome != tt.outcome {
				t.Errorf("got %v %q %v, want %v %q %v", got.Phase, got.Trouble, got.Decision.Outcome, tt.to, tt.trouble, tt.outcome)
			}
		})
	}
}

// Against a mismatch the service wants two people; the first one cannot be both.
func TestSecondPerson(t *testing.T) {
	s := sign(flow.WaitStaff, read, func(s *flow.State) {
		p := *s.Profile
		p.Overrides[policy.GroundMismatch] = policy.DefaultOverride(policy.GroundMismatch)
		s.Profile, s.Route, s.StaffReason = &p, flow.RouteB, "face-mismatch"
	})
	approve := func(who string) flow.StaffDecides {
		return flow.StaffDecides{Gen: 7, Approve: true, Staff: who, Reason: "photo-same-person"}
	}
	for range 2 {
		s, _ = flow.On(s, approve("s1"))
		if s.Phase != flow.WaitStaff || s.First != "s1" {
			t.Fatalf("one person alone: got %v, first %q", s.Phase, s.First)
		}
	}
	refused, _ := flow.On(s, flow.StaffDecides{Gen: 7, Staff: "s1", Reason: "other-person"})
	if refused.Phase != flow.Deciding || refused.Decision.Outcome != flow.Refused {
		t.Errorf("a refusal needs one person: got %v", refused.Phase)
	}
	s, _ = flow.On(s, approve("s2"))
	if s.Phase != flow.Deciding || s.Decision.Outcome != flow.Verified || s.Decision.Staff != "s2" || s.First != "s1" {
		t.Errorf("two people: got %v %+v", s.Phase, s.Decision)
	}
}

// The outcome of the two ends that leave no record.
func TestEndsWithoutRecord(t *testing.T) {
	s, _ := flow.On(in(flow.Deciding, func(s *flow.State) { s.Decision.Outcome = flow.Verified }), flow.Stored{Gen: 7})
	if s.Decision.Outcome != flow.Referred {
		t.Errorf("got outcome %v without a record, want referred", s.Decision.Outcome)
	}
	s, _ = flow.On(in(flow.TakeCard), flow.Timeout{Timer: 70})
	if !s.CardLeft {
		t.Error("a card left behind raises no alarm")
	}
}

// Removed once too often people take over.
func TestRemovedTwice(t *testing.T) {
	s, _ := flow.On(in(flow.Reading, func(s *flow.State) { s.CardFailures = 1 }), flow.ReadDone{Gen: 7, Trouble: "card-removed"})
	if s.Phase != flow.WaitStaff || s.StaffReason != "card-removed" {
		t.Fatalf("got %v, %q", s.Phase, s.StaffReason)
	}
}

// A service says whether a case number is needed.
func TestCaseRule(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule policy.CaseRule
		from flow.Phase
		act  flow.Act
		to   flow.Phase
		got  flow.Case
	}{
		{"required", policy.CaseRequired, flow.CaseRef, flow.NoCase, flow.CaseRef, flow.CaseUnset},
		{"optional", policy.CaseOptional, flow.CaseRef, flow.NoCase, flow.Consent, flow.CaseNone},
		{"none-is-not-asked", policy.CaseNone, flow.Language, flow.SetLanguage, flow.Consent, flow.CaseNone},
		{"none-and-back", policy.CaseNone, flow.Consent, flow.Back, flow.Language, flow.CaseNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sign(tt.from, func(s *flow.State) {
				p := *s.Profile
				p.Case, s.Profile = tt.rule, &p
				if tt.act == flow.Back {
					s.Case = flow.CaseNone
				}
			})
			if s, _ = flow.On(s, flow.Customer{Act: tt.act}); s.Phase != tt.to || s.Case != tt.got {
				t.Fatalf("got %v, case %v", s.Phase, s.Case)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	s := in(flow.Consent)
	for _, c := range []flow.Customer{{Act: flow.SetSize, Arg: 9}, {Act: flow.SetContrast, Arg: 1}, {Act: flow.SetSlow, Arg: 7}, {Act: flow.SetLanguage, Arg: 1}} {
		s, _ = flow.On(s, c)
	}
	if got, want := s.Settings, (flow.Settings{Lang: 1, Size: 2, Contrast: 1, Slow: 1}); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	s.Phase = flow.TakeCard
	s, _ = flow.On(s, flow.ReaderLevel{Level: flow.ReaderEmpty, Seq: 9})
	if s.Settings != (flow.Settings{}) {
		t.Fatal("the next customer inherits the settings")
	}
}

func TestDeadlines(t *testing.T) {
	want := map[flow.Phase][2]time.Duration{
		flow.Language: {60, 20}, flow.CaseRef: {60, 20}, flow.Consent: {120, 20}, flow.PlaceCard: {60, 20},
		flow.CardCheck: {20, 0}, flow.Credential: {120, 20}, flow.LastTry: {60, 20}, flow.Reading: {40, 0}, flow.PutBack: {20, 0}, flow.Ways: {120, 20}, flow.Document: {120, 20},
		flow.Confirm: {120, 20}, flow.Face: {45, 0}, flow.WaitStaff: {600, 0}, flow.Deciding: {30, 0},
		flow.Result: {20, 0}, flow.TakeCard: {30, 0}, flow.OutOfService: {30, 0},
	}
	machines := map[flow.Phase]bool{flow.CardCheck: true, flow.Reading: true, flow.Deciding: true, flow.OutOfService: true}
	for p, w := range want {
		s := in(p)
		wait, warn := s.Deadline()
		if wait != w[0]*time.Second || warn != w[1]*time.Second {
			t.Errorf("%v: got %v, %v, want %v, %v seconds", p, wait, warn, w[0], w[1])
		}
		s.Settings.Slow = 1
		if machines[p] {
			continue
		}
		if wait, warn := s.Deadline(); wait != 2*w[0]*time.Second || warn != 2*w[1]*time.Second {
			t.Errorf("%v with more time: got %v, %v, want the double", p, wait, warn)
		}
	}
}
