package madoguchi_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A reader of a package must know what it is for and who may import it.
func TestEveryPackageHasADocComment(t *testing.T) {
	docs := map[string]bool{}
	goFiles(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		docs[dir] = docs[dir] || (f.Doc != nil && len(f.Doc.Text()) > 40)
	})
	for dir, ok := range docs {
		if !ok {
			t.Errorf("%s: no package comment that says what it is for", dir)
		}
	}
}

// God files are how every model codebase began to rot.
func TestSizes(t *testing.T) {
	const maxFile, maxFunc = 500, 80
	goFiles(t, func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("\n")); n > maxFile {
			t.Errorf("%s has %d lines, more than %d", path, n, maxFile)
		}
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, b, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFunc {
					t.Errorf("%s: %s has %d lines, more than %d", path, fn.Name.Name, n, maxFunc)
				}
			}
		}
	})
}

// Unfinished words do not land.
func TestNothingUnfinished(t *testing.T) {
	word := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	goFiles(t, func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := word.FindIndex(b); at != nil {
			t.Errorf("%s: unfinished: %s", path, b[at[0]:at[1]])
		}
	})
}

// Generated templates are committed, and none is left behind by a template that is gone.
func TestTemplatesAreCommitted(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".templ") {
			seen[strings.TrimSuffix(path, ".templ")] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) == 0 {
		t.Fatal("no templates found")
	}
	for base := range seen {
		if _, err := os.Stat(base + "_templ.go"); err != nil {
			t.Errorf("%s.templ is not generated: %v", base, err)
		}
	}
}
