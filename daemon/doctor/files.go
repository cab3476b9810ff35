package doctor

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Files is the machine's tree of files, to be looked at only.
type Files interface {
	Stat(path string) (Info, error)  // of what a link points to
	Lstat(path string) (Info, error) // of the link itself
	Read(path string, most int64) ([]byte, error)
	List(dir string) ([]string, error)   // names, sorted
	Resolve(path string) (string, error) // with all links followed
	Disk(path string) (Disk, error)
}

// Info is what the doctor wants to know of a file.
type Info struct {
	Mode     fs.FileMode
	UID, GID uint32
	Size     int64
	Blocks   int64  // bytes that it takes on the disk
	Device   uint64 // that it lies on
	Node     uint64 // that it is, for a device
}

// Disk is a file system.
type Disk struct {
	Type        int64 // magic number, as of statfs(2)
	Total, Free uint64
	ReadOnly    bool
}

// Machine is the real tree.
type Machine struct{}

var _ Files = Machine{}

// Stat implements Files.
func (Machine) Stat(path string) (Info, error) { return info(os.Stat(path)) }

// Lstat implements Files.
func (Machine) Lstat(path string) (Info, error) { return info(os.Lstat(path)) }

func info(i fs.FileInfo, err error) (Info, error) {
	if err != nil {
		return Info{}, err
	}
	out := Info{Mode: i.Mode(), Size: i.Size()}
	if s, ok := i.Sys().(*syscall.Stat_t); ok {
		out.UID, out.GID, out.Blocks, out.Device, out.Node = s.Uid, s.Gid, s.Blocks*512, uint64(s.Dev), uint64(s.Rdev) //nolint:unconvert // other widths elsewhere
	}
	return out, nil
}

// Read implements Files: at most so many bytes from the beginning.
func (Machine) Read(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the doctor's own list of paths; a pipe must not hold it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, most))
}

// List implements Files.
func (Machine) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, err
}

// Resolve implements Files.
func (Machine) Resolve(path string) (string, error) { return filepath.EvalSymlinks(path) }

// Disk implements Files.
func (Machine) Disk(path string) (Disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return Disk{}, err
	}
	return Disk{
		Type: int64(s.Type), Total: s.Blocks * uint64(s.Bsize), Free: s.Bavail * uint64(s.Bsize), //nolint:gosec,unconvert // block sizes are positive
		ReadOnly: s.Flags&unix.ST_RDONLY != 0,
	}, nil
}

// serviceUser runs kioskd in the shipped unit.
const serviceUser = "madoguchi-kiosk"

// account is a user of this machine.
type account struct {
	known    bool
	uid, gid uint32
	groups   []uint32 // beside gid
}

// smallFile bounds the files of the system that are read.
const smallFile = 1 << 20

// lookUp finds a user in /etc/passwd and /etc/group.
func (v *visit) lookUp(name string) account {
	var a account
	for _, f := range v.table("/etc/passwd", 4) {
		if f[0] == name {
			uid, errU := strconv.ParseUint(f[2], 10, 32)
			gid, errG := strconv.ParseUint(f[3], 10, 32)
			a = account{known: errU == nil && errG == nil, uid: uint32(uid), gid: uint32(gid)}
		}
	}
	for _, f := range v.table("/etc/group", 4) {
		for member := range strings.SplitSeq(f[3], ",") {
			if gid, err := strconv.ParseUint(f[2], 10, 32); member == name && err == nil {
				a.groups = append(a.groups, uint32(gid))
			}
		}
	}
	return a
}

// table reads a file of fields between colons.
func (v *visit) table(path string, least int) [][]string {
	b, err := v.Files.Read(path, smallFile)
	if err != nil {
		return nil
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) >= least {
			out = append(out, f)
		}
	}
	return out
}

// text reads a small file as one trimmed line.
func (v *visit) text(path string) (string, error) {
	b, err := v.Files.Read(path, smallFile)
	return strings.TrimSpace(string(b)), err
}

// there says whether a path exists, as far as it can be seen.
func (v *visit) there(path string) bool {
	_, err := v.Files.Lstat(path)
	return err == nil
}
