// Package systemd_test holds the shipped units to their promises.
package systemd_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/system-calls.txt after a change on purpose")

const (
	kioskd   = "madoguchi-kioskd.service"
	page     = "madoguchi-kiosk-out-of-service.service"
	receiver = "madoguchi-hqd-receiver.service"
	opener   = "madoguchi-hqd-opener.service"
)

func units() []string { return []string{kioskd, page, receiver, opener} }

// analyze runs systemd-analyze, which needs no running systemd.
func analyze(t *testing.T, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		const missing = "SKIPPED: systemd-analyze is missing (Debian package systemd)"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("systemd-analyze %s: %v: %s%s", strings.Join(args, " "), err, out, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// values gives all values of a setting, in order.
func values(t *testing.T, unit, key string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(read(t, unit)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			out = append(out, v)
		}
	}
	return out
}

func TestExposure(t *testing.T) {
	for _, tt := range []struct {
		name, unit, dropIn string
		most               float64
	}{
		{"kioskd", kioskd, "", 1.2},
		{"kioskd-with-a-list", kioskd, "drop-ins/kioskd-hq-address.conf", 1.2},
		{"out-of-service", page, "", 1.0},
		{"receiver", receiver, "", 1.1},
		{"receiver-with-a-list", receiver, "drop-ins/hqd-receiver-branches.conf", 1.0},
		{"opener", opener, "", 1.0},
		{"opener-with-a-token", opener, "drop-ins/hqd-opener-token.conf", 1.0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tt.unit)
			text := read(t, tt.unit)
			if tt.dropIn != "" {
				text += read(t, tt.dropIn)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			m := regexp.MustCompile(`exposure level for \S+: (\d+\.\d)`).FindSubmatch(analyze(t, "security", "--offline=true", "--no-pager", path))
			if m == nil {
				t.Fatal("no exposure was said")
			}
			got, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil || got > tt.most || got == 0 {
				t.Errorf("exposure %v (%v), at most %v", got, err, tt.most)
			}
		})
	}
}

// Every point that systemd still counts has its reason in the README, and every reason has its point.
func TestRelaxedSettingsHaveReasons(t *testing.T) {
	want := map[string][]string{} // setting -> units, from systemd
	for _, unit := range units() {
		var findings []struct {
			Name     string  `json:"name"`
			Exposure *string `json:"exposure"`
		}
		if err := json.Unmarshal(analyze(t, "security", "--offline=true", "--json=short", unit), &findings); err != nil {
			t.Fatal(err)
		}
		if len(findings) < 50 {
			t.Fatalf("%s: only %d settings were looked at", unit, len(findings))
		}
		for _, f := range findings {
			if f.Exposure != nil && *f.Exposure != "" && *f.Exposure != "0.0" {
				want[f.Name] = append(want[f.Name], strings.TrimSuffix(strings.TrimPrefix(unit, "madoguchi-"), ".service"))
			}
		}
	}
	got := map[string][]string{} // from the README
	_, after, _ := strings.Cut(read(t, "README.md"), "| Setting | Units | Reason |")
	for line := range strings.Lines(after) {
		cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00"), "|")
		if len(cells) != 5 {
			if strings.TrimSpace(line) != "" {
				break
			}
			continue
		}
		name := strings.ReplaceAll(strings.Trim(cells[1], " `"), "\x00", "|")
		if strings.HasPrefix(name, "--") {
			continue
		}
		if len(strings.TrimSpace(cells[3])) < 30 {
			t.Errorf("%s: %q is no reason", name, cells[3])
		}
		for unit := range strings.SplitSeq(cells[2], ",") {
			got[name] = append(got[name], strings.TrimSpace(unit))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the README's reasons are not those needed (-systemd +README):\n%s", d)
	}
}

// group expands a group of system calls, as this machine's systemd knows it.
func group(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(string(analyze(t, "syscall-filter", name))) {
		switch word := strings.TrimSpace(line); {
		case word == "", word == name, strings.HasPrefix(word, "#"):
		case strings.HasPrefix(word, "@"):
			out = append(out, group(t, word)...)
		default:
			out = append(out, word)
		}
	}
	return out
}

// allowed is what a unit's SystemCallFilter= lines come to.
func allowed(t *testing.T, unit string) []string {
	t.Helper()
	set := map[string]bool{}
	for i, line := range values(t, unit, "SystemCallFilter") {
		rest, deny := strings.CutPrefix(line, "~")
		if i == 0 && deny {
			t.Fatalf("%s: the first filter must be a list of what is allowed", unit)
		}
		for word := range strings.FieldsSeq(rest) {
			calls := []string{word}
			if strings.HasPrefix(word, "@") {
				calls = group(t, word)
			}
			for _, c := range calls {
				set[c] = !deny
			}
		}
	}
	for _, c := range group(t, "@default") { // systemd adds it to every list of what is allowed
		set[c] = true
	}
	var out []string
	for c, ok := range set {
		if ok {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return out
}

func TestSystemCalls(t *testing.T) {
	const file = "testdata/system-calls.txt"
	got := allowed(t, kioskd)
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Fields(read(t, file))
	for _, c := range got {
		if !slices.Contains(want, c) {
			t.Errorf("%s is allowed and not in %s", c, file)
		}
	}
	if strings.HasPrefix(string(analyze(t, "--version")), "systemd 252") {
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s is not what the unit allows:\n%s", file, d)
		}
	}
	for _, unit := range units()[1:] {
		if d := cmp.Diff(got, allowed(t, unit)); d != "" {
			t.Errorf("%s allows other calls than kioskd:\n%s", unit, d)
		}
	}
	// Written by hand: what an attacker inside would want first.
	for c := range strings.FieldsSeq(`acct add_key adjtimex bpf chown chroot clock_settime create_module delete_module
		fanotify_init finit_module fsmount fsopen init_module io_setup io_submit io_uring_enter io_uring_register
		io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind memfd_create mknod mlockall
		modify_ldt mount mount_setattr move_mount move_pages name_to_handle_at open_by_handle_at open_tree
		perf_event_open personality pidfd_getfd pivot_root process_vm_readv process_vm_writev ptrace quotactl reboot
		request_key sched_setaffinity setdomainname setgid setgroups sethostname setns setpriority setresuid
		settimeofday setuid swapoff swapon syslog umount2 unshare uselib userfaultfd vhangup vmsplice`) {
		if slices.Contains(got, c) {
			t.Errorf("%s is allowed", c)
		}
	}
	for _, c := range []string{"connect", "execve", "fsync", "mmap", "openat", "prctl", "prlimit64", "sendto"} {
		if !slices.Contains(got, c) {
			t.Errorf("%s is refused: this list is not the one in use", c)
		}
	}
}

// systemd itself reads the units; their programs stand elsewhere until they are installed.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, unit := range units() {
		text := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/\S+`).ReplaceAllString(read(t, unit), "ExecStart=/bin/true")
		path := filepath.Join(dir, unit)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // systemd wants units readable
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", append([]string{"verify", "--man=no", "--recursive-errors=no"}, paths...)...)
	analyze(t, "--version") // skips without the program
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "madoguchi-") {
		t.Errorf("%v: %s", err, out)
	}
}

// Settings that systemd's score does not count.
func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		key, want string
		units     []string
	}{
		{"Type", "notify", units()},
		{"LimitCORE", "0", units()},
		{"MemorySwapMax", "0", units()},
		{"NoExecPaths", "/", units()},
		{"SystemCallErrorNumber", "EPERM", units()},
		{"TimeoutStopSec", "5", []string{kioskd, page}},
		{"StateDirectoryMode", "0700", []string{kioskd}},
		{"RuntimeDirectoryMode", "0700", []string{kioskd, opener}},
		{"WatchdogSec", "20", []string{kioskd}},
		{"WatchdogSec", "30", []string{receiver, opener}},
		{"OnFailure", page, []string{kioskd}},
		{"OnFailure", kioskd, []string{page}},
		{"Conflicts", kioskd, []string{page}},
		{"IPAddressAllow", "localhost", []string{page, opener}},
		{"User", "madoguchi-kiosk", []string{kioskd, page}},
		{"User", "madoguchi-hq", []string{receiver}},
		{"User", "madoguchi-hq-opener", []string{opener}},
		{"DeviceAllow", "char-video4linux rw", []string{kioskd}},
	} {
		for _, unit := range tt.units {
			if d := cmp.Diff([]string{tt.want}, values(t, unit, tt.key)); d != "" {
				t.Errorf("%s: %s:\n%s", unit, tt.key, d)
			}
		}
	}
}

// The names of users and actions agree from file to file.
func TestNamesAgree(t *testing.T) {
	for file, wants := range map[string][]string{
		"sysusers.d/madoguchi-kiosk.conf":    {"u madoguchi-kiosk "},
		"sysusers.d/madoguchi-hq.conf":       {"u madoguchi-hq ", "u madoguchi-hq-opener "},
		"udev/72-madoguchi-kiosk.rules":      {`GROUP="madoguchi-kiosk"`, `TAG-="uaccess"`},
		"polkit/50-madoguchi-kiosk.rules":    {`subject.user == "madoguchi-kiosk"`, "pcsc-lite.access_pcsc", "pcsc-lite.access_card"},
		"tmpfiles.d/madoguchi-kiosk.conf":    {"/var/lib/madoguchi-kiosk 0700 madoguchi-kiosk"},
		"tmpfiles.d/madoguchi-hq.conf":       {"/store 2750 madoguchi-hq madoguchi-hq-opener"},
		"drop-ins/kioskd-hq-address.conf":    {"IPAddressDeny=any"},
		"../daemon/credential/credential.go": append(values(t, kioskd, "LoadCredentialEncrypted"), values(t, receiver, "LoadCredentialEncrypted")...),
	} {
		text := read(t, file)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not hold %q", file, want)
			}
		}
	}
}
