package witness_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"madoguchi/daemon/hq/witness"
	"madoguchi/storage/audit"
)

// The document and the handlers say the same, both ways.
func TestOpenAPI(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "..", "docs", "openapi", "device.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for path, op := range map[string]*openapi3.Operation{
		witness.PathAudit: doc.Paths.Find(witness.PathAudit).Put, witness.PathHeartbeat: doc.Paths.Find(witness.PathHeartbeat).Post,
	} {
		want := map[string]witness.Answer{"200": {Status: http.StatusOK}}
		for _, a := range witness.Answers(path) {
			want[strconv.Itoa(a.Status)] = a
		}
		for status, r := range op.Responses.Map() {
			a, known := want[status]
			if !known {
				t.Errorf("%s: %s is documented and never given", path, status)
				continue
			}
			delete(want, status)
			if status == "200" {
				continue
			}
			var codes []string
			for _, c := range r.Value.Content["application/json"].Schema.Value.Properties["code"].Value.Enum {
				codes = append(codes, c.(string))
			}
			if !slices.Equal(codes, a.Codes) || (r.Value.Headers["Retry-After"] != nil) != a.RetryAfter {
				t.Errorf("%s %s: %v is documented, %v given", path, status, codes, a.Codes)
			}
		}
		for status := range want {
			t.Errorf("%s: %s is given and not documented", path, status)
		}
	}
	batch := doc.Components.Schemas["AuditBatch"].Value
	if most := batch.Properties["leaves"].Value.MaxItems; most == nil || *most != audit.MaxBatch {
		t.Error("the document has another limit of leaves")
	}
}
