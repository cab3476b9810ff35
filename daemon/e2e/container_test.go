package e2e_test

import (
	"bytes"
	"context"
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

// machine is a running systemd in a container: this machine's own files under a throw-away layer, and the network of the
// test, so that a browser outside reaches the pages inside.
type machine struct {
	t      testing.TB
	stage  string // a directory that is /stage inside
	leader int    // pid of its systemd, as seen from here
}

// boot starts systemd. Without what that needs the test skips loudly, and fails when CI is "true".
func boot(t testing.TB, binds ...string) *machine {
	t.Helper()
	why := ""
	if os.Geteuid() != 0 {
		why = "needs root, for a container"
	}
	for _, p := range []string{"systemd-nspawn", "nsenter", "unshare"} {
		if _, err := exec.LookPath(p); err != nil {
			why = p + " is missing (Debian packages systemd-container, util-linux)"
		}
	}
	if why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(why + ", and under CI nothing is skipped")
		}
		t.Skip("SKIPPED: the units are not run: " + why)
	}
	m := &machine{t: t, stage: t.TempDir()}
	root := t.TempDir()
	name := "madoguchi-" + strconv.Itoa(os.Getpid())
	target := filepath.Join(m.stage, "only-basic.target")
	m.write(target, "[Unit]\nRequires=basic.target\nAfter=basic.target\n")
	args := []string{
		"--mount", "--propagation", "private", "sh", "-c", `mount --bind / "$1" && shift && exec "$@"`, "sh", root,
		"systemd-nspawn", "--quiet", "--directory=" + root, "--volatile=overlay", "--register=no", "--keep-unit",
		"--link-journal=no", "--console=pipe", "--machine=" + name, "--bind=" + m.stage + ":/stage",
		"--bind-ro=" + target + ":/etc/systemd/system/only-basic.target",
	}
	for _, b := range binds {
		args = append(args, "--bind-ro="+b)
	}
	cmd := exec.Command("unshare", append(args, "--boot", "systemd.unit=only-basic.target")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		_ = os.Remove("/run/systemd/nspawn/propagate/" + name) // nspawn leaves it where /run is a disk
		if t.Failed() {
			t.Logf("the container said: %s", tail(out.Bytes(), 2000))
		}
	})
	eventually(t, "systemd runs in the container", func() bool {
		select {
		case <-ended:
			t.Fatalf("the container ended: %s", tail(out.Bytes(), 2000))
		default:
		}
		if m.leader = childNamed(cmd.Process.Pid, "systemd"); m.leader == 0 {
			return false
		}
		state, _ := m.try("systemctl", "is-system-running")
		return strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded")
	})
	return m
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

func (m *machine) write(path, content string) {
	m.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// try runs a command inside and gives all that it said.
func (m *machine) try(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(m.leader), "--all"}, command...)...).CombinedOutput()
	return string(out), err
}

// run is try for a command that must work.
func (m *machine) run(command ...string) string {
	m.t.Helper()
	out, err := m.try(command...)
	if err != nil {
		m.t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, tail([]byte(out), 2000))
	}
	return out
}

// sh runs a script inside that stops at its first error.
func (m *machine) sh(script string) string {
	m.t.Helper()
	return m.run("sh", "-euc", script)
}

// path is a path inside, as seen from here.
func (m *machine) path(inside string) string {
	return fmt.Sprintf("/proc/%d/root%s", m.leader, inside)
}

// show is one property of a unit.
func (m *machine) show(unit, property string) string {
	m.t.Helper()
	return strings.TrimSpace(m.run("systemctl", "show", "--value", "-p", property, unit))
}

// dropIn adds lines to the [Service] section of a unit: times that a test cannot wait for, nothing of the sandbox.
func (m *machine) dropIn(unit, lines string) {
	m.t.Helper()
	m.write(filepath.Join(m.stage, "drop-in"), lines)
	m.sh("mkdir -p /etc/systemd/system/" + unit + ".service.d && cp /stage/drop-in /etc/systemd/system/" + unit + ".service.d/test.conf && systemctl daemon-reload")
}

// status is /proc/PID/status of a unit's main process, by key.
func (m *machine) status(unit string) map[string]string {
	m.t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(m.run("cat", "/proc/"+m.show(unit, "MainPID")+"/status")) {
		if k, v, ok := strings.Cut(line, ":"); ok {
			out[k] = strings.TrimSpace(v)
		}
	}
	return out
}
