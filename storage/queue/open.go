package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// Options of a queue. Only Now is required.
type Options struct {
	Now     func() time.Time
	Reserve int64         // bytes of disk to reserve at Open, so that other programs cannot starve the queue; 0: none
	MaxSize int           // most bytes of the file; 0: 4 GiB
	Wait    time.Duration // for another process to let go of the file; 0: 2 s
	Room    RoomOptions
	// CompactFrom is the size from which Open makes the file smaller when most of it is free; 0: 64 MiB. A large free
	// list makes every commit slow: bbolt writes it each time.
	CompactFrom int64
}

// Open opens or makes the outbox. A file that bbolt cannot read is not deleted but set aside, and a fresh one is
// made: a kiosk must be able to go on, and HQ can salvage the envelopes, which authenticate themselves.
// Stats().Quarantined then says where it is, and that is an alarm.
func Open(path string, opt Options) (*Queue, error) {
	if opt.Now == nil {
		return nil, errors.New("queue: Options.Now is missing")
	}
	if opt.MaxSize == 0 {
		opt.MaxSize = 4 << 30
	}
	if opt.CompactFrom == 0 {
		opt.CompactFrom = 64 << 20
	}
	if opt.Wait == 0 {
		opt.Wait = 2 * time.Second
	}
	q := &Queue{path: path, opt: opt, wake: make(chan struct{}, 1)}
	err := q.open()
	if errors.Is(err, errBroken) {
		q.aside = fmt.Sprintf("%s.broken-%s", path, opt.Now().UTC().Format("20060102T150405Z"))
		if err := os.Rename(path, q.aside); err != nil {
			return nil, fmt.Errorf("queue: setting a broken file aside: %w", err)
		}
		err = q.open()
	}
	if err != nil {
		return nil, err
	}
	q.recount()
	if q.Stats().Waiting > 0 {
		q.signal()
	}
	return q, nil
}

// errBroken marks a file that is there and cannot be used.
var errBroken = errors.New("queue: the file is broken")

func (q *Queue) open() error {
	if err := q.openDB(); err != nil {
		return err
	}
	if err := q.compact(); err != nil {
		return err
	}
	if q.opt.Reserve > 0 {
		if err := reserve(q.path, q.opt.Reserve); err != nil {
			_ = q.db.Close()
			return err
		}
	}
	return nil
}

func (q *Queue) openDB() error {
	err := q.guard(func() error {
		db, err := bolt.Open(q.path, 0o600, &bolt.Options{
			Timeout: q.opt.Wait, FreelistType: bolt.FreelistMapType, MaxSize: q.opt.MaxSize,
		})
		if err != nil {
			return err
		}
		q.db = db
		return db.Update(func(tx *bolt.Tx) error {
			for _, name := range []string{bucketIndex, bucketOrder, bucketBody, bucketShelf, bucketState} {
				if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err == nil {
		return syncDir(filepath.Dir(q.path)) // a file made just now must survive a power cut
	}
	if q.db != nil {
		_ = q.db.Close()
		q.db = nil
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return ErrInUse
	}
	if errors.As(err, new(syscall.Errno)) || isNoSpace(err) {
		return err // the system's fault, not the file's: no rights, no room, a disk that does not answer
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// compact rewrites a file that is mostly free pages.
func (q *Queue) compact() error {
	info, err := os.Stat(q.path)
	if err != nil || info.Size() < q.opt.CompactFrom {
		return err
	}
	if q.free() < info.Size()/2 {
		return nil
	}
	small := q.path + ".compact"
	_ = os.Remove(small) // left behind by a power cut: never yet the queue
	dst, err := bolt.Open(small, 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	if err := errors.Join(bolt.Compact(dst, q.db, 1<<20), dst.Sync(), dst.Close()); err != nil {
		_ = os.Remove(small)
		return fmt.Errorf("queue: compacting: %w", err)
	}
	if err := errors.Join(q.db.Close(), os.Rename(small, q.path)); err != nil {
		return err
	}
	return q.openDB()
}

// Close closes the file.
func (q *Queue) Close() error { return q.guard(q.db.Close) }

// panicError is a panic of bbolt over a damaged page, as an error.
type panicError struct{ what any }

func (e *panicError) Error() string { return fmt.Sprintf("queue: damaged file: %v", e.what) }

// guard runs f, which may panic over damaged pages (bbolt trusts its file), and turns a panic or a fault in the
// mapped file into an error.
func (*Queue) guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{what: r}
		}
	}()
	return f()
}

// update runs f in a durable transaction and brings the levels up to date.
func (q *Queue) update(f func(*bolt.Tx) error) error {
	err := q.guard(func() error { return q.db.Update(f) })
	if err == nil {
		q.recount()
	}
	return err
}

// recount reads the levels from the small buckets; it touches no body.
func (q *Queue) recount() {
	s := Stats{Quarantined: q.aside}
	_ = q.guard(func() error { // on a damaged file the levels say what could be read
		return q.db.View(func(tx *bolt.Tx) error {
			s.Waiting = tx.Bucket([]byte(bucketOrder)).Stats().KeyN
			s.Shelved = tx.Bucket([]byte(bucketShelf)).Stats().KeyN
			if _, fact := tx.Bucket([]byte(bucketIndex)).Cursor().First(); len(fact) > indexHead {
				s.Oldest = millis(fact[32:indexHead])
			}
			s.Bytes = tx.Size() - q.free()
			return nil
		})
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats = s
}

// free is how many bytes of the file hold nothing.
func (q *Queue) free() int64 {
	s := q.db.Stats()
	return int64(s.FreePageN+s.PendingPageN) * int64(q.db.Info().PageSize)
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, berrors.ErrMaxSizeReached)
}

// reserve takes blocks for the file without making it longer.
func reserve(path string, n int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil // a file system without fallocate: EnsureRoom still watches
	}
	if errors.Is(err, unix.ENOSPC) {
		return ErrFull
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
