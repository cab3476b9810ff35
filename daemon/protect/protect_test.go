package protect_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"madoguchi/daemon/protect"
)

func TestMemory(t *testing.T) {
	if err := protect.Memory(); err != nil {
		t.Fatal(err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 0 || core.Max != 0 {
		t.Errorf("core limit %+v, %v", core, err)
	}
	if on, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || on != 0 {
		t.Errorf("dumpable %d, %v", on, err)
	}
}
