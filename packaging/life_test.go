package packaging

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
)

const (
	waiting = 30 // records in the queue that goes through all this
	state   = "/var/lib/madoguchi-kiosk"
	bundle  = "/etc/madoguchi/bundle"
	config  = "/etc/madoguchi/kiosk.toml"
	file    = "queue" // kioskd's name of the queue in its state
)

// testLife takes the packages through their life in a Debian root: real apt, real dpkg, real dependencies.
func testLife(t *testing.T, f *factory, dist string, models bool) {
	needTools(t, "debootstrap", "unshare", "tar", "apt-config")
	need(t, os.Geteuid() == 0, "root is needed for a Debian root")
	f.mustBuild(t, dist, oldVersion, "kiosk")
	d := newDebian(t, dist)
	old, current := deb(t, dist, "madoguchi-kiosk", oldVersion), deb(t, dist, "madoguchi-kiosk", newVersion)

	t.Run("install", func(t *testing.T) { testInstall(t, d, old) })
	t.Run("configuration", func(t *testing.T) { testConfiguration(t, d) })
	var records map[string]string
	t.Run("upgrade-with-a-full-queue", func(t *testing.T) { records = testUpgrade(t, d, dist, current, models) })
	t.Run("scripts-run-twice", func(t *testing.T) {
		d.install(t, current)
		d.install(t, current)
		d.requireOwner(t, state, "madoguchi-kiosk", "madoguchi-kiosk", 0o700)
	})
	t.Run("remove", func(t *testing.T) {
		out := d.sh(t, "apt-get remove -y -q madoguchi-kiosk")
		if !strings.Contains(out, "kept: "+state) {
			t.Errorf("the removal does not say what it keeps:\n%s", out)
		}
		d.requireGone(t, "/usr/bin/kioskd", "/usr/lib/systemd/system/madoguchi-kioskd.service")
		d.requireRecords(t, state, records)
		d.requireOwner(t, config, "root", "madoguchi-kiosk", 0o640)
	})
	t.Run("purge-keeps-records", func(t *testing.T) { testPurge(t, d, current, records, models) })
	t.Run("purge-that-erases", func(t *testing.T) {
		out := d.sh(t, "MADOGUCHI_PURGE=erase apt-get purge -y -q madoguchi-kiosk")
		if !strings.Contains(out, "MADOGUCHI_PURGE=erase: deleting "+state) {
			t.Errorf("it does not say what it deletes:\n%s", out)
		}
		d.requireGone(t, state, bundle, config)
		if left := d.backups(t); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("purge-of-nothing", func(t *testing.T) {
		d.install(t, current)
		out := d.sh(t, "apt-get purge -y -q madoguchi-kiosk")
		if left := d.backups(t); len(left) > 0 || strings.Contains(out, "Moved") {
			t.Errorf("an empty queue is kept: %v\n%s", left, out)
		}
		d.requireGone(t, state)
	})
	t.Run("under-systemd", func(t *testing.T) { testUnderSystemd(t, d, old, current) })
	t.Run("headquarters", func(t *testing.T) { testHeadquarters(t, d, deb(t, dist, "madoguchi-hq", newVersion)) })
}

func testInstall(t *testing.T, d *debian, old string) {
	out := d.install(t, old)
	if !strings.Contains(out, "madoguchi-kiosk: not started: "+config+" is not filled in yet") {
		t.Errorf("the installation does not say what is to be done:\n%s", out)
	}
	if got := d.sh(t, "kioskd -version"); got != "kioskd "+oldVersion+"\n" {
		t.Errorf("kioskd -version: %q", got)
	}
	if out, err := d.try("kioskctl"); code(err) != 2 || !strings.Contains(out, "kioskctl COMMAND") {
		t.Errorf("kioskctl: %v\n%s", err, out)
	}
	passwd := d.sh(t, "getent passwd madoguchi-kiosk; id -nG madoguchi-kiosk")
	if !regexp.MustCompile(`^madoguchi-kiosk:[^:]*:\d{3}:\d{3}:[^:]*:` + state + `:/usr/sbin/nologin\nmadoguchi-kiosk\n$`).MatchString(passwd) {
		t.Errorf("the user: %q", passwd)
	}
	d.requireOwner(t, state, "madoguchi-kiosk", "madoguchi-kiosk", 0o700)
	d.requireOwner(t, config, "root", "madoguchi-kiosk", 0o640)
	d.requireOwner(t, "/usr/bin/kioskd", "root", "root", 0o755)
	wants := filepath.Join(d.root, "etc/systemd/system/multi-user.target.wants/madoguchi-kioskd.service")
	if _, err := os.Lstat(wants); err != nil {
		t.Errorf("the unit is not enabled: %v", err)
	}
}

// testConfiguration: the shipped one refuses until it is filled in, and then refuses everything virtual.
func testConfiguration(t *testing.T, d *debian) {
	d.sh(t, "mkdir -p /run/madoguchi-kiosk && chown madoguchi-kiosk: /run/madoguchi-kiosk") // systemd's part
	as := "runuser -u madoguchi-kiosk -- kioskd -config "
	for _, c := range []struct{ name, edit, say string }{
		{"as-shipped", "", "kioskd: kiosk.toml: service.id is missing"},
		{"virtual-reader", `s/^reader = "pcsc"/reader = "virtual"/`, "production refuses every virtual part"},
		{"virtual-camera", `s/^camera = "v4l2"/camera = "virtual"/`, "production refuses every virtual part"},
		{"virtual-trust", `s/^dirs = .*/issuers = "virtual"/`, "production refuses every virtual part"},
		{"test-trust", `s/^dirs = .*/test = true/`, "production refuses every virtual part"},
		{"virtual-calibration", `s/^calibration = ""/calibration = "virtual"/`, "production refuses every virtual part"},
		{"developer", `s/^production = true/&\ndeveloper = true/`, "production and developer exclude each other"},
		{"no-bundle", `s/^id = ""/id = "account-opening"/`, "kioskd: enrolment bundle:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := d.sh(t, "mktemp -d")
			copied := strings.TrimSpace(dir) + "/kiosk.toml"
			d.sh(t, fmt.Sprintf("sed -e '%s' %s >%s && chmod 755 %s", c.edit, config, copied, dir))
			out, err := d.try(as + copied)
			if code(err) != 1 || !strings.Contains(out, c.say) {
				t.Errorf("%v, want %q:\n%s", err, c.say, out)
			}
		})
	}
}

// testUpgrade fills a queue as a kiosk without HQ does, upgrades, and looks for every record.
func testUpgrade(t *testing.T, d *debian, dist, current string, models bool) map[string]string {
	d.enrol(t)
	records := fill(t, filepath.Join(d.root, state, file))
	d.sh(t, "chown -R madoguchi-kiosk: "+state)
	before := d.tree(t, state)

	d.install(t, current)
	if models {
		d.install(t, deb(t, dist, "madoguchi-face-models", newVersion))
	}
	if got := d.sh(t, "kioskd -version"); got != "kioskd "+newVersion+"\n" {
		t.Errorf("kioskd -version: %q", got)
	}
	if diff := cmp.Diff(before, d.tree(t, state)); diff != "" {
		t.Errorf("the upgrade has touched the queue: %s", diff)
	}
	if b, err := os.ReadFile(filepath.Join(d.root, config)); err != nil || !bytes.HasPrefix(b, []byte("# changed by the operator\n")) {
		t.Errorf("the operator's changes are gone: %v", err)
	}
	d.requireOwner(t, config, "root", "madoguchi-kiosk", 0o640)
	d.requireOwner(t, bundle+"/device.key.pem", "root", "madoguchi-kiosk", 0o640)
	d.requireKiosk(t, models)
	d.requireRecords(t, state, records)
	return records
}

// enrol does the operator's part: HQ's bundle, of an HQ that cannot be reached, and the configuration.
func (d *debian) enrol(t *testing.T) {
	t.Helper()
	d.sh(t, "rm -rf /hq && dpkg-deb -x /debs/madoguchi-hq_"+newVersion+"_amd64.deb /hq && /hq/usr/bin/hqd init -dir /hq/data -kiosk kiosk-1 -bundle "+bundle+
		" -url https://127.0.0.1:9 && systemd-tmpfiles --create madoguchi-kiosk.conf")
	d.sh(t, `sed -i -e 's/^id = ""/id = "account-opening"/' -e '1i # changed by the operator' `+config)
}

func testPurge(t *testing.T, d *debian, current string, records map[string]string, models bool) {
	d.install(t, current)
	out := d.sh(t, "apt-get purge -y -q madoguchi-kiosk")
	left := d.backups(t)
	if len(left) != 1 || !strings.Contains(out, "Moved to "+left[0]+":") || !strings.Contains(out, "  madoguchi-kiosk/"+file) {
		t.Fatalf("backups %v, and it says:\n%s", left, out)
	}
	d.requireGone(t, state, bundle, config, "/etc/systemd/system/multi-user.target.wants/madoguchi-kioskd.service")
	d.requireOwner(t, left[0], "root", "root", 0o700)
	d.requireRecords(t, left[0]+"/madoguchi-kiosk", records)
	d.sh(t, "dpkg --purge madoguchi-kiosk") // again: nothing more happens
	if again := d.backups(t); len(again) != 1 {
		t.Errorf("a second purge made %v", again)
	}
	// The way back that the manual page gives.
	d.install(t, current)
	d.sh(t, fmt.Sprintf("rm -rf %s && mv %s/madoguchi-kiosk %s && mv %s/bundle %s && rmdir %s && systemd-tmpfiles --create madoguchi-kiosk.conf",
		state, left[0], state, left[0], bundle, left[0]))
	d.sh(t, `sed -i -e 's/^id = ""/id = "account-opening"/' `+config)
	d.requireKiosk(t, models)
	d.requireRecords(t, state, records)
}

func testHeadquarters(t *testing.T, d *debian, hq string) {
	if out := d.install(t, hq); !strings.Contains(out, "madoguchi-hq: not started: HQ has no keys yet") {
		t.Errorf("the installation does not say what is to be done:\n%s", out)
	}
	d.sh(t, "hqd init -dir /var/lib/madoguchi-hq -kiosk kiosk-1 -bundle /root/kiosk-1 -url https://127.0.0.1:9 && systemd-tmpfiles --create madoguchi-hq.conf")
	d.requireOwner(t, "/var/lib/madoguchi-hq/ca", "root", "root", 0o700)
	d.requireOwner(t, "/var/lib/madoguchi-hq/receiver/receipt.key.pem", "root", "madoguchi-hq", 0o640)
	if out, err := d.try("runuser -u madoguchi-hq -- ls /var/lib/madoguchi-hq/opener"); err == nil {
		t.Errorf("the receiver's user reads the opening keys (duty 10):\n%s", out)
	}
	// Both roles at once, the opener when the store is there.
	out, err := d.try("(runuser -u madoguchi-hq -- timeout --preserve-status 8 hqd receiver -config /etc/madoguchi/hq.toml &) ; " +
		"until [ -e /var/lib/madoguchi-hq/store/records.sqlite ]; do sleep 0.1; done; " +
		"runuser -u madoguchi-hq-opener -- timeout --preserve-status 3 hqd opener -config /etc/madoguchi/hq.toml")
	if err != nil || !strings.Contains(out, "hqd receiver: https:") || !strings.Contains(out, "hqd opener: http:") {
		t.Errorf("hqd receiver and opener: %v\n%s", err, out)
	}
	before := d.tree(t, "/var/lib/madoguchi-hq")
	out = d.sh(t, "apt-get purge -y -q madoguchi-hq")
	if !strings.Contains(out, "kept: /var/lib/madoguchi-hq") {
		t.Errorf("the purge does not say what it keeps:\n%s", out)
	}
	d.requireGone(t, "/usr/bin/hqd", "/etc/madoguchi/hq.toml")
	if diff := cmp.Diff(before, d.tree(t, "/var/lib/madoguchi-hq")); diff != "" {
		t.Errorf("the purge has touched HQ's data: %s", diff)
	}
}

// fill makes a queue with records and gives id -> SHA-256 of each.
func fill(t *testing.T, path string) map[string]string {
	t.Helper()
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(path, queue.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]string{}
	for n := range waiting {
		e, err := keys.Envelope(storagetest.NewID(), uint64(n)+1, 2000+n*5000) //nolint:gosec // not negative
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Put(e); err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(e.Bytes)
		records[e.Header.ID] = hex.EncodeToString(digest[:])
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	return records
}

// drain reads all records of the queue in a copy of a state folder, as the uploader does: one after the other, each gone
// by its receipt.
func drain(t *testing.T, dir string) map[string]string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "state")
	run(t, exec.CommandContext(t.Context(), "cp", "-a", dir, copied))
	q, err := queue.Open(filepath.Join(copied, file), queue.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close() //nolint:errcheck // a copy
	receipts, err := storagetest.NewReceipts()
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]string{}
	for {
		item, ok, err := q.Peek()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return records
		}
		digest := sha256.Sum256(item.Envelope)
		records[item.ID] = hex.EncodeToString(digest[:])
		r, err := receipts.Verified(item.ID, item.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Delete(r); err != nil {
			t.Fatal(err)
		}
	}
}

// code is the exit status of a command.
func code(err error) int {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // straight from exec
		return exit.ExitCode()
	}
	return 0
}

func (d *debian) requireRecords(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if len(want) != waiting {
		t.Fatalf("%d records to look for: this proves nothing", len(want))
	}
	if diff := cmp.Diff(want, drain(t, filepath.Join(d.root, dir))); diff != "" {
		t.Errorf("the records of %s: %s", dir, diff)
	}
}

// requireKiosk starts the daemon as its user with an HQ that cannot be reached: it must find all records.
func (d *debian) requireKiosk(t *testing.T, models bool) {
	t.Helper()
	out, err := d.try("install -d -o madoguchi-kiosk -m 700 /run/madoguchi-kiosk && runuser -u madoguchi-kiosk -- timeout --preserve-status 4 kioskd -config " + config)
	if err != nil || !strings.Contains(out, `"msg":"upload","waiting":`+strconv.Itoa(waiting)+`,"shelved":0`) {
		t.Errorf("kioskd: %v\n%s", err, out)
	}
	if said := strings.Contains(out, "face models cannot be used"); said == models {
		t.Errorf("package madoguchi-face-models is installed: %v, and kioskd says:\n%s", models, out)
	}
}

func (d *debian) requireGone(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if _, err := os.Lstat(filepath.Join(d.root, p)); err == nil {
			t.Errorf("%s is still there", p)
		}
	}
}

func (d *debian) requireOwner(t *testing.T, path, user, group string, mode fs.FileMode) {
	t.Helper()
	want := fmt.Sprintf("%s %s %o\n", user, group, mode)
	if got := d.sh(t, "stat -c '%U %G %a' "+path); got != want {
		t.Errorf("%s is %q, want %q", path, got, want)
	}
}

// backups are the folders that purges have made.
func (d *debian) backups(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(d.root, "var/backups/madoguchi-*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], d.root)
	}
	return found
}

// tree gives path -> owner, mode and content of all below a folder.
func (d *debian) tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(filepath.Join(d.root, dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		owner, _ := info.Sys().(*syscall.Stat_t)
		out[path] = fmt.Sprint(info.Mode(), owner.Uid, owner.Gid)
		if info.Mode().IsRegular() {
			out[path] += sum(t, path)
		}
		return nil
	})
	if err != nil || len(out) < 2 {
		t.Fatal(len(out), err)
	}
	return out
}
