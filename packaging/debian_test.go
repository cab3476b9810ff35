package packaging

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// debian is a throw-away Debian root.
type debian struct {
	root   string
	leader int // pid of its systemd while one runs there
}

// mirror is where packages come from; DEB_MIRROR overrides it.
const mirror = "http://deb.debian.org/debian"

// newDebian unpacks a minimal Debian 12 and puts the packages of dist into it. The archive is made once, with the
// dependencies downloaded and not installed, so that apt resolves and installs them in each test without the network.
func newDebian(t *testing.T, dist string) *debian {
	t.Helper()
	var lists []byte
	for _, n := range []string{"kiosk", "hq"} {
		b, err := os.ReadFile(filepath.Join("deb", n, "depends"))
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, b...)
	}
	key := sha256.Sum256(lists)
	archive := filepath.Join(root(t), ".cache", "deb-root-"+hex.EncodeToString(key[:6])+".tar")
	if _, err := os.Stat(archive); err != nil {
		older, _ := filepath.Glob(filepath.Join(filepath.Dir(archive), "deb-root-*"))
		makeArchive(t, archive, string(lists))
		for _, o := range older {
			_ = os.Remove(o)
		}
	}
	d := &debian{root: filepath.Join(t.TempDir(), "root")}
	if err := os.Mkdir(d.root, 0o755); err != nil { //nolint:gosec // the / of others
		t.Fatal(err)
	}
	run(t, exec.CommandContext(t.Context(), "tar", "-C", d.root, "-xf", archive))
	if err := os.MkdirAll(filepath.Join(d.root, "debs"), 0o755); err != nil { //nolint:gosec // apt's user reads it
		t.Fatal(err)
	}
	packages, err := filepath.Glob(filepath.Join(dist, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		run(t, exec.CommandContext(t.Context(), "install", "-m", "644", p, filepath.Join(d.root, "debs")))
	}
	return d
}

func makeArchive(t *testing.T, archive, lists string) {
	t.Helper()
	from := os.Getenv("DEB_MIRROR")
	if from == "" {
		from = mirror
	}
	say("making a Debian root once, from %s: one or two minutes", from)
	d := &debian{root: filepath.Join(t.TempDir(), "debian")}
	out, err := exec.CommandContext(t.Context(), "debootstrap", "--variant=minbase", "bookworm", d.root, from).CombinedOutput()
	need(t, err == nil, "debootstrap failed; is "+from+" within reach?\n"+tail(string(out)))
	// This machine's proxy settings, no start of services, no slow syncs, no terminal log.
	acquire, err := exec.CommandContext(t.Context(), "sh", "-c", `apt-config dump | grep -E '^Acquire::(Check-|[a-z]+::[Pp]roxy)' || true`).Output()
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"etc/apt/apt.conf.d/00test":   string(acquire) + "Dir::Log::Terminal \"\";\nAPT::Install-Recommends \"false\";\n",
		"etc/dpkg/dpkg.cfg.d/00test":  "force-unsafe-io\n",
		"usr/sbin/policy-rc.d":        "#!/bin/sh\nexit 101\n",
		"etc/apt/sources.list":        "deb " + from + " bookworm main\n",
		"etc/apt/apt.conf.d/01nolang": "Acquire::Languages \"none\";\n",
	} {
		if err := os.WriteFile(filepath.Join(d.root, path), []byte(text), 0o755); err != nil { //nolint:gosec // a script among them
			t.Fatal(err)
		}
	}
	var names []string
	for line := range strings.Lines(lists) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); name != "" && name != "#" && !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	d.sh(t, "apt-get update -q && apt-get install -y -q --download-only "+strings.Join(names, " "))
	partial := archive + ".partial"
	run(t, exec.CommandContext(t.Context(), "tar", "-C", d.root, "-cf", partial, "."))
	if err := os.Rename(partial, archive); err != nil {
		t.Fatal(err)
	}
}

// tail is the end of a long output.
func tail(s string) string { return s[max(0, len(s)-2000):] }

// try runs a shell command inside. Its processes and mounts are gone when it ends.
func (d *debian) try(command string) (string, error) {
	cmd := exec.Command("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--propagation", "private", "sh", "-c",
		`mount -t proc proc "$0/proc" && ip link set lo up && exec chroot "$0" sh -c "$1"`, d.root, command)
	if strings.Contains(command, "apt-get update") {
		cmd.Args = append(cmd.Args[:3], cmd.Args[4:]...) // only then the network is wanted
	}
	if d.leader != 0 {
		cmd = exec.Command("nsenter", "-t", strconv.Itoa(d.leader), "--all", "sh", "-c", command)
	}
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "HOME=/root"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d *debian) sh(t *testing.T, command string) string {
	t.Helper()
	out, err := d.try(command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// install installs one of the packages by apt, which resolves what it depends on.
func (d *debian) install(t *testing.T, deb string) string {
	t.Helper()
	return d.sh(t, "apt-get install -y -q --reinstall --no-install-recommends /debs/"+filepath.Base(deb))
}
