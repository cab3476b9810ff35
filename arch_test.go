// The tests of the house: rules about the whole tree, each with its reason.
package madoguchi_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goFiles walks the hand-written Go files of the tree.
func goFiles(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_templ.go") {
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func imports(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}

// area is the first folder of a path of ours.
func area(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "madoguchi/"), "/")
	return first
}

// Four devices and a daemon: the top-level folders are the architecture.
func TestImportRules(t *testing.T) {
	rules := []struct {
		area   string
		may    []string
		reason string
	}{
		{"hardware", []string{"hardware", "internal"}, "a device knows no other device and no rule of business"},
		{"face", []string{"face", "internal"}, "a device knows no other device and no rule of business"},
		{"storage", []string{"storage", "internal"}, "it must be provable without a card, and HQ shares it"},
		{"ui", []string{"ui", "internal"}, "the browser is a device too: a closed list of screens and inputs"},
		{"daemon", []string{"daemon", "hardware", "face", "storage", "ui", "internal"}, "only here do a PIN prompt and a card meet"},
		{"internal", nil, "the floor under all rooms imports nothing of ours"},
	}
	seen := map[string]bool{}
	goFiles(t, func(path string) {
		from := area(filepath.ToSlash(path))
		seen[from] = true
		for _, imported := range imports(t, path) {
			own := "madoguchi/" + filepath.ToSlash(filepath.Dir(path)) // an outside test imports what it tests
			if !strings.HasPrefix(imported, "madoguchi/") || imported == own {
				continue
			}
			for _, r := range rules {
				if r.area == from && !slices.Contains(r.may, area(imported)) {
					t.Errorf("%s imports %s: %s may import only %v, because %s", path, imported, r.area, r.may, r.reason)
				}
			}
		}
	})
	for _, r := range rules {
		if !seen[r.area] {
			t.Errorf("the rule for %s guards nothing", r.area)
		}
	}
}

// Only the wiring constructs drivers; only one package starts processes; pure packages stay pure.
func TestNarrowImports(t *testing.T) {
	drivers := []string{"daemon/kiosk", "daemon/kioskctl", "daemon/virtualpeople"}
	rules := []struct {
		imported string
		may      []string // packages; tests may too unless strict
		strict   bool
		reason   string
	}{
		{"os/exec", []string{"internal/child"}, false, "the kiosk runs no other programs; a child is ourselves with limits"},
		{"madoguchi/hardware/pcsc", drivers, false, "only the wiring constructs drivers"},
		{"madoguchi/hardware/v4l2", drivers, false, "only the wiring constructs drivers"},
		{"madoguchi/hardware/virtual", append(drivers, "hardware/virtual"), false, "nothing may come to depend on a simulator"},
		{"madoguchi/face/opencv", drivers, false, "only the wiring constructs engines"},
		{"madoguchi/face/fake", nil, false, "the scripted engine is for tests"},
		{"madoguchi/ui/hub", []string{"daemon/kiosk"}, false, "only the wiring constructs the browser"},
		{"madoguchi/daemon/flow", []string{"daemon/session", "daemon/present"}, false, "the machine has one owner and one mapping"},
		{"madoguchi/daemon/session", []string{"daemon/kiosk"}, false, "the owner of the machine is wired once"},
		{"github.com/ebfe/scard", []string{"hardware/pcsc"}, true, "its types and panics stay behind the contract"},
		{"github.com/blackjack/webcam", []string{"hardware/v4l2"}, true, "one driver, one package"},
		{"github.com/gorilla/websocket", []string{"ui/push"}, false, "a swap of the library touches one package"},
		{"go.etcd.io/bbolt", []string{"storage/queue"}, false, "one owner of the file format"},
		{"crypto/hpke", []string{"storage/seal", "daemon/hq/opener"}, false, "one place seals, one role opens"},
		{"github.com/miekg/pkcs11", []string{"daemon/hq/opener/token"}, true, "its calls, handles and cgo stay behind the key store"},
		{"madoguchi/daemon/hq/opener/token", []string{"daemon/hqd"}, false, "only the wiring chooses where keys are"},
		{"modernc.org/sqlite", []string{"daemon/hq/store", "daemon/hq/viewlog", "daemon/hq/opener/finding", "daemon/hq/kakunin", "daemon/hq/retention"}, false, "HQ's store is behind its contract"},
		{"github.com/jackc/pgx/v5", []string{"daemon/hq/store/pgstore"}, false, "HQ's store is behind its contract"},
		{"github.com/jackc/pgx/v5/pgxpool", []string{"daemon/hq/store/pgstore"}, false, "HQ's store is behind its contract"},
		{"github.com/aws/aws-sdk-go-v2/service/s3", []string{"daemon/hq/store/s3body"}, false, "a swap of the library touches one package"},
		{"madoguchi/daemon/hq/store/pgstore", []string{"daemon/hqd"}, false, "only the wiring chooses the store"},
		{"madoguchi/daemon/hq/store/sqlitestore", []string{"daemon/hqd"}, false, "only the wiring chooses the store"},
		{"madoguchi/daemon/hq/store/s3body", []string{"daemon/hqd"}, false, "only the wiring chooses the store"},
	}
	goFiles(t, func(path string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		test := strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") || strings.Contains(dir, "test/")
		for _, imported := range imports(t, path) {
			for _, r := range rules {
				if imported != r.imported || slices.ContainsFunc(r.may, func(p string) bool { return dir == p || strings.HasPrefix(dir, p+"/") }) {
					continue
				}
				if r.strict || !test {
					t.Errorf("%s imports %s, which only %v may: %s", path, imported, r.may, r.reason)
				}
			}
		}
	})
}

// Pure packages have no clock, no I/O, no locks: they are walked exhaustively and replayed.
func TestPurePackages(t *testing.T) {
	pure := []string{"daemon/flow", "daemon/jpki", "daemon/policy", "daemon/policy/methods", "daemon/present", "ui/screen", "internal/portrait"}
	banned := []string{"os", "net", "net/http", "sync", "log/slog", "math/rand", "unsafe", "os/exec", "context"}
	goFiles(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") || !slices.Contains(pure, filepath.ToSlash(filepath.Dir(path))) {
			return
		}
		for _, imported := range imports(t, path) {
			if slices.Contains(banned, imported) {
				t.Errorf("%s imports %s: this package is pure, so that a test can walk or replay all of it", path, imported)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "time.Now") {
			t.Errorf("%s asks for the time: in pure packages time comes in an event", path)
		}
	})
}

// cgo sits in leaf packages with a stub beside it, so that everything compiles without it. The opener's tokens are the
// one place above the leaves: PKCS #11 is a C interface, and the binding to it needs cgo in whoever imports it.
func TestCgoHasStubs(t *testing.T) {
	allowed := []string{"face/opencv", "face/jp2", "hardware/pcsc", "daemon/hq/opener/token"}
	goFiles(t, func(path string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		for _, imported := range imports(t, path) {
			if (imported == "C" || imported == "github.com/miekg/pkcs11") && !slices.Contains(allowed, dir) {
				t.Errorf("%s uses cgo: only %v may", path, allowed)
			}
		}
	})
	for _, dir := range allowed {
		found := false
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), "//go:build !cgo")
		}
		if !found {
			t.Errorf("%s has no stub for builds without cgo", dir)
		}
	}
}
