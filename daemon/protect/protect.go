// Package protect takes from this process what would let its memory out: core dumps and debuggers of its own user.
// Swap is the unit's (MemorySwapMax=0): locking the memory here instead would pin the models and every library too,
// and would need an unlimited RLIMIT_MEMLOCK. Only daemon/kioskd and daemon/hqd import it.
package protect

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Memory sets RLIMIT_CORE to 0 and PR_SET_DUMPABLE to 0; children made by exec start with the limit and are dumpable to
// debuggers again until they restrict themselves (internal/child does).
func Memory() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("no core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("no debugger: %w", err)
	}
	return nil
}
