package ingest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/ingest"
	"madoguchi/storage/storagetest"
)

// document loads and validates docs/openapi/device.yaml, with a library that is not ours.
func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "..", "docs", "openapi", "device.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Fatal(doc.OpenAPI)
	}
	return doc
}

func operation(t *testing.T, doc *openapi3.T) *openapi3.Operation {
	t.Helper()
	path := doc.Paths.Value("/v1/records/{id}")
	if path == nil || path.Put == nil {
		t.Fatal("the PUT of a record is not documented")
	}
	return path.Put
}

// Every answer that the receiver can give stands in the document, and the other way round.
func TestDocumentedAnswers(t *testing.T) {
	want := map[int]ingest.Answer{}
	for _, a := range ingest.Answers() {
		want[a.Status] = a
	}
	got := map[int]ingest.Answer{}
	for status, r := range operation(t, document(t)).Responses.Map() {
		n, err := strconv.Atoi(status)
		if err != nil {
			t.Fatal(err)
		}
		a := ingest.Answer{Status: n, RetryAfter: r.Value.Headers["Retry-After"] != nil}
		if code := r.Value.Content["application/json"].Schema.Value.Properties["code"]; code != nil {
			for _, c := range code.Value.Enum {
				word, ok := c.(string)
				if !ok {
					t.Fatal(c)
				}
				a.Codes = append(a.Codes, word)
			}
		}
		got[n] = a
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// documented fails for an answer that is not in the list, which the document repeats.
func documented(t *testing.T, status int, body string) {
	t.Helper()
	var b struct{ Code string }
	_ = json.Unmarshal([]byte(body), &b)
	for _, a := range ingest.Answers() {
		if a.Status == status && (len(a.Codes) == 0 || slices.Contains(a.Codes, b.Code)) {
			return
		}
	}
	t.Errorf("the answer %d %s is not documented", status, body)
}

func TestReceiptFitsItsSchema(t *testing.T) {
	doc := document(t)
	k := newKit(t, ingest.Demo, nil)
	e := envelope(t, k, 1, 100)
	code, receipt := k.do(request(http.MethodPut, e.Header.ID, storagetest.Device, e.Bytes))
	if code != http.StatusCreated {
		t.Fatalf("got %d %s", code, receipt)
	}
	var v any
	if err := json.Unmarshal([]byte(receipt), &v); err != nil {
		t.Fatal(err)
	}
	schema := operation(t, doc).Responses.Value("201").Value.Content["application/json"].Schema.Value
	if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
		t.Fatal(err, receipt)
	}
	v.(map[string]any)["name"] = "x"
	if schema.VisitJSON(v, openapi3.EnableJSONSchema2020()) == nil {
		t.Fatal("the schema takes anything")
	}
}

// The validator sees faults: a document that says nothing true of its path is refused.
func TestValidatorHasTeeth(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "openapi", "device.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for good, bad := range map[string]string{
		"      - name: id\n":                                 "      - name: other\n",
		"$ref: '#/components/schemas/Receipt'":               "$ref: '#/components/schemas/Nothing'",
		"          description: Stored durably.\n":           "",
		"  title: Madoguchi HQ, device API\n":                "",
		"          type: string\n          description: SHA": "          type: text\n          description: SHA",
	} {
		text := strings.ReplaceAll(string(raw), good, bad)
		if text == string(raw) {
			t.Fatalf("%q is not in the document", good)
		}
		doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
		if err == nil {
			err = doc.Validate(t.Context())
		}
		if err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
