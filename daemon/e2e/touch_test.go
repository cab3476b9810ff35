package e2e_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
	"madoguchi/ui/browsertest"
)

// customer is somebody at the kiosk: a browser played by touch.
type customer struct {
	t      testing.TB
	ctx    context.Context
	people []virtual.Person
}

func (b *branch) customer() *customer {
	b.t.Helper()
	people, err := virtual.People()
	if err != nil {
		b.t.Fatal(err)
	}
	c := &customer{t: b.t, ctx: browsertest.Start(b.t, 1080, 1920), people: people}
	return c
}

// picture takes a screenshot, when they are asked for, without the developer panel.
func (c *customer) picture(name string) {
	c.t.Helper()
	if os.Getenv("SCREENSHOTS") == "" {
		return
	}
	const panel = "(d => { if (d) d.open = %v; return !!d })(document.getElementById('dev-panel'))"
	browsertest.Eval[bool](c.t, c.ctx, fmt.Sprintf(panel, false))
	browsertest.Wait(c.t, c.ctx, "[...document.images].every(i => i.complete)")
	if c.screen() == "face" { // until the preview has drawn
		browsertest.Wait(c.t, c.ctx, "document.getElementById('preview')?.getContext('2d').getImageData(320, 240, 1, 1).data[0] > 0")
	}
	browsertest.Shot(c.t, c.ctx, name)
	browsertest.Eval[bool](c.t, c.ctx, fmt.Sprintf(panel, true))
}

// arrive opens the kiosk's page and waits for the idle screen.
func (c *customer) arrive(b *branch) {
	c.t.Helper()
	browsertest.Do(c.t, c.ctx, chromedp.Navigate(b.page))
	c.at("idle")
}

// at waits for a screen.
func (c *customer) at(kind string) {
	c.t.Helper()
	browsertest.Wait(c.t, c.ctx, fmt.Sprintf("document.getElementById('app').dataset.screen === %q", kind))
}

// press touches a button and waits for a screen; a button that ignores double taps is touched again.
func (c *customer) press(id, then string) {
	c.t.Helper()
	before := c.screen()
	for range 4 {
		browsertest.Wait(c.t, c.ctx, fmt.Sprintf("document.getElementById(%q)", id))
		browsertest.Tap(c.t, c.ctx, id)
		moved := browsertest.Eval[bool](c.t, c.ctx, fmt.Sprintf(`new Promise(done => { const end = performance.now() + 1500;
			const look = () => { const s = document.getElementById('app').dataset.screen;
				if (s !== %q || performance.now() > end) done(s !== %q); else setTimeout(look, 4) }; look() })`, before, before))
		if moved || before == then {
			break
		}
	}
	c.at(then)
}

func (c *customer) screen() string {
	return browsertest.Eval[string](c.t, c.ctx, "document.getElementById('app').dataset.screen")
}

func (c *customer) tap(id string) {
	c.t.Helper()
	browsertest.Wait(c.t, c.ctx, fmt.Sprintf("document.getElementById(%q)", id))
	browsertest.Tap(c.t, c.ctx, id)
}

func (c *customer) index(id string) int {
	return slices.IndexFunc(c.people, func(p virtual.Person) bool { return p.ID == id })
}

func (c *customer) person(id string) *virtual.Person { return &c.people[c.index(id)] }

// places puts a person's card on the reader by the developer panel.
func (c *customer) places(id string) { c.tap(fmt.Sprintf("dev-insert-%d", c.index(id))) }

// shows puts a person before the camera.
func (c *customer) shows(id string) { c.tap(fmt.Sprintf("dev-face-%d", c.index(id))) }

// types digits on the pad and waits until each was counted.
func (c *customer) types(secrets ...*secret.Bytes) {
	c.t.Helper()
	n := 0
	for _, s := range secrets {
		for _, d := range s.Reveal() {
			n++
			browsertest.Tap(c.t, c.ctx, fmt.Sprintf("k%d", (int(d-'0')+9)%10))
			browsertest.Wait(c.t, c.ctx, fmt.Sprintf("document.querySelectorAll('#fields .dot.filled, #fields .on').length >= %d || document.querySelector('#k11') && !document.querySelector('#k11').disabled", n))
		}
	}
}

// toReview goes from idle to the screen that shows what was read.
func (c *customer) toReview(id string) {
	c.t.Helper()
	c.toCredential(id)
	c.at("credential")
	birth, expiry, code := c.person(id).NumberB()
	c.types(birth, expiry, code)
	c.press("k11", "review")
}

// toCredential goes from idle until the card is on the reader.
func (c *customer) toCredential(id string) {
	c.t.Helper()
	c.toPlaceCard()
	c.places(id)
}

// toPlaceCard goes from idle until the card is asked for.
func (c *customer) toPlaceCard() {
	c.t.Helper()
	c.press("start", "language")
	c.press("choose-lang-0", "case")
	c.press("no-case", "consent")
	c.tap("tick-0")
	browsertest.Wait(c.t, c.ctx, "document.querySelector('#tick-0').ariaChecked === 'true'")
	c.tap("tick-1")
	browsertest.Wait(c.t, c.ctx, "document.querySelector('#tick-1').ariaChecked === 'true'")
	c.press("next", "place-card")
}

// confirms what was read, with somebody's face before the camera.
func (c *customer) confirms(id string) {
	c.t.Helper()
	c.shows(id)
	c.press("confirm", "face")
}

// leaves ends the session: receipt number, card taken, idle again.
func (c *customer) leaves() (receipt, outcome string) {
	c.t.Helper()
	c.at("result")
	receipt = browsertest.Eval[string](c.t, c.ctx, "document.getElementById('receipt')?.innerText ?? ''")
	outcome = browsertest.Eval[string](c.t, c.ctx, "document.querySelector('.outcome').className")
	c.press("done", "take-card")
	c.tap("dev-remove")
	c.at("idle")
	return receipt, outcome
}

// clerk is a member of staff at their own page.
type clerk struct {
	t   testing.TB
	ctx context.Context
}

func (b *branch) clerk() *clerk {
	b.t.Helper()
	s := &clerk{t: b.t, ctx: browsertest.Start(b.t, 1280, 900)}
	browsertest.Do(b.t, s.ctx, chromedp.Navigate(b.staff))
	browsertest.Wait(b.t, s.ctx, "document.getElementById('sign-in-go')")
	browsertest.Do(
		b.t, s.ctx,
		chromedp.SendKeys(chromedp.CSS("#staff-id"), "staff-1"), chromedp.SendKeys(chromedp.CSS("#staff-pin"), staffPIN),
		chromedp.Click(chromedp.CSS("#sign-in-go")),
	)
	browsertest.Wait(b.t, s.ctx, "document.getElementById('sign-out')")
	return s
}

// sees waits for a case with both pictures.
func (s *clerk) sees() {
	s.t.Helper()
	browsertest.Wait(s.t, s.ctx, "document.getElementById('case')")
	browsertest.Wait(s.t, s.ctx, "document.getElementById('chip')?.naturalWidth > 0 && document.getElementById('live-0')?.naturalWidth > 0")
}

// represents takes down a guardian, by the form.
func (s *clerk) represents(name string) {
	s.t.Helper()
	browsertest.Do(s.t, s.ctx, chromedp.SendKeys(chromedp.CSS(".represent input"), name), chromedp.Click(chromedp.CSS("#represent")))
	browsertest.Wait(s.t, s.ctx, "document.getElementById('represented') && document.getElementById('approve')")
}

// decides takes the first reason of the kind ("approve" or "refuse").
func (s *clerk) decides(kind string) {
	s.t.Helper()
	browsertest.Eval[bool](s.t, s.ctx, fmt.Sprintf("document.querySelector('#%s-box input').click(), true", kind))
	browsertest.Do(s.t, s.ctx, chromedp.Click(chromedp.CSS("#"+kind)))
}
