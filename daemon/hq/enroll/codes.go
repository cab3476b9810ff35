package enroll

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/internal/secret"
	"madoguchi/storage/enroll"
	"madoguchi/storage/record"
)

// MaxValid is the longest that a code may be valid.
const MaxValid = 7 * 24 * time.Hour

// ErrCode is the one answer for a code that is wrong, used, too old, revoked or for another device: whoever tries codes
// learns nothing from it.
var ErrCode = errors.New("enroll: the code is not good")

// Codes is a directory of one-time codes: one file per device, with the code's hash and never the code.
type Codes string

type codeFile struct {
	Version int       `toml:"version"`
	Device  string    `toml:"device"`
	Hash    string    `toml:"hash"` // hex
	Expires time.Time `toml:"expires"`
}

// New makes a code for a device. An earlier one that was not used yet ends. The caller shows it once and wipes it.
func (c Codes) New(device string, valid time.Duration, now time.Time) (*secret.Bytes, error) {
	if !record.ValidDevice(device) {
		return nil, fmt.Errorf("enroll: %q is no device name: a-z, 0-9 and inner hyphens, at most 64", device)
	}
	if valid <= 0 || valid > MaxValid {
		return nil, fmt.Errorf("enroll: a code is valid for more than 0 and at most %s", MaxValid)
	}
	code := enroll.NewCode()
	hash, err := enroll.HashCode(device, code)
	if err != nil {
		return nil, err
	}
	raw, err := toml.Marshal(codeFile{Version: 1, Device: device, Hash: hex.EncodeToString(hash[:]), Expires: now.Add(valid).UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	if err := c.write(device, raw); err != nil {
		code.Wipe()
		return nil, err
	}
	return code, nil
}

// Take uses up the code of a device: of any number of callers with the right code exactly one gets nil, everybody else
// ErrCode. Other errors are faults of the disk.
func (c Codes) Take(device string, hash [32]byte, now time.Time) error {
	f, err := c.read(device)
	if err != nil {
		return err
	}
	want, err := hex.DecodeString(f.Hash)
	// An unknown device costs the same comparison.
	good := subtle.ConstantTimeCompare(want, hash[:]) == 1 && err == nil
	if !good || f.Device != device || !now.Before(f.Expires) {
		return ErrCode
	}
	// Whoever renames the file has the code; it is gone for all others, also after a power cut.
	taken := filepath.Join(string(c), device+".used")
	if err := os.Rename(c.path(device), taken); errors.Is(err, os.ErrNotExist) {
		return ErrCode
	} else if err != nil {
		return err
	}
	if err := syncDir(string(c)); err != nil {
		return err
	}
	// A code made anew in the moment between reading and renaming was renamed instead of the one that was compared.
	moved, err := readCode(taken)
	if err != nil {
		return err
	}
	if moved.Hash != f.Hash {
		return ErrCode
	}
	return nil
}

// Revoke ends the code of a device, if it has one.
func (c Codes) Revoke(device string) error {
	if !record.ValidDevice(device) {
		return nil
	}
	if err := os.Remove(c.path(device)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(string(c))
}

func (c Codes) path(device string) string { return filepath.Join(string(c), device+".code") }

// read gives the file of a device; one that compares with nothing when there is none.
func (c Codes) read(device string) (codeFile, error) {
	none := codeFile{Hash: hex.EncodeToString(make([]byte, 32))}
	if !record.ValidDevice(device) {
		return none, nil
	}
	f, err := readCode(c.path(device))
	if errors.Is(err, os.ErrNotExist) {
		return none, nil
	}
	return f, err
}

func readCode(path string) (codeFile, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // below our own directory, by a checked name
	if err != nil {
		return codeFile{}, err
	}
	var f codeFile
	if toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&f) != nil || f.Version != 1 || len(f.Hash) != 64 {
		return codeFile{}, errors.New("enroll: a code's file is malformed")
	}
	return f, nil
}

func (c Codes) write(device string, raw []byte) error {
	if err := os.MkdirAll(string(c), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(string(c), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(raw)
	// The operator writes it, the receiver's group reads it; it holds a hash of 100 random bits.
	if err := errors.Join(err, tmp.Chmod(0o640), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), c.path(device)); err != nil {
		return err
	}
	return syncDir(string(c))
}

func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // our own directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
