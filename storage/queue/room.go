package queue

import (
	"errors"
	"os"
	"path/filepath"

	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"madoguchi/storage/queue/segment"
	"madoguchi/storage/wire"
)

// Level says how much room there is for further records.
type Level string

// The levels. A level that cannot be measured is Full: the kiosk does not take what it may not be able to keep.
const (
	Roomy Level = "ok"
	Warn  Level = "warn" // tell the operator
	Full  Level = "full" // take no new customers
)

// RoomOptions are the watermarks. Zero values mean the defaults.
type RoomOptions struct {
	WarnPercent int    // used part of the file system from which Level is Warn; default 70
	StopPercent int    // used part from which it is Full; default 85
	Enough      uint64 // free bytes from which percentages do not matter, as on a large disk; default 8 GiB
	// Disk measures the file system of a directory; default statfs(2). Tests replace it.
	Disk func(dir string) (total, free uint64, err error)
}

// Room is how much room there is.
type Room struct {
	Level Level
	Used  int    // percent of the file system
	Free  uint64 // bytes
}

// EnsureRoom gives ErrFull when no new customer should be taken: there is no room, or the last attempt to write
// failed and another one fails too.
func (q *Queue) EnsureRoom() error {
	if q.Room().Level == Full && (!q.failing.Load() || q.probe() != nil || q.Room().Level == Full) {
		return ErrFull
	}
	return nil
}

// Room measures the file system and the queue. While writing fails, the level is Full.
func (q *Queue) Room() Room {
	o := q.opt.Room
	if o.WarnPercent == 0 {
		o.WarnPercent = 70
	}
	if o.StopPercent == 0 {
		o.StopPercent = 85
	}
	if o.Enough == 0 {
		o.Enough = 8 << 30
	}
	if o.Disk == nil {
		o.Disk = statfs
	}
	total, free, err := o.Disk(q.dir)
	if err != nil || total == 0 || free > total {
		return Room{Level: Full, Used: 100}
	}
	r := Room{Level: Roomy, Used: int((total - free) * 100 / total), Free: free} //nolint:gosec // a percentage
	fileUsed := int(q.Stats().Bytes * 100 / int64(q.opt.MaxSize))
	switch {
	case q.failing.Load() || fileUsed >= 95 || free < o.Enough && r.Used >= o.StopPercent:
		r.Level = Full
	case fileUsed >= o.WarnPercent || free < o.Enough && r.Used >= o.WarnPercent:
		r.Level = Warn
	}
	return r
}

// probe writes to the segment and to the index, after a failure, and takes blocks for the largest envelope.
func (q *Queue) probe() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.ready(); err != nil {
		return err
	}
	if err := q.makeRoom("", 0); err != nil {
		return err
	}
	q.note(segment.Committed, "")
	err := errors.Join(preallocate(q.w.file, q.w.end+wire.MaxEnvelope), q.syncWriting(), q.commit(func(*tx) error { return nil }))
	q.failing.Store(err != nil)
	return err
}

// statfs counts what an ordinary user may still write.
func statfs(dir string) (total, free uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Blocks * uint64(s.Bsize), s.Bavail * uint64(s.Bsize), nil //nolint:gosec // block sizes are positive
}

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, berrors.ErrMaxSizeReached)
}

// preallocate takes blocks for a file without making it longer. A file system without fallocate does without:
// EnsureRoom still watches.
func preallocate(f *os.File, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// takeBlocks makes an empty file that holds blocks; it is not there when the disk has none to give.
func (q *Queue) takeBlocks(name string, n int64) {
	path := filepath.Join(q.dir, name)
	if _, err := os.Stat(path); err == nil || n <= 0 {
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	if err := errors.Join(preallocate(f, n), f.Close()); err != nil {
		_ = os.Remove(path)
	}
}

// giveUpReserve gives the emergency blocks back to the file system: deleting must work on a full disk too, or it would
// stay full. It says whether there were any.
func (q *Queue) giveUpReserve() bool {
	err := os.Remove(filepath.Join(q.dir, nameReserve))
	_ = os.Remove(filepath.Join(q.dir, nameSpare))
	return err == nil
}
