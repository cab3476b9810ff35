package queue

import (
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// ready sees to it that the index can be used. After a failed commit nobody knows what of it is on the disk, so the
// index is read and written anew; a damaged one is made from the segments.
func (q *Queue) ready() error {
	if q.lock == nil {
		return os.ErrClosed
	}
	if q.sick == nil {
		return nil
	}
	var panicked *panicError
	switch {
	case errors.As(q.sick, &panicked) || errors.Is(q.sick, errIndex):
		if q.db != nil && panicked == nil {
			q.closeIndex()
		}
		q.db = nil // after a panic bbolt may hold its own locks for ever: the file is left to it
		if _, err := os.Stat(q.path()); err == nil {
			if err := q.setAside(); err != nil {
				return err
			}
		}
	default:
		q.closeIndex()
	}
	if err := q.openIndex(true); err != nil {
		return err
	}
	if !isNoSpace(q.sick) && !errors.Is(q.sick, unix.EROFS) {
		if err := q.renew(); err != nil {
			return err
		}
	}
	q.sick = nil
	return q.disown()
}

// disown takes out records whose Put reported a failure.
func (q *Queue) disown() error {
	for len(q.unwanted) > 0 {
		id := q.unwanted[0]
		err := q.update(func(t *tx) error {
			order, e, err := t.find(id)
			if err != nil {
				return err
			}
			return t.remove(order, e)
		})
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		q.unwanted = q.unwanted[1:]
	}
	q.publish()
	return nil
}

// renew writes the index into a new file, which takes the place of the old one: smaller, and wholly on the disk.
func (q *Queue) renew() error {
	small := q.path() + suffixNew
	_ = os.Remove(small) // left behind by a power cut: never yet the index
	err := guard(func() error {
		dst, err := bolt.Open(small, 0o600, boltOptions(q.opt.Wait))
		if err != nil {
			return err
		}
		return errors.Join(bolt.Compact(dst, q.db, 1<<20), dst.Sync(), dst.Close(), pad(small))
	})
	if err != nil {
		_ = os.Remove(small)
		return fmt.Errorf("queue: renewing the index: %w", err)
	}
	q.closeIndex()
	if err := errors.Join(os.Rename(small, q.path()), syncDir(q.dir)); err != nil {
		return err
	}
	return q.openDB()
}

// perRecord is about as much as a record takes in the index.
const perRecord = 256

// sparse says that the index is mostly free pages: bbolt writes the list of them with every commit.
func (q *Queue) sparse() bool {
	info, err := os.Stat(q.path())
	return err == nil && info.Size() >= compactFrom && int64(q.st.Waiting+q.st.Shelved)*perRecord < info.Size()/4 //nolint:gosec // counts
}

// pad fills a new index up with zeros, durably, as far as the disk allows. It writes what is there once more, because
// bbolt leaves holes.
func pad(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < indexReserve {
		b := make([]byte, indexReserve)
		if _, err = f.ReadAt(b[:info.Size()], 0); err == nil {
			_, err = f.WriteAt(b, 0)
		}
		if isNoSpace(err) {
			err = f.Truncate(info.Size()) // it must do without
		}
	}
	return errors.Join(err, f.Sync(), f.Close())
}
