package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/doctor"
)

// complaints are the findings that are not ok, as "code grade", "?" for what could not be checked, each once.
func complaints(all []doctor.Finding) []string {
	var out []string
	for _, f := range all {
		s := f.Code + " " + string(f.Grade)
		if f.Unchecked {
			s = f.Code + " ?"
		}
		if f.Grade != doctor.OK || f.Unchecked {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A healthy kiosk has nothing but ok, and every check has said something.
func TestHealthy(t *testing.T) {
	all := newWorld(t, newPKI(t)).examine()
	if got := complaints(all); got != nil || !doctor.Healthy(all) {
		t.Fatalf("got %q\n%+v", got, all)
	}
	want := []string{
		"config", "kioskd", "units", "clock", "clock-skew", "swap", "core", "rights", "keys", "keys", "disk", "reserve", "shelf", "set-aside",
		"upload", "queue-sealed", "audit", "staff", "reader", "reader", "camera", "models", "calibration", "jpeg2000", "certificate", "ca", "hq-keys",
		"receipt-keys", "hq", "hq-clock",
	}
	var got []string
	for _, f := range all {
		got = append(got, f.Code)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each illness has its finding, and only its own; each bad finding has a cure.
func TestIllnesses(t *testing.T) {
	p := newPKI(t)
	seen := map[string]bool{}
	for _, group := range [][]illness{machineIllnesses(), fileIllnesses(), queueIllnesses(), deviceIllnesses(), peopleIllnesses(), certificateIllnesses(), hqIllnesses()} {
		for _, tt := range group {
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld(t, p)
				tt.make(w)
				all := w.examine()
				got := complaints(all)
				want := slices.Sorted(slices.Values(tt.want))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				for _, f := range all {
					if f.Grade == doctor.Bad && f.Cure == "" {
						t.Errorf("%s has no cure", f.Code)
					}
					said := f.Text + f.Cure
					if strings.Contains(said, "tanuki") || strings.Contains(said, "狸") || strings.Contains(said, "pbkdf2") {
						t.Errorf("%s names a person or a secret: %s", f.Code, said)
					}
				}
				for _, c := range got {
					seen[c] = true
				}
				bad := slices.ContainsFunc(got, func(c string) bool { return strings.HasSuffix(c, " bad") })
				if doctor.Healthy(all) == bad {
					t.Errorf("healthy %v beside %q", doctor.Healthy(all), got)
				}
			})
		}
	}
	testDocumented(t, seen)
}

// illness makes a world ill.
type illness struct {
	name string
	make func(*world)
	want []string
}
