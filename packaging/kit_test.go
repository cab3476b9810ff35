package packaging

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the tests build: fixed, so that nothing depends on the state of a checkout.
const (
	oldVersion = "0.0.1~rc1"
	newVersion = "0.0.1"
	epoch      = "1767225600"
	nfpm       = ".cache/nfpm-v2.43.4"
)

// need skips loudly what this machine cannot do; under CI it fails instead.
func need(t *testing.T, ok bool, missing string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("NOT TESTED: %s", missing)
	}
	fmt.Fprintf(os.Stderr, "packaging: %s NOT TESTED: %s\n", t.Name(), missing)
	t.Skip(missing)
}

func needTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		_, err := exec.LookPath(tool)
		need(t, err == nil, tool+" is missing (packaging/apt-packages.txt)")
	}
}

// say tells a person who waits why.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "packaging: "+format+"\n", args...)
}

// root is the top of the tree.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// run gives the output of a command; it must succeed.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// factory builds packages.
type factory struct {
	tree string // where the sources are
	env  []string
}

func newFactory(t *testing.T) *factory {
	t.Helper()
	needTools(t, "go", "gcc", "g++", "pkg-config", "dpkg-shlibdeps", "make")
	f := &factory{tree: root(t)}
	if _, err := os.Stat(filepath.Join(f.tree, nfpm)); err != nil {
		say("building nfpm once, about a minute")
		cmd := exec.CommandContext(t.Context(), "make", nfpm)
		cmd.Dir = f.tree
		run(t, cmd)
	}
	return f
}

// build runs build-deb.sh and gives its output; the packages are in dist.
func (f *factory) build(t *testing.T, dist, version string, packages ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(f.tree, "packaging/build-deb.sh"), packages...)
	cmd.Env = append(os.Environ(), append([]string{
		"DIST=" + dist, "DEB_VERSION=" + version, "SOURCE_DATE_EPOCH=" + epoch,
		"NFPM=" + filepath.Join(root(t), nfpm),
	}, f.env...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (f *factory) mustBuild(t *testing.T, dist, version string, packages ...string) {
	t.Helper()
	if out, err := f.build(t, dist, version, packages...); err != nil {
		t.Fatalf("build-deb.sh %v: %v\n%s", packages, err, out)
	}
}

// elsewhere is a factory in a copy of the tree, with a build cache that this tree never writes to: what it compiles was
// compiled in another folder, at another time.
func (f *factory) elsewhere(t *testing.T) *factory {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "copy with blanks")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(f.tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(f.tree, path)
		if err != nil || rel == "." {
			return err
		}
		switch top, _, _ := strings.Cut(rel, "/"); top {
		case ".git", ".cache", ".run", "bin", "dist":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return copyEntry(path, filepath.Join(dir, rel), d)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &factory{tree: dir, env: []string{"GOCACHE=" + filepath.Join(f.tree, ".cache/go-build-second")}}
}

func copyEntry(from, to string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		return os.MkdirAll(to, 0o755)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !info.Mode().IsRegular():
		return nil
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// deb is the path of a package that was built.
func deb(t *testing.T, dist, name, version string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist, name+"_"+version+"_*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s %s in %s: %v %v", name, version, dist, found, err)
	}
	return found[0]
}

func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
