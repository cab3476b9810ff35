package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"

	"madoguchi/internal/child"
)

// childName names the check of the index among the functions of a child process.
const childName = "queue-check"

// Check says whether an index, opened for reading, can be trusted. It returns nil, an error that is errBroken for a
// file that must not be used, or any other error when the check itself could not be made.
type Check func(index *os.File) error

// ErrBroken is what a Check returns for a file that must not be used.
var ErrBroken = errors.New("queue: the file is broken")

// Handlers is what child.Main needs to serve CheckInChild.
func Handlers() map[string]child.Func {
	return map[string]child.Func{childName: func([]byte) ([]byte, error) {
		f := os.NewFile(child.FirstFile, "index")
		if f == nil {
			return nil, errors.New("no file was given")
		}
		if err := inspect(f, true); err != nil {
			return []byte(err.Error()), nil //nolint:nilerr // the finding is the answer; it holds no content
		}
		return nil, nil
	}}
}

// CheckInChild checks the index in a child process with limits: bbolt trusts its file, and a damaged page can panic,
// run for ever, take all memory or fault. The program must serve Handlers with child.Main.
func CheckInChild(index *os.File) error {
	info, err := index.Stat()
	if err != nil {
		return err
	}
	limits := child.Limits{
		Memory: 512<<20 + 3*uint64(info.Size()), //nolint:gosec // the map and the sets of pages
		CPU:    60 * time.Second, Wall: 2 * time.Minute, Output: 1 << 10,
	}
	out, err := child.RunWith(context.Background(), childName, limits, nil, index)
	var failed *child.Error
	switch {
	case errors.As(err, &failed) && (failed.Kind == child.Start || failed.Kind == child.NoMain):
		return CheckHere(index) // the file is not to blame; the walk below stays clear of the worst
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBroken, err)
	case len(out) > 0:
		return fmt.Errorf("%w: %s", ErrBroken, out)
	}
	return nil
}

// CheckHere checks the index in this process, without bbolt's own walk, which runs in a goroutine where a panic ends
// the program. It is the default, for tests and tools.
func CheckHere(index *os.File) error {
	if err := inspect(index, false); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return nil
}

// inspect reads the two meta pages, then all pages (deep), then all entries.
func inspect(f *os.File, deep bool) error {
	if err := metas(f); err != nil {
		return err
	}
	return guard(func() error {
		db, err := bolt.Open("", 0, &bolt.Options{
			ReadOnly: true, PreLoadFreelist: deep, Timeout: time.Second,
			OpenFile: func(string, int, os.FileMode) (*os.File, error) { return reopen(f, deep) },
		})
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return db.View(func(tx *bolt.Tx) error {
			if deep {
				for err := range tx.Check() {
					return err
				}
			}
			return verify(tx)
		})
	})
}

// reopen gives bbolt a file of its own to close. In the child there is one descriptor, and it may be used up.
func reopen(f *os.File, same bool) (*os.File, error) {
	if same {
		return f, nil
	}
	return os.Open(f.Name())
}

// metas demands that both meta pages of bbolt are whole and one transaction apart. With one of them damaged bbolt
// would go back to the other without a word, which forgets the last transaction.
func metas(f *os.File) error {
	var first [64]byte
	if _, err := f.ReadAt(first[:], 16); err != nil {
		return err
	}
	size := int64(binary.NativeEndian.Uint32(first[8:]))
	if size < 512 || size > 64<<10 {
		return errors.New("no meta page")
	}
	var tx [2]uint64
	for i := range tx {
		var m [64]byte
		if _, err := f.ReadAt(m[:], int64(i)*size+16); err != nil {
			return err
		}
		h := fnv.New64a()
		_, _ = h.Write(m[:56])
		if binary.NativeEndian.Uint32(m[:]) != 0xED0CDAED || binary.NativeEndian.Uint64(m[56:]) != h.Sum64() {
			return errors.New("a meta page is damaged")
		}
		tx[i] = binary.NativeEndian.Uint64(m[48:])
	}
	if max(tx[0], tx[1])-min(tx[0], tx[1]) != 1 {
		return errors.New("the meta pages do not belong together")
	}
	return nil
}

// panicError is a panic of bbolt over a damaged page, as an error.
type panicError struct{ what any }

func (e *panicError) Error() string { return fmt.Sprintf("queue: damaged file: %v", e.what) }

// guard runs f, which may panic over damaged pages (bbolt trusts its file), and turns a panic or a fault in the
// mapped file into an error.
func guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{what: r}
		}
	}()
	return f()
}
