package page_test

import (
	"context"
	"errors"
	"image"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/page"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/viewlog"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

const token = "0123456789abcdef0123456789abcdef"

type kit struct {
	server *httptest.Server
	id     string
	views  *viewlog.Log
	now    time.Time
}

// newKit serves the page over one record.
func newKit(t *testing.T) *kit {
	t.Helper()
	return newKitWith(t, func(*page.Options) {}, nil)
}

// newKitWith changes the page and the record; a changed record gets a receipt that holds.
func newKitWith(t *testing.T, options func(*page.Options), change func(*record.Record)) *kit {
	t.Helper()
	dir := t.TempDir()
	l := setup.Layout(dir)
	if err := setup.Init(setup.Options{Dir: dir, Kiosk: storagetest.Device, URL: "https://127.0.0.1:1", Now: storagetest.At()}); err != nil {
		t.Fatal(err)
	}
	b, err := sync.LoadBundle(filepath.Join(dir, "kiosk"))
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{id: storagetest.NewID(), now: storagetest.At()}
	rec := storagetest.Record(k.id, 100)
	receiptKeys := b.Receipts
	if change != nil {
		change(rec)
	}
	env, err := wire.Build(rec, b.Keys, b.Signer, 1, storagetest.At())
	if err != nil {
		t.Fatal(err)
	}
	w, err := sqlitestore.Open(t.Context(), l.Records(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	receipt := []byte("{}")
	if change != nil {
		signer, err := storagetest.NewReceipts()
		if err != nil {
			t.Fatal(err)
		}
		if receipt, err = signer.Sign(k.id, env.Digest); err != nil {
			t.Fatal(err)
		}
		receiptKeys = signer.Keys()
	}
	if _, _, err := w.Insert(t.Context(), store.NewRow(env, receipt, storagetest.At())); err != nil {
		t.Fatal(err)
	}
	r, err := sqlitestore.OpenReader(t.Context(), l.Records())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if k.views, err = viewlog.Open(t.Context(), l.Views()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.views.Close() })
	keys, err := opener.LoadKeys(l.Opener(), record.PartIdentity, record.PartImages, record.PartEvidence)
	if err != nil {
		t.Fatal(err)
	}
	k.server = httptest.NewUnstartedServer(nil)
	o := page.Options{
		Opener: &opener.Opener{Store: r, Keys: keys, Devices: device.Dir(l.Devices()), Receipts: receiptKeys}, Store: r, Views: k.views, Token: token,
		Hosts: []string{k.server.Listener.Addr().String()}, Now: func() time.Time { return k.now }, Log: slog.New(slog.DiscardHandler),
		Face: func(context.Context, []byte) (image.Image, error) { return nil, errors.New("no decoder here") },
	}
	options(&o)
	k.server.Config.Handler = page.Handler(o)
	k.server.Start()
	t.Cleanup(k.server.Close)
	return k
}

// answer is a response whose body was read.
type answer struct {
	StatusCode int
	Header     http.Header
	Cookies    []*http.Cookie
}

func (k *kit) do(t *testing.T, method, path, body string, edit func(*http.Request)) (answer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, k.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(req)
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, res.Cookies()}, string(b)
}

func bearer(t string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+t) }
}

func (k *kit) path() string { return "/records/" + storagetest.Device + "/" + k.id }

func TestNothingWithoutSigningIn(t *testing.T) {
	k := newKit(t)
	for path, want := range map[string]int{
		"/": 200, k.path(): 303, k.path() + "/face": 303, "/views": 303, "/v1/records": 401, "/v1/opened/" + storagetest.Device + "/" + k.id: 401,
		"/assets/page.css": 200, "/assets/": 200, "/nothing": 404,
	} {
		for name, edit := range map[string]func(*http.Request){
			"none": nil, "wrong-token": bearer(token[:31] + "0"), "empty-token": bearer(""),
			"wrong-cookie": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "madoguchi_hq_session", Value: "x"}) },
		} {
			res, body := k.do(t, http.MethodGet, path, "", edit)
			if res.StatusCode != want || strings.Contains(body, k.id) || strings.Contains(body, storagetest.Name) {
				t.Errorf("%s with %s: got %d", path, name, res.StatusCode)
			}
		}
	}
	if list, err := k.views.Newest(t.Context(), 9); err != nil || len(list) != 0 {
		t.Fatalf("got %v, %v", list, err)
	}
}

func TestHeadersAndHost(t *testing.T) {
	k := newKit(t)
	for _, path := range []string{"/", k.path(), "/v1/records", "/assets/signin.js", "/nothing"} {
		res, _ := k.do(t, http.MethodGet, path, "", bearer(token))
		h := res.Header
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "unsafe") || h.Get("Cache-Control") != "no-store" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, h)
		}
	}
	for _, host := range []string{"evil.test", "127.0.0.1", "localhost", "127.0.0.1:1"} {
		res, body := k.do(t, http.MethodGet, "/v1/records", "", func(r *http.Request) { bearer(token)(r); r.Host = host })
		if res.StatusCode != http.StatusMisdirectedRequest || strings.Contains(body, k.id) {
			t.Errorf("%s: got %d", host, res.StatusCode)
		}
	}
}

func TestSession(t *testing.T) {
	k := newKit(t)
	for body, want := range map[string]int{
		`{"token":"` + token + `"}`: 204, `{"token":"` + token + `x"}`: 403, `{"token":""}`: 403, `{}`: 403, ``: 403, `{"token":"` + token + `","x":1}`: 403,
	} {
		if res, _ := k.do(t, http.MethodPost, "/v1/session", body, nil); res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", body, res.StatusCode, want)
		}
	}
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") } // another port of this host
	if res, _ := k.do(t, http.MethodPost, "/v1/session", `{"token":"`+token+`"}`, foreign); res.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another port could sign in: %d", res.StatusCode)
	}
	res, _ := k.do(t, http.MethodPost, "/v1/session", `{"token":"`+token+`"}`, nil)
	c := res.Cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || len(c.Value) != 64 {
		t.Fatalf("got %v", c)
	}
	with := func(r *http.Request) { r.AddCookie(c) }
	if res, body := k.do(t, http.MethodGet, "/", "", with); res.StatusCode != http.StatusOK || !strings.Contains(body, k.id) {
		t.Fatal("not signed in")
	}
	k.now = k.now.Add(31 * time.Minute)
	if res, _ := k.do(t, http.MethodGet, k.path(), "", with); res.StatusCode != http.StatusSeeOther {
		t.Fatal("an idle session must end")
	}
	res, _ = k.do(t, http.MethodPost, "/v1/session", `{"token":"`+token+`"}`, nil)
	c = res.Cookies[0]
	_, _ = k.do(t, http.MethodPost, "/v1/session/end", "", with)
	if res, _ := k.do(t, http.MethodGet, k.path(), "", with); res.StatusCode != http.StatusSeeOther {
		t.Fatal("signing out must end the session")
	}
}

func TestViewsAreLoggedOrNothingIsShown(t *testing.T) {
	k := newKit(t)
	res, body := k.do(t, http.MethodGet, k.path(), "", bearer(token))
	if res.StatusCode != http.StatusOK || !strings.Contains(body, storagetest.Name) || !strings.Contains(body, `data-verdict="failed"`) {
		t.Fatalf("got %d: the record's receipt is not one, and the page must say so", res.StatusCode)
	}
	if res, _ := k.do(t, http.MethodGet, k.path()+"/face", "", bearer(token)); res.StatusCode != http.StatusUnsupportedMediaType {
		t.Fatalf("got %d", res.StatusCode)
	}
	list, err := k.views.Newest(t.Context(), 9)
	if err != nil || len(list) != 2 || list[0].What != "image face" || list[1].What != "record" || list[1].Record != k.id || list[1].Viewer != "token-bearer" {
		t.Fatalf("got %+v, %v", list, err)
	}
	if err := k.views.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{k.path(), k.path() + "/face", "/v1/opened/" + storagetest.Device + "/" + k.id} {
		if res, body := k.do(t, http.MethodGet, path, "", bearer(token)); res.StatusCode != http.StatusInternalServerError || strings.Contains(body, storagetest.Name) {
			t.Fatalf("%s: got %d without a log", path, res.StatusCode)
		}
	}
}

func TestUnknownRecords(t *testing.T) {
	k := newKit(t)
	for _, path := range []string{"/records/kiosk-2/" + k.id, "/records/" + storagetest.Device + "/" + storagetest.NewID(), "/records/A/b", k.path() + "/other"} {
		if res, _ := k.do(t, http.MethodGet, path, "", bearer(token)); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d", path, res.StatusCode)
		}
	}
}

func TestLanguages(t *testing.T) {
	k := newKit(t)
	_, ja := k.do(t, http.MethodGet, k.path(), "", bearer(token))
	_, en := k.do(t, http.MethodGet, k.path()+"?lang=en", "", bearer(token))
	if !strings.Contains(ja, `<html lang="ja">`) || !strings.Contains(ja, "本部の受領証") || !strings.Contains(en, `<html lang="en">`) || !strings.Contains(en, "receipt") {
		t.Fatal("the two languages")
	}
	for _, attr := range []string{`"` + storagetest.Name, `"` + storagetest.Address, `"` + storagetest.Birth} {
		if strings.Contains(ja, attr) {
			t.Fatalf("personal data in an attribute: %s", attr)
		}
	}
}
