package card_test

import (
	"testing"

	"madoguchi/hardware/card"
)

// TestProfilesAreWhole checks each generation against itself: every reference of an access rule exists, every name and
// every short id stands once, and nothing of 住基 can be read.
func TestProfilesAreWhole(t *testing.T) {
	for _, p := range card.Profiles() {
		t.Run(p.Version, func(t *testing.T) {
			refs, names := map[card.Ref]bool{}, map[string]bool{}
			once := func(name string) {
				if name == "" || names[name] {
					t.Errorf("%q is empty or stands twice", name)
				}
				names[name] = true
			}
			for _, a := range p.Applications {
				once(a.Name)
				if len(a.AID) != 10 {
					t.Errorf("%s: the id has %d bytes", a.Name, len(a.AID))
				}
			}
			for _, r := range p.References {
				once(r.Name)
				refs[r.Ref] = true
				if r.SFI == 0 || r.SFI > 30 || r.Ref.String() != r.Name || r.Ref.Max() != r.Tries {
					t.Errorf("%s: %+v", r.Name, r)
				}
			}
			for _, r := range card.AllRefs() {
				if !refs[r] {
					t.Errorf("no place for %v", r)
				}
			}
			for _, f := range p.Files {
				once(f.Name)
				if f.SFI == 0 || f.SFI > 30 || f.Name[:4] == "0401" {
					t.Errorf("%s: %+v", f.Name, f)
				}
				for _, r := range f.OpenedBy {
					if !refs[r] {
						t.Errorf("%s is opened by a reference without a place", f.Name)
					}
				}
			}
			if len(p.Keys) != 4 || p.KeyBits != 2048 || len(p.Tokens) == 0 {
				t.Errorf("keys %d of %d bits, tokens %v", len(p.Keys), p.KeyBits, p.Tokens)
			}
		})
	}
}
