package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"madoguchi/hardware/virtual/control"
	"madoguchi/storage/audit"
	"madoguchi/ui/browsertest"
)

// trouble waits for what the screen says.
func (c *customer) trouble(code string) {
	c.t.Helper()
	browsertest.Wait(c.t, c.ctx, "document.getElementById('trouble')?.dataset.code === '"+code+"'")
}

// torn goes on until the card leaves the reader in the middle of the reading.
func (c *customer) torn(b *branch, id string) {
	c.t.Helper()
	c.toCredential(id)
	c.at("credential")
	b.hand(control.Request{Do: control.Fault, ID: id, Faults: &control.Faults{RemoveAt: 12}})
	birth, expiry, code := c.person(id).NumberB()
	c.types(birth, expiry, code)
	c.press("k11", "put-back")
	c.trouble("card-removed")
	b.hand(control.Request{Do: control.Fault, ID: id, Faults: &control.Faults{}})
}

// The failures of a day, by touch, with what each screen, the record and the audit log must hold.
func TestFailureBranches(t *testing.T) {
	b := open(t, options{models: models(t)})
	c, s := b.customer(), b.clerk()
	c.arrive(b)
	t.Run("removed-and-put-back", func(t *testing.T) {
		c.t, s.t, b.t = t, t, t
		c.torn(b, "sato")
		c.picture("e2e-put-back")
		c.places("sato")
		c.at("credential")
		birth, expiry, code := c.person("sato").NumberB()
		c.types(birth, expiry, code)
		c.press("k11", "review")
		c.confirms("sato")
		c.at("result")
		receipt, view := c.leaves()
		o := b.received(receipt)
		sameAsCard(t, &o.record, c.person("sato"))
		if e := o.record.Evidence; !contains(view, "verified") || e.Decision.Outcome != "verified" || e.Card.Genuineness != "genuine" {
			t.Errorf("view %q, decision %+v", view, e.Decision)
		}
		noted := false
		for _, step := range o.record.Evidence.Steps {
			noted = noted || step.Name == "put-back" && step.Note == "card-removed"
		}
		if !noted {
			t.Error("the evidence does not say that the card was away")
		}
	})
	t.Run("another-card", func(t *testing.T) {
		c.t, s.t, b.t = t, t, t
		c.torn(b, "sato")
		c.places("suzuki")
		c.at("result")
		c.trouble("card-swapped")
		if receipt, view := c.leaves(); receipt != "" || !contains(view, "cancelled") {
			t.Errorf("receipt %q, view %q", receipt, view)
		}
	})
	t.Run("no-card-staff-go-on", func(t *testing.T) {
		c.t, s.t, b.t = t, t, t
		c.toPlaceCard()
		c.press("with-staff", "wait-staff")
		browsertest.Wait(t, s.ctx, "document.getElementById('case')?.dataset.reason === 'no-chip' && !document.getElementById('approve')")
		browsertest.Do(t, s.ctx, chromedp.Click(chromedp.CSS("#other-by-documents")))
		c.at("result")
		if view := browsertest.Eval[string](t, c.ctx, "document.querySelector('.outcome').className"); !contains(view, "referred") {
			t.Errorf("view %q", view)
		}
		c.press("done", "idle")
	})
	c.t, s.t, b.t = t, t, t
	want := []audit.Leaf{
		{Kind: audit.Recorded, Word: "verified"},
		{Kind: audit.Ended, Word: "cancelled", Reason: "card-swapped"},
		{Kind: audit.Ended, Word: "referred", Staff: "staff-1", Reason: "by-documents"},
	}
	eventually(t, "HQ's witness has the three ends", func() bool {
		var got []audit.Leaf
		leaves, _ := b.seen()
		for _, l := range leaves {
			if l.Kind == audit.Recorded || l.Kind == audit.Ended {
				got = append(got, audit.Leaf{Kind: l.Kind, Word: l.Word, Staff: l.Staff, Reason: l.Reason})
			}
		}
		return slices.Equal(got, want)
	})
}

// bySignature is a service of the JPKI method.
const bySignature = `[[service]]
id = "address-change"
kind = "address-change"
name_ja = "住所変更"
name_en = "Change of address"
act = "aml"
channel = "attended"
methods = ["jpki-signature"]
machine_may_decide = true
face = "none"
case = "optional"
retention = { identity = "7y", evidence = "7y", consents = "7y", certificate = "24h" }
[service.offline]
pending = true
max_hours = 24
max_count = 100`

// password types on the keyboard.
func (c *customer) password(text string) {
	c.t.Helper()
	const board = "1234567890QWERTYUIOPASDFGHJKLZXCVBNM"
	for n, letter := range []byte(text) {
		browsertest.Tap(c.t, c.ctx, "kb"+strconv.Itoa(strings.IndexByte(board, letter)))
		browsertest.Wait(c.t, c.ctx, "document.querySelectorAll('#fields .on').length === "+strconv.Itoa(n+1))
	}
}

// The JPKI method by touch: the document, the password, pending at HQ; and a child's card, which goes on with staff.
func TestSignatureJourney(t *testing.T) {
	b := open(t, options{service: bySignature})
	c := b.customer()
	b.clerk()
	c.arrive(b)
	c.toCredential("sato")
	c.at("document")
	c.picture("e2e-document")
	shown := browsertest.Eval[string](t, c.ctx, "document.getElementById('document').textContent")
	if !contains(shown, "署名") {
		t.Errorf("the document does not say what it is: %s", shown)
	}
	c.press("next", "credential")
	c.password("WRONG99")
	c.tap("kb-submit")
	c.trouble("sign-wrong")
	browsertest.Wait(t, c.ctx, "/4/.test(document.getElementById('tries').innerText)")
	c.password(string(c.person("sato").SignPassword().Reveal()))
	c.press("kb-submit", "review")
	c.press("confirm", "result")
	c.trouble("revocation-pending")
	receipt, view := c.leaves()
	o := b.received(receipt)
	e := o.record.Evidence
	if !contains(view, "pending") || e.Decision.Outcome != "pending_revocation" || e.Method.Code != "jpki-signature" || e.Signed.Chain != "pass" {
		t.Errorf("view %q, decision %+v, signed %+v", view, e.Decision, e.Signed)
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(shown) + "\n"))
	if e.Signed.SHA256 != hex.EncodeToString(sum[:]) {
		t.Error("what was signed is not what was shown")
	}
	c.toCredential("kobayashi")
	c.at("ways")
	c.trouble("no-sign-certificate")
	c.press("with-staff", "wait-staff")
	c.press("cancel", "wait-staff")
	c.press("cancel-yes", "result")
	c.leaves()
}
