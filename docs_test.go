package madoguchi_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"madoguchi/ui/i18n"
)

var update = flag.Bool("update", false, "rewrite generated documents")

// docs/failures.md is made from the texts that people see.
func TestFailuresDocument(t *testing.T) {
	const path = "docs/failures.md"
	want := i18n.FailuresMarkdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatal("docs/failures.md is not up to date; run go test . -update")
	}
}

// The README says what it must: both commands, what is real and what is virtual, what the operator brings.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"make run", "make test", "FACE_MODELS", "docs/screens/", "virtual", "What the operator brings", "to be confirmed"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}
