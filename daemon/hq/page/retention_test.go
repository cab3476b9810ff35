package page_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/daemon/hq/page"
	"madoguchi/daemon/hq/retention"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
)

func withRetention(t *testing.T) *kit {
	t.Helper()
	dir := t.TempDir()
	adds, err := kakunin.Open(t.Context(), filepath.Join(dir, "kakunin.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := retention.Open(t.Context(), filepath.Join(dir, "retention.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = adds.Close(), db.Close() })
	return newKitWith(t, func(o *page.Options) {
		o.Kakunin = &page.Verifications{DB: adds}
		o.Retention = &page.Retention{DB: db, Keys: adds, Policy: retention.Default()}
	}, func(r *record.Record) { r.Virtual = nil })
}

func (k *kit) event(t *testing.T, fields ...string) (int, string) {
	t.Helper()
	v := url.Values{"kind": {"relation-end"}, "day": {"2026-11-20"}, "reason": {"解約"}}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	res, body := k.do(t, http.MethodPost, "/retention", v.Encode(), form)
	return res.StatusCode, body
}

func TestRetentionPage(t *testing.T) {
	k := withRetention(t)
	if code, body := k.event(t, "key", storagetest.CaseRef); code != http.StatusUnprocessableEntity || !strings.Contains(body, "見つからない") {
		t.Fatalf("got %d before the case is known", code)
	}
	_, _ = k.do(t, http.MethodGet, k.path()+"/kakunin", "", bearer(token)) // now HQ knows the case's number
	if code, body := k.event(t, "key", storagetest.CaseRef); code != http.StatusSeeOther {
		t.Fatalf("got %d %s", code, body)
	}
	for name, fields := range map[string][]string{
		"no-record": {}, "unknown-kind": {"kind", "x", "key", storagetest.CaseRef}, "future": {"day", "2026-12-01", "key", storagetest.CaseRef},
		"no-reason": {"reason", "", "key", storagetest.CaseRef}, "both": {"key", storagetest.CaseRef, "device", storagetest.Device},
	} {
		if code, body := k.event(t, fields...); code != http.StatusUnprocessableEntity || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: got %d", name, code)
		}
	}
	_, body := k.do(t, http.MethodGet, "/retention", "", bearer(token))
	for _, want := range []string{`data-outcome="waiting"`, "2033-11-21", "解約", "token-bearer (page)"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(body, storagetest.CaseRef) {
		t.Error("the key is repeated")
	}
	var file bytes.Buffer
	m := multipart.NewWriter(&file)
	part, err := m.CreateFormFile("file", "events.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte("kind,device,record,day,reason\nhold," + storagetest.Device + "," + k.id + ",2026-11-20,訴訟\n"))
	_ = m.Close()
	res, body := k.do(t, http.MethodPost, "/retention/csv", file.String(), func(r *http.Request) {
		bearer(token)(r)
		r.Header.Set("Content-Type", m.FormDataContentType())
	})
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/retention?done=1" {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	if _, body = k.do(t, http.MethodGet, "/retention?done=1", "", bearer(token)); !strings.Contains(body, "訴訟") || !strings.Contains(body, `role="status"`) {
		t.Fatal(body)
	}
	if res, _ := k.do(t, http.MethodPost, "/retention", "", nil); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/" {
		t.Fatalf("without signing in: %d", res.StatusCode)
	}
}
