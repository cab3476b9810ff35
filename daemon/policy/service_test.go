package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
)

// flow keeps a profile in its state and compares states.
func same[T comparable](a, b T) bool { return a == b }

func TestProfilesAreComparable(t *testing.T) {
	var a, b policy.Profile
	if !same(a, b) {
		t.Fatal("two zero profiles differ")
	}
	b.Overrides[3].By = 1
	if same(a, b) {
		t.Fatal("a difference does not show")
	}
	if n := unsafe.Sizeof(a); n > 1024 {
		t.Errorf("a profile has %d bytes; the walk over flow's states copies each of them", n)
	}
}

func jpki() (policy.Profile, policy.Facts) {
	p := policy.Profile{Channel: policy.Unattended, MachineMayDecide: true}
	p.Methods[0] = methods.JPKISignature
	f := clean()
	f.Method, f.Revocation, f.StaffOnDuty = methods.JPKISignature, policy.Pass, false
	return p, f
}

func TestDecideJPKI(t *testing.T) {
	for _, tt := range []struct {
		name   string
		spoil  func(*policy.Profile, *policy.Facts)
		want   policy.Verdict
		reason policy.Reason
	}{
		{"clean-without-staff", func(*policy.Profile, *policy.Facts) {}, policy.Accept, ""},
		{"method-not-offered", func(p *policy.Profile, _ *policy.Facts) { p.Methods[0] = methods.InPersonChip }, policy.ToStaff, "staff-needed"},
		{"people-decide", func(p *policy.Profile, _ *policy.Facts) { p.MachineMayDecide = false }, policy.ToStaff, "staff-needed"},
		{"revoked", func(_ *policy.Profile, f *policy.Facts) { f.Revocation = policy.Fail }, policy.ToStaff, "certificate-revoked"},
		{"revoked-and-pending-allowed", func(p *policy.Profile, f *policy.Facts) { p.Offline.Pending, f.Revocation = true, policy.Fail }, policy.ToStaff, "certificate-revoked"},
		{"not-asked", func(_ *policy.Profile, f *policy.Facts) { f.Revocation = policy.NotChecked }, policy.ToStaff, "revocation-pending"},
		{"not-asked-and-allowed", func(p *policy.Profile, f *policy.Facts) { p.Offline.Pending, f.Revocation = true, policy.NotChecked }, policy.Pend, "revocation-pending"},
		{"unsure-and-allowed", func(p *policy.Profile, f *policy.Facts) { p.Offline.Pending, f.Revocation = true, policy.Unsure }, policy.Pend, "revocation-pending"},
		{"expired", func(_ *policy.Profile, f *policy.Facts) { f.Expired = true }, policy.ToStaff, "card-expired"},
		{"expired-and-pending", func(p *policy.Profile, f *policy.Facts) { p.Offline.Pending, f.Expired, f.Revocation = true, true, 0 }, policy.ToStaff, "card-expired"},
		{"proof-not-checked-and-pending", func(p *policy.Profile, f *policy.Facts) { p.Offline.Pending, f.Proof, f.Revocation = true, 0, 0 }, policy.ToStaff, "proof-not-checked"},
		{"mismatch-and-pending", func(p *policy.Profile, f *policy.Facts) {
			p.Offline.Pending, f.Match, f.Revocation = true, policy.Fail, 0
		}, policy.ToStaff, "face-mismatch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, f := jpki()
			tt.spoil(&p, &f)
			if got, reason := policy.Decide(p, f); got != tt.want || reason != tt.reason {
				t.Fatalf("got %v %q, want %v %q", got, reason, tt.want, tt.reason)
			}
		})
	}
	// The in-person method asks for no revocation, and is never done without staff.
	p, f := jpki()
	f.Method = methods.InPersonChip
	if v, r := policy.Decide(p, f); v != policy.ToStaff || r != "staff-needed" {
		t.Fatalf("unattended in person: %v %q", v, r)
	}
}

// Only a service without faces does without one, and only a service without liveness without that.
func TestDecideByFaceRule(t *testing.T) {
	blind := func(f policy.Facts) policy.Facts {
		f.Photo, f.FaceConsent, f.Match, f.Live = false, false, policy.NotChecked, policy.NotChecked
		return f
	}
	for _, tt := range []struct {
		name string
		face policy.FaceRule
		live policy.LivenessRule
		f    policy.Facts
		want policy.Reason
	}{
		{"required-blind", policy.FaceRequired, 0, blind(clean()), "face-not-checked"},
		{"offered-blind", policy.FaceOffered, 0, blind(clean()), "face-not-checked"},
		{"none-blind", policy.FaceNone, 0, blind(clean()), ""},
		{"none-but-mismatch", policy.FaceNone, 0, func() policy.Facts { f := clean(); f.Match = policy.Fail; return f }(), "face-mismatch"},
		{"no-liveness", policy.FaceRequired, policy.LivenessOff, func() policy.Facts { f := clean(); f.Live = 0; return f }(), ""},
		{"no-liveness-but-attack", policy.FaceRequired, policy.LivenessOff, func() policy.Facts { f := clean(); f.Live = policy.Fail; return f }(), "face-attack"},
		{"no-liveness-no-match", policy.FaceRequired, policy.LivenessOff, func() policy.Facts { f := clean(); f.Live, f.Match = 0, 0; return f }(), "face-not-checked"},
	} {
		p := policy.Profile{Channel: policy.Attended, MachineMayDecide: true}
		p.Face, p.Liveness = tt.face, tt.live
		if _, r := policy.Decide(p, tt.f); r != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, r, tt.want)
		}
	}
}

func TestApproval(t *testing.T) {
	var s policy.Service
	for g := range policy.Ground(policy.Grounds) {
		s.Overrides[g] = policy.DefaultOverride(g)
		if back, ok := policy.GroundOf(g.Reason()); !ok || back != g || g.Reason() == "" {
			t.Errorf("ground %d: %q", g, g.Reason())
		}
	}
	clerk, other, boss, far := policy.Person{ID: "a", Role: policy.Clerk}, policy.Person{ID: "b", Role: policy.Clerk},
		policy.Person{ID: "c", Role: policy.Supervisor}, policy.Person{ID: "d", Role: policy.Remote}
	for _, tt := range []struct {
		name          string
		reason        policy.Reason
		first, second policy.Person
		want          error
	}{
		{"one-clerk", "face-not-checked", clerk, policy.Person{}, nil},
		{"nobody", "face-not-checked", policy.Person{}, policy.Person{}, policy.ErrNotAllowed},
		{"no-name", "face-not-checked", policy.Person{Role: policy.Clerk}, policy.Person{}, policy.ErrNobody},
		{"mismatch-alone", "face-mismatch", clerk, policy.Person{}, policy.ErrNeedsSecond},
		{"mismatch-two", "face-mismatch", clerk, boss, nil},
		{"mismatch-remote", "face-mismatch", clerk, far, nil},
		{"mismatch-self", "face-mismatch", policy.Person{ID: "c", Role: policy.Supervisor}, boss, policy.ErrSelfApproval},
		{"mismatch-self-in-another-role", "face-mismatch", policy.Person{ID: "c", Role: policy.Clerk}, boss, policy.ErrSelfApproval},
		{"mismatch-two-clerks", "face-mismatch", clerk, other, policy.ErrNotAllowed},
		{"mismatch-no-name", "face-mismatch", clerk, policy.Person{Role: policy.Supervisor}, policy.ErrNobody},
		{"attack-alone", "face-attack", boss, policy.Person{}, policy.ErrNeedsSecond},
		{"expired-alone", "card-expired", boss, policy.Person{}, policy.ErrNeedsSecond},
		{"pending-alone", "revocation-pending", boss, policy.Person{}, policy.ErrNeedsSecond},
		{"forged", "card-not-genuine", boss, far, policy.ErrNotAllowed},
		{"wrong-data", "wrong-data", boss, far, policy.ErrNotAllowed},
		{"unread", "card-unreadable", boss, far, policy.ErrNotAllowed},
		{"revoked", "certificate-revoked", boss, far, policy.ErrNotAllowed},
		{"unknown", "because", boss, far, policy.ErrNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := s.Approval(tt.reason, tt.first, tt.second); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
	// Whatever a configuration says, nobody approves a forged card; and the zero service lets nobody approve anything.
	s.Overrides[policy.GroundForged] = policy.Override{By: policy.Roles(policy.Supervisor)}
	if err := s.Approval("card-not-genuine", boss, far); !errors.Is(err, policy.ErrNotAllowed) {
		t.Fatal(err)
	}
	if err := (&policy.Service{}).Approval("face-unsure", boss, far); !errors.Is(err, policy.ErrNotAllowed) {
		t.Fatal(err)
	}
	if !s.NeedsSecond("because") {
		t.Fatal("an unknown reason needs no second person")
	}
}

func TestWaits(t *testing.T) {
	var s policy.Service
	s.Times[policy.WaitConsent], s.Times[policy.WaitFace], s.Accessible[policy.WaitFace] = 90, 60, 300
	for _, tt := range []struct {
		w          policy.Wait
		accessible bool
		want       time.Duration
	}{
		{policy.WaitConsent, false, 90 * time.Second},
		{policy.WaitConsent, true, 180 * time.Second},
		{policy.WaitFace, true, 300 * time.Second},
		{policy.WaitPutBack, false, 20 * time.Second},
		{policy.WaitPutBack, true, 40 * time.Second},
		{policy.WaitStaff, false, 10 * time.Minute},
	} {
		if got := s.Wait(tt.w, tt.accessible); got != tt.want {
			t.Errorf("%s %v: got %v, want %v", tt.w, tt.accessible, got, tt.want)
		}
	}
}

func TestMayPend(t *testing.T) {
	o := policy.Offline{Pending: true, MaxHours: 24, MaxCount: 2}
	for n, tt := range []struct {
		o      policy.Offline
		n      int
		oldest time.Duration
		want   bool
	}{
		{o, 0, 0, true},
		{o, 1, 24 * time.Hour, true},
		{o, 2, 0, false},
		{o, 1, 24*time.Hour + 1, false},
		{policy.Offline{MaxHours: 24, MaxCount: 2}, 0, 0, false},
		{policy.Offline{}, 0, 0, false},
	} {
		if tt.o.MayPend(tt.n, tt.oldest) != tt.want {
			t.Errorf("case %d: want %v", n, tt.want)
		}
	}
}

// What stands in a record: the article of the day, who has confirmed it, and the revision of the rules.
func TestMethodOf(t *testing.T) {
	day := time.Date(2027, 3, 31, 14, 59, 59, 0, time.UTC)
	s := policy.Service{Act: methods.AML}
	m, err := policy.MethodOf(methods.Builtin(), s, "jpki-signature", day)
	if err != nil || m.Code != "jpki-signature" || m.Statute != "犯罪による収益の移転防止に関する法律施行規則6条1項1号カ" ||
		!strings.HasSuffix(m.Note, "; to be confirmed by counsel; rules "+methods.Builtin().Revision()) {
		t.Fatal(m, err)
	}
	table, err := methods.Builtin().With(nil, []methods.Confirm{{
		Act: "aml", Code: "jpki-signature", From: 20250624, Article: "6条1項1号カ", Confirmation: methods.Confirmation{By: "legal-1", On: 20261215, From: "x"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = policy.MethodOf(table, s, "jpki-signature", day); err != nil || !strings.Contains(m.Note, "; confirmed by legal-1 on 2026-12-15; rules "+table.Revision()) {
		t.Fatal(m, err)
	}
	s.RefuseUnconfirmed = true
	if _, err := policy.MethodOf(table, s, "jpki-signature", day); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.MethodOf(table, s, "jpki-signature", day.Add(time.Second)); !errors.Is(err, methods.ErrUnsure) {
		t.Fatalf("unconfirmed from 2027-04-01: %v", err)
	}
	if _, err := policy.MethodOf(table, policy.Service{}, "jpki-signature", day); !errors.Is(err, methods.ErrNoRow) {
		t.Fatal(err)
	}
	if policy.MethodAt(20200101) != (policy.Method{}) {
		t.Fatal("a day without a row has a method")
	}
}
