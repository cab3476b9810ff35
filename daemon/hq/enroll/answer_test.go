package enroll_test

import (
	"context"
	"crypto"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	hq "madoguchi/daemon/hq/enroll"
	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/enroll"
	"madoguchi/storage/sync"
)

// What a false or broken HQ could answer is refused, and leaves no bundle and no renewed certificate behind.
func TestFalseAnswers(t *testing.T) {
	k := newKiosk(t)
	k.clock.pass(61 * day)
	other := newHQ(t)
	stranger := newKey(t)
	foreignList := other.read(other.layout.Keys())
	foreignRoot, err := setup.OpenList(other.layout)
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(h *hqKit, name string) []byte {
		key, err := setup.LoadKey(filepath.Join(h.layout.Receiver(), setup.FileIssuerKey))
		if err != nil {
			t.Fatal(err)
		}
		signer, _ := key.(crypto.Signer)
		i, err := hq.NewIssuer(h.read(filepath.Join(h.layout.Receiver(), setup.FileIssuer)), h.ca, signer)
		if err != nil {
			t.Fatal(err)
		}
		der, _, err := i.Issue(name, ecdsaOf(t, stranger.Public()), k.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, c := range []struct {
		name   string
		tamper func(a *enroll.Answer)
		// alsoFirst: an enrolment refuses it too; a root that is told at the first enrolment is taken without a pin.
		alsoFirst bool
	}{
		{"another-device", func(a *enroll.Answer) { a.Device = "another" }, true},
		{"a-certificate-of-another-key", func(a *enroll.Answer) { a.Chain[0] = leaf(k.hqKit, kiosk) }, true},
		{"no-certificate", func(a *enroll.Answer) { a.Chain = nil }, true},
		{"no-issuer", func(a *enroll.Answer) { a.Chain = a.Chain[:1] }, true},
		{"not-a-certificate", func(a *enroll.Answer) { a.Chain[1] = []byte{1, 2, 3} }, true},
		{"another-ca", func(a *enroll.Answer) { a.CA = nil }, true},
		{"a-list-of-another-root", func(a *enroll.Answer) { a.Keys = foreignList }, true},
		{"no-list", func(a *enroll.Answer) { a.Keys = nil }, true},
		{"another-root", func(a *enroll.Answer) { a.Root = foreignRoot.Root().DER() }, true},
		{"another-root-and-its-list", func(a *enroll.Answer) { a.Root, a.Keys = foreignRoot.Root().DER(), foreignList }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k.tamper = c.tamper
			defer func() { k.tamper = nil }()
			k.clock.pass(time.Minute)
			before := k.renewer.Leaf()
			if ok, err := k.renewer.RenewIfDue(context.Background(), k.clock.now()); ok || !errors.Is(err, enroll.ErrAnswer) {
				t.Fatalf("renewal: %v, %v", ok, err)
			}
			if _, err := os.Stat(filepath.Join(k.state, enroll.FileRenewed)); !errors.Is(err, fs.ErrNotExist) || !k.renewer.Leaf().Equal(before) {
				t.Fatal("the old certificate did not stay")
			}
			o := k.options(k.code("branch-2"))
			o.Device = "branch-2"
			if _, err := enroll.Enroll(context.Background(), o); c.alsoFirst && !errors.Is(err, enroll.ErrAnswer) {
				t.Fatalf("enrolment: %v", err)
			}
			if _, err := os.Stat(o.Dir); c.alsoFirst && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal("a bundle was left")
			}
		})
	}
	k.renew(true)
}

// The bundle that root writes for the kiosk's group is readable by it and by nobody else.
func TestBundleForAGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: root")
		}
		t.Skip("SKIPPED, missing: root, to give files to a group")
	}
	h := newHQ(t)
	o := h.options(h.code(kiosk))
	o.Group = 4242
	h.enroll(o)
	for name, want := range map[string]os.FileMode{".": 0o750, sync.FileKey: 0o640, sync.FileDeviceKey: 0o640, sync.FileConfig: 0o640} {
		info, err := os.Stat(filepath.Join(o.Dir, name))
		if err != nil || info.Mode().Perm() != want || groupOf(info) != 4242 {
			t.Errorf("%s: %v of group %d, %v", name, info.Mode(), groupOf(info), err)
		}
	}
}
