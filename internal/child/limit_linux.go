package child

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes makes the kernel kill the child when the parent dies, and puts it into a process group of its own.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// restrict takes from this process what the work does not need. It runs before any input is read: no new files
// but the two standard ones and those given, no file growth, no core dump (it would hold the input), no new privileges.
// memory is added to what is mapped already: the Go runtime reserves address space, and the libraries differ.
func restrict(memory, cpuSeconds, files uint64) error {
	mapped, err := mappedBytes()
	if err != nil {
		return err
	}
	for _, l := range []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_AS, mapped + memory},
		{unix.RLIMIT_CPU, cpuSeconds},
		{unix.RLIMIT_NOFILE, files},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
	} {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return fmt.Errorf("setrlimit %d: %w", l.resource, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// mappedBytes is the address space in use, from /proc/self/statm (first number, in pages).
func mappedBytes() (uint64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(b, []byte(" "))
	pages, err := strconv.ParseUint(string(first), 10, 40)
	if err != nil {
		return 0, err
	}
	return pages * uint64(os.Getpagesize()), nil //nolint:gosec // positive
}
