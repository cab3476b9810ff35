package policy_test

import (
	"testing"

	"madoguchi/daemon/policy"
)

func clean() policy.Facts {
	return policy.Facts{
		Read: true, Photo: true, Confirmed: true, FaceConsent: true, StaffOnDuty: true,
		Proof: policy.Pass, Match: policy.Pass, Live: policy.Pass,
	}
}

func TestDecide(t *testing.T) {
	p := policy.Profile{Channel: policy.Attended, MachineMayDecide: true}
	tests := []struct {
		name   string
		spoil  func(*policy.Profile, *policy.Facts)
		want   policy.Verdict
		reason policy.Reason
	}{
		{"clean", func(*policy.Profile, *policy.Facts) {}, policy.Accept, ""},
		{"forged", func(_ *policy.Profile, f *policy.Facts) { f.Proof = policy.Fail }, policy.ToStaff, "card-not-genuine"},
		{"proof-not-checked", func(_ *policy.Profile, f *policy.Facts) { f.Proof = policy.NotChecked }, policy.ToStaff, "proof-not-checked"},
		{"proof-unsure", func(_ *policy.Profile, f *policy.Facts) { f.Proof = policy.Unsure }, policy.ToStaff, "proof-not-checked"},
		{"attack", func(_ *policy.Profile, f *policy.Facts) { f.Live = policy.Fail }, policy.ToStaff, "face-attack"},
		{"mismatch", func(_ *policy.Profile, f *policy.Facts) { f.Match = policy.Fail }, policy.ToStaff, "face-mismatch"},
		{"match-not-checked", func(_ *policy.Profile, f *policy.Facts) { f.Match = policy.NotChecked }, policy.ToStaff, "face-not-checked"},
		{"live-not-checked", func(_ *policy.Profile, f *policy.Facts) { f.Live = policy.NotChecked }, policy.ToStaff, "face-not-checked"},
		{"match-unsure", func(_ *policy.Profile, f *policy.Facts) { f.Match = policy.Unsure }, policy.ToStaff, "face-unsure"},
		{"live-unsure", func(_ *policy.Profile, f *policy.Facts) { f.Live = policy.Unsure }, policy.ToStaff, "face-unsure"},
		{"no-face-consent", func(_ *policy.Profile, f *policy.Facts) { f.FaceConsent = false }, policy.ToStaff, "face-not-checked"},
		{"declined", func(_ *policy.Profile, f *policy.Facts) { f.FaceDeclined = true }, policy.ToStaff, "face-not-checked"},
		{"no-photo", func(_ *policy.Profile, f *policy.Facts) { f.Photo = false }, policy.ToStaff, "face-not-checked"},
		{"minor", func(_ *policy.Profile, f *policy.Facts) { f.Minor = true }, policy.ToStaff, "under-15"},
		{"not-confirmed", func(_ *policy.Profile, f *policy.Facts) { f.Confirmed = false }, policy.ToStaff, "wrong-data"},
		{"not-read", func(_ *policy.Profile, f *policy.Facts) { f.Read = false }, policy.ToStaff, "card-unreadable"},
		{"nobody-on-duty", func(_ *policy.Profile, f *policy.Facts) { f.StaffOnDuty = false }, policy.ToStaff, "no-staff"},
		{"unattended", func(p *policy.Profile, _ *policy.Facts) { p.Channel = policy.Unattended }, policy.ToStaff, "staff-needed"},
		{"staffed-service", func(p *policy.Profile, _ *policy.Facts) { p.MachineMayDecide = false }, policy.ToStaff, "staff-needed"},
		{"nothing", func(p *policy.Profile, f *policy.Facts) { *p, *f = policy.Profile{}, policy.Facts{} }, policy.ToStaff, "card-unreadable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, f := p, clean()
			tt.spoil(&p, &f)
			got, reason := policy.Decide(p, f)
			if got != tt.want || reason != tt.reason {
				t.Fatalf("got %v %q, want %v %q", got, reason, tt.want, tt.reason)
			}
		})
	}
}

// No combination of checks but the clean one is accepted.
func TestOnlyCleanIsAccepted(t *testing.T) {
	p := policy.Profile{Channel: policy.Attended, MachineMayDecide: true}
	checks := []policy.Check{policy.NotChecked, policy.Pass, policy.Unsure, policy.Fail}
	accepted := 0
	for bits := range 128 {
		for _, proof := range checks {
			for _, match := range checks {
				for _, live := range checks {
					f := policy.Facts{
						Read: bits&1 > 0, Photo: bits&2 > 0, Confirmed: bits&4 > 0, Minor: bits&8 > 0,
						FaceConsent: bits&16 > 0, FaceDeclined: bits&32 > 0, StaffOnDuty: bits&64 > 0,
						Proof: proof, Match: match, Live: live,
					}
					if v, _ := policy.Decide(p, f); v == policy.Accept {
						accepted++
						if f != clean() {
							t.Fatalf("accepted %+v", f)
						}
					}
				}
			}
		}
	}
	if accepted != 1 {
		t.Fatalf("got %d accepted combinations, want 1", accepted)
	}
}

func TestMayApprove(t *testing.T) {
	for _, f := range []policy.Facts{
		{},
		{Read: true},
		{Confirmed: true},
		{Read: true, Confirmed: true, Proof: policy.Fail},
	} {
		if policy.MayApprove(f) {
			t.Fatalf("staff may not approve %+v", f)
		}
	}
	if !policy.MayApprove(policy.Facts{Read: true, Confirmed: true}) {
		t.Fatal("staff may approve what was read and confirmed")
	}
}

func TestMethodAt(t *testing.T) {
	before, after := policy.MethodAt(20270331), policy.MethodAt(20270401)
	if before.Code != "in-person-chip" || after.Code != "in-person-chip" {
		t.Fatalf("got %q and %q", before.Code, after.Code)
	}
	if before == after {
		t.Fatal("the rule of 2027-04-01 does not show")
	}
}
