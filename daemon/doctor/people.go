package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"madoguchi/daemon/control"
	"madoguchi/daemon/staff"
	"madoguchi/storage/audit"
)

// staff checks the roster, without a name or an id in what it says.
func (v *visit) staff() {
	if len(v.cfg.Staff) == 0 {
		v.bad("staff-empty", "nobody may sign in at the staff page", "add a [[staff]] to "+v.Config+"; kioskctl staff-hash makes pin_hash; restart the kiosk")
		return
	}
	before := len(v.out)
	seen := map[string]bool{}
	for i, m := range v.cfg.Staff {
		which := fmt.Sprintf("[[staff]] number %d", i+1)
		if seen[m.ID] {
			v.bad("staff-twice", which+" has the id of another one: kioskd does not start", "give each person an id of their own")
		}
		seen[m.ID] = true
		weak, err := staff.Weak(m.PINHash)
		switch {
		case err != nil:
			v.bad("staff-hash", which+" has no good pin_hash: kioskd does not start", "make it with kioskctl staff-hash")
		case weak:
			v.bad("staff-weak", which+" has a pin_hash that is cheaper to break than it should be", "make it anew with kioskctl staff-hash")
		}
	}
	if len(v.out) == before {
		v.good("staff", "%d people may sign in", len(v.cfg.Staff))
	}
}

// audit verifies the audit log: a running kioskd does it itself; beside one that does not run its file is read, without
// a lock.
func (v *visit) audit(ctx context.Context) {
	const cure = "keep the kiosk as it is and call HQ's auditors; at its next start kioskd sets the log aside and begins another, which HQ must allow"
	if v.live != nil {
		n, err := v.Audit(ctx, filepath.Join(v.cfg.Kiosk.RuntimeDir, control.Socket))
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			v.unchecked("audit", "the audit log", why(err))
		case errors.Is(err, ErrStopped):
			v.unchecked("audit", "the audit log", "kioskd went away meanwhile")
		case err != nil:
			v.bad("audit-damaged", "kioskd cannot verify its audit log", cure)
		default:
			v.good("audit", "the audit log is unbroken: %d entries", n)
		}
		return
	}
	got, err := v.AuditFiles(filepath.Join(v.cfg.Kiosk.StateDir, "audit"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.unchecked("audit", "the audit log", "there is none yet")
	case errors.Is(err, audit.ErrDamaged):
		v.bad("audit-damaged", "the audit log is damaged", cure)
	case errors.Is(err, fs.ErrPermission):
		v.unchecked("audit", "the audit log", why(err))
	case err != nil:
		v.bad("audit-damaged", "the audit log cannot be read, or there is more than one", cure)
	case got.Torn:
		v.note("audit-torn", fmt.Sprintf("the audit log is unbroken, %d entries, behind which a torn write lies, as after a power cut", got.Size), "kioskd cuts it off at its next start")
	default:
		v.good("audit", "the audit log is unbroken: %d entries (whether they are those that HQ has seen, only HQ can say)", got.Size)
	}
}
