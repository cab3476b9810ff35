package e2e_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"madoguchi/hardware/virtual"
	"madoguchi/storage/record"
	"madoguchi/ui/browsertest"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// whyStaff is the reason noted with the step at which people took over.
func whyStaff(e *record.Evidence) string {
	for _, s := range e.Steps {
		if s.Name == "wait-staff" {
			return s.Note
		}
	}
	return ""
}

// sameAsCard compares what HQ opened with what the card holds.
func sameAsCard(t *testing.T, r *record.Record, p *virtual.Person) {
	t.Helper()
	if r.Identity == nil || r.Images == nil {
		t.Fatal("the record holds no identity or no images")
	}
	for name, pair := range map[string][2][]byte{
		"name":    {r.Identity.Name.Reveal(), p.Name().Reveal()},
		"address": {r.Identity.Address.Reveal(), p.Address().Reveal()},
		"birth":   {r.Identity.Birth.Reveal(), p.Birth().Reveal()},
		"sex":     {r.Identity.Sex.Reveal(), p.Sex().Reveal()},
		"serial":  {r.Identity.CardSerial.Reveal(), p.Serial().Reveal()},
		"photo":   {r.Images.Face.Reveal(), p.Face().Reveal()},
		"expiry":  {[]byte(strings.ReplaceAll(r.Identity.CardExpiry, "-", "")), []byte(p.Expiry())},
	} {
		if len(pair[1]) == 0 || !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("%s at HQ is not the card's", name)
		}
	}
	if r.MyNumber != nil || r.Certificate != nil {
		t.Error("the record holds parts that were not taken")
	}
}

// Every virtual person plays a whole verification by touch; HQ holds what the card holds.
func TestEveryVirtualPerson(t *testing.T) {
	b := open(t, options{models: models(t)})
	c, s := b.customer(), b.clerk()
	c.arrive(b)
	c.picture("e2e-idle")
	tests := []struct {
		id, staff, reason, outcome, by string
	}{
		{"sato", "", "", "verified", "machine"},
		{"suzuki", "", "", "verified", "machine"},
		{"watanabe", "", "", "verified", "machine"}, // the PIN is locked; 照合番号B needs none
		{"nguyen", "", "", "verified", "machine"},   // the printed year is Western
		{"kobayashi", "approve", "under-15", "verified", "staff"},
		{"ito", "refuse", "face-mismatch", "refused", "staff"}, // somebody else's face
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			c.t, s.t, b.t = t, t, t
			c.toReview(tt.id)
			c.picture("e2e-" + tt.id + "-review")
			c.confirms(tt.id)
			browsertest.Wait(t, c.ctx, "document.getElementById('preview')")
			c.picture("e2e-" + tt.id + "-face")
			if tt.staff != "" {
				c.at("wait-staff")
				s.sees()
				browsertest.Shot(t, s.ctx, "e2e-"+tt.id+"-staff")
				if tt.reason == "under-15" {
					s.represents("小林 母")
				}
				s.decides(tt.staff)
			}
			c.at("result")
			browsertest.Shot(t, c.ctx, "e2e-"+tt.id+"-result")
			receipt, view := c.leaves()
			if !contains(view, tt.outcome) {
				t.Errorf("the result screen is %q, want %s", view, tt.outcome)
			}
			o := b.received(receipt)
			sameAsCard(t, &o.record, c.person(tt.id))
			e := o.record.Evidence
			if e.Decision.Outcome != tt.outcome || e.Decision.By != tt.by || e.PresentedTo != "staff-1" {
				t.Errorf("got decision %+v presented to %q", e.Decision, e.PresentedTo)
			}
			if got := whyStaff(e); got != tt.reason {
				t.Errorf("it went to staff because of %q, want %q", got, tt.reason)
			}
			if e.Card.Genuineness != "genuine" || !e.Card.Confirmed || e.Card.Route != "number-b" {
				t.Errorf("got card %+v", e.Card)
			}
			if got := strings.Join(o.Virtual, " "); got != "camera card face reader trust" {
				t.Errorf("virtual parts at HQ: %q", got)
			}
			reads := b.hand(status()).Stats
			if reads != nil && reads.Reads["0408/0001"] != 0 {
				t.Error("the My Number file was read")
			}
		})
	}
	c.t, s.t, b.t = t, t, t
	expiredCard(t, b, c)
	hqPage(t, b, c.person("ito"))
	if got := len(b.arrived()); got != len(tests)+1 {
		t.Errorf("got %d records at HQ, want %d", got, len(tests)+1)
	}
}

// expiredCard: nothing is read, the refusal and its next step are shown, and the evidence alone is kept.
func expiredCard(t *testing.T, b *branch, c *customer) {
	t.Helper()
	c.toCredential("tanaka")
	c.at("result")
	browsertest.Shot(t, c.ctx, "e2e-tanaka-result")
	receipt, view := c.leaves()
	o := b.received(receipt)
	if !contains(view, "refused") || o.record.Identity != nil || o.record.Images != nil {
		t.Errorf("view %q; an expired card's record must hold no identity", view)
	}
	if d := o.record.Evidence.Decision; d.Outcome != "refused" || d.Reason != "card-expired" || d.By != "machine" {
		t.Errorf("got %+v", d)
	}
}

// HQ is away during the verification and comes back: the record arrives, once, and is then gone from the kiosk.
func TestHQComesBack(t *testing.T) {
	b := open(t, options{models: models(t), noHQ: true})
	c, s := b.customer(), b.clerk()
	c.arrive(b)
	c.toReview("suzuki")
	c.confirms("suzuki")
	c.at("result")
	receipt, _ := c.leaves()
	if got := b.arrived(); len(got) != 0 {
		t.Fatalf("HQ is down and yet holds %v", got)
	}
	b.startReceiver()
	o := b.received(receipt)
	sameAsCard(t, &o.record, c.person("suzuki"))
	browsertest.Wait(t, s.ctx, "/^0/.test(document.getElementById('queue').innerText.trim())")
	b.kiosk.stop(os.Interrupt)
	if got := b.arrived(); len(got) != 1 {
		t.Fatalf("got %d records, want exactly one", len(got))
	}
}

// hqPage: a person at HQ signs in, sees the list, opens a record and reads it.
func hqPage(t *testing.T, b *branch, p *virtual.Person) {
	t.Helper()
	ctx := browsertest.Start(t, 1280, 1600)
	browsertest.Do(t, ctx, chromedp.Navigate(b.hq+"/#t="+b.token))
	browsertest.Wait(t, ctx, "document.querySelectorAll('a[href*=\"/records/\"]').length >= 7")
	browsertest.Shot(t, ctx, "e2e-hq-list")
	receipts := b.arrived()
	browsertest.Do(t, ctx, chromedp.Navigate(b.hq+"/records/e2e-kiosk/"+receipts[1])) // the newest but the expired card's
	browsertest.Wait(t, ctx, "document.body.innerText.includes('"+string(p.Name().Reveal())+"') && [...document.images].every(i => i.complete && i.naturalWidth > 0)")
	browsertest.Shot(t, ctx, "e2e-hq-record")
}
