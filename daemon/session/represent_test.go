package session_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/ui/console"
	"madoguchi/ui/screen"
)

// A child is verified only beside a guardian whom staff took down.
func TestGuardian(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toFace("kobayashi")
		k.pass(5 * time.Second)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; !c.NeedsGuardian || c.Represented || c.MayApprove {
			t.Fatalf("got %+v", c)
		}
		k.decide(console.InApprove, "photo-same-person")
		k.want(screen.WaitStaff)
		in := console.Input{
			Kind: console.InRepresent, Session: 1, Case: k.page.shown().Case.ID, Reason: "under-age", Relation: "parent",
			Document: "drivers-licence", Note: "電話 03-1234", Name: secret.Copy([]byte("小林 母")),
		}
		k.requireNotes("staff-in  s1", "photo-viewed  s1", "staff-decided approve s1 photo-same-person")
		k.session.StaffInput(k.ctx, in)
		synctest.Wait()
		if v := k.page.shown(); v.Problem != "digit-run" || v.Case.Represented {
			t.Fatalf("a telephone number was taken: %+v", v)
		}
		in.Note, in.Name = "", secret.Copy([]byte("小林 母"))
		k.session.StaffInput(k.ctx, in)
		synctest.Wait()
		if c := k.page.shown().Case; !c.Represented || !c.MayApprove {
			t.Fatalf("got %+v", c)
		}
		k.decide(console.InApprove, "photo-same-person")
		k.want(screen.Result)
		k.requireNotes("staff-decided represented s1 under-age", "staff-decided approve s1 photo-same-person")
		e := string(k.shelf.records[0][record.PartEvidence])
		want := `"representative":{"document":"drivers-licence","name":"小林 母","note":"","reason":"under-age","relation":"parent"}`
		if !strings.Contains(e, want) || !strings.Contains(e, `"outcome":"verified"`) {
			t.Fatalf("got %s", e)
		}
	})
}

// Staff take a customer away from the kiosk at any point, and say how they go on.
func TestAnotherMethod(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toCredential("sato")
		k.requireNotes("staff-in  s1")
		k.session.StaffInput(k.ctx, console.Input{Kind: console.InOther, Session: 1, Reason: "by-documents"})
		k.pass(time.Second)
		k.want(screen.Result)
		if r := k.browser.shown().Result; r.Outcome != screen.Referred {
			t.Fatalf("got %+v", r)
		}
		k.requireNotes("ended referred s1 by-documents")
	})
}
