package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"madoguchi/ui/browsertest"
	"madoguchi/ui/hub"
	"madoguchi/ui/screen"
	"madoguchi/ui/screen/screentest"
)

// wait takes the next input or fails.
func (k *kiosk) wait(t *testing.T) screen.Input {
	t.Helper()
	select {
	case in := <-k.inputs:
		return in
	case <-t.Context().Done():
	case <-time.After(10 * time.Second):
	}
	t.Fatal("no input came")
	return screen.Input{}
}

func pinScreen(instance uint64, typed int) screen.Screen {
	return screen.Screen{
		Kind: screen.Credential, Instance: instance, Step: 5, Steps: 7, CanCancel: true, CanCallStaff: true,
		Entry: screentest.PIN(typed), Settings: screen.Settings{Lang: "ja"},
	}
}

// centre gives the middle of an element in CSS pixels.
func centre(t *testing.T, ctx context.Context, id string) (x, y float64) {
	t.Helper()
	at := browsertest.Eval[[]float64](t, ctx, fmt.Sprintf(
		`(r => [r.x + r.width / 2, r.y + r.height / 2])(document.getElementById(%q).getBoundingClientRect())`, id))
	return at[0], at[1]
}

func touch(t *testing.T, ctx context.Context, kind input.DispatchTouchEventType, points ...*input.TouchPoint) {
	t.Helper()
	if points == nil {
		points = []*input.TouchPoint{}
	}
	if _, err := chromedp.Call(ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points}); err != nil {
		t.Fatal(err)
	}
}

func TestATapDuringAStreamOfPushesIsNotLost(t *testing.T) {
	k := newKiosk(t, nil)
	k.Show(pinScreen(1, 0))
	ctx := k.open(t)
	x, y := centre(t, ctx, "k4")
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				stopped <- n
				return
			case <-tick.C:
				s := pinScreen(1, n%4)
				s.SecondsLeft = 1 + n%90
				k.Show(s)
			}
		}
	}()
	const taps = 25
	for range taps {
		touch(t, ctx, input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: x, Y: y})
		browsertest.Eval[bool](t, ctx, "new Promise(done => setTimeout(() => done(true), 40))") // pushes arrive meanwhile
		touch(t, ctx, input.DispatchTouchEventTypeTouchEnd)
	}
	for i := range taps {
		if in := k.wait(t); in.Kind != screen.InKey || in.Index != 4 {
			t.Fatalf("input %d is %+v", i, in)
		}
	}
	close(stop)
	t.Logf("%d taps during %d pushes", taps, <-stopped)
	if len(k.inputs) > 0 || k.Counts().Stale > 0 {
		t.Errorf("%d inputs too many, %+v", len(k.inputs), k.Counts())
	}
}

func TestATapBegunOnTheScreenBeforeDoesNothing(t *testing.T) {
	k := newKiosk(t, nil)
	consent := screentest.All(screen.Settings{Lang: "ja"}, screentest.Images{})[4].Screen
	consent.Instance = 1
	k.Show(consent)
	ctx := k.open(t)
	x, y := centre(t, ctx, "next")
	touch(t, ctx, input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: x, Y: y})
	consent.Instance = 2
	k.show(t, ctx, consent)
	touch(t, ctx, input.DispatchTouchEventTypeTouchEnd)
	browsertest.Tap(t, ctx, "tick-0")
	if in := k.wait(t); in.Kind != screen.InTick || in.Instance != 2 {
		t.Errorf("got %+v", in)
	}
	if c := k.Counts(); c.Stale != 1 {
		t.Errorf("got %+v, want one stale input", c)
	}
}

func TestTheSecondHalfOfADoubleTapDecidesNothing(t *testing.T) {
	k := newKiosk(t, nil)
	k.Show(pinScreen(1, 4))
	ctx := k.open(t)
	last := screen.Screen{Kind: screen.LastTry, Instance: 2, Entry: screentest.PIN(4), CanBack: true, CanCancel: true}
	click := func(id string) string { return fmt.Sprintf("document.getElementById(%q).click(),", id) }
	browsertest.Eval[int](t, ctx, "("+click("k11")+"0)")
	k.wait(t)
	k.show(t, ctx, last)
	browsertest.Eval[int](t, ctx, "("+click("last-try")+"0)")
	browsertest.Eval[int](t, ctx, "("+click("back")+"0)")
	if in := k.wait(t); in.Kind != screen.InBack {
		t.Errorf("got %+v", in)
	}
	browsertest.Wait(t, ctx, "performance.now() - lastTap > 500")
	browsertest.Eval[int](t, ctx, "("+click("last-try")+"0)")
	if in := k.wait(t); in.Kind != screen.InLastTryYes {
		t.Errorf("a calm tap gave %+v", in)
	}
}

// listen starts a kiosk on an address that was used before.
func listen(t *testing.T, addr string, opt hub.Options) (*hub.Hub, *httptest.Server) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	h := hub.New(opt)
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	srv.Start()
	return h, srv
}

func TestReloadAndRestartComeBackByThemselves(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	opt := hub.Options{Host: addr, HashFile: filepath.Join(t.TempDir(), "session")}
	first, srv := listen(t, addr, opt)
	first.Show(pinScreen(1, 3))
	ctx := browsertest.Start(t, 1080, 1920)
	browsertest.Do(t, ctx, chromedp.Navigate("http://"+addr+"/#t="+first.MintToken()))
	const bullets = "document.querySelectorAll('.bullets i.on').length"
	browsertest.Wait(t, ctx, bullets+" === 3")
	if got := browsertest.Eval[string](t, ctx, "location.href"); got != "http://"+addr+"/" {
		t.Errorf("the token is still in the address: %s", got)
	}
	browsertest.Do(t, ctx, chromedp.Reload())
	browsertest.Wait(t, ctx, bullets+" === 3")

	browsertest.Eval[int](t, ctx, "window.beforeRestart = 1")
	first.Close()
	srv.Close()
	browsertest.Eval[int](t, ctx, "(document.getElementById('k1').click(), document.getElementById('k2').click(), 0)")
	var late []screen.Input
	opt.Input = func(in screen.Input) { late = append(late, in) }
	start := time.Now()
	second, srv2 := listen(t, addr, opt)
	t.Cleanup(srv2.Close)
	t.Cleanup(second.Close)
	second.Show(pinScreen(1, 1))
	browsertest.Wait(t, ctx, "window.beforeRestart === undefined && "+bullets+" === 1")
	t.Logf("resynced %v after the restart", time.Since(start).Round(time.Millisecond))
	if len(late) > 0 {
		t.Errorf("taps made while the daemon was away were replayed: %+v", late)
	}
}

func TestSilenceIsShown(t *testing.T) {
	k := newKiosk(t, func(o *hub.Options) { o.Heartbeat = time.Hour }) // a daemon that hangs
	k.Show(pinScreen(1, 0))
	ctx := k.open(t)
	const hidden = "document.getElementById('lost').hidden"
	if !browsertest.Eval[bool](t, ctx, hidden) {
		t.Fatal("the warning is there at once")
	}
	browsertest.Wait(t, ctx, "!"+hidden)
	browsertest.Shot(t, ctx, "lost")
	browsertest.Eval[int](t, ctx, "(document.getElementById('k1').click(), 0)")
	k.show(t, ctx, pinScreen(1, 1))
	browsertest.Wait(t, ctx, hidden)
	if len(k.inputs) > 0 {
		t.Errorf("a tap under the warning was delivered: %+v", <-k.inputs)
	}
}

// TestDigitsStayInTheDaemon types two different numbers on two different layouts so that the same positions are
// pressed, and compares everything that crossed the websocket: nothing may differ but the key caps, once.
func TestDigitsStayInTheDaemon(t *testing.T) {
	run := func(layout []int) (up, down []string) {
		k := newKiosk(t, nil)
		s := pinScreen(1, 0)
		s.Entry.Layout = layout
		k.Show(s)
		ctx := k.open(t)
		browsertest.Do(t, ctx, chromedp.Evaluate[chromedp.Void]("0"))
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			t.Fatal(err)
		}
		sent := chromedp.Events(ctx, network.WebSocketFrameSent)
		received := chromedp.Events(ctx, network.WebSocketFrameReceived)
		for i, position := range []int{3, 0, 9, 5} {
			browsertest.Tap(t, ctx, fmt.Sprintf("k%d", position))
			if in := k.wait(t); in.Index != position {
				t.Fatalf("got %+v", in)
			}
			s := pinScreen(1, i+1)
			s.Entry.Layout = layout
			k.Show(s)
			browsertest.Wait(t, ctx, fmt.Sprintf("document.querySelectorAll('.bullets i.on').length === %d", i+1))
		}
		for ev, err := range sent {
			if err != nil {
				t.Fatal(err)
			}
			if up = append(up, string(ev.Response.PayloadData)); len(up) == 4 {
				break
			}
		}
		for ev, err := range received {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(ev.Response.PayloadData), `"html"`) {
				down = append(down, string(ev.Response.PayloadData))
			}
			if len(down) == 4 {
				break
			}
		}
		return up, down
	}
	upA, downA := run([]int{4, 9, 1, 0, 7, 3, 8, 2, 6, 5}) // types 0 4 5 3
	upB, downB := run([]int{8, 2, 6, 5, 4, 9, 1, 0, 7, 3}) // types 5 8 3 9
	if !slices.Equal(upA, upB) {
		t.Errorf("what goes up depends on the digits: %q %q", upA, upB)
	}
	for _, frame := range upA {
		if len(frame) != 64 {
			t.Errorf("a frame of %d bytes: %q", len(frame), frame)
		}
	}
	varies := regexp.MustCompile(`"boot\\?":\\?"[^"]*"|(class=\\"key\\" data-t=\\"key\\" data-i=\\"\d\\">)\d`)
	for i := range downA {
		a, b := varies.ReplaceAllString(downA[i], "$1"), varies.ReplaceAllString(downB[i], "$1")
		if a != b {
			t.Errorf("push %d depends on the digits beyond the key caps:\n%s\n%s", i, a, b)
		}
	}
}

func TestPreviewShowsFrames(t *testing.T) {
	k := newKiosk(t, nil)
	s := screen.Screen{Kind: screen.Face, Instance: 1, Step: 7, Steps: 7, Face: &screen.FaceGuide{Hint: "good", Good: 1, Need: 3}}
	k.Show(s)
	ctx := k.open(t)
	k.Preview(true)
	green := testPicture(t)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(33 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				k.Frame(green)
			}
		}
	}()
	const pixel = `(at => document.getElementById('preview').getContext('2d').getImageData(at, 240, 1, 1).data)`
	browsertest.Wait(t, ctx, pixel+"(200)[1] > 150 && "+pixel+"(200)[0] < 100")
	browsertest.Wait(t, ctx, pixel+"(440)[0] > 150") // the right half is red; the mirror is CSS
	browsertest.Shot(t, ctx, "face-preview")
	before := k.Counts().Frames
	for k.Counts().Frames < before+30 { // credits come back
		<-time.After(10 * time.Millisecond)
	}
	close(stop)
	<-done
	k.Preview(false)
	k.show(t, ctx, screen.Screen{Kind: screen.Deciding, Instance: 2})
	browsertest.Wait(t, ctx, "cam === null")
}

// testPicture is 640x360, green on the left and red on the right.
func testPicture(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 640, 360))
	for y := range 360 {
		for x := range 640 {
			c := color.RGBA{G: 200, A: 255}
			if x >= 320 {
				c = color.RGBA{R: 200, A: 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFocusFollowsTheScreen(t *testing.T) {
	k := newKiosk(t, nil)
	k.Show(pinScreen(1, 0))
	ctx := k.open(t)
	browsertest.Wait(t, ctx, "document.activeElement.id === 'main'")
	browsertest.Eval[int](t, ctx, "(document.getElementById('k5').focus(), 0)")
	k.show(t, ctx, pinScreen(1, 1))
	browsertest.Wait(t, ctx, "document.querySelectorAll('.bullets i.on').length === 1")
	if got := browsertest.Eval[string](t, ctx, "document.activeElement.id"); got != "k5" {
		t.Errorf("a push on the same screen moved the focus to %s", got)
	}
	ask := pinScreen(1, 1)
	ask.AskCancel = true
	k.Show(ask)
	browsertest.Wait(t, ctx, "document.activeElement.getAttribute('role') === 'dialog' && document.getElementById('main').inert")
	k.show(t, ctx, screen.Screen{Kind: screen.Reading, Instance: 2, Settings: screen.Settings{Lang: "en"}})
	browsertest.Wait(t, ctx, "document.activeElement.id === 'main' && document.documentElement.lang === 'en'")
	if got := browsertest.Eval[string](t, ctx, "document.getElementById('say').textContent"); got != "Reading your card" {
		t.Errorf("the live region says %q", got)
	}
}

// BenchmarkPush measures state change in this process -> DOM changed in Chromium, and -> next frame painted.
func BenchmarkPush(b *testing.B) {
	k := newKiosk(b, nil)
	k.Show(pinScreen(1, 0))
	ctx := k.open(b)
	browsertest.Eval[int](b, ctx, `(window.seen = [], new MutationObserver(() => {
		const at = performance.timeOrigin + performance.now(), left = document.querySelector('#time p')
		if (!left) return
		const n = Number(left.textContent.match(/\d+/)[0]); if (seen.length && seen.at(-1)[0] === n) return
		const one = [n, at, 0]; seen.push(one); requestAnimationFrame(() => one[2] = performance.timeOrigin + performance.now())
	}).observe(document.getElementById('app'), { subtree: true, childList: true, characterData: true, attributes: true }), 0)`)
	const pushes = 200
	for b.Loop() {
		var changed, painted []float64
		for i := 1; i <= pushes; i++ {
			s := pinScreen(1, i%5)
			s.SecondsLeft = i
			at := float64(time.Now().UnixNano()) / 1e6
			k.Show(s)
			got := browsertest.Eval[[]float64](b, ctx, fmt.Sprintf(`new Promise(done => { const look = () => {
				const one = seen.find(o => o[0] === %d && o[2]); one ? done([one[1], one[2]]) : setTimeout(look, 1) }; look() })`, i))
			changed, painted = append(changed, got[0]-at), append(painted, got[1]-at)
		}
		browsertest.Eval[int](b, ctx, "(seen.length = 0)")
		slices.Sort(changed)
		slices.Sort(painted)
		b.ReportMetric(changed[pushes/2], "ms-dom-p50")
		b.ReportMetric(changed[pushes*95/100], "ms-dom-p95")
		b.ReportMetric(painted[pushes/2], "ms-paint-p50")
		b.ReportMetric(painted[pushes*95/100], "ms-paint-p95")
	}
}
