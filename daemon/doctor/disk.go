package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// What storage/queue keeps for a full disk, by its defaults.
const (
	reserveFile = "reserve"
	spareFile   = "spare"
	indexFile   = "index.db"
	reserveSize = 4 << 20
)

// The room from which storage/queue takes no new record: this much used, unless as much as enough is free.
const (
	stopPercent = 85
	warnPercent = 70
	enough      = 8 << 30
)

// disk checks the file system of the state directory and what is held back on it.
func (v *visit) disk() {
	state := v.cfg.Kiosk.StateDir
	d, err := v.Files.Disk(state)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.unchecked("disk", state, "it is not there; kioskd makes it at its first start")
		return
	case err != nil || d.Total == 0 || d.Free > d.Total:
		v.unchecked("disk", "the file system of "+state, why(err))
		return
	}
	if kind := volatile(d.Type); kind != "" {
		v.bad("disk-kind", state+" lies on "+kind+": records that wait for HQ are lost at a restart", "mount a real disk there (ext4 or xfs), or change kiosk.state_dir")
	} else if kind := far(d.Type); kind != "" {
		v.bad("disk-kind", state+" lies on "+kind+", where written is not the same as safe", "mount a local disk there (ext4 or xfs), or change kiosk.state_dir")
	}
	used := int((d.Total - d.Free) * 100 / d.Total) //nolint:gosec // a percentage
	room := fmt.Sprintf("%d MiB free, %d %% used", d.Free>>20, used)
	const cure = "make room: df, du; bring the line to HQ back so that the queue empties; a larger disk"
	switch {
	case d.ReadOnly:
		v.bad("disk-read-only", state+" is mounted read-only", "dmesg says why; check the disk, then mount it read-write")
	case d.Free < v.cfg.Kiosk.ReserveMiB<<20, d.Free < enough && used >= stopPercent, v.live != nil && v.live.Room == "full":
		v.bad("disk-full", "too little room for new customers: "+room, cure)
	case d.Free < enough && used >= warnPercent, v.live != nil && v.live.Room == "warn":
		v.note("disk-low", "the disk is filling: "+room, cure)
	default:
		v.good("disk", "%s", room)
	}
	v.reservation(filepath.Join(state, "queue"))
}

// reservation checks the blocks that let a full disk be emptied again.
func (v *visit) reservation(dir string) {
	if _, err := v.Files.Stat(filepath.Join(dir, indexFile)); err != nil {
		why := why(err)
		if errors.Is(err, fs.ErrNotExist) {
			why = "there is no queue yet"
		}
		v.unchecked("reserve", "the blocks held back for a full disk", why)
		return
	}
	if i, err := v.Files.Stat(filepath.Join(dir, reserveFile)); err != nil || i.Blocks < reserveSize {
		v.bad("reserve-missing", "the blocks held back for a full disk are given up or were never there",
			"make room on the disk, then restart the kiosk: it takes them again")
	} else {
		v.good("reserve", "%d MiB are held back for a full disk", i.Blocks>>20)
	}
	if i, err := v.Files.Stat(filepath.Join(dir, spareFile)); err != nil || i.Blocks == 0 {
		v.note("spare-missing", "no blocks are held ready for the next segment of the queue", "make room on the disk; the next segment takes them again")
	}
}

// volatile names the file systems that forget.
func volatile(magic int64) string {
	switch magic {
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.RAMFS_MAGIC:
		return "ramfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	}
	return ""
}

// far names those of other machines.
func far(magic int64) string {
	const cifs, smb2, fuse = 0xff534d42, 0xfe534d42, 0x65735546
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case cifs, smb2, unix.SMB_SUPER_MAGIC:
		return "SMB"
	case fuse:
		return "FUSE"
	}
	return ""
}

// outbox checks what waits for HQ: the shelf, the age, and files that were set aside.
func (v *visit) outbox() {
	state := v.cfg.Kiosk.StateDir
	var shelved int
	var err error
	if v.live != nil {
		shelved = v.live.Shelved
	} else {
		shelved, err = v.shelf(filepath.Join(state, "queue/shelf"))
	}
	socket := filepath.Join(v.cfg.Kiosk.RuntimeDir, "control.sock")
	switch {
	case err != nil:
		v.unchecked("shelf", "the shelf of refused records", why(err))
	case shelved > 0:
		v.bad("shelf-not-empty", fmt.Sprintf("%d records that HQ refused, or that are damaged, lie on the shelf", shelved),
			"kioskctl queue shelf "+socket+" says why; when HQ is ready for them: kioskctl queue retry "+socket+" ID")
	default:
		v.good("shelf", "the shelf is empty")
	}
	v.setAside(state, socket)
	if v.live == nil {
		return
	}
	freeze := v.cfg.Upload.FreezeHours
	age := v.Now().Sub(v.live.Oldest).Hours()
	switch {
	case v.live.Waiting > 0 && freeze > 0 && !v.live.Oldest.IsZero() && age > float64(freeze):
		v.bad("upload-old", fmt.Sprintf("the oldest of %d records has waited for %.0f hours: no customer is taken", v.live.Waiting, age), "cure the way to HQ; nothing is lost")
	case v.live.LastError != "":
		v.note("upload-failing", fmt.Sprintf("the last upload failed (%s), %d records wait", v.live.LastError, v.live.Waiting), "see what is said of HQ here; nothing is lost")
	default:
		v.good("upload", "%d records wait for HQ", v.live.Waiting)
	}
}

// shelf counts the files of the shelf.
func (v *visit) shelf(dir string) (int, error) {
	names, err := v.Files.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // no queue yet
	}
	n := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".rec") {
			n++
		}
	}
	return n, err
}

// setAside looks for files that were damaged and kept.
func (v *visit) setAside(state, socket string) {
	found := false
	for _, dir := range []string{state, filepath.Join(state, "queue"), filepath.Join(state, "audit")} {
		names, err := v.Files.List(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				v.unchecked("set-aside", "files set aside in "+dir, why(err))
				found = true
			}
			continue
		}
		for _, name := range names {
			path := filepath.Join(dir, name)
			switch audit := filepath.Base(dir) == "audit"; {
			case strings.Contains(name, ".broken-") && audit:
				v.bad("audit-set-aside", "a damaged audit log was set aside: "+path, "give the file to HQ's auditors: HQ must allow the new log; then move it away from here, and keep it")
			case strings.Contains(name, ".broken-"):
				v.bad("set-aside", "a damaged file of the queue was set aside: "+path,
					"kioskctl queue salvage "+socket+" "+path+" (kioskd runs); then move the file away from here, and keep it")
			case strings.HasSuffix(name, ".damaged"):
				v.bad("keys-set-aside", "a damaged list of HQ's keys was set aside: "+path, "HQ hands the list out again; see who wrote to the file, then remove it")
			default:
				continue
			}
			found = true
		}
	}
	switch {
	case !found && v.live != nil && v.live.Quarantined != "":
		v.bad("set-aside", "kioskd set a damaged file of the queue aside: "+v.live.Quarantined, "kioskctl queue salvage "+socket+" "+v.live.Quarantined)
	case !found:
		v.good("set-aside", "no damaged files were set aside")
	}
}
