// Package device is HQ's list of kiosks: one file per kiosk with its signing key and whether it may still send. The
// files are read at every use, so that a new or revoked kiosk needs no restart. Only daemon/... may import it.
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
	Name   string
	State  State
	Public *ecdsa.PublicKey // P-256, verifies its envelope headers
}

type file struct {
	Version int    `toml:"version"`
	Device  string `toml:"device"`
	State   string `toml:"state"`
	Public  string `toml:"public"` // PKIX, base64
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
	der, err := base64.StdEncoding.Strict().DecodeString(f.Public)
	if err != nil {
		return Device{}, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return Device{}, err
	}
	pub, ok := key.(*ecdsa.PublicKey)
	state := State(f.State)
	if !ok || pub.Curve != elliptic.P256() || f.Version != 1 || state != Active && state != Revoked {
		return Device{}, errors.New("device: unsupported file")
	}
	return Device{Name: f.Device, State: state, Public: pub}, nil
}

// Marshal writes the file of an active device.
func Marshal(name string, pub *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	return toml.Marshal(file{Version: 1, Device: name, State: string(Active), Public: base64.StdEncoding.EncodeToString(der)})
}
