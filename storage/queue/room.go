package queue

import (
	"path/filepath"

	"golang.org/x/sys/unix"
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

// EnsureRoom gives ErrFull when no new customer should be taken.
func (q *Queue) EnsureRoom() error {
	if q.Room().Level == Full {
		return ErrFull
	}
	return nil
}

// Room measures the file system and the file.
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
	total, free, err := o.Disk(filepath.Dir(q.path))
	if err != nil || total == 0 || free > total {
		return Room{Level: Full, Used: 100}
	}
	r := Room{Level: Roomy, Used: int((total - free) * 100 / total), Free: free} //nolint:gosec // a percentage
	fileUsed := int(q.Stats().Bytes * 100 / int64(q.opt.MaxSize))
	switch {
	case fileUsed >= 95 || free < o.Enough && r.Used >= o.StopPercent:
		r.Level = Full
	case fileUsed >= o.WarnPercent || free < o.Enough && r.Used >= o.WarnPercent:
		r.Level = Warn
	}
	return r
}

// statfs counts what an ordinary user may still write.
func statfs(dir string) (total, free uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Blocks * uint64(s.Bsize), s.Bavail * uint64(s.Bsize), nil //nolint:gosec // block sizes are positive
}
