package outofservice_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"madoguchi/ui/outofservice"
)

// serve gives the address of a page.
func serve(t *testing.T, staff bool) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	host := s.Listener.Addr().String()
	s.Config.Handler = outofservice.Handler(host, staff)
	s.Start()
	t.Cleanup(s.Close)
	return host
}

func get(t *testing.T, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if h := header.Get("Host"); h != "" {
		r.Host = h
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestPage(t *testing.T) {
	for _, staff := range []bool{false, true} {
		host := serve(t, staff)
		res, body := get(t, "http://"+host+"/", http.Header{})
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d: the script would take it for the kiosk", res.StatusCode)
		}
		for _, want := range []string{"ご利用いただけません", `lang="en"`, "out of service", `id="out-of-service"`, "</html>"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page does not hold %q", want)
			}
		}
		if strings.Contains(body, "journalctl") != staff {
			t.Errorf("staff %v: the command is there, or missing", staff)
		}
		_, nonce, _ := strings.Cut(body, `nonce="`)
		nonce, _, _ = strings.Cut(nonce, `"`)
		if csp := res.Header.Get("Content-Security-Policy"); nonce == "" || !strings.Contains(csp, "script-src 'nonce-"+nonce+"'") {
			t.Errorf("the script's nonce %q is not that of %q", nonce, csp)
		}
		for path, mime := range map[string]string{"/out-of-service.css": "text/css; charset=utf-8", "/out-of-service.js": "text/javascript; charset=utf-8"} {
			if res, b := get(t, "http://"+host+path, http.Header{}); res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != mime || len(b) < 50 {
				t.Errorf("%s: %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
			}
		}
		if res, _ := get(t, "http://"+host+"/healthz", http.Header{}); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("health %d", res.StatusCode)
		}
		if res, _ := get(t, "http://"+host+"/", http.Header{"Host": {"elsewhere"}}); res.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("a foreign host: %d", res.StatusCode)
		}
	}
}

// A page of kioskd's, whatever it knows, gets two boot ids and so loads itself anew; a foreign page gets nothing.
func TestTellsAnOpenPage(t *testing.T) {
	host := serve(t, false)
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+host+"/ws", http.Header{"Origin": {"http://" + host}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer func() { _ = conn.Close() }()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"t":"auth","k":"AAAAAAAAAAAAAAAAAAAAAA"}`)); err != nil {
		t.Fatal(err)
	}
	boots := map[string]bool{}
	for range 2 {
		_, b, err := conn.ReadMessage()
		var f struct {
			Boot string `json:"boot"`
			HTML string `json:"html"`
		}
		if err != nil || json.Unmarshal(b, &f) != nil || !strings.Contains(f.HTML, `id="app"`) {
			t.Fatalf("got %s, %v", b, err)
		}
		boots[f.Boot] = true
	}
	if len(boots) != 2 {
		t.Errorf("got %v: a page without a boot id would not load itself", boots)
	}
	_, res, err = websocket.DefaultDialer.DialContext(t.Context(), "ws://"+host+"/ws", http.Header{"Origin": {"http://elsewhere"}})
	if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign page was let in: %v", err)
	}
	if res != nil {
		_ = res.Body.Close()
	}
}
