package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// asProbe makes the test binary be the program of a unit: it tries what an attacker inside would and says how it went.
const asProbe = "MADOGUCHI_E2E_PROBE"

// probes are the tries: "" for what worked.
func probes() map[string]string {
	try := func(err error) string {
		if err == nil {
			return ""
		}
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			return unix.ErrnoName(errno)
		}
		return err.Error()
	}
	raw := func(n uintptr, a, b uintptr) error {
		if _, _, errno := unix.RawSyscall(n, a, b, 0); errno != 0 {
			return errno
		}
		return nil
	}
	open := func(path string, flag int) error {
		f, err := os.OpenFile(path, flag, 0o600)
		if err == nil {
			_ = f.Close()
		}
		return err
	}
	socket := func(family int) error {
		fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return map[string]string{"mmap": try(err)}
	}
	_, wx := unix.Mmap(-1, 0, 4096, unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	var attr [120]byte // struct perf_event_attr, empty
	out := map[string]string{
		"writable and executable memory": try(wx),
		"memory made executable":         try(unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)),
		"ptrace":                         try(raw(unix.SYS_PTRACE, unix.PTRACE_DETACH, 0)),
		"keyctl":                         try(raw(unix.SYS_KEYCTL, 0, 0)),
		"io_uring":                       try(raw(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&attr)))),
		"bpf":                            try(raw(unix.SYS_BPF, 0, 0)),
		"perf":                           try(raw(unix.SYS_PERF_EVENT_OPEN, uintptr(unsafe.Pointer(&attr)), 0)),
		"userfaultfd":                    try(raw(unix.SYS_USERFAULTFD, 1, 0)),
		"user namespace":                 try(unix.Unshare(unix.CLONE_NEWUSER)),
		"memfd":                          try(raw(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(&[]byte("x\x00")[0])), 0)),
		"lock memory":                    try(unix.Mlockall(unix.MCL_CURRENT)),
		"become root":                    try(unix.Setuid(0)),
		"netlink":                        try(socket(unix.AF_NETLINK)),
		"packet":                         try(socket(unix.AF_PACKET)),
		"a shell":                        try(exec.Command("/bin/sh", "-c", "true").Run()),
		"write /etc":                     try(open("/etc/madoguchi/x", os.O_CREATE|os.O_WRONLY)),
		"write /usr":                     try(open("/usr/bin/x", os.O_CREATE|os.O_WRONLY)),
		"read /root":                     try(listDir("/root")),
		"read /home":                     try(listDir("/home")),
		"read a kernel setting":          try(open("/proc/sys/kernel/osrelease", os.O_RDONLY)),
		"internet socket":                try(socket(unix.AF_INET)),
		"read /etc":                      try(open("/etc/passwd", os.O_RDONLY)),
	}
	if conn, err := net.Dial("unix", "/run/pcscd/pcscd.comm"); err == nil {
		_ = conn.Close()
		out["pcscd"] = ""
	} else {
		out["pcscd"] = try(err)
	}
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		out["write the state"] = try(open(filepath.Join(dir, "probe"), os.O_CREATE|os.O_WRONLY))
	}
	return out
}

func listDir(path string) error {
	_, err := os.ReadDir(path)
	return err
}

// probe is the main function of the unit's program under test.
func probe() int {
	b, err := json.Marshal(probes())
	if err != nil {
		return 1
	}
	fmt.Println("PROBE " + string(b))
	return 0
}

// unitProbe puts another program into the shipped kioskd unit, everything else unchanged: what must be refused is refused
// by the kernel, and what kioskd needs works.
func unitProbe(t *testing.T, _ *branch, m *machine, _ *customer) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.stage, "probe"), self, 0o700); err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile("../../systemd/" + unitKiosk + ".service")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^(ExecStart|Type|Restart|WatchdogSec|OnFailure|LoadCredentialEncrypted|RuntimeDirectory.*|StateDirectory)=.*\n`).ReplaceAllString(string(unit), "")
	text = strings.Replace(text, "ExecPaths=/usr/bin/kioskd", "ExecPaths=/usr/bin/probe", 1)
	text = strings.Replace(text, "[Service]\n", "[Service]\nType=oneshot\nStateDirectory=probe\nExecStart=/usr/bin/probe\nEnvironment="+asProbe+"=1\n", 1)
	m.write(filepath.Join(m.stage, "probe.service"), text)
	m.sh("install -m 0755 /stage/probe /usr/bin/probe; install -m 0644 /stage/probe.service /etc/systemd/system/; systemctl daemon-reload; systemctl start probe")
	got := said(t, m.run("journalctl", "--no-pager", "-o", "cat", "-u", "probe"))
	want := map[string]string{
		"writable and executable memory": "EPERM", "memory made executable": "EPERM", "ptrace": "EPERM", "keyctl": "EPERM",
		"io_uring": "EPERM", "bpf": "EPERM", "perf": "EPERM", "userfaultfd": "EPERM", "user namespace": "EPERM", "memfd": "EPERM",
		"lock memory": "EPERM", "become root": "EPERM", "netlink": "EAFNOSUPPORT", "packet": "EAFNOSUPPORT", "a shell": "EACCES",
		"write /etc": "EROFS", "write /usr": "EROFS", "read /root": "EACCES", "read /home": "EACCES", "read a kernel setting": "ENOENT",
		"internet socket": "", "read /etc": "", "pcscd": "", "write the state": "",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what the sandbox refuses (-want +got):\n%s", d)
	}
	// The control: without the sandbox none of it is refused this way.
	for what, errno := range said(t, m.run("env", asProbe+"=1", "/usr/bin/probe")) {
		if errno != "" && errno == want[what] {
			t.Errorf("%s gives %s without the sandbox too, so it proves nothing", what, errno)
		}
	}
}

// said finds what a probe printed.
func said(t *testing.T, out string) map[string]string {
	t.Helper()
	_, line, _ := strings.Cut(out, "PROBE ")
	line, _, _ = strings.Cut(line, "\n")
	var got map[string]string
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return got
}
