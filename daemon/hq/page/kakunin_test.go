package page_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/daemon/hq/page"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
)

// withKakunin is the page with verification records, over one real record with a My Number in a part of its own.
func withKakunin(t *testing.T, p kakunin.Policy) *kit {
	t.Helper()
	db, err := kakunin.Open(t.Context(), filepath.Join(t.TempDir(), "kakunin.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return newKitWith(t, func(o *page.Options) { o.Kakunin = &page.Verifications{DB: db, Policy: p} }, func(r *record.Record) {
		r.Virtual = nil
		r.Images.Name, r.Images.Address = picture(t, 300, 30), picture(t, 420, 60)
		r.MyNumber = &record.MyNumber{Number: secret.New([]byte("123456789018")), Purpose: "canary"}
	})
}

func picture(t *testing.T, w, h int) *secret.Bytes {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = 0xff
	}
	for x := 10; x < w-10; x += 14 {
		m.SetGray(x, h/2, color.Gray{})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return secret.New(b.Bytes())
}

func form(r *http.Request) {
	bearer(token)(r)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
}

func (k *kit) add(t *testing.T, fields ...string) (int, string) {
	t.Helper()
	v := url.Values{"reason": {"申込書"}}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	res, body := k.do(t, http.MethodPost, k.path()+"/kakunin", v.Encode(), form)
	return res.StatusCode, body
}

func (k *kit) addAll(t *testing.T) {
	t.Helper()
	for _, fields := range [][]string{
		{"item", "13", "v.date", "2026-11-20"},
		{"item", "21", "none", "yes"},
		{"item", "22", "v.purpose", "生計費決済"},
		{"item", "23", "v.occupation", "会社員"},
		{"item", "27", "v.key", "普通 7654321"},
		{"item", "29", "none", "yes"},
	} {
		if code, body := k.add(t, fields...); code != http.StatusSeeOther {
			t.Fatalf("%v: got %d %s", fields, code, body)
		}
	}
}

func TestKakuninFromMissingToComplete(t *testing.T) {
	k := withKakunin(t, kakunin.Policy{})
	_, body := k.do(t, http.MethodGet, k.path()+"/kakunin", "", bearer(token))
	for _, want := range []string{"欠落 6 件", "取引を行う目的", "窓口 花子", `id="item-30"`, `/name"`, `/address"`} {
		if !strings.Contains(body, want) {
			t.Fatalf("the page does not say %q: %s", want, body[:min(len(body), 2500)])
		}
	}
	for _, form := range []string{"print", "export/json", "export/csv", "export/excel", "export/openid"} {
		if res, body := k.do(t, http.MethodGet, k.path()+"/kakunin/"+form, "", bearer(token)); res.StatusCode != http.StatusConflict || !strings.Contains(body, "未完成のため、出力できません。") {
			t.Fatalf("%s: got %d", form, res.StatusCode)
		}
	}
	for name, fields := range map[string][]string{
		"my-number": {"item", "27", "v.key", "１２３４５６７８９０１８"}, "empty": {"item", "22"}, "kiosk-part": {"item", "20", "v.name", "別人"},
		"no-answer": {"item", "22", "none", "yes"}, "no-reason": {"item", "21", "none", "yes", "reason", ""}, "no-item": {"item", "x"},
	} {
		if code, body := k.add(t, fields...); code != http.StatusUnprocessableEntity || !strings.Contains(body, `role="alert"`) || strings.Contains(body, "１２３４") {
			t.Errorf("%s: got %d", name, code)
		}
	}
	k.addAll(t)
	_, body = k.do(t, http.MethodGet, k.path()+"/kakunin", "", bearer(token))
	if !strings.Contains(body, `data-state="complete"`) || !strings.Contains(body, "会社員") || strings.Contains(body, `"会社員`) || !strings.Contains(body, "token-bearer") {
		t.Fatal("not complete after all items")
	}
	res, doc := k.do(t, http.MethodGet, k.path()+"/kakunin/export/json", "", bearer(token))
	var out struct{ State, Watermark string }
	if err := json.Unmarshal([]byte(doc), &out); err != nil || out.State != "complete" || out.Watermark != "" || !strings.Contains(res.Header.Get("Content-Disposition"), "attachment") {
		t.Fatal(err, out, res.Header)
	}
	for form, want := range map[string]string{"print": "生計費決済", "export/csv": "生計費決済", "export/excel": "\ufeff", "export/openid": "jp_individual_number_card"} {
		res, body := k.do(t, http.MethodGet, k.path()+"/kakunin/"+form, "", bearer(token))
		if res.StatusCode != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, "INCOMPLETE") {
			t.Fatalf("%s: got %d", form, res.StatusCode)
		}
		for _, canary := range []string{"123456789018", "canary"} {
			if strings.Contains(body, canary) {
				t.Fatalf("%s holds %s", form, canary)
			}
		}
	}
	if res, _ := k.do(t, http.MethodGet, k.path()+"/kakunin/export/pdf", "", bearer(token)); res.StatusCode != http.StatusNotFound {
		t.Fatal(res.StatusCode)
	}
	list, err := k.views.Newest(t.Context(), 1)
	if err != nil || list[0].What[:7] != "kakunin" {
		t.Fatalf("%+v, %v", list, err)
	}
}

func TestKakuninWatermark(t *testing.T) {
	k := withKakunin(t, kakunin.Policy{Watermark: true})
	for _, form := range []string{"print", "export/json", "export/csv", "export/openid"} {
		res, body := k.do(t, http.MethodGet, k.path()+"/kakunin/"+form, "", bearer(token))
		if res.StatusCode != http.StatusOK || !strings.Contains(body, "未完成 INCOMPLETE: 欠落/missing 13,21,22,23,27,29") {
			t.Errorf("%s: got %d without its watermark", form, res.StatusCode)
		}
	}
}

func TestKakuninNeedsSigningIn(t *testing.T) {
	k := withKakunin(t, kakunin.Policy{})
	for _, path := range []string{"/kakunin", "/kakunin/print", "/kakunin/export/json"} {
		if res, body := k.do(t, http.MethodGet, k.path()+path, "", nil); res.StatusCode != http.StatusSeeOther || strings.Contains(body, storagetest.Name) {
			t.Errorf("%s: got %d", path, res.StatusCode)
		}
	}
	foreign := func(r *http.Request) { form(r); r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if res, _ := k.do(t, http.MethodPost, k.path()+"/kakunin", "item=21&none=yes&reason=x", foreign); res.StatusCode != http.StatusForbidden {
		t.Fatalf("another site could add an entry: %d", res.StatusCode)
	}
	if res, _ := newKit(t).do(t, http.MethodGet, "/records/"+storagetest.Device+"/"+storagetest.NewID()+"/kakunin", "", bearer(token)); res.StatusCode != http.StatusNotFound {
		t.Fatal(res.StatusCode)
	}
}
