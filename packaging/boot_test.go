package packaging

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testUnderSystemd is the life of the kiosk's package where systemd runs: what the maintainer scripts start, restart and
// stop. It leaves the root as it found it but for a backup.
func testUnderSystemd(t *testing.T, d *debian, old, current string) {
	needTools(t, "systemd-nspawn", "nsenter")
	d.sh(t, "apt-get install -y -q systemd && rm /usr/sbin/policy-rc.d")
	boot(t, d)
	active := func() string { return strings.TrimSpace(d.sh(t, "systemctl is-active madoguchi-kioskd || true")) }
	pid := func() string { return strings.TrimSpace(d.sh(t, "systemctl show -P MainPID madoguchi-kioskd")) }

	if out := d.install(t, old); !strings.Contains(out, "not started") || active() != "inactive" {
		t.Errorf("a kiosk that is not filled in is %s:\n%s", active(), out)
	}
	d.enrol(t)
	records := fill(t, filepath.Join(d.root, state, file))
	d.sh(t, "chown -R madoguchi-kiosk: "+state)
	d.sh(t, "systemctl start madoguchi-kioskd")
	first := pid()

	d.install(t, current)
	if second := pid(); active() != "active" || second == first || second == "0" {
		t.Errorf("after the upgrade it is %s, process %s, before %s", active(), second, first)
	}
	if got := d.sh(t, `/proc/$(systemctl show -P MainPID madoguchi-kioskd)/exe -version`); got != "kioskd "+newVersion+"\n" {
		t.Errorf("the process is %q", got)
	}
	d.sh(t, "systemctl stop madoguchi-kioskd")
	d.install(t, current)
	if active() != "active" {
		t.Errorf("a kiosk that is filled in is %s after its installation", active())
	}
	d.sh(t, "apt-get remove -y -q madoguchi-kiosk")
	if out, err := d.try("pidof kioskd"); err == nil {
		t.Errorf("kioskd goes on after its removal: %s", out)
	}
	d.requireRecords(t, state, records)
	d.install(t, current)
	d.sh(t, "apt-get purge -y -q madoguchi-kiosk")
	left := d.backups(t)
	if len(left) != 1 {
		t.Fatalf("backups: %v", left)
	}
	d.requireGone(t, state, bundle)
	d.requireRecords(t, left[0]+"/madoguchi-kiosk", records)
}

// boot starts systemd in the root; from then on d's commands run under it.
func boot(t *testing.T, d *debian) {
	t.Helper()
	name := "madoguchi-deb-" + strconv.Itoa(os.Getpid())
	cmd := exec.Command("unshare", "--mount", "--propagation", "private",
		"systemd-nspawn", "--quiet", "--directory="+d.root, "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe",
		"--private-network", "--machine="+name, "--boot", "systemd.unit=basic.target")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		if t.Failed() {
			said, _ := d.try("journalctl -q --no-pager -n 40 -o cat; systemctl --no-pager status madoguchi-kioskd")
			t.Log(said)
		}
		d.leader = 0
		for range 2 { // the second is for a stop at once: nothing in there is worth its time
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(time.Second):
			}
		}
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		_ = os.Remove("/run/systemd/nspawn/propagate/" + name) // nspawn leaves it where /run is a disk
		if t.Failed() {
			t.Logf("the container said: %s", tail(out.String()))
		}
	})
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ended:
			need(t, false, "systemd-nspawn does not run here: "+tail(out.String()))
		case <-deadline:
			t.Fatal("systemd does not come up: " + tail(out.String()))
		case <-tick.C:
		}
		if d.leader = childNamed(cmd.Process.Pid, "systemd"); d.leader == 0 {
			continue
		}
		if said, _ := d.try("systemctl is-system-running"); strings.HasPrefix(said, "running") || strings.HasPrefix(said, "degraded") {
			tick.Stop()
			return
		}
	}
}

// childNamed finds the child of parent with this name.
func childNamed(parent int, name string) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var pid, ppid int
		var comm, state string
		if _, err := fmt.Sscanf(string(b), "%d %s %s %d", &pid, &comm, &state, &ppid); err == nil && ppid == parent && comm == "("+name+")" {
			return pid
		}
	}
	return 0
}
