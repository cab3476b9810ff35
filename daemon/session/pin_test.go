package session_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/session"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/ui/page"
	"madoguchi/ui/screen"
)

// trace is everything of a run that leaves the vault: what the browser was sent, what was logged, what was stored.
type trace struct {
	Frames []string
	Log    string
	Parts  map[record.Part]string
}

// seen renders each screen as the browser gets it.
type seen struct {
	browser
	frames []string
}

func (s *seen) Show(sc screen.Screen) {
	s.browser.Show(sc)
	var b bytes.Buffer
	var html string
	if err := page.Render(&b, sc); err != nil {
		html = err.Error()
	} else {
		html = b.String()
	}
	if r := sc.Result; r != nil && r.Receipt != "" {
		html = strings.ReplaceAll(html, r.Receipt, "RECEIPT") // of the record's random id
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.frames); n == 0 || s.frames[n-1] != html {
		s.frames = append(s.frames, html)
	}
}

// withPIN changes the PIN of 券面事項入力補助 as a municipal office does: VERIFY, then CHANGE REFERENCE DATA.
func withPIN(t *testing.T, c *virtual.Card, old, pin string) {
	t.Helper()
	c.PowerOn()
	for _, cmd := range [][]byte{
		append([]byte{0x00, 0xA4, 0x04, 0x0C, 0x0A}, 0xD3, 0x92, 0x10, 0x00, 0x31, 0x00, 0x01, 0x01, 0x04, 0x08),
		{0x00, 0xA4, 0x02, 0x0C, 0x02, 0x00, 0x11},
		append([]byte{0x00, 0x20, 0x00, 0x80, 0x04}, old...),
		append([]byte{0x00, 0x24, 0x01, 0x80, 0x04}, pin...),
	} {
		if a := c.Exchange(cmd); !bytes.HasSuffix(a.Data, []byte{0x90, 0x00}) {
			t.Fatalf("command %x: got %x", cmd[:4], a.Data)
		}
	}
	c.PowerOff()
}

// runWithPIN plays the PIN route with a card that has the PIN given.
func runWithPIN(t *testing.T, pin string) trace {
	t.Helper()
	var out trace
	// The keys' codes are random: here both runs draw the same, so that nothing but the PIN can differ.
	same := func(d *session.Deps) { d.Draw = func() []int { return []int{3, 1, 4, 0, 5, 9, 2, 6, 8, 7} } }
	runSeen(t, same, func(t *testing.T, k *kiosk, s *seen) {
		s.mu.Lock()
		s.frames = nil // which device reports first at start is chance
		s.mu.Unlock()
		card, err := k.drawer.Card("suzuki")
		if err != nil {
			t.Fatal(err)
		}
		withPIN(t, card, string(k.person("suzuki").PIN().Reveal()), pin)
		k.signIn()
		k.toCredential("suzuki")
		k.tap(screen.InRoute, 1)
		k.typed(secret.Copy([]byte(pin)))
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		k.want(screen.Review)
		k.do(screen.InConfirm)
		k.want(screen.WaitStaff)
		k.decide("approve", "document-checked")
		k.want(screen.Result)
		out = trace{Frames: s.frames, Log: k.log.String(), Parts: map[record.Part]string{}}
		for p, b := range k.shelf.records[0] {
			out.Parts[p] = strings.ReplaceAll(string(b), k.shelf.heads[0].ID, "ID") // random
		}
	})
	return out
}

// Four digits cannot be searched for. Two runs that differ in the PIN alone must leave the same traces, byte by byte.
func TestTwoPINsLeaveTheSameTraces(t *testing.T) {
	a, b := runWithPIN(t, "2580"), runWithPIN(t, "7413")
	if len(a.Frames) < 10 || len(a.Log) < 500 || len(a.Parts) != 2 {
		t.Fatalf("too little was traced: %d frames, %d bytes of log, %d parts", len(a.Frames), len(a.Log), len(a.Parts))
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Fatalf("the PIN left a trace (-2580 +7413):\n%s", diff)
	}
}

// The same key sends another code on the next screen, and a code of the screen before types nothing true.
func TestCodesAreNew(t *testing.T) {
	run(t, nil, func(t *testing.T, k *kiosk) {
		k.toCredential("sato")
		seen := map[string]bool{}
		for range 8 {
			e := k.browser.shown().Entry
			if len(e.Codes) != 10 {
				t.Fatalf("got codes %v", e.Codes)
			}
			seen[fmt.Sprint(e.Codes)] = true
			k.do(screen.InSubmit) // nothing typed: the form is wrong, the screen is a new one
			k.want(screen.Credential)
		}
		if len(seen) < 7 { // 10! permutations: two alike in eight are already unlikely
			t.Fatalf("got %d different codes on 8 screens", len(seen))
		}
	})
}
