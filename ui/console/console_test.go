package console_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gorilla/websocket"

	"madoguchi/internal/secret"
	"madoguchi/ui/browsertest"
	"madoguchi/ui/console"
)

type desk struct {
	*console.Server
	url    string
	inputs chan console.Input
	opened chan uint64
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{url: "http://" + l.Addr().String(), inputs: make(chan console.Input, 16), opened: make(chan uint64, 16)}
	d.Server = console.New(console.Options{
		Host: l.Addr().String(), Origin: d.url,
		Input: func(in console.Input) { d.inputs <- in }, Opened: func(s uint64) { d.opened <- s },
	})
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: d.Server}}
	srv.Start()
	t.Cleanup(srv.Close)
	t.Cleanup(d.Close)
	return d
}

func (d *desk) wait(t *testing.T) console.Input {
	t.Helper()
	select {
	case in := <-d.inputs:
		return in
	case <-time.After(10 * time.Second):
	}
	t.Fatal("no input came")
	return console.Input{}
}

func picture(t *testing.T, shade uint8) *secret.Bytes {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 240, 300))
	for y := range 300 {
		for x := range 240 {
			c := uint8(220)
			if dx, dy := x-120, y-130; dx*dx*12+dy*dy*8 < 12*80*80 {
				c = shade
			}
			img.SetGray(x, y, color.Gray{Y: c})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return secret.New(b.Bytes())
}

func (d *desk) pending(t *testing.T, lang, id string) console.View {
	t.Helper()
	return console.View{
		Staff: "s-12", Name: "山本 係員", Lang: lang, Virtual: true,
		Kiosk: console.Kiosk{State: "wait-staff", Since: 42, Reader: "ok", Camera: "camera-failing", Queue: 3, OldestSecs: 130, HelpCalled: true},
		Case: &console.Case{
			ID: id, Reason: "face-unsure", Waiting: 75, CaseRef: "204815", Chip: d.PutImage("image/png", picture(t, 120)),
			Live:  []string{d.PutImage("image/png", picture(t, 140)), d.PutImage("image/png", picture(t, 160))},
			Name:  secret.New([]byte("窓口　花子 <b>")),
			Birth: secret.New([]byte("19800217")), Address: secret.New([]byte("東京都千代田区架空町一丁目二番三号")),
			Sex: secret.New([]byte("2")), Expiry: "2035-02-17", Match: "unsure", Score: 4321, Threshold: 5000, Liveness: "pass",
			Reasons: []string{"similarity-below-threshold", "too-few-good-frames"}, Proof: "genuine", Route: "number-b", MayApprove: true,
		},
	}
}

func (d *desk) open(t *testing.T) (context.Context, uint64) {
	t.Helper()
	ctx := browsertest.Start(t, 1280, 1000)
	browsertest.Faults(t, ctx)
	browsertest.Do(t, ctx, chromedp.Navigate(d.url+"/"))
	browsertest.Wait(t, ctx, "document.getElementById('sign-in')")
	return ctx, <-d.opened
}

func TestSignInDecideSignOut(t *testing.T) {
	d := newDesk(t)
	ctx, session := d.open(t)
	browsertest.Shot(t, ctx, "staff-sign-in")
	browsertest.Do(t, ctx, chromedp.SendKeys(chromedp.CSS("#staff-id"), "s-12"))
	d.ShowAll(func(uint64) console.View { return console.View{Lang: "ja", Problem: "bad-sign-in"} }) // a push while typing
	browsertest.Wait(t, ctx, "document.getElementById('problem')")
	browsertest.Do(t, ctx, chromedp.SendKeys(chromedp.CSS("#staff-pin"), "2468"))
	browsertest.Tap(t, ctx, "sign-in-go")
	in := d.wait(t)
	if in.Kind != console.InSignIn || in.Staff != "s-12" || string(in.PIN.Reveal()) != "2468" || in.Session != session {
		t.Fatalf("got %+v", in)
	}
	d.Show(session, d.pending(t, "ja", "case-1"))
	browsertest.Wait(t, ctx, "document.getElementById('case') && [...document.images].every(i => i.complete && i.naturalWidth)")
	browsertest.Shot(t, ctx, "staff-case-ja")
	if got := browsertest.Eval[[]float64](t, ctx, "['chip','live-0','live-1'].map(i => document.getElementById(i).clientHeight)"); got[0] != got[1] || got[1] != got[2] || got[0] < 300 {
		t.Errorf("the photos have the heights %v", got)
	}
	if small := browsertest.Eval[[]string](t, ctx, "[...document.querySelectorAll('button')].filter(b => b.offsetHeight < 48).map(b => b.id)"); len(small) > 0 {
		t.Errorf("too small: %v", small)
	}
	if browsertest.Eval[bool](t, ctx, "document.documentElement.scrollWidth > innerWidth") {
		t.Error("the page is wider than the window")
	}
	browsertest.Tap(t, ctx, "approve") // without a reason: nothing
	browsertest.Tap(t, ctx, "approve-0-case-1")
	browsertest.Do(t, ctx, chromedp.SendKeys(chromedp.CSS("#note-case-1"), "髪が短い\"\\"))
	again := d.pending(t, "ja", "case-1")
	again.Case.Waiting = 76
	d.Show(session, again) // the clock ticks: choice and note stay
	browsertest.Wait(t, ctx, "document.getElementById('waiting').textContent.includes('16')")
	browsertest.Tap(t, ctx, "approve")
	in = d.wait(t)
	if in.Kind != console.InApprove || in.Case != "case-1" || in.Reason != "photo-same-person" || in.Note != "髪が短い\"\\" {
		t.Fatalf("got %+v", in)
	}
	again.Case.MayApprove = false // nothing was read and confirmed: there is no way to approve
	d.Show(session, again)
	browsertest.Wait(t, ctx, "!document.getElementById('approve') && document.getElementById('refuse')")
	again.Case.Decided = "approved"
	d.Show(session, again)
	browsertest.Wait(t, ctx, "document.getElementById('decided') && !document.getElementById('approve')")
	d.Show(session, d.pending(t, "en", "case-2"))
	browsertest.Wait(t, ctx, "document.getElementById('note-case-2')")
	if browsertest.Eval[bool](t, ctx, "!!document.querySelector('input:checked') || document.getElementById('note-case-2').value !== ''") {
		t.Error("the choice or the note moved to another case")
	}
	browsertest.Shot(t, ctx, "staff-case-en")
	browsertest.Tap(t, ctx, "helped")
	if in := d.wait(t); in.Kind != console.InHelped {
		t.Errorf("got %+v", in)
	}
	browsertest.Tap(t, ctx, "sign-out")
	if in := d.wait(t); in.Kind != console.InSignOut {
		t.Errorf("got %+v", in)
	}
	d.Show(session, console.View{Lang: "ja"})
	browsertest.Wait(t, ctx, "document.getElementById('staff-id') && document.getElementById('staff-id').value === ''")
}

func TestReloadStaysTheSameSession(t *testing.T) {
	d := newDesk(t)
	ctx, session := d.open(t)
	v := d.pending(t, "ja", "case-1")
	v.Case = nil
	v.Kiosk.HelpCalled = false
	d.Show(session, v)
	browsertest.Wait(t, ctx, "document.getElementById('no-case')")
	browsertest.Shot(t, ctx, "staff-idle")
	browsertest.Do(t, ctx, chromedp.Reload())
	browsertest.Wait(t, ctx, "document.getElementById('no-case')")
	if again := <-d.opened; again != session || !slices.Equal(d.Sessions(), []uint64{session}) {
		t.Errorf("after a reload session %d became %d, of %v", session, again, d.Sessions())
	}
}

// socket opens a websocket of the staff page as a new session.
func (d *desk) socket(t *testing.T) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(d.url, "http")+"/ws", http.Header{"Origin": {d.url}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"t":"auth","k":""}`)); err != nil {
		t.Fatal(err)
	}
	return ws
}

func TestSignedOutSessionsCannotActOrSee(t *testing.T) {
	d := newDesk(t)
	ws := d.socket(t)
	session := <-d.opened
	for _, frame := range []string{
		`{"t":"approve","n":1,"case":"c1","reason":"photo-same-person","note":""}`, `{"t":"cancel","n":2}`,
		`{"t":"sign-in","n":3,"staff":"s-12","pin":"1"}`,
	} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	if in := d.wait(t); in.Kind != console.InSignIn {
		t.Errorf("a signed-out session did %+v", in)
	}
	v := d.pending(t, "ja", "case-1")
	d.Show(session, v)
	src := ""
	for src == "" {
		_, b, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(b), `id=\"chip\" src=\"`); ok {
			src, _, _ = strings.Cut(rest, `\"`)
		}
	}
	get := func(path string) int {
		resp, err := http.Get(d.url + path) //nolint:noctx // a test's own server
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if code := get(src); code != 200 {
		t.Errorf("signed in: %d for %s", code, src)
	}
	if code := get("/img/" + v.Case.Chip); code != 403 {
		t.Errorf("the bare handle gave %d", code)
	}
	d.Show(session, console.View{Lang: "ja"})
	if code := get(src); code != 403 {
		t.Errorf("signed out: %d", code)
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		host, origin string
		want         int
	}{
		{"evil.example", "", 421}, {"", "http://evil.example", 403}, {"", "null", 403}, {"", "", 403},
	} {
		h := http.Header{}
		if c.host != "" {
			h.Set("Host", c.host)
		}
		if c.origin != "" {
			h.Set("Origin", c.origin)
		}
		ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(d.url, "http")+"/ws", h)
		if err == nil {
			_ = ws.Close()
			t.Errorf("%+v was accepted", c)
			continue
		}
		if resp == nil || resp.StatusCode != c.want {
			t.Errorf("%+v gave %v", c, resp)
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	d := newDesk(t)
	for range 70 {
		ws := d.socket(t)
		<-d.opened
		_ = ws.Close()
	}
	// closing is noticed a moment later, so that a few more than the bound may be remembered
	if n := len(d.Sessions()); n > 70 {
		t.Errorf("%d sessions are remembered", n)
	}
	if got := fmt.Sprint(len(d.Sessions()) >= 1); got != "true" {
		t.Error("no session is remembered")
	}
}
