// Package trust loads the public keys that cards are measured by, from trust directories: the issuer keys of the
// card's face and text (券面), and the JPKI certification authorities. The official surface keys come to the operator
// by J-LIS's disclosure procedure; none is built in. Only daemon/kiosk and daemon/kioskctl import it.
//
// The form of a directory is fixed, so that other tools can write one:
//
//	trust.json               {"name": "...", "kind": "production" | "test"}
//	jpki-sign/*.pem          CA certificates of the signature certificates (署名用)
//	jpki-auth/*.pem          CA certificates of the authentication certificates (利用者証明用)
//	surface/<key id>.pem     issuer keys, SubjectPublicKeyInfo; the name is the 16-byte key id in 32 hex digits
//
// A folder that is missing holds nothing. Everything else is an error: unknown keys in trust.json, files of another
// name, PEM of another type, keys that are not RSA with 2048 bits or more, CA certificates that are none.
package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"madoguchi/hardware/card"
)

// Kind says what a directory's keys may be believed for.
type Kind string

// The kinds.
const (
	Production Kind = "production" // real cards
	Test       Kind = "test"       // virtual cards and those of J-LIS's test environment
)

// The typed errors; test with errors.Is. They are wrapped with the directory or file at fault.
var (
	// ErrTest is a test directory where only production ones were allowed.
	ErrTest = errors.New("this is test trust, which must be allowed explicitly")
	// ErrMixed is a key of the one world in a directory of the other: an issuer key id that begins with 9 (virtual)
	// or 6 (J-LIS test) among production keys, one that begins with 5 (production) among test keys.
	ErrMixed = errors.New("an issuer key of the other world: ids begin with 9 (virtual) or 6 (J-LIS test) in test trust only, with 5 in production trust only")
	// ErrForm is a directory or file that does not have the form described at the package.
	ErrForm = errors.New("not of the right form")
	// ErrTwice is the same issuer key id in two places, with different keys.
	ErrTwice = errors.New("the same key id with another key was loaded before")
)

// Dir is one directory as loaded.
type Dir struct {
	Path     string
	Name     string // from trust.json
	Kind     Kind
	Surface  []card.IssuerKey
	JPKISign []*x509.Certificate
	JPKIAuth []*x509.Certificate
}

// Set is the union of directories.
type Set struct {
	Dirs     []Dir
	Surface  []card.IssuerKey
	JPKISign []*x509.Certificate
	JPKIAuth []*x509.Certificate
}

// Options are the settings of loading.
type Options struct {
	// AllowTest admits directories of kind test.
	AllowTest bool
}

// Load reads production directories. A test directory is ErrTest.
func Load(dirs ...string) (*Set, error) { return Options{}.Load(dirs...) }

// Load reads the directories, all or none. No directory at all is an empty set.
func (o Options) Load(dirs ...string) (*Set, error) {
	s := &Set{}
	for _, path := range dirs {
		d, err := loadDir(path)
		if err != nil {
			return nil, fmt.Errorf("trust: %w", err)
		}
		if d.Kind == Test && !o.AllowTest {
			return nil, fmt.Errorf("trust: %s: %w", path, ErrTest)
		}
		if err := s.add(d); err != nil {
			return nil, fmt.Errorf("trust: %s: %w", path, err)
		}
	}
	return s, nil
}

func (s *Set) add(d Dir) error {
	for _, k := range d.Surface {
		for _, have := range s.Surface {
			if bytes.Equal(have.KeyID, k.KeyID) && !have.Key.Equal(k.Key) {
				return fmt.Errorf("%s: %w", hex.EncodeToString(k.KeyID), ErrTwice)
			}
		}
	}
	s.Dirs = append(s.Dirs, d)
	s.Surface = append(s.Surface, d.Surface...)
	s.JPKISign = append(s.JPKISign, d.JPKISign...)
	s.JPKIAuth = append(s.JPKIAuth, d.JPKIAuth...)
	return nil
}

// HasTest tells whether anything in the set is for tests only.
func (s *Set) HasTest() bool {
	for i := range s.Dirs {
		if s.Dirs[i].Kind == Test {
			return true
		}
	}
	return false
}

// OnlyTest is the part of the set that stands for virtual and test cards.
func (s *Set) OnlyTest() *Set {
	out := &Set{}
	for _, d := range s.Dirs {
		if d.Kind == Test {
			_ = out.add(d) // cannot contradict: it did not in s
		}
	}
	return out
}

// IsTestIssuer tells whether the issuer key with this id, in hex as in card.Proof, is in the set as test trust.
func (s *Set) IsTestIssuer(id string) bool {
	for _, k := range s.OnlyTest().Surface {
		if id != "" && hex.EncodeToString(k.KeyID) == id {
			return true
		}
	}
	return false
}

func loadDir(path string) (Dir, error) {
	d := Dir{Path: path}
	if err := d.readHead(); err != nil {
		return Dir{}, err
	}
	if err := d.onlyKnown(); err != nil {
		return Dir{}, err
	}
	var err error
	if d.JPKISign, err = authorities(filepath.Join(path, folderSign)); err != nil {
		return Dir{}, err
	}
	if d.JPKIAuth, err = authorities(filepath.Join(path, folderAuth)); err != nil {
		return Dir{}, err
	}
	d.Surface, err = surfaceKeys(filepath.Join(path, folderSurface), d.Kind)
	return d, err
}

// head is trust.json.
type head struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// readHead reads trust.json strictly: no unknown key, nothing behind the object.
func (d *Dir) readHead() error {
	file := filepath.Join(d.Path, fileHead)
	raw, err := readSmall(file)
	if err != nil {
		return err
	}
	var h head
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil {
		return fmt.Errorf("%s: %w: %w", file, ErrForm, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w: something follows the object", file, ErrForm)
	}
	if h.Name == "" || h.Kind != Production && h.Kind != Test {
		return fmt.Errorf(`%s: %w: name must not be empty, kind must be "production" or "test"`, file, ErrForm)
	}
	d.Name, d.Kind = h.Name, h.Kind
	return nil
}

// onlyKnown refuses what has no meaning, such as a folder with a misspelt name whose keys would silently be missing.
func (d *Dir) onlyKnown() error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case fileHead, folderSign, folderAuth, folderSurface:
		default:
			return fmt.Errorf("%s: %w: unknown name", filepath.Join(d.Path, e.Name()), ErrForm)
		}
	}
	return nil
}
