package session_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi/daemon/session"
	"madoguchi/hardware/camera"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
	"madoguchi/storage/record"
	"madoguchi/ui/console"
	"madoguchi/ui/screen"
)

func TestCleanVerification(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toFace("sato")
		k.pass(5 * time.Second)
		k.want(screen.Result)
		if got := k.browser.shown().Result.Outcome; got != screen.Verified {
			t.Fatalf("got %s, want verified\n%s", got, k.log)
		}
		if len(k.shelf.records) != 1 {
			t.Fatalf("got %d records, want 1", len(k.shelf.records))
		}
		parts := k.shelf.records[0]
		for part, text := range map[record.Part][]string{
			record.PartIdentity: {"佐藤", "19900412", "2031-04-12"},
			record.PartEvidence: {`"by":"machine"`, `"outcome":"verified"`, `"presented_to":"s1"`, `"genuineness":"genuine"`, `"match":"pass"`, `"in-person-chip"`},
		} {
			for _, want := range text {
				if !strings.Contains(string(parts[part]), want) {
					t.Errorf("part %s does not hold %s:\n%s", part, want, parts[part])
				}
			}
		}
		if len(parts) != 3 {
			t.Errorf("got parts %d, want identity, images and evidence only", len(parts))
		}
		if got := strings.Join(k.shelf.heads[0].Virtual, " "); got != "camera card face reader trust" {
			t.Errorf("virtual parts: %q", got)
		}
		c, err := k.drawer.Card("sato")
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Stats().Reads["0408/0001"]; n != 0 {
			t.Errorf("the My Number file was read %d times", n)
		}
		if n := c.Stats().ReadsOf("0401"); n != 0 {
			t.Errorf("files of the 住基 application were read %d times", n)
		}
		if n := c.Stats().AllVerifies(); n != 2 {
			t.Errorf("got %d VERIFYs, want one in each application", n)
		}
		k.do(screen.InDone)
		k.want(screen.TakeCard)
		k.lift()
		k.want(screen.Idle)
	})
}

func TestNobodyOnDuty(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toFace("sato")
		k.pass(5 * time.Second)
		k.want(screen.WaitStaff)
		k.signIn()
		if c := k.page.shown().Case; c == nil || c.Reason != "no-staff" || !c.MayApprove || c.Chip == "" || len(c.Live) != 3 {
			t.Fatalf("got case %+v", c)
		}
		k.decide(console.InApprove, "photo-same-person")
		k.want(screen.Result)
		if e := string(k.shelf.records[0][record.PartEvidence]); !strings.Contains(e, `"by":"staff"`) || !strings.Contains(e, `"match":"pass"`) {
			t.Fatalf("the machine's result must stand beside the human one: %s", e)
		}
	})
}

func TestOtherPersonGoesToStaff(t *testing.T) {
	run(t, func(d *session.Deps) { d.Engine = engine{similar: 0.2, live: 0.99} }, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toFace("ito")
		k.pass(10 * time.Second)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; c == nil || c.Reason != "face-mismatch" || c.Match != "fail" {
			t.Fatalf("got case %+v", c)
		}
		if k.page.held() == 0 {
			t.Fatal("staff see no pictures")
		}
		k.decide(console.InRefuse, "other-person")
		k.want(screen.Result)
		if got := k.browser.shown().Result; got.Outcome != screen.Refused || got.Code != "staff-refused" {
			t.Fatalf("got %+v", got)
		}
		if k.page.held() != 0 || k.browser.held() != 0 {
			t.Fatal("pictures outlive the case")
		}
	})
}

func TestWithoutModels(t *testing.T) {
	run(t, func(d *session.Deps) { d.Engine, d.Calibration = nil, nil }, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toFace("sato")
		k.pass(10 * time.Second)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; c.Match != "not-checked" || len(c.Live) == 0 {
			t.Fatalf("got case %+v, want an unchecked face and live frames to compare", c)
		}
		k.decide(console.InApprove, "photo-same-person")
		k.want(screen.Result)
		if e := string(k.shelf.records[0][record.PartEvidence]); !strings.Contains(e, `"match":"not-checked"`) || !strings.Contains(e, "no-model") {
			t.Fatalf("got %s", e)
		}
	})
}

func TestWrongNumberShowsWhatIsLeft(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toCredential("sato")
		k.want(screen.Credential)
		if e := k.browser.shown().Entry; e.TriesLeft != 10 || !e.TriesKnown {
			t.Fatalf("before: %+v", e)
		}
		k.numberB("suzuki")
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		k.want(screen.Credential)
		if e := k.browser.shown().Entry; e.TriesLeft != 9 || e.Complete || e.Fields[0].Filled != 0 {
			t.Fatalf("after: %+v", e)
		}
		if tr := k.browser.shown().Trouble; tr == nil || tr.Code != "number-b-wrong" {
			t.Fatalf("got trouble %+v", tr)
		}
		c, err := k.drawer.Card("sato")
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Stats().AllVerifies(); n != 1 {
			t.Fatalf("one wrong number cost %d VERIFYs", n)
		}
		k.numberB("sato")
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		k.want(screen.Review)
	})
}

func TestSlipCostsNoTry(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toCredential("sato")
		k.tap(screen.InKey, 0)
		k.do(screen.InSubmit)
		k.want(screen.Credential)
		if tr := k.browser.shown().Trouble; tr == nil || tr.Code != "number-b-format" {
			t.Fatalf("got trouble %+v", tr)
		}
		c, err := k.drawer.Card("sato")
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Stats().AllVerifies(); n != 0 {
			t.Fatalf("a slip cost %d VERIFYs", n)
		}
	})
}

func TestPINRoute(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toCredential("suzuki")
		k.tap(screen.InRoute, 1)
		if e := k.browser.shown().Entry; e.Route != screen.RoutePIN || e.TriesLeft != 3 {
			t.Fatalf("got %+v", e)
		}
		k.typed(k.person("suzuki").PIN())
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		k.want(screen.Review)
		if r := k.browser.shown().Review; r.Face != "" || r.Name.Len() == 0 {
			t.Fatal("the PIN route shows attributes and no photo")
		}
		k.do(screen.InConfirm)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; c.Route != "pin" || c.Chip != "" || c.Reason != "face-not-checked" {
			t.Fatalf("got %+v", c)
		}
	})
}

func TestLockedPIN(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toCredential("watanabe")
		k.tap(screen.InRoute, 1)
		if tr := k.browser.shown().Trouble; tr == nil || tr.Code != "pin-blocked" || k.browser.shown().Entry.Route != screen.RouteB {
			t.Fatalf("got trouble %+v", tr)
		}
		k.numberB("watanabe")
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		k.want(screen.Review)
	})
}

func TestExpiredCard(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toCredential("tanaka")
		k.want(screen.Result)
		if r := k.browser.shown().Result; r.Outcome != screen.Refused || r.Code != "card-expired" {
			t.Fatalf("got %+v", r)
		}
		if len(k.shelf.records) != 1 || len(k.shelf.records[0]) != 1 {
			t.Fatalf("got %d records, want one with evidence alone", len(k.shelf.records))
		}
	})
}

func TestMinorNeedsStaff(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toFace("kobayashi")
		k.pass(5 * time.Second)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; c.Reason != "under-15" {
			t.Fatalf("got %+v", c)
		}
	})
}

func TestOtherCards(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.do(screen.InStart, screen.InLanguage, screen.InNoCase)
		k.tap(screen.InTick, 0)
		k.do(screen.InNext)
		codes := []string{"card-licence", "card-transit"}
		felica := virtual.FeliCa() // on a reader where only its ATR tells
		felica.SetFaults(virtual.Faults{Rules: []virtual.Rule{{Prefix: []byte{0x00, 0xA4}, SW: 0x6A82}}})
		for n, c := range []*virtual.Card{virtual.DriversLicence(), felica} {
			if err := k.reader.Insert(c); err != nil {
				t.Fatal(err)
			}
			k.pass(3 * time.Second)
			k.want(screen.PlaceCard)
			if tr := k.browser.shown().Trouble; tr == nil || tr.Code != codes[n] {
				t.Fatalf("card %d: got trouble %+v", n, tr)
			}
			k.lift()
		}
		if err := k.reader.Insert(virtual.DriversLicence()); err != nil {
			t.Fatal(err)
		}
		k.pass(3 * time.Second)
		k.want(screen.WaitStaff) // the third time people come
	})
}

// TestNoNumberAfterThePhase is a card that answers, so slowly that the customer is gone before the number is sent.
func TestNoNumberAfterThePhase(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toCredential("sato")
		c, err := k.drawer.Card("sato")
		if err != nil {
			t.Fatal(err)
		}
		c.SetFaults(virtual.Faults{Delay: 9 * time.Second}) // the number would be the sixth command
		k.numberB("sato")
		k.do(screen.InSubmit)
		k.pass(41 * time.Second)
		s, err := k.reader.Open(t.Context())
		if err != nil {
			t.Fatalf("the card is still held: %v", err)
		}
		_ = s.Close()
		k.pass(3 * time.Minute)
		if n := c.Stats().AllVerifies(); n != 0 {
			t.Fatalf("the number was sent %d times", n)
		}
	})
}

func TestDeadDevices(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toCredential("sato")
		k.reader.Fail(reader.NoReader)
		k.pass(time.Second)
		k.want(screen.OutOfService)
		if got := k.browser.shown().Trouble.Code; got != "reader-missing" {
			t.Fatalf("got %s", got)
		}
		k.reader.Fail(reader.Empty)
		k.lift()
		k.pass(time.Second)
		k.want(screen.Idle)
		k.shelf.fill(errors.New("full"))
		k.pass(6 * time.Second)
		k.want(screen.OutOfService)
		k.shelf.fill(nil)
		k.pass(6 * time.Second)
		k.want(screen.Idle)
	})
}

func TestCameraDies(t *testing.T) {
	run(t, func(d *session.Deps) { d.Engine = engine{similar: 0.2, live: 0.5} }, func(t *testing.T, k *kiosk) {
		k.toFace("sato")
		k.camera.Fail()
		k.pass(time.Second)
		k.want(screen.WaitStaff)
		if now, _ := k.camera.Streaming(); now {
			t.Fatal("the camera is still open")
		}
	})
}

// slowToClose is a camera that stays busy for a while after a stream, as a device that is being closed does, and
// whose first stream may break without any change of level.
type slowToClose struct {
	*virtual.Camera
	breaks *int
	busy   *atomic.Bool
}

func (c slowToClose) Stream(ctx context.Context, deliver func(camera.Frame)) error {
	if *c.breaks > 0 {
		*c.breaks--
		return errors.New("input/output error")
	}
	if !c.busy.CompareAndSwap(false, true) {
		return errors.New("device or resource busy")
	}
	defer c.busy.Store(false)
	err := c.Camera.Stream(ctx, deliver)
	<-time.After(300 * time.Millisecond)
	return err
}

// A second try that begins while the first is still closing the device waits for it, and a stream that breaks does
// not count as a camera that is gone.
func TestCaptureAgain(t *testing.T) {
	for name, breaks := range map[string]int{"closes-late": 0, "breaks-once": 1} {
		t.Run(name, func(t *testing.T) {
			run(t, func(d *session.Deps) {
				d.Engine = engine{similar: 0.2, live: 0.99}
				d.Camera = slowToClose{d.Camera.(*virtual.Camera), &breaks, &atomic.Bool{}}
			}, func(t *testing.T, k *kiosk) {
				k.signIn()
				k.toFace("ito")
				k.pass(10 * time.Second)
				k.want(screen.WaitStaff)
				if c := k.page.shown().Case; c == nil || c.Reason != "face-mismatch" || len(c.Live) != 3 {
					t.Fatalf("got case %+v\n%s", c, k.log)
				}
				if got := k.page.shown().Kiosk.Camera; got != "ok" {
					t.Fatalf("the camera counts as %s", got)
				}
			})
		})
	}
}

func TestCameraIsOpenForTheFaceOnly(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toReview("sato")
		if _, opened := k.camera.Streaming(); opened != 0 || k.browser.filming() {
			t.Fatal("the camera was open before the face step")
		}
		k.do(screen.InConfirm)
		if !k.browser.filming() {
			t.Fatal("no preview in the face step")
		}
		k.do(screen.InCancel, screen.InCancelYes)
		k.pass(time.Second)
		if now, _ := k.camera.Streaming(); now || k.browser.filming() {
			t.Fatal("the camera outlives the face step")
		}
	})
}

func TestStorageFails(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.shelf.err = errors.New("disk")
		k.signIn()
		k.toFace("sato")
		k.pass(5 * time.Second)
		k.want(screen.Result)
		if r := k.browser.shown().Result; r.Outcome != screen.Referred || r.Code != "storage-failed" {
			t.Fatalf("got %+v: without a record nothing is verified", r)
		}
	})
}

func TestWalkingAway(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toReview("sato")
		k.pass(121 * time.Second)
		if s := k.browser.shown().SecondsLeft; s < 1 || s > 20 {
			t.Fatalf("got %d seconds left", s)
		}
		k.do(screen.InMore)
		if k.browser.shown().SecondsLeft != 0 {
			t.Fatal("more time was not given")
		}
		k.pass(141 * time.Second)
		k.want(screen.Result)
		if r := k.browser.shown(); r.Review != nil || k.browser.held() != 0 {
			t.Fatal("the data outlives the customer")
		}
		k.pass(60 * time.Second)
		k.want(screen.TakeCard)
		if len(k.shelf.records) != 0 {
			t.Fatal("an unfinished person left a record")
		}
	})
}

func TestStaffSignIn(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		if k.page.shown().Kiosk.State != "" {
			t.Fatal("the kiosk's state is shown to strangers")
		}
		k.session.StaffInput(k.ctx, console.Input{Kind: console.InCancel, Session: 1})
		k.do(screen.InStart)
		k.want(screen.Language)
		k.signIn()
		k.pass(16 * time.Minute)
		if k.page.shown().Staff != "" {
			t.Fatal("idle staff stay signed in")
		}
	})
}

// The log of whole sessions holds nothing of the person.
func TestNothingPersonalIsLogged(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toFace("sato")
		k.pass(5 * time.Second)
		k.do(screen.InDone)
		k.lift()
		k.toCredential("suzuki")
		k.numberB("sato")
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		log := []byte(k.log.String())
		for _, id := range []string{"sato", "suzuki"} {
			p := k.person(id)
			birth, expiry, code := p.NumberB()
			b := append(append(bytes.Clone(birth.Reveal()), expiry.Reveal()...), code.Reveal()...)
			for _, planted := range [][]byte{b, p.Name().Reveal(), p.Address().Reveal(), p.Serial().Reveal(), p.MyNumber().Reveal(), p.Birth().Reveal()} {
				if bytes.Contains(log, planted) {
					t.Errorf("the log of %s holds something personal", id)
				}
			}
		}
		if len(log) < 200 {
			t.Fatal("the log is empty: this test proves nothing")
		}
	})
}
