package e2e_test

import (
	"testing"
	"time"

	"madoguchi/hardware/virtual/control"
	"madoguchi/ui/browsertest"
)

// BenchmarkCardToScreen measures what the customer waits for the machine, in the browser: from the card on the
// (virtual) reader to the keypad, and from the submitted number to attributes and photo on the screen. Typing is
// not counted. Real cards add their own time over the air, about 1.5 s for the face.
func BenchmarkCardToScreen(b *testing.B) {
	br := open(b, options{models: models(b)})
	c := br.customer()
	c.arrive(br)
	var keypad, attributes time.Duration
	n := 0
	for b.Loop() {
		n++
		c.press("start", "language")
		c.press("choose-lang-0", "case")
		c.press("no-case", "consent")
		c.tap("tick-0")
		browsertest.Wait(b, c.ctx, "document.querySelector('#tick-0').ariaChecked === 'true'")
		c.press("next", "place-card")
		begin := time.Now()
		br.hand(control.Request{Do: control.Insert, ID: "sato"})
		c.at("credential")
		keypad += time.Since(begin)
		birth, expiry, code := c.person("sato").NumberB()
		c.types(birth, expiry, code)
		browsertest.Eval[bool](b, c.ctx, `(document.getElementById('k11').dispatchEvent(new MouseEvent('click', {bubbles: true})), true)`)
		begin = time.Now()
		browsertest.Wait(b, c.ctx, "document.getElementById('card-face')?.naturalWidth > 0")
		attributes += time.Since(begin)
		c.press("cancel", "review")
		c.press("cancel-yes", "result")
		c.press("done", "take-card")
		br.hand(control.Request{Do: control.Remove})
		c.at("idle")
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(n) }
	b.ReportMetric(per(keypad), "ms/card-to-keypad")
	b.ReportMetric(per(attributes), "ms/submit-to-attributes")
	b.ReportMetric(0, "ns/op")
}
