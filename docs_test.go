package madoguchi_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"madoguchi/hardware/card"
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

// A code that the machine or the session can put on a screen has its cause and its way out.
func TestEveryTroubleHasTexts(t *testing.T) {
	found := 0
	for path, pattern := range map[string]string{
		"daemon/flow/state.go":       `Code\s*=\s*"([a-z0-9-]+)"`,
		"daemon/session/cardwork.go": `return "([a-z0-9-]+)"`,
		"daemon/session/customer.go": `trouble = "([a-z0-9-]+)"`,
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(b), -1) {
			found++
			for _, lang := range i18n.Languages() {
				if _, ok := i18n.TroubleFor(lang, m[1]); !ok {
					t.Errorf("%s shows %q, which has no text in %s", path, m[1], lang)
				}
			}
		}
	}
	if found < 25 {
		t.Fatalf("only %d codes were found: this test proves nothing", found)
	}
}

// What no signature covers is said where people look for what `card read` proves.
func TestNotSignedIsDocumented(t *testing.T) {
	b, err := os.ReadFile("docs/kioskctl.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range card.NotSigned() {
		if !strings.Contains(string(b), "`"+field+"`") {
			t.Errorf("docs/kioskctl.md does not say that nothing signs %s", field)
		}
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
