//go:build linux

// Package pcscd gives tests a real pcscd of their own, with the vpcd driver of vsmartcard as its reader, in a
// private network and mount namespace: vpcd listens on all addresses and pcscd on one fixed path, so it must never
// run beside the machine's own. Only tests may import it. It needs Linux, root and the Debian packages pcscd and
// vsmartcard-vpcd.
package pcscd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Addr is where the first slot of vpcd listens.
	Addr = "127.0.0.1:35963"
	// Addr2 is where the second slot listens.
	Addr2 = "127.0.0.1:35964"

	inside   = "MADOGUCHI_PCSCD_NAMESPACE" // set in the namespace; holds why there is none otherwise
	program  = "/usr/sbin/pcscd"
	driver   = "/etc/reader.conf.d/vpcd"
	runDir   = "/run/pcscd"
	socket   = runDir + "/pcscd.comm"
	patience = 15 * time.Second
)

// Main runs the tests of a package in the namespace; call it from TestMain and exit with its result. Where no
// namespace can be had it runs them outside, where Start skips.
func Main(m *testing.M) int {
	if os.Getenv(inside) == "yes" {
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, "pcscd: the namespace cannot be set up:", err)
			return 1
		}
		return m.Run()
	}
	if why := missing(); why != "" {
		_ = os.Setenv(inside, why)
		return m.Run()
	}
	return reexec()
}

// missing tells what keeps this machine from running the tests.
func missing() string {
	if os.Getuid() != 0 {
		return "needs root, for a network and mount namespace"
	}
	for _, file := range []string{program, driver} {
		if _, err := os.Stat(file); err != nil {
			return file + " is missing (Debian packages pcscd and vsmartcard-vpcd)"
		}
	}
	return ""
}

// reexec runs this test binary again in new namespaces. The child dies with us: the thread is kept, because its
// death would count as ours.
func reexec() int {
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...) //nolint:noctx // lives as long as the test binary
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	}
	fmt.Fprintln(os.Stderr, "pcscd: no namespace:", err)
	return 1
}

// settle makes mounts private, hides the machine's pcscd socket and brings the loopback interface up.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("none", runDir, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("tmpfs: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}

// Daemon is one running pcscd.
type Daemon struct {
	tb     testing.TB
	config string // folder of reader configurations, empty for the machine's own
	cmd    *exec.Cmd
	out    *buffer
}

// Start starts a pcscd that ends with the test. Without a namespace it skips, loudly, or fails when CI is true.
func Start(tb testing.TB) *Daemon {
	tb.Helper()
	return start(tb, "")
}

// needed skips or fails where there is no namespace.
func needed(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("SKIPPED in short mode: needs a real pcscd; make test runs it")
	}
	if why := os.Getenv(inside); why != "yes" {
		if why == "" {
			why = "TestMain does not call pcscd.Main"
		}
		if os.Getenv("CI") == "true" {
			tb.Fatalf("NOT TESTED with a real pcscd: %s", why)
		}
		tb.Skipf("NOT TESTED with a real pcscd: %s", why)
	}
}

func start(tb testing.TB, config string) *Daemon {
	tb.Helper()
	needed(tb)
	d := &Daemon{tb: tb, config: config}
	d.Up()
	tb.Cleanup(func() {
		d.Kill()
		if tb.Failed() {
			tb.Logf("pcscd said:\n%s", d.out.String())
		}
	})
	return d
}

// Up starts pcscd, also after Kill, and waits until it answers and its first slot listens.
func (d *Daemon) Up() {
	d.tb.Helper()
	_ = os.Remove(socket)
	_ = os.Remove(runDir + "/pcscd.pid")
	d.out = &buffer{}
	args := []string{"--foreground"}
	if d.config != "" {
		args = append(args, "--config", d.config)
	}
	d.cmd = exec.Command(program, args...) //nolint:noctx // ended by Kill
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		d.tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !answers() || !d.hasNoReader() && !listens() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.tb.Fatalf("pcscd does not come up within %v:\n%s", patience, d.out.String())
		}
	}
}

// hasNoReader tells a folder of configurations that is empty.
func (d *Daemon) hasNoReader() bool {
	if d.config == "" {
		return false
	}
	entries, err := os.ReadDir(d.config)
	return err == nil && len(entries) == 0
}

// Kill ends pcscd without warning. Killing a dead one is no error.
func (d *Daemon) Kill() { d.end(syscall.SIGKILL) }

// Term asks pcscd to end, as a restart of the service does, and waits until it has. One that does not end within
// patience is killed and fails the test: a card that hangs can hold it.
func (d *Daemon) Term() {
	d.tb.Helper()
	if late := d.end(syscall.SIGTERM); late {
		d.tb.Errorf("pcscd does not end on SIGTERM within %v", patience)
	}
}

// end sends a signal and waits, and says whether it had to kill in the end.
func (d *Daemon) end(signal os.Signal) (late bool) {
	if d.cmd == nil {
		return false
	}
	cmd := d.cmd
	d.cmd = nil
	_ = cmd.Process.Signal(signal)
	killed := make(chan bool, 1)
	timer := time.AfterFunc(patience, func() { killed <- true; _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	timer.Stop()
	return len(killed) > 0
}

// answers tells whether pcscd accepts clients.
func answers() bool {
	conn, err := net.Dial("unix", socket) //nolint:noctx // local and immediate
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// listens looks for the listening port without connecting: a connection would be a card.
func listens() bool {
	table, err := os.ReadFile("/proc/net/tcp")
	const port, listen = ":8C7B ", " 0A "
	for line := range bytes.Lines(table) {
		if bytes.Contains(line, []byte(port)) && bytes.Contains(line, []byte(listen)) {
			return true
		}
	}
	return err != nil
}

// buffer collects output from more than one goroutine.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is what was written so far.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
