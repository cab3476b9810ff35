// Package device is HQ's list of kiosks: one file per kiosk with its signing key, when it was enrolled and whether it may
// still send. The files are read at every use, so that a new or revoked kiosk needs no restart: they are the deny list
// too. Only daemon/... may import it.
package device

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/storage/record"
)

// Errors of Lookup.
var (
	ErrUnknown = errors.New("device: not registered")
	ErrRevoked = errors.New("device: revoked")
)

// State says whether a device may send.
type State string

// The states.
const (
	Active  State = "active"
	Revoked State = "revoked"
)

// Device is one kiosk.
type Device struct {
	Name     string
	State    State
	Public   *ecdsa.PublicKey // P-256, verifies its envelope headers
	Enrolled time.Time        // certificates issued for an earlier enrolment are refused; zero: all count
	Revoked  time.Time        // zero while active
	Reason   Reason           // of the revocation
	Former   []FormerKey      // keys of earlier enrolments, oldest first
}

// FormerKey is a signing key that the device had before. What it signed stays verifiable.
type FormerKey struct {
	Public *ecdsa.PublicKey
	Until  time.Time
	// Withdrawn: the device was revoked when it had this key. New records signed with it are not taken.
	Withdrawn bool
}

// Verify calls check with the device's keys, the present one first, until one passes: records that lay in the queue
// during a new enrolment are signed with the former key. Withdrawn keys are tried only with stored, for what HQ holds
// already. It gives the error of the present key when none passes.
func (d Device) Verify(stored bool, check func(*ecdsa.PublicKey) error) error {
	err := check(d.Public)
	if err == nil {
		return nil
	}
	for _, k := range slices.Backward(d.Former) {
		if (stored || !k.Withdrawn) && check(k.Public) == nil {
			return nil
		}
	}
	return err
}

type file struct {
	Version  int       `toml:"version"`
	Device   string    `toml:"device"`
	State    string    `toml:"state"`
	Public   string    `toml:"public"` // PKIX, base64
	Enrolled time.Time `toml:"enrolled,omitempty"`
	Revoked  time.Time `toml:"revoked,omitempty"`
	Reason   string    `toml:"reason,omitempty"`
	Former   []former  `toml:"former,omitempty"`
}

type former struct {
	Public    string    `toml:"public"`
	Until     time.Time `toml:"until"`
	Withdrawn bool      `toml:"withdrawn"`
}

// Dir is a directory of device files.
type Dir string

// Lookup gives the device. A revoked one is given together with ErrRevoked, so that what it sent before can still be
// verified.
func (d Dir) Lookup(name string) (Device, error) {
	if !record.ValidDevice(name) { // also keeps path separators out
		return Device{}, ErrUnknown
	}
	raw, err := os.ReadFile(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return Device{}, ErrUnknown
	}
	if err != nil {
		return Device{}, err
	}
	dev, err := parse(raw)
	if err != nil || dev.Name != name {
		return Device{}, fmt.Errorf("device: the file of %s is malformed", name)
	}
	if dev.State == Revoked {
		return dev, ErrRevoked
	}
	return dev, nil
}

func (d Dir) path(name string) string { return filepath.Join(string(d), name+".toml") }

func parse(raw []byte) (Device, error) {
	var f file
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&f); err != nil {
		return Device{}, err
	}
	pub, err := parsePublic(f.Public)
	if err != nil {
		return Device{}, err
	}
	d := Device{Name: f.Device, State: State(f.State), Public: pub, Enrolled: f.Enrolled, Revoked: f.Revoked, Reason: Reason(f.Reason)}
	if f.Version != 1 || d.State != Active && d.State != Revoked || d.Reason != "" && !ValidReason(d.Reason) {
		return Device{}, errors.New("device: unsupported file")
	}
	for _, k := range f.Former {
		pub, err := parsePublic(k.Public)
		if err != nil {
			return Device{}, err
		}
		d.Former = append(d.Former, FormerKey{Public: pub, Until: k.Until, Withdrawn: k.Withdrawn})
	}
	return d, nil
}

func parsePublic(s string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, errors.New("device: not an ECDSA P-256 key")
	}
	return pub, nil
}

// Marshal writes the file of an active device that was registered by hand.
func Marshal(name string, pub *ecdsa.PublicKey) ([]byte, error) {
	return Device{Name: name, State: Active, Public: pub}.marshal()
}

func (d Device) marshal() ([]byte, error) {
	pub, err := marshalPublic(d.Public)
	if err != nil {
		return nil, err
	}
	f := file{
		Version: 1, Device: d.Name, State: string(d.State), Public: pub,
		Enrolled: d.Enrolled.UTC(), Revoked: d.Revoked.UTC(), Reason: string(d.Reason),
	}
	for _, k := range d.Former {
		pub, err := marshalPublic(k.Public)
		if err != nil {
			return nil, err
		}
		f.Former = append(f.Former, former{Public: pub, Until: k.Until.UTC(), Withdrawn: k.Withdrawn})
	}
	return toml.Marshal(f)
}

func marshalPublic(pub *ecdsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	return base64.StdEncoding.EncodeToString(der), err
}
