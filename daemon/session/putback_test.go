package session_test

import (
	"strings"
	"testing"
	"time"

	"madoguchi/hardware/virtual"
	"madoguchi/storage/record"
	"madoguchi/ui/console"
	"madoguchi/ui/screen"
)

// torn plays until the card leaves the reader while it is read, and gives it.
func (k *kiosk) torn(id string, command int) *virtual.Card {
	k.t.Helper()
	k.toCredential(id)
	c, err := k.drawer.Card(id)
	if err != nil {
		k.t.Fatal(err)
	}
	c.SetFaults(virtual.Faults{RemoveAt: command})
	k.numberB(id)
	k.do(screen.InSubmit)
	k.pass(2 * time.Second)
	k.want(screen.PutBack)
	c.SetFaults(virtual.Faults{})
	return c
}

// The card leaves at each of its commands: it is put back, the number is asked again with the tries left, and what was
// read is not read again.
func TestCardRemovedWhileReading(t *testing.T) {
	const front = 9 // commands: four to identify, SELECT, VERIFY, READ, certificate, challenge
	for at := 1; at <= 13; at++ {
		run(t, nil, func(t *testing.T, k *kiosk) {
			k.signIn()
			c := k.torn("sato", at)
			if n := k.browser.shown().Countdown; n < 10 || n > 20 {
				t.Fatalf("command %d: %d seconds are shown", at, n)
			}
			spent := c.Stats().AllVerifies()
			k.lift()
			k.insert("sato")
			k.want(screen.Credential)
			if e := k.browser.shown().Entry; e.Fields[0].Filled != 0 || !e.TriesKnown || e.TriesLeft != 10 {
				t.Fatalf("command %d: got %+v", at, e)
			}
			k.numberB("sato")
			k.do(screen.InSubmit)
			k.pass(2 * time.Second)
			k.want(screen.Review)
			if r := k.browser.shown().Review; r.Name.Len() == 0 || r.Face == "" {
				t.Fatalf("command %d: the review is not whole", at)
			}
			again := c.Stats().AllVerifies() - spent
			if want := map[bool]int{true: 1, false: 2}[at > front]; again != want {
				t.Errorf("command %d: %d VERIFYs after it was put back, want %d", at, again, want)
			}
			if err := k.camera.Show("sato"); err != nil {
				t.Fatal(err)
			}
			k.do(screen.InConfirm)
			k.pass(5 * time.Second)
			k.want(screen.Result)
			e := string(k.shelf.records[0][record.PartEvidence])
			for _, want := range []string{`"name":"put-back","note":"card-removed"`, `"outcome":"verified"`, `"genuineness":"genuine"`} {
				if !strings.Contains(e, want) {
					t.Errorf("command %d: the evidence does not hold %s", at, want)
				}
			}
		})
	}
}

// Another card in its place ends the session; nothing of the first one is left.
func TestAnotherCardIsPutBack(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.torn("sato", 12)
		k.requireNotes()
		k.lift()
		k.insert("suzuki")
		k.want(screen.Result)
		if r := k.browser.shown().Result; r.Outcome != screen.Cancelled || r.Code != "card-swapped" {
			t.Fatalf("got %+v", r)
		}
		k.requireNotes("ended cancelled  card-swapped")
		k.pass(20 * time.Second)
		k.want(screen.TakeCard)
		k.lift()
		k.want(screen.Idle)
		if len(k.shelf.records) != 0 {
			t.Fatal("a record of a session that was broken off")
		}
	})
}

// Nobody puts it back: what was read is forgotten, and any card may come.
func TestCardIsNotPutBack(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		c := k.torn("sato", 12)
		k.lift()
		k.pass(20 * time.Second)
		k.want(screen.PlaceCard)
		spent := c.Stats().AllVerifies()
		k.insert("sato")
		k.numberB("sato")
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		k.want(screen.Review)
		if n := c.Stats().AllVerifies() - spent; n != 2 {
			t.Fatalf("%d VERIFYs, want both: nothing of before may be left", n)
		}
	})
}

// More time doubles what waits for people.
func TestMoreTime(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.do(screen.InStart)
		k.tap(screen.InSlow, 1)
		k.do(screen.InLanguage)
		k.want(screen.CaseReference)
		k.pass(119 * time.Second)
		if s := k.browser.shown(); s.SecondsLeft != 0 || s.Settings.Slow != 1 {
			t.Fatalf("asked after 119 s: %+v", s)
		}
		k.pass(2 * time.Second)
		if s := k.browser.shown(); s.SecondsLeft < 38 {
			t.Fatalf("got %d seconds to answer, want about 40", s.SecondsLeft)
		}
		k.pass(40 * time.Second)
		k.want(screen.Result)
	})
}

// Without any card staff take over, and a refusal is not the only end.
func TestNoCardAtAll(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.do(screen.InStart, screen.InLanguage, screen.InNoCase)
		k.tap(screen.InTick, 0)
		k.do(screen.InNext)
		k.want(screen.PlaceCard)
		k.do(screen.InWithStaff)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; c == nil || c.Reason != "no-chip" || c.MayApprove {
			t.Fatalf("got case %+v", c)
		}
		k.session.StaffInput(k.ctx, console.Input{Kind: console.InCancel, Session: 1})
		k.pass(time.Second)
		k.want(screen.Result)
		if r := k.browser.shown().Result; r.Outcome != screen.Referred {
			t.Fatalf("got %+v", r)
		}
	})
}

// Both ways in are locked: every other way is shown, and one of them leads to staff.
func TestWaysOutOfALock(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		c, err := k.drawer.Card("watanabe") // the PIN is locked already
		if err != nil {
			t.Fatal(err)
		}
		lockB(t, c)
		k.toCredential("watanabe")
		k.want(screen.Ways)
		if s := k.browser.shown(); s.Trouble == nil || s.Trouble.Code != "number-b-blocked" || len(s.Ways) != 0 {
			t.Fatalf("got %+v, ways %v", s.Trouble, s.Ways)
		}
		k.do(screen.InWithStaff)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; c.Reason != "number-b-blocked" {
			t.Fatalf("got %+v", c)
		}
		k.decide(console.InRefuse, "card-not-accepted")
		k.want(screen.Result)
	})
}

// lockB locks 照合番号B of the face application, as ten wrong numbers do.
func lockB(t *testing.T, c *virtual.Card) {
	t.Helper()
	c.PowerOn()
	defer c.PowerOff()
	c.Exchange(append([]byte{0x00, 0xA4, 0x04, 0x0C, 0x0A}, 0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x02))
	for range 10 {
		c.Exchange(append([]byte{0x00, 0x20, 0x00, 0x92, 0x0E}, "00000000000000"...))
	}
}
