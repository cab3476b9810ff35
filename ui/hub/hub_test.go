package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"madoguchi/internal/secret"
	"madoguchi/ui/hub"
	"madoguchi/ui/screen"
)

func pad(s string) []byte { return []byte(s + strings.Repeat(" ", max(0, 64-len(s)))) }

// dial opens a websocket of the kiosk and sends the first frame.
func (k *kiosk) dial(t *testing.T, path, key string) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(k.url, "http")+path, http.Header{"Origin": {k.url}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	send(t, ws, fmt.Sprintf(`{"t":"auth","k":%q}`, key))
	return ws
}

func send(t *testing.T, ws *websocket.Conn, frame string) {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, pad(frame)); err != nil {
		t.Fatal(err)
	}
}

type down struct {
	Boot, Screen, HTML, Key string
	Rev, Inst               uint64
	HB                      *uint64
}

// next reads the next frame that is not a heartbeat.
func next(t *testing.T, ws *websocket.Conn) down {
	t.Helper()
	for {
		var d down
		if err := ws.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, b, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		if d.HB == nil {
			return d
		}
	}
}

// closed reads until the connection ends and gives the close code.
func closed(t *testing.T, ws *websocket.Conn) int {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		_, _, err := ws.ReadMessage()
		if err == nil {
			continue
		}
		var ce *websocket.CloseError
		if !errors.As(err, &ce) {
			t.Fatalf("ended with %v", err)
		}
		return ce.Code
	}
}

// login trades a token for a session and gives the connection and the session secret.
func (k *kiosk) login(t *testing.T) (*websocket.Conn, string) {
	t.Helper()
	ws := k.dial(t, "/ws", k.MintToken())
	d := next(t, ws)
	if len(d.Key) != 22 {
		t.Fatalf("got %+v instead of a session secret", d)
	}
	return ws, d.Key
}

func idleScreen(instance uint64) screen.Screen {
	return screen.Screen{Kind: screen.Idle, Instance: instance}
}

func TestTokenIsGoodOnce(t *testing.T) {
	k := newKiosk(t, nil)
	k.Show(idleScreen(1))
	token := k.MintToken()
	first := k.dial(t, "/ws", token)
	key := next(t, first).Key
	if got := next(t, first); got.Screen != "idle" || got.Inst != 1 {
		t.Fatalf("got %+v instead of the screen", got)
	}
	if code := closed(t, k.dial(t, "/ws", token)); code != 4401 {
		t.Errorf("a used token gave %d", code)
	}
	if code := closed(t, k.dial(t, "/ws", strings.Repeat("A", 22))); code != 4401 {
		t.Errorf("an unknown key gave %d", code)
	}
	again := k.dial(t, "/ws", key)
	if got := next(t, again); got.Screen != "idle" || got.Key != "" {
		t.Errorf("with the session secret got %+v", got)
	}
	if code := closed(t, first); code != 4409 {
		t.Errorf("the connection that was taken over ended with %d", code)
	}
	older := k.MintToken()
	k.MintToken()
	if code := closed(t, k.dial(t, "/ws", older)); code != 4401 {
		t.Errorf("a token that was replaced gave %d", code)
	}
	if got := k.Counts(); got.Takeovers != 1 || got.Refused != 3 || !got.Connected {
		t.Errorf("got %+v", got)
	}
}

func TestSessionOutlivesTheDaemon(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session")
	keep := func(o *hub.Options) { o.HashFile = file }
	_, key := newKiosk(t, keep).login(t)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the hash file: %v %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), key) || len(text) != 64 {
		t.Fatalf("the hash file holds %q, %v", text, err)
	}
	restarted := newKiosk(t, keep)
	restarted.Show(idleScreen(5))
	if got := next(t, restarted.dial(t, "/ws", key)); got.Inst != 5 {
		t.Errorf("after a restart got %+v", got)
	}
	rebooted := newKiosk(t, nil) // the runtime directory is empty
	if code := closed(t, rebooted.dial(t, "/ws", key)); code != 4401 {
		t.Errorf("after a reboot the old secret gave %d", code)
	}
}

func TestInputs(t *testing.T) {
	k := newKiosk(t, nil)
	k.Show(idleScreen(7))
	ws, _ := k.login(t)
	next(t, ws)
	send(t, ws, `{"t":"start","i":0,"s":6,"n":1}`) // an older screen
	send(t, ws, `{"t":"key","i":3,"s":8,"n":2}`)   // a screen that never was
	send(t, ws, `{"t":"key","i":3,"s":7,"n":3}`)
	send(t, ws, `{"t":"start","i":0,"s":7,"n":9}`)
	var got []screen.Input
	got = append(got, <-k.inputs, <-k.inputs)
	want := []screen.Input{
		{Kind: screen.InKey, Index: 3, Instance: 7}, {Kind: screen.InStart, Instance: 7},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	if c := k.Counts(); c.Stale != 2 || c.Accepted != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestBadFramesCloseTheConnection(t *testing.T) {
	for _, c := range []struct{ name, frame string }{
		{"unknown-kind", `{"t":"reboot","i":0,"s":1,"n":5}`},
		{"auth-again", `{"t":"auth","k":"abcdefghijklmnopqrstuv"}`},
		{"not-json", `start`},
		{"count-repeated", `{"t":"start","i":0,"s":1,"n":1}`},
		{"count-backwards", `{"t":"start","i":0,"s":1,"n":0}`},
		{"too-long", `{"t":"start","i":0,"s":1,"n":5}` + strings.Repeat(" ", 64)},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKiosk(t, nil)
			k.Show(idleScreen(1))
			ws, _ := k.login(t)
			next(t, ws)
			send(t, ws, `{"t":"start","i":0,"s":1,"n":1}`)
			<-k.inputs
			send(t, ws, c.frame)
			if code := closed(t, ws); code != 4400 && code != websocket.CloseMessageTooBig {
				t.Errorf("ended with %d", code)
			}
			if len(k.inputs) != 0 {
				t.Errorf("it was delivered: %+v", <-k.inputs)
			}
		})
	}
	t.Run("binary", func(t *testing.T) {
		k := newKiosk(t, nil)
		ws, _ := k.login(t)
		if err := ws.WriteMessage(websocket.BinaryMessage, pad(`{"t":"start","i":0,"s":1,"n":1}`)); err != nil {
			t.Fatal(err)
		}
		if code := closed(t, ws); code != 4400 {
			t.Errorf("ended with %d", code)
		}
	})
}

func TestHTTP(t *testing.T) {
	k := newKiosk(t, nil)
	handle := k.PutImage("image/png", secret.New([]byte("png")))
	for _, c := range []struct {
		name, path, host string
		want             int
		contains         string
	}{
		{"page", "/", "", 200, `<div id="app"`},
		{"health", "/healthz", "", 200, "ok\n"},
		{"icon", "/favicon.ico", "", 200, "<svg"},
		{"picture", "/img/" + string(handle), "", 200, "png"},
		{"no-picture", "/img/AAAAAAAAAAAAAAAAAAAAAA", "", 404, ""},
		{"no-asset", "/a/kiosk.000000000000.css", "", 404, ""},
		{"nothing", "/admin", "", 404, ""},
		{"foreign-host", "/", "evil.example:80", 421, ""},
		{"localhost", "/healthz", "localhost", 421, ""},
		{"foreign-host-picture", "/img/" + string(handle), "evil.example", 421, ""},
		{"camera-while-off", "/cam", "", 403, ""}, // no Origin
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, k.url+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = c.host
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.want || !strings.Contains(string(body), c.contains) {
				t.Errorf("got %d %q %v", resp.StatusCode, body, err)
			}
			for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Cross-Origin-Opener-Policy"} {
				if resp.Header.Get(name) == "" {
					t.Errorf("%s is missing", name)
				}
			}
			if resp.Header.Get("Set-Cookie") != "" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got headers %v", resp.Header)
			}
		})
	}
}

func TestNonceIsFreshAndOnEveryScript(t *testing.T) {
	k := newKiosk(t, nil)
	seen := map[string]bool{}
	for range 2 {
		resp, err := http.Get(k.url + "/") //nolint:noctx // a test's own server
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		csp := resp.Header.Get("Content-Security-Policy")
		_, rest, _ := strings.Cut(csp, "'nonce-")
		nonce, _, ok := strings.Cut(rest, "'")
		if !ok || len(nonce) != 22 || seen[nonce] {
			t.Fatalf("got %q", csp)
		}
		seen[nonce] = true
		if n := strings.Count(string(body), `nonce="`+nonce+`"`); n != 3 || strings.Count(string(body), "<script") != 3 {
			t.Errorf("%d scripts carry the nonce", n)
		}
	}
}

func TestWebsocketOrigins(t *testing.T) {
	k := newKiosk(t, nil)
	for _, c := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"missing", nil, 403},
		{"null", http.Header{"Origin": {"null"}}, 403},
		{"evil", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"other-port", http.Header{"Origin": {"http://127.0.0.1:1"}}, 403},
		{"rebound", http.Header{"Origin": {"http://evil.example"}, "Host": {"evil.example"}}, 421},
	} {
		for _, path := range []string{"/ws", "/cam"} {
			t.Run(c.name+strings.ReplaceAll(path, "/", "-"), func(t *testing.T) {
				ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(k.url, "http")+path, c.header)
				if err == nil {
					_ = ws.Close()
					t.Fatal("it was accepted")
				}
				if resp == nil || resp.StatusCode != c.want {
					t.Errorf("got %v %v, want %d", resp, err, c.want)
				}
			})
		}
	}
}

func TestCameraIsClosedOutsideTheFaceStep(t *testing.T) {
	k := newKiosk(t, nil)
	_, key := k.login(t)
	_, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(k.url, "http")+"/cam", http.Header{"Origin": {k.url}})
	if err == nil || resp.StatusCode != http.StatusConflict {
		t.Fatalf("with the preview off: %v", err)
	}
	k.Preview(true)
	if code := closed(t, k.dial(t, "/cam", k.MintToken())); code != 4401 {
		t.Errorf("a token opened the camera: %d", code)
	}
	ws := k.dial(t, "/cam", key)
	frame := []byte("jpeg-1")
	k.untilWatched(t, frame)
	kind, got, err := ws.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage || string(got) != "jpeg-1" || string(frame) != "jpeg-1" {
		t.Fatalf("got %d %q %v, the caller's frame is %q", kind, got, err, frame)
	}
	k.Preview(false)
	if code := closed(t, ws); code != 4000 {
		t.Errorf("ended with %d", code)
	}
	k.Frame(frame) // nobody looks: no effect
}

// untilWatched offers the frame until one is sent: the page's websocket opens in its own time.
func (k *kiosk) untilWatched(t *testing.T, frame []byte) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for k.Counts().Frames == 0 && time.Now().Before(end) {
		k.Frame(frame)
		<-time.After(5 * time.Millisecond)
	}
}

func TestCameraCredit(t *testing.T) {
	k := newKiosk(t, nil)
	_, key := k.login(t)
	k.Preview(true)
	ws := k.dial(t, "/cam", key)
	k.untilWatched(t, []byte("first"))
	for k.Counts().Frames < 2 {
		k.Frame([]byte("second"))
		<-time.After(5 * time.Millisecond)
	}
	k.Frame([]byte("dropped"))
	k.Frame([]byte("latest")) // two are under way: waits, in place of the one before
	if got := k.Counts().Frames; got != 2 {
		t.Fatalf("%d frames were sent on a credit of 2", got)
	}
	send(t, ws, `{"t":"ack","i":0,"s":0,"n":1}`)
	var got []string
	for range 3 {
		_, b, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
	}
	if got[0] != "first" || got[2] != "latest" {
		t.Errorf("got %q", got)
	}
}

func TestARefusedScreenSaysSo(t *testing.T) {
	k := newKiosk(t, nil)
	ws, _ := k.login(t)
	k.Show(screen.Screen{
		Kind: screen.Consent, Instance: 3, Settings: screen.Settings{Lang: "en"}, CanCallStaff: true,
		Consent: []screen.ConsentItem{{ID: "identity", Version: "unheard-of"}},
	})
	got := next(t, ws)
	if got.Screen != "out-of-service" || got.Inst != 3 || !strings.Contains(got.HTML, `data-t="staff"`) {
		t.Errorf("got %s %d", got.Screen, got.Inst)
	}
}

func TestClose(t *testing.T) {
	k := newKiosk(t, nil)
	k.Show(idleScreen(1))
	handle := k.PutImage("image/jpeg", secret.New([]byte("x")))
	ws, key := k.login(t)
	next(t, ws)
	k.Close()
	if code := closed(t, ws); code != 4000 {
		t.Errorf("ended with %d", code)
	}
	if code := closed(t, k.dial(t, "/ws", key)); code != 4000 {
		t.Errorf("after Close a page got %d", code)
	}
	resp, err := http.Get(k.url + "/img/" + string(handle)) //nolint:noctx // a test's own server
	if err != nil || resp.StatusCode != 404 {
		t.Errorf("got %v %v", resp, err)
	}
	_ = resp.Body.Close()
}
