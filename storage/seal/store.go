package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Store keeps the newest key list of one root, in a file and in use. It only ever goes forward.
type Store struct {
	root   *Root
	path   string
	public *PublicKeys

	mu      sync.Mutex
	list    *List
	raw     []byte
	damaged bool
}

// OpenStore opens the list in the file at path and takes first (the list of the enrolment bundle; may be nil) when it
// is newer. A file that does not verify is set aside beside it (Damaged says so) and first counts: whoever can write the
// file could as well put an old list there, so refusing to start would gain nothing; HQ hands out the newest list again.
// Without any list that verifies there is an error.
func OpenStore(path string, root *Root, first []byte) (*Store, error) {
	s := &Store{root: root, path: path, public: &PublicKeys{}}
	raw, err := readList(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil && !errors.Is(err, ErrList):
		return nil, err
	default:
		if err == nil {
			_, err = s.take(raw)
		}
		if err != nil {
			if first == nil {
				return nil, err
			}
			if err := os.Rename(path, path+".damaged"); err != nil {
				return nil, err
			}
			s.damaged = true
		}
	}
	if first != nil {
		if _, err := s.Update(first); err != nil && (s.list == nil || !errors.Is(err, ErrOlder)) {
			return nil, err
		}
	}
	if s.list == nil {
		return nil, fmt.Errorf("%w: there is none", ErrList)
	}
	return s, nil
}

// Update takes a list from HQ: verified, and newer than the one held, it is written durably and is in use at once. The
// very same list again changes nothing. ErrForged, ErrOlder and ErrFork leave everything as it was; each is worth an
// alarm.
func (s *Store) Update(raw []byte) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := VerifyList(raw, s.root)
	if err != nil {
		return false, err
	}
	if newer, err := s.newer(l); !newer || err != nil {
		return false, err
	}
	if err := writeFile(s.path, raw); err != nil {
		return false, err
	}
	s.use(l, raw)
	return true, nil
}

// Refresh reads the file again, for HQ's receiver: an operator publishes a list without a restart.
func (s *Store) Refresh() (changed bool, err error) {
	raw, err := readList(s.path)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Equal(raw, s.raw) {
		return false, nil
	}
	return s.take(raw)
}

// take verifies and uses a list without writing it.
func (s *Store) take(raw []byte) (bool, error) {
	l, err := VerifyList(raw, s.root)
	if err != nil {
		return false, err
	}
	if newer, err := s.newer(l); !newer || err != nil {
		return false, err
	}
	s.use(l, raw)
	return true, nil
}

// newer compares what was signed and not the signatures: an ECDSA signature can be re-written by anybody.
func (s *Store) newer(l *List) (bool, error) {
	switch {
	case s.list == nil || l.Version > s.list.Version:
		return true, nil
	case l.Version < s.list.Version:
		return false, ErrOlder
	}
	a, errA := l.Draft()
	b, errB := s.list.Draft()
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		return false, ErrFork
	}
	return false, nil
}

func (s *Store) use(l *List, raw []byte) {
	s.list, s.raw = l, bytes.Clone(raw)
	s.public.replace(l.Keys)
}

// Public are the sealing keys. They change with Update and Refresh.
func (s *Store) Public() *PublicKeys { return s.public }

// Receipts are the receipt keys of the newest list. A listed key verifies receipts also after its end, because HQ
// repeats the receipt of then; a key that must not verify any more is not listed any more.
func (s *Store) Receipts() []ReceiptKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]ReceiptKey(nil), s.list.Receipts...)
}

// List is the newest list; the caller does not change it.
func (s *Store) List() *List {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

// Raw are the signed bytes of the newest list.
func (s *Store) Raw() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.raw)
}

// Root is the root that the lists are verified with.
func (s *Store) Root() *Root { return s.root }

// Damaged says whether OpenStore set a damaged file aside.
func (s *Store) Damaged() bool { return s.damaged }

func readList(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // named by the wiring
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, MaxList+1))
	if err == nil && len(b) > MaxList {
		err = ErrList
	}
	return b, err
}

// writeFile replaces a file whole and durably.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(data); err != nil {
		return errors.Join(err, tmp.Close())
	}
	// A signed list of public keys is no secret; at HQ the one who publishes it is not the one who hands it out.
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), path)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
