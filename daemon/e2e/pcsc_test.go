package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"madoguchi/hardware/hardwaretest/pcscd"
	"madoguchi/hardware/virtual/vpcd"
	"madoguchi/ui/browsertest"
)

// The whole main job through a real pcscd: ebfe/scard, libpcsclite, pcscd, the vpcd driver, and the virtual card at
// the end of a TCP connection. The camera shows a folder of JPEGs.
func TestThroughRealPCSC(t *testing.T) {
	dir := models(t)
	pcscd.Start(t)
	frames, err := filepath.Abs("../../hardware/virtual/people/suzuki")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	live, err := filepath.Glob(filepath.Join(frames, "live-*.jpg"))
	if err != nil || len(live) == 0 {
		t.Fatal("no live frames: ", err)
	}
	for _, f := range live {
		if err := os.Symlink(f, filepath.Join(folder, filepath.Base(f))); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, options{models: dir, developer: true, devices: "reader = \"pcsc\"\ncamera = \"virtual\"\nfolder = \"" + folder + "\""})
	c := b.customer()
	_ = b.clerk()
	c.arrive(b)
	slot := vpcd.NewSlot(pcscd.Addr)
	card, err := c.person("suzuki").NewCard()
	if err != nil {
		t.Fatal(err)
	}
	c.press("start", "language")
	c.press("choose-lang-0", "case")
	c.press("no-case", "consent")
	c.tap("tick-0")
	browsertest.Wait(t, c.ctx, "document.querySelector('#tick-0').ariaChecked === 'true'")
	c.tap("tick-1")
	browsertest.Wait(t, c.ctx, "document.querySelector('#tick-1').ariaChecked === 'true'")
	c.press("next", "place-card")
	if err := slot.Insert(card); err != nil {
		t.Fatal(err)
	}
	c.at("credential")

	// The card is pulled in the middle: the kiosk asks for it again, and for the number too.
	if err := slot.Remove(); err != nil {
		t.Fatal(err)
	}
	c.at("put-back")
	if err := slot.Insert(card); err != nil {
		t.Fatal(err)
	}
	c.at("credential")
	birth, expiry, code := c.person("suzuki").NumberB()
	c.types(birth, expiry, code)
	c.press("k11", "review")
	c.press("confirm", "face")
	c.at("result")
	receipt := browsertest.Eval[string](t, c.ctx, "document.getElementById('receipt').innerText")
	c.press("done", "take-card")
	if err := slot.Remove(); err != nil {
		t.Fatal(err)
	}
	c.at("idle")
	o := b.received(receipt)
	sameAsCard(t, &o.record, c.person("suzuki"))
	if e := o.record.Evidence; e.Decision.By != "machine" || e.Decision.Outcome != "verified" || !contains(e.Reader, "Virtual PCD") {
		t.Errorf("got %+v by reader %q", e.Decision, e.Reader)
	}
	if n := card.Stats().AllVerifies(); n != 2 {
		t.Errorf("got %d VERIFYs, want one in each application", n)
	}
	if n := card.Stats().Reads["0408/0001"]; n != 0 {
		t.Errorf("the My Number file was read %d times", n)
	}
}
