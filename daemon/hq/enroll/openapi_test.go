package enroll_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	hq "madoguchi/daemon/hq/enroll"
	"madoguchi/storage/enroll"
)

// document loads docs/openapi/device.yaml with a library that is not ours.
func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "..", "docs", "openapi", "device.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every answer that HQ can give stands in the document, and the other way round.
func TestDocumentedAnswers(t *testing.T) {
	doc := document(t)
	for path, method := range map[string]string{enroll.PathEnroll: http.MethodPost, enroll.PathRenew: http.MethodPost, enroll.PathKeys: http.MethodGet} {
		var got []hq.Answer
		for status, r := range doc.Paths.Value(path).GetOperation(method).Responses.Map() {
			n, err := strconv.Atoi(status)
			if err != nil {
				t.Fatal(err)
			}
			if n == http.StatusOK || n == http.StatusNotModified {
				continue
			}
			a := hq.Answer{Status: n, RetryAfter: r.Value.Headers["Retry-After"] != nil}
			for _, c := range r.Value.Content["application/json"].Schema.Value.Properties["code"].Value.Enum {
				word, _ := c.(string)
				a.Codes = append(a.Codes, word)
			}
			got = append(got, a)
		}
		slices.SortFunc(got, func(a, b hq.Answer) int { return a.Status - b.Status })
		if diff := cmp.Diff(hq.Answers(path), got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// What is sent fits the schemas, and the schemas do not take anything.
func TestBodiesFitTheirSchemas(t *testing.T) {
	h := newHQ(t)
	device := newKey(t)
	r, err := enroll.NewRequest(kiosk, h.code(kiosk), newKey(t), device)
	if err != nil {
		t.Fatal(err)
	}
	body, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	status, answer := h.post(enroll.PathEnroll, body, nil)
	if status != http.StatusOK {
		t.Fatal(status, answer)
	}
	a, err := enroll.ParseAnswer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	renew, err := enroll.NewRenewRequest(kiosk, newKey(t), device)
	if err != nil {
		t.Fatal(err)
	}
	again, err := renew.Encode()
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t)
	for name, raw := range map[string][]byte{"EnrollRequest": body, "EnrollAnswer": []byte(answer), "RenewRequest": again, "KeyList": a.Keys} {
		schema := doc.Components.Schemas[name].Value
		var v map[string]any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v["name"] = "x"
		if schema.VisitJSON(v, openapi3.EnableJSONSchema2020()) == nil {
			t.Errorf("%s takes anything", name)
		}
	}
}
