// Package credential reads private keys: from systemd's credentials where the unit delivers one, otherwise from a file
// that strangers can neither read nor change. Only daemon/kiosk, daemon/kioskctl, daemon/doctor and daemon/hqd import it.
package credential

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrMode is given for a private file that others can read or change.
var ErrMode = errors.New("others can read or change this private file (chmod 0600, or 0640 with root as the owner)")

// maxSize bounds a key file.
const maxSize = 64 << 10

// Names of the credentials in the shipped units.
const (
	DeviceKey   = "device-key"        // the kiosk's signing key
	KioskTLS    = "kiosk-tls-key"     // the kiosk's key of its TLS certificate
	ReceiverTLS = "receiver-tls-key"  // the receiver's key of its TLS certificate
	ReceiptKey  = "receipt-key"       // the receiver's receipt key
	IssuerKey   = "issuer-key"        // the key that issues the kiosks' certificates
	PassFile    = "postgres-passfile" // PostgreSQL's password file
	BodyKeys    = "s3-keys"           // the keys of the body store
	OpenPrefix  = "open-"             // + part: the opener's opening keys, e.g. "open-identity"
)

// Source knows systemd's directory of credentials; the zero value knows files only.
type Source struct {
	dir string
}

// FromEnvironment uses $CREDENTIALS_DIRECTORY when systemd set it.
func FromEnvironment() Source { return Source{dir: os.Getenv("CREDENTIALS_DIRECTORY")} }

// Has says whether the credential is delivered.
func (s Source) Has(name string) bool {
	if s.dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

// Read gives the credential of this name; only when systemd delivers none, the file at path. The caller wipes the
// bytes. A file that others can read or change is ErrMode, so that a careless copy is found on the first day.
func (s Source) Read(name, path string) ([]byte, error) {
	if s.dir != "" {
		b, err := read(filepath.Join(s.dir, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return read(path)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the unit or the operator names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !private(info) {
		return nil, fmt.Errorf("%s: %w", path, ErrMode)
	}
	if info.Size() > maxSize {
		return nil, fmt.Errorf("%s: too large for a key", path)
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		clear(b)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}
