package push_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"madoguchi/internal/secret"
	"madoguchi/ui/push"
)

func TestGuard(t *testing.T) {
	guard := push.Guard{Host: "127.0.0.1:18080", Origin: "http://127.0.0.1:18080"}
	for _, c := range []struct {
		name, method, host, origin, site string
		websocket                        bool
		want                             int
	}{
		{"page", "GET", "127.0.0.1:18080", "", "", false, 200},
		{"typed-address", "GET", "127.0.0.1:18080", "", "none", false, 200},
		{"own-subresource", "GET", "127.0.0.1:18080", "", "same-origin", false, 200},
		{"foreign-subresource", "GET", "127.0.0.1:18080", "", "cross-site", false, 403},
		{"other-port-subresource", "GET", "127.0.0.1:18080", "", "same-site", false, 403},
		{"rebound-name", "GET", "evil.example:18080", "", "", false, 421},
		{"localhost", "GET", "localhost:18080", "", "", false, 421},
		{"no-port", "GET", "127.0.0.1", "", "", false, 421},
		{"no-host", "GET", "", "", "", false, 421},
		{"post", "POST", "127.0.0.1:18080", "http://127.0.0.1:18080", "", false, 405},
		{"websocket", "GET", "127.0.0.1:18080", "http://127.0.0.1:18080", "", true, 200},
		{"websocket-without-origin", "GET", "127.0.0.1:18080", "", "", true, 403},
		{"websocket-null", "GET", "127.0.0.1:18080", "null", "", true, 403},
		{"websocket-evil", "GET", "127.0.0.1:18080", "http://evil.example", "", true, 403},
		{"websocket-other-port", "GET", "127.0.0.1:18080", "http://127.0.0.1:18081", "", true, 403},
		{"websocket-https", "GET", "127.0.0.1:18080", "https://127.0.0.1:18080", "", true, 403},
		{"websocket-rebound", "GET", "evil.example:18080", "http://evil.example:18080", "", true, 421},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			w := httptest.NewRecorder()
			if ok := guard.Check(w, r, c.websocket); ok != (c.want == 200) || w.Code != c.want {
				t.Errorf("got %v and %d, want %d", ok, w.Code, c.want)
			}
		})
	}
}

func TestTwoOriginsAreRefused(t *testing.T) {
	guard := push.Guard{Host: "h", Origin: "http://h"}
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "h"
	r.Header["Origin"] = []string{"http://h", "http://evil.example"}
	if w := httptest.NewRecorder(); guard.Check(w, r, true) || w.Code != 403 {
		t.Errorf("got %d", w.Code)
	}
}

func TestHeaders(t *testing.T) {
	h := http.Header{}
	push.Headers(h, "N")
	const csp = "default-src 'none'; script-src 'nonce-N'; style-src 'self'; img-src 'self' blob:; font-src 'self'; " +
		"connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types kiosk"
	for name, want := range map[string]string{
		"Content-Security-Policy": csp, "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	push.Headers(h, "")
	if got := h.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'none'") {
		t.Errorf("without a nonce no script may run, got %q", got)
	}
}

func TestKeys(t *testing.T) {
	a, b := push.NewKey(), push.NewKey()
	if len(a) != push.KeySize || a == b {
		t.Errorf("got %q and %q", a, b)
	}
	ha := push.HashKey([]byte(a))
	if !ha.Equal(push.HashKey([]byte(a))) || ha.Equal(push.HashKey([]byte(b))) {
		t.Error("hashes are compared wrongly")
	}
	var none push.KeyHash
	if none.Equal(none) {
		t.Error("no key must equal no key")
	}
}

func TestImages(t *testing.T) {
	store := push.NewImages()
	get := func(handle string) (int, string, string) {
		w := httptest.NewRecorder()
		store.Serve(w, handle)
		return w.Code, w.Header().Get("Content-Type"), w.Body.String()
	}
	original := secret.New([]byte("picture"))
	handle := store.Put("image/png", original)
	if code, mime, body := get(handle); code != 200 || mime != "image/png" || body != "picture" {
		t.Errorf("got %d %q %q", code, mime, body)
	}
	if len(handle) != push.KeySize {
		t.Errorf("the handle %q is not 128 bits", handle)
	}
	for _, other := range []string{"", "x", handle[1:], handle + "x"} {
		if code, _, body := get(other); code != 404 || body != "" {
			t.Errorf("%q gave %d %q", other, code, body)
		}
	}
	bad := secret.New([]byte("<script>"))
	if got := store.Put("image/svg+xml", bad); got != "" || bad.Len() != 0 {
		t.Errorf("an SVG got the handle %q", got)
	}
	store.Drop()
	if code, _, _ := get(handle); code != 404 || original.Len() != 0 {
		t.Errorf("after Drop: %d, %d bytes left", code, original.Len())
	}
	for range 64 {
		store.Put("image/png", secret.New([]byte{1}))
	}
	if got := store.Put("image/png", secret.New([]byte{1})); got != "" {
		t.Error("the store has no bound")
	}
}
