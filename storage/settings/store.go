package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"madoguchi/storage/seal"
)

// The files of a store.
const (
	fileCurrent  = "current.json"
	filePrevious = "previous.json"
	fileStaged   = "staged.json"
	fileRefused  = "refused.json" // the last bundle that did not load, kept for its version and for people
)

// Errors of a store.
var (
	ErrNone    = errors.New("settings: HQ has signed no configuration for this kiosk")
	ErrOlder   = errors.New("settings: the bundle is not newer than one this kiosk has seen")
	ErrFork    = errors.New("settings: two different bundles have the same version")
	ErrDamaged = errors.New("settings: neither the configuration in force nor the one before loads")
)

// Check says whether a verified bundle can be used by this kiosk.
type Check func(*Bundle) error

// Store is a folder with the bundle in force, the one before, and one that waits. Its methods are called by one process
// at a time; each step leaves the folder such that the next start finds a bundle that loads.
type Store struct {
	Dir  string
	Root *seal.Root
}

// Stage verifies and checks a bundle and lays it down for Take. It must be newer than every bundle that was seen here,
// refused ones too; the very bundle that waits or is in force changes nothing.
func (s Store) Stage(raw []byte, check Check) (*Bundle, error) {
	b, err := Verify(raw, s.Root)
	if err != nil {
		return nil, err
	}
	for _, file := range []string{fileStaged, fileCurrent, filePrevious, fileRefused} {
		seen, err := s.read(file)
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			continue // a damaged file says nothing about versions
		case err != nil, seen.Version < b.Version:
			continue
		case seen.Version > b.Version, file == filePrevious, file == fileRefused:
			return nil, ErrOlder
		case !seen.same(b):
			return nil, ErrFork
		}
		return b, nil
	}
	if err := check(b); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.Dir, 0o700); err == nil {
		err = sameOwner(s.Dir, filepath.Dir(s.Dir))
		if err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return b, s.write(fileStaged, raw)
}

// sameOwner gives a new file the owner of another, when root stages for a daemon that is not root.
func sameOwner(path, like string) error {
	fi, err := os.Stat(like)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(st.Uid), int(st.Gid))
}

// Staged says whether a bundle waits.
func (s Store) Staged() bool {
	_, err := os.Stat(filepath.Join(s.Dir, fileStaged))
	return err == nil
}

// Current is the bundle in force. Errors: ErrNone; what is damaged is for Take.
func (s Store) Current() (*Bundle, error) {
	b, err := s.read(fileCurrent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	return b, err
}

// Outcome is what Take did.
type Outcome struct {
	Bundle     *Bundle
	Switched   bool  // the staged bundle is in force now
	RolledBack bool  // the bundle in force did not load; the one before is in force again
	Refused    error // why the staged or the former bundle was refused
}

// Take puts the staged bundle in force when it loads, and gives the bundle in force. One that does not load is set aside,
// and what was before stays or comes back. It is called where no customer is: at the start.
func (s Store) Take(check Check) (Outcome, error) {
	var out Outcome
	if raw, err := readFile(filepath.Join(s.Dir, fileStaged)); err == nil {
		if out.Refused = s.try(raw, check); out.Refused != nil {
			if err := s.rename(fileStaged, fileRefused); err != nil {
				return out, err
			}
		} else if err := s.promote(); err != nil {
			return out, err
		} else {
			out.Switched = true
		}
	}
	b, err := s.load(fileCurrent, check)
	switch {
	case err == nil:
		out.Bundle = b
		return out, nil
	case errors.Is(err, fs.ErrNotExist):
		if b, err = s.load(filePrevious, check); errors.Is(err, fs.ErrNotExist) {
			return out, ErrNone
		}
	default:
		out.Refused = err
		if b, err = s.load(filePrevious, check); err == nil {
			err = s.rename(fileCurrent, fileRefused)
		}
	}
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	out.Bundle, out.RolledBack, out.Switched = b, true, false
	return out, s.rename(filePrevious, fileCurrent)
}

// promote makes the staged bundle the current one. A power cut between the two steps leaves the one before in force,
// as previous, with the staged one still waiting.
func (s Store) promote() error {
	if err := s.rename(fileCurrent, filePrevious); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.rename(fileStaged, fileCurrent)
}

func (s Store) try(raw []byte, check Check) error {
	b, err := Verify(raw, s.Root)
	if err != nil {
		return err
	}
	return check(b)
}

func (s Store) load(file string, check Check) (*Bundle, error) {
	b, err := s.read(file)
	if err != nil {
		return nil, err
	}
	return b, check(b)
}

func (s Store) read(file string) (*Bundle, error) {
	raw, err := readFile(filepath.Join(s.Dir, file))
	if err != nil {
		return nil, err
	}
	return Verify(raw, s.Root)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // named by the wiring
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(f, MaxBundle+1)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (s Store) rename(from, to string) error {
	if err := os.Rename(filepath.Join(s.Dir, from), filepath.Join(s.Dir, to)); err != nil {
		return err
	}
	return s.sync()
}

func (s Store) sync() error {
	d, err := os.Open(s.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// write replaces a file whole and durably.
func (s Store) write(file string, data []byte) error {
	tmp, err := os.CreateTemp(s.Dir, ".bundle-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(data); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(sameOwner(tmp.Name(), s.Dir), tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), filepath.Join(s.Dir, file))); err != nil {
		return err
	}
	return s.sync()
}
