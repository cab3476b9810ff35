package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPackages builds the packages once and looks at them from every side. The first run on a machine builds nfpm, a
// second build cache and a Debian root, some minutes in all; later runs take well under three.
func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds packages")
	}
	f := newFactory(t)
	models := os.Getenv("FACE_MODELS")
	names := []string{"kiosk", "hq"}
	if models != "" {
		names = append(names, "face-models")
	}
	dist := filepath.Join(t.TempDir(), "dist")
	f.mustBuild(t, dist, newVersion, append(names, "symbols")...)
	// What the root test needs in another version, before the others: it takes longest.
	t.Run("same-bits-elsewhere", func(t *testing.T) { testSameBits(t, f, dist, names) })
	t.Run("contents", func(t *testing.T) { testContents(t, dist, names) })
	t.Run("manual", func(t *testing.T) { testManual(t, dist) })
	t.Run("lintian", func(t *testing.T) { testLintian(t, dist, names) })
	t.Run("baseline", func(t *testing.T) { testBaseline(t, dist) })
	t.Run("old-processor", func(t *testing.T) { testOldProcessor(t, dist) })
	t.Run("new-dependency-is-refused", func(t *testing.T) { testNewDependency(t, f) })
	t.Run("models-are-wanted-loudly", func(t *testing.T) { testModelsMissing(t, f) })
	t.Run("life-in-a-root", func(t *testing.T) { testLife(t, f, dist, models != "") })
}

func testSameBits(t *testing.T, f *factory, dist string, names []string) {
	second := f.elsewhere(t)
	say("building all packages a second time, in another folder and with a build cache of its own (minutes when that is empty)")
	other := filepath.Join(t.TempDir(), "other dist")
	second.mustBuild(t, other, newVersion, names...)
	for _, n := range names {
		a, b := sum(t, deb(t, dist, "madoguchi-"+n, newVersion)), sum(t, deb(t, other, "madoguchi-"+n, newVersion))
		t.Logf("madoguchi-%s: sha256 %s", n, a)
		if a != b {
			t.Errorf("madoguchi-%s: two builds differ: %s, %s", n, a, b)
		}
	}
}

// testContents: the very files, with their modes and conffiles; nothing else lands on a kiosk.
func testContents(t *testing.T, dist string, names []string) {
	for _, n := range names {
		path := deb(t, dist, "madoguchi-"+n, newVersion)
		listed := run(t, exec.CommandContext(t.Context(), "dpkg-deb", "-c", path))
		var got []string
		for line := range strings.Lines(listed) {
			if field := strings.Fields(line); !strings.HasSuffix(field[5], "/") {
				got = append(got, field[0]+" "+field[1]+" "+field[5])
			}
			if !strings.Contains(line, "2026-01-01 00:00") {
				t.Errorf("not of the commit's time: %s", line)
			}
		}
		want, err := os.ReadFile(filepath.Join("deb", n, "contents"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
			t.Errorf("madoguchi-%s does not hold the files of deb/%s/contents (-want +got):\n%s", n, n, diff)
		}
	}
	conffiles := run(t, exec.CommandContext(t.Context(), "dpkg-deb", "-I", deb(t, dist, "madoguchi-kiosk", newVersion), "conffiles"))
	if conffiles != "/etc/madoguchi/kiosk.toml\n" {
		t.Errorf("conffiles of madoguchi-kiosk: %q", conffiles)
	}
}

// testLintian: every tag is an error unless an override in the package gives its reason.
func testLintian(t *testing.T, dist string, names []string) {
	needTools(t, "lintian")
	for _, n := range names {
		// Root is said: the packages are ours.
		out, err := exec.CommandContext(t.Context(), "lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error,warning",
			deb(t, dist, "madoguchi-"+n, newVersion)).CombinedOutput()
		if err != nil || regexp.MustCompile(`(?m)^[EW]: `).Match(out) {
			t.Errorf("lintian of madoguchi-%s: %v\n%s", n, err, out)
		}
		overrides, err := os.ReadFile(filepath.Join("deb", n, "lintian-overrides"))
		if err != nil {
			continue // it has none
		}
		reason := false
		for line := range strings.Lines(string(overrides)) {
			if !strings.HasPrefix(line, "#") && !reason {
				t.Errorf("deb/%s/lintian-overrides: no reason before %s", n, line)
			}
			reason = strings.HasPrefix(line, "# ")
		}
	}
}

// testManual: what a program says of itself stands in its manual page: every command, every flag.
func testManual(t *testing.T, dist string) {
	for _, c := range []struct {
		page string
		args []string
		find string
	}{
		{"kioskctl.1", []string{"kioskctl"}, `(?m)^  ([a-z]+ [a-z-]+|[a-z-]{2,})\b(?: [A-Z|a-z]| {3,})|(--[a-z-]+)`},
		{"kioskd.8", []string{"kioskd", "-h"}, `(?m)^  (-[a-z-]+)`},
		{"hqd.8", []string{"hqd"}, `(?m)^  (hqd [a-z]+)|(-[a-z]+(?:-[a-z]+)*) (?:[A-Z]|https|127|production|identity)`},
	} {
		said, _ := exec.CommandContext(t.Context(), filepath.Join(dist, "stage/bin", c.args[0]), c.args[1:]...).CombinedOutput()
		raw, err := os.ReadFile(filepath.Join("man", c.page))
		if err != nil {
			t.Fatal(err)
		}
		page := regexp.MustCompile(`\\f[BIRP]|\.[BI]R?I? |"`).ReplaceAllString(strings.ReplaceAll(string(raw), `\-`, "-"), "")
		found := regexp.MustCompile(c.find).FindAllStringSubmatch(string(said), -1)
		if len(found) < 5 {
			t.Fatalf("%s names only %d things: this proves nothing\n%s", c.args[0], len(found), said)
		}
		for _, m := range found {
			if word := m[1] + strings.Join(m[2:], ""); !strings.Contains(page, word) {
				t.Errorf("man/%s does not say %q", c.page, word)
			}
		}
	}
}

// testNewDependency: a library that the list does not name stops the build.
func testNewDependency(t *testing.T, f *factory) {
	copied := f.elsewhere(t)
	copied.env = nil
	list := filepath.Join(copied.tree, "packaging/deb/hq/depends")
	b, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, []byte(strings.Replace(string(b), "libopenjp2-7 (>= 2.5.0)\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := copied.build(t, filepath.Join(t.TempDir(), "dist"), newVersion, "hq")
	if err == nil || !strings.Contains(out, "does not say what the binaries need") || !strings.Contains(out, "+libopenjp2-7") {
		t.Errorf("built although a dependency is not listed: %v\n%s", err, out)
	}
}

func testModelsMissing(t *testing.T, f *factory) {
	bare := &factory{tree: f.tree, env: []string{"FACE_MODELS="}}
	out, err := bare.build(t, filepath.Join(t.TempDir(), "dist"), newVersion, "face-models")
	if err == nil || !strings.Contains(out, "CANNOT be built") {
		t.Errorf("built without models: %v\n%s", err, out)
	}
}

// The manual pages are clean.
func TestManPages(t *testing.T) {
	needTools(t, "man")
	pages, err := filepath.Glob("man/*.[18]")
	if err != nil || len(pages) != 3 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		cmd := exec.CommandContext(t.Context(), "man", "--warnings=w", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANROFFSEQ=")
		var warnings strings.Builder
		cmd.Stderr = &warnings
		if err := cmd.Run(); err != nil || warnings.Len() > 0 {
			t.Errorf("%s: %v\n%s", page, err, warnings.String())
		}
	}
}

// Versions sort as their commits were made, by dpkg's own rules.
func TestVersion(t *testing.T) {
	needTools(t, "git", "dpkg")
	dir := t.TempDir()
	for _, d := range []string{"packaging", "daemon/kiosk"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("version.sh")
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"packaging/version.sh": string(script), "daemon/kiosk/kiosk.go": "package kiosk\n\nvar Version = \"0.1.0-dev\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o700); err != nil { //nolint:gosec // a script
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.invalid", "-C", dir}, args...)...)
		run(t, cmd)
	}
	version := func() string {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "packaging/version.sh"))
		cmd.Env = append(os.Environ(), "DEB_VERSION=", "SOURCE_DATE_EPOCH=", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
		return strings.Fields(run(t, cmd))[0]
	}
	git("init", "-q")
	git("add", ".")
	var all []string
	for _, tag := range []string{"", "", "v0.1.0-alpha1", "v0.1.0-rc1", "", "v0.1.0", "", "", "v0.1.1", "v0.2.0"} {
		git("commit", "-q", "--allow-empty", "-m", "x")
		if tag != "" {
			git("tag", "-a", "-m", tag, tag)
		}
		all = append(all, version())
	}
	short := regexp.MustCompile(`\.g[0-9a-f]{10}`)
	var shape []string
	for i, v := range all {
		shape = append(shape, short.ReplaceAllString(v, ".gX"))
		if i > 0 {
			run(t, exec.CommandContext(t.Context(), "dpkg", "--compare-versions", all[i-1], "lt", v))
		}
	}
	want := []string{
		"0.1.0~0git1.gX", "0.1.0~0git2.gX", "0.1.0~alpha1", "0.1.0~rc1", "0.1.0~rc1+git1.gX", "0.1.0", "0.1.0+git1.gX", "0.1.0+git2.gX", "0.1.1", "0.2.0",
	}
	if diff := cmp.Diff(want, shape); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "daemon/kiosk/kiosk.go"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := version(); v != "0.2.0.dirty" {
		t.Errorf("a changed tree is version %q", v)
	}
}
