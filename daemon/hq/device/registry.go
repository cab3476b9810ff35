package device

import (
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/storage/record"
)

// Backdate is how long before its issue a kiosk's certificate begins, for clocks that are behind.
const Backdate = time.Hour

// maxFormer bounds the keys that a device may have had.
const maxFormer = 64

// Reason says why a device was revoked. It is a code: free text could hold personal data.
type Reason string

// The reasons.
const (
	Lost        Reason = "lost"
	Stolen      Reason = "stolen"
	Compromised Reason = "compromised"
	Replaced    Reason = "replaced"
	Retired     Reason = "retired"
	Other       Reason = "other"
)

// Reasons lists them.
func Reasons() []Reason { return []Reason{Lost, Stolen, Compromised, Replaced, Retired, Other} }

// ValidReason says whether r is one of Reasons.
func ValidReason(r Reason) bool { return slices.Contains(Reasons(), r) }

// Errors of Admit, Register and Revoke.
var (
	ErrCertificate = errors.New("device: no certificate that the TLS layer verified")
	ErrSuperseded  = errors.New("device: the certificate is of an earlier enrolment")
	ErrReason      = errors.New("device: the reason is not one of the list")
	ErrFull        = errors.New("device: too many former keys")
)

// Admit tells who is calling, for every request: by the certificate that the TLS layer verified, and not by one that is
// revoked (ErrRevoked, with the device), unknown (ErrUnknown) or of an earlier enrolment (ErrSuperseded).
func (d Dir) Admit(state *tls.ConnectionState) (Device, error) {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return Device{}, ErrCertificate
	}
	leaf := state.VerifiedChains[0][0]
	dev, err := d.Lookup(leaf.Subject.CommonName)
	if err != nil {
		return dev, err
	}
	if leaf.NotBefore.Before(dev.Enrolled.Add(-Backdate)) && !dev.Enrolled.IsZero() {
		return dev, ErrSuperseded
	}
	return dev, nil
}

// Register makes or renews the entry of a device at its enrolment. A key that it had before becomes a former key; it is
// withdrawn when the device was revoked. The device is active afterwards.
func (d Dir) Register(name string, pub *ecdsa.PublicKey, now time.Time) error {
	return d.change(name, func(dev *Device, known bool) error {
		if known && !dev.Public.Equal(pub) {
			if len(dev.Former) == maxFormer {
				return ErrFull
			}
			dev.Former = append(dev.Former, FormerKey{Public: dev.Public, Until: now, Withdrawn: dev.State == Revoked})
		}
		dev.Name, dev.State, dev.Public, dev.Enrolled = name, Active, pub, now.UTC().Truncate(time.Second)
		dev.Revoked, dev.Reason = time.Time{}, ""
		return nil
	})
}

// Revoke puts a device on the deny list: from now on it is answered 410. Revoking again changes nothing.
func (d Dir) Revoke(name string, reason Reason, now time.Time) error {
	if !ValidReason(reason) {
		return ErrReason
	}
	return d.change(name, func(dev *Device, known bool) error {
		switch {
		case !known:
			return ErrUnknown
		case dev.State == Active:
			dev.State, dev.Revoked, dev.Reason = Revoked, now.UTC().Truncate(time.Second), reason
		}
		return nil
	})
}

// List gives all devices by name. A malformed file is an error, with the others.
func (d Dir) List() ([]Device, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var all []Device
	var faults error
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".toml")
		if !ok || !record.ValidDevice(name) {
			continue
		}
		dev, err := d.Lookup(name)
		if err != nil && !errors.Is(err, ErrRevoked) {
			faults = errors.Join(faults, err)
			continue
		}
		all = append(all, dev)
	}
	return all, faults
}

// change edits one file under the directory's lock, whole and durably.
func (d Dir) change(name string, edit func(dev *Device, known bool) error) error {
	if !record.ValidDevice(name) {
		return ErrUnknown
	}
	lock, err := os.Open(string(d)) // the directory itself: whoever may change it may lock it
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // gives the lock back
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	dev, err := d.Lookup(name)
	known := err == nil || errors.Is(err, ErrRevoked)
	if !known && !errors.Is(err, ErrUnknown) {
		return err
	}
	if err := edit(&dev, known); err != nil {
		return err
	}
	raw, err := dev.marshal()
	if err != nil {
		return err
	}
	return replace(d.path(name), raw)
}

// replace writes a file whole and durably.
func replace(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(data); err != nil {
		return errors.Join(err, tmp.Close())
	}
	// Nothing in it is secret, and the receiver, the opener and the operator are different users.
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), path)); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
