package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"madoguchi/daemon/config"
	"madoguchi/daemon/control"
	"madoguchi/storage/sync"
)

// rights checks owners and modes of what kioskd reads and writes.
func (v *visit) rights() {
	if !v.user.known {
		v.note("user-missing", "there is no user "+serviceUser+": owners are not checked, only modes",
			"on a kiosk the package makes it: systemd-sysusers madoguchi-kiosk.conf")
	}
	before := len(v.out)
	const again = "systemd-tmpfiles --create madoguchi-kiosk.conf sets owners and modes anew; then find out who could read it meanwhile"
	v.guard("config-rights", v.Config, 0o037, false, "chmod 0640 "+v.Config+"; chown root:"+serviceUser+" "+v.Config)
	bundle := v.cfg.HQ.Bundle
	v.guard("bundle-rights", bundle, 0o027, false, again)
	names, err := v.Files.List(bundle)
	if err != nil {
		v.unchecked("bundle-rights", bundle, why(err))
	}
	for _, name := range names {
		path := filepath.Join(bundle, name)
		if name == sync.FileKey || name == sync.FileDeviceKey {
			v.guard("key-rights", path, 0o037, false, "chmod 0600 "+path+"; chown root:"+serviceUser+" and 0640 where the unit's user reads it. Enrol anew if others had access")
		} else {
			v.guard("bundle-rights", path, 0o022, false, again)
		}
	}
	v.stateRights()
	v.runtimeRights(v.cfg)
	if len(v.out) == before {
		v.good("rights", "configuration, bundle, keys, state and sockets are closed to others")
	}
}

// guard complains when one of the mode bits is set or the owner is a stranger. Own: the unit's user, and not root.
// Only root's file may be read by a group: that of the unit.
func (v *visit) guard(code, path string, bits fs.FileMode, own bool, cure string) {
	i, err := v.Files.Stat(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // what is missing is another check's matter
			v.unchecked(code, "owner and mode of "+path, why(err))
		}
		return
	}
	if wrong := v.trespass(i, bits, own); wrong != "" {
		v.bad(code, path+" "+wrong, cure)
	}
}

// trespass says what is wrong with a file's owner or mode.
func (v *visit) trespass(i Info, bits fs.FileMode, own bool) string {
	group := i.Mode.Perm()&0o070 != 0
	switch {
	case i.Mode.Perm()&bits != 0:
		return fmt.Sprintf("has mode %04o: others can read or change it", i.Mode.Perm())
	case bits&0o007 == 0o007 && group && (i.UID != 0 || v.user.known && i.GID != v.user.gid && i.GID != 0):
		return "can be read by group " + strconv.Itoa(int(i.GID))
	case v.user.known && i.UID != v.user.uid && (own || i.UID != 0):
		return "belongs to user " + strconv.Itoa(int(i.UID)) + ", not to the daemon's"
	}
	return ""
}

// The walk through the state directory ends here.
const (
	maxDepth = 4
	maxFiles = 20_000
)

// stateRights walks the state directory: all of it belongs to kioskd alone.
func (v *visit) stateRights() {
	w := &walk{visit: v, own: true}
	w.into(v.cfg.Kiosk.StateDir, 0)
	switch {
	case w.err != nil && w.seen == 0:
		v.unchecked("state-rights", v.cfg.Kiosk.StateDir, why(w.err))
	case w.open > 0:
		v.bad("state-rights", fmt.Sprintf("%d of %d files in the state directory, first %s %s", w.open, w.seen, w.first, w.wrong),
			"chmod -R go-rwx "+v.cfg.Kiosk.StateDir+"; chown -R "+serviceUser+": "+v.cfg.Kiosk.StateDir)
	case w.err != nil:
		v.unchecked("state-rights", "part of "+v.cfg.Kiosk.StateDir, why(w.err))
	}
}

type walk struct {
	*visit
	own          bool
	seen, open   int
	first, wrong string
	err          error
}

func (w *walk) into(path string, depth int) {
	i, err := w.Files.Lstat(path)
	if err != nil {
		w.err = err
		return
	}
	if w.seen++; w.seen > maxFiles || depth > maxDepth {
		w.err = fs.ErrInvalid
		return
	}
	if wrong := w.trespass(i, 0o077, w.own); wrong != "" && i.Mode&fs.ModeSymlink == 0 {
		if w.open++; w.open == 1 {
			w.first, w.wrong = path, wrong
		}
	}
	if !i.Mode.IsDir() {
		return
	}
	names, err := w.Files.List(path)
	if err != nil {
		w.err = err
	}
	for _, name := range names {
		if w.seen <= maxFiles {
			w.into(filepath.Join(path, name), depth+1)
		}
	}
}

// runtimeRights checks the sockets, should they be there.
func (v *visit) runtimeRights(cfg *config.Config) {
	const cure = "stop the kiosk, remove the run-time folder, start the kiosk; RuntimeDirectoryMode=0700 is the unit's"
	v.guard("runtime-rights", cfg.Kiosk.RuntimeDir, 0o077, true, cure)
	for _, name := range []string{control.Socket, "launcher.sock"} {
		v.guard("runtime-rights", filepath.Join(cfg.Kiosk.RuntimeDir, name), 0o077, true, cure)
	}
}
