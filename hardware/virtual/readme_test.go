package virtual_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"madoguchi/hardware/virtual"
)

// TestReadmeNamesTests: the list in the README cannot name a test that is not there, nor forget a name of a file.
func TestReadmeNamesTests(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "*/*_test.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(b)
		}
	}
	found := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(string(readme), -1)
	if len(found) < 40 {
		t.Fatalf("only %d tests are named", len(found))
	}
	for _, m := range found {
		if !strings.Contains(tests.String(), "func "+m[1]+"(") {
			t.Errorf("there is no %s", m[1])
		}
	}
	for _, k := range virtual.OtherKinds() {
		if !strings.Contains(string(readme), "`"+string(k)+"`") {
			t.Errorf("the kind %s is not in the README", k)
		}
	}
}
