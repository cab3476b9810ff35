package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"madoguchi/storage/queue/segment"
)

// Options of a queue. Only Now is required.
type Options struct {
	Now func() time.Time
	// Check judges the index before it is used; nil: CheckHere. A kiosk takes CheckInChild.
	Check Check
	// Legacy is the path of a queue of the older format (one bbolt file). If it is there, Open takes over all that
	// waits in it and its shelf, and then removes it. Empty: the directory's own path, should a file be there.
	Legacy      string
	SegmentSize int64         // from which a segment takes no more records; 0: 16 MiB
	Reserve     int64         // bytes of disk for emergencies, beside those of the segments; 0: 4 MiB, negative: none
	MaxSize     int           // most bytes of bodies; 0: 16 GiB
	Wait        time.Duration // for another process to let go of the directory; 0: 2 s
	Room        RoomOptions
}

// indexReserve is how many bytes the index has before it needs them: 15,000 records' worth. They are written, not only
// reserved, because the first write into blocks that were only reserved makes the file system write its journal too.
const indexReserve = 4 << 20

// compactFrom is the size from which an index that is mostly free pages is written anew.
const compactFrom = 2 * indexReserve

// Open opens or makes the outbox in a directory. An index that cannot be trusted is not deleted but set aside, and a
// new one is made from the segments: a kiosk must be able to go on. Stats().Quarantined then says where it is, and that
// is an alarm. Records that had their receipts may then be sent once more, which HQ takes as duplicates.
func Open(dir string, opt Options) (*Queue, error) {
	if opt.Now == nil {
		return nil, errors.New("queue: Options.Now is missing")
	}
	defaults(&opt)
	if err := makeWay(dir, &opt); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, nameShelf), 0o700); err != nil {
		return nil, err
	}
	if err := errors.Join(syncDir(dir), syncDir(filepath.Dir(dir))); err != nil { // directories made just now must survive a power cut
		return nil, err
	}
	q := &Queue{dir: dir, opt: opt, wake: make(chan struct{}, 1)}
	q.levels.Store(&Stats{})
	var err error
	if q.lock, err = hold(filepath.Join(dir, nameLock), opt.Wait); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		q.release()
		return nil, err
	}
	if q.st.Waiting > 0 {
		q.signal()
	}
	return q, nil
}

// makeWay renames a file of the older format that lies where the directory is to be.
func makeWay(dir string, opt *Options) error {
	if opt.Legacy != "" {
		return nil
	}
	opt.Legacy = dir + ".old"
	info, err := os.Stat(dir)
	if err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // nothing is in the way
	}
	if _, err := os.Stat(opt.Legacy); err == nil {
		return fmt.Errorf("queue: both %s and %s are files", filepath.Base(dir), filepath.Base(opt.Legacy))
	}
	return errors.Join(os.Rename(dir, opt.Legacy), syncDir(filepath.Dir(dir)))
}

func defaults(opt *Options) {
	if opt.Check == nil {
		opt.Check = CheckHere
	}
	if opt.SegmentSize == 0 {
		opt.SegmentSize = 16 << 20
	}
	if opt.Reserve == 0 {
		opt.Reserve = 4 << 20
	}
	if opt.MaxSize == 0 {
		opt.MaxSize = 16 << 30
	}
	if opt.Wait == 0 {
		opt.Wait = 2 * time.Second
	}
}

func (q *Queue) open() error {
	if err := q.openIndex(true); err != nil {
		return err
	}
	stale, err := q.tail()
	if err != nil {
		return err
	}
	if stale { // the segments prove that the index forgot something
		q.closeIndex()
		if err := q.setAside(); err != nil {
			return err
		}
		if err := q.openIndex(true); err != nil {
			return err
		}
	}
	q.sweep()
	if err := q.takeOver(); err != nil {
		return err
	}
	if q.sparse() {
		if err := q.renew(); err != nil {
			return err
		}
	}
	q.takeBlocks(nameReserve, q.opt.Reserve)
	q.makeSpare()
	q.publish()
	return nil
}

func (q *Queue) path() string { return filepath.Join(q.dir, nameIndex) }

// hold takes the lock of the directory.
func hold(path string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for left := wait; ; left -= 10 * time.Millisecond {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || left <= 0 {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, ErrInUse
			}
			return nil, err
		}
		<-time.NewTimer(10 * time.Millisecond).C
	}
}

// openIndex opens the index, after its check, and reads the levels. A missing one is made from the segments, of which
// a new queue has none; a broken one is set aside first.
func (q *Queue) openIndex(checked bool) error {
	for range 2 {
		_, err := os.Stat(q.path())
		if errors.Is(err, os.ErrNotExist) {
			err = q.rebuild()
			checked = false // just made
		}
		if err != nil {
			return err
		}
		if checked {
			err = q.check()
		}
		if err == nil {
			err = q.openDB()
		}
		if err == nil || !errors.Is(err, ErrBroken) {
			return err
		}
		q.closeIndex()
		if err := q.setAside(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: a new one too", ErrBroken)
}

func (q *Queue) check() error {
	f, err := os.Open(q.path())
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return q.opt.Check(f)
}

// boltOptions are those of every file of ours.
func boltOptions(wait time.Duration) *bolt.Options {
	return &bolt.Options{Timeout: wait, FreelistType: bolt.FreelistMapType}
}

func (q *Queue) openDB() error {
	err := guard(func() error {
		db, err := bolt.Open(q.path(), 0o600, boltOptions(q.opt.Wait))
		if err != nil {
			return err
		}
		db.AllocSize = 4 << 20
		q.db = db
		return db.View(func(b *bolt.Tx) error {
			t := &tx{Tx: b}
			if err := t.load(); err != nil {
				return err
			}
			q.st, q.segs = t.st, t.base
			return nil
		})
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return ErrInUse
	case errors.As(err, new(syscall.Errno)) || isNoSpace(err):
		return err // the system's fault, not the file's: no rights, no room, a disk that does not answer
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

func (q *Queue) closeIndex() {
	if q.db != nil {
		_ = guard(q.db.Close)
		q.db = nil
	}
}

// setAside renames a broken index and keeps it.
func (q *Queue) setAside() error {
	aside, err := quarantine(q.path(), q.opt.Now())
	if err == nil {
		q.aside = aside
	}
	return err
}

func quarantine(path string, now time.Time) (string, error) {
	base := path + ".broken-" + now.UTC().Format("20060102T150405Z")
	aside := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s-%d", base, n)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("queue: setting a broken file aside: %w", err)
	}
	return aside, syncDir(filepath.Dir(path))
}

// tail compares the segments with the index: what lies behind the last acknowledged record was never acknowledged and
// is cut off. It is stale when a note proves that the index once knew more.
func (q *Queue) tail() (stale bool, err error) {
	list, err := segmentNumbers(q.dir)
	if err != nil {
		return false, err
	}
	var old []uint64
	for _, n := range list {
		if _, ok := q.segs[n]; !ok && n < q.st.Segment {
			old = append(old, n) // dropped, but for its file
		}
		if n < q.st.Segment {
			continue
		}
		from, end := 0, 0
		if n == q.st.Segment {
			from, end = int(q.st.End), int(q.st.End) //nolint:gosec // guarded by a CRC
		}
		b, err := readSegment(q.segmentPath(n))
		if err != nil {
			return false, err
		}
		notes := n == q.st.Segment
		if err := segment.Scan(b, from, n, func(p segment.Piece) error {
			note := p.Whole && p.Frame.Kind != segment.Record
			stale = stale || note && p.Frame.Seq > q.st.Seq
			if notes = notes && note && p.From == int64(end); notes {
				end = int(p.To)
			}
			return nil
		}); stale || err != nil {
			return stale, err
		}
		if n > q.st.Segment {
			old = append(old, n)
		} else if err := q.resume(b, end); err != nil {
			return false, err
		}
	}
	q.unlink(old)
	return false, nil
}

// resume goes on writing where the last process stopped.
func (q *Queue) resume(b []byte, end int) error {
	f, err := os.OpenFile(q.segmentPath(q.st.Segment), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	h, ok := segment.ParseHeader(b)
	day := h.Made.Unix() / 86400
	if !ok || len(b) < end {
		day = -1 // damaged: nothing more goes here
	}
	q.closeWriting()
	q.w = writing{file: f, number: q.st.Segment, end: int64(end), day: day}
	if len(b) > end {
		if err := f.Truncate(int64(end)); err != nil {
			return err
		}
	}
	_ = preallocate(f, q.opt.SegmentSize)
	q.note(segment.Committed, "") // all before it was acknowledged
	return nil
}

// sweep removes what interrupted work left behind: half-written files, and files of records that left the shelf.
func (q *Queue) sweep() {
	list, err := os.ReadDir(filepath.Join(q.dir, nameShelf))
	if err != nil {
		return
	}
	for _, d := range list {
		path := filepath.Join(q.dir, nameShelf, d.Name())
		id, ok := strings.CutSuffix(d.Name(), suffixShelf)
		var on bool
		err := q.view(func(t *tx) error {
			v, err := t.get(bucketShelf, []byte(id))
			on = v != nil
			return err
		})
		if err == nil && (!ok || !on) {
			_ = os.Remove(path)
		}
	}
}

// Close closes the queue.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lock == nil {
		return nil
	}
	var err error
	if q.w.day != -1 {
		err = q.syncWriting()
	}
	q.release()
	return err
}

func (q *Queue) release() {
	q.closeIndex()
	q.closeWriting()
	q.closeReader()
	if q.lock != nil {
		_ = q.lock.Close()
		q.lock = nil
	}
}
