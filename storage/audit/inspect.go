package audit

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// Inspected is what Inspect found.
type Inspected struct {
	Origin string
	Size   int64     // entries
	Root   tlog.Hash // of all entries
	Torn   bool      // the file ends in a frame that was never acknowledged, as after a power cut; Open cuts it off
}

// Inspect reads the log in a directory from its beginning to its end without opening it for writing, without a lock and
// without changing anything, for a tool beside a kiosk that does not run. It proves that every entry is whole and of the
// right form; whether they are the entries that HQ has seen, only HQ's witness can say. ErrDamaged is a file whose
// inside is not what was written; a directory without a log is os.ErrNotExist.
func Inspect(dir string) (Inspected, error) {
	path, err := find(dir)
	if err != nil {
		return Inspected{}, err
	}
	if path == "" {
		if _, err := os.ReadDir(dir); err != nil {
			return Inspected{}, err // no rights, or no directory
		}
		return Inspected{}, fmt.Errorf("audit: %s: %w", dir, os.ErrNotExist)
	}
	f, err := os.Open(path)
	if err != nil {
		return Inspected{}, err
	}
	defer func() { _ = f.Close() }()
	origin, marks, err := scan(f)
	if err != nil {
		return Inspected{}, err
	}
	_, epoch, ok := SplitOrigin(origin)
	if !ok || filepath.Base(path) != prefix+epoch+suffix {
		return Inspected{}, ErrDamaged
	}
	end := marks[len(marks)-1]
	info, err := f.Stat()
	if err != nil {
		return Inspected{}, err
	}
	return Inspected{Origin: origin, Size: end.tree.Size(), Root: end.tree.Root(), Torn: info.Size() > end.offset}, nil
}
