package session_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/daemon/session"
	"madoguchi/internal/secret"
	"madoguchi/ui/console"
	"madoguchi/ui/screen"
)

// requireNotes compares what was noted since the last time.
func (k *kiosk) requireNotes(want ...string) {
	k.t.Helper()
	synctest.Wait()
	if got := k.notes.words(); !slices.Equal(got, want) {
		k.t.Fatalf("noted:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Maintenance is refused beside a customer, keeps customers away, and leaves its two entries.
func TestMaintenance(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.requireNotes()
		k.do(screen.InStart)
		if err := k.session.Maintain(k.ctx, "s1", true); !errors.Is(err, session.ErrCustomer) {
			t.Fatalf("got %v", err)
		}
		k.requireNotes()
		time.Sleep(5 * time.Minute)
		k.requireNotes("ended cancelled  time-up")
		if err := k.session.Maintain(k.ctx, "s1", true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := k.browser.shown(); s.Kind != screen.OutOfService || s.Trouble == nil || s.Trouble.Code != "maintenance" {
			t.Fatalf("shown: %v", s.Kind)
		}
		if err := k.session.Maintain(k.ctx, "s1", false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := k.browser.shown(); s.Kind != screen.Idle {
			t.Fatalf("shown: %v", s.Kind)
		}
		k.requireNotes("maintenance begin s1", "maintenance end s1")
	})
}

// Every sign-in, refused or not, every sign-out and every decision of staff is noted; what was typed as an id is not.
func TestStaffActsAreNoted(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.session.StaffInput(k.ctx, console.Input{Kind: console.InSignIn, Session: 1, Staff: "佐藤花子", PIN: secret.Copy([]byte(staffPIN))})
		synctest.Wait()
		k.requireNotes("staff-refused   wrong")
		k.signIn()
		k.requireNotes("staff-in  s1")
		time.Sleep(16 * time.Minute)
		k.requireNotes("staff-out  s1")
	})
}

// A case that staff decide: who saw its photos, once, and what they decided.
func TestCaseIsNoted(t *testing.T) {
	run(t, func(d *session.Deps) { d.Engine = engine{similar: 0.6, live: 0.99} }, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toFace("sato")
		k.pass(40 * time.Second)
		k.pass(40 * time.Second)
		k.want(screen.WaitStaff)
		k.pass(3 * time.Second)
		k.requireNotes("staff-in  s1", "photo-viewed  s1")
		k.decide(console.InApprove, "photo-same-person")
		synctest.Wait()
		k.requireNotes("staff-decided approve s1 photo-same-person")
	})
}
