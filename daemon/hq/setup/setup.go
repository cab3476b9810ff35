// Package setup makes a first installation of HQ for development and demonstration: a private CA, the issuer of the
// kiosks' certificates, the certificates of the receiver and of one kiosk, the receipt key, HQ's opening keys, and the
// root that signs the list of HQ's keys. It never overwrites a file and may be run again to finish or to add a kiosk.
// Production replaces the CA, keeps the root's directory on a machine without a network, and keeps the opening keys in
// a PKCS #11 token (duty 10); the directory's form stays. It also has what the operator does with key lists afterwards:
// draft, rotate, sign, publish. Only daemon/hqd and tests may import it.
package setup

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/daemon/hq/device"
	"madoguchi/storage/record"
	"madoguchi/storage/sync"
)

// Options of Init. All but Bundle are required.
type Options struct {
	Dir    string // HQ's directory
	Kiosk  string // name of the kiosk, as in records
	URL    string // of the receiver, as the kiosk sees it
	Bundle string // where the kiosk's bundle goes; empty: Dir/kiosk
	Now    time.Time
}

// Life of what Init makes.
const (
	caLife     = 10 * 365 * 24 * time.Hour
	issuerLife = 5 * 365 * 24 * time.Hour
	certLife   = 398 * 24 * time.Hour
	sealLife   = 2 * 365 * 24 * time.Hour
)

// Layout gives the paths below HQ's directory.
type Layout string

// CA is the private CA's directory; it belongs offline.
func (l Layout) CA() string { return filepath.Join(string(l), "ca") }

// Root is the directory of the root that signs key lists; it belongs offline, and never on the receiver's machine.
func (l Layout) Root() string { return filepath.Join(string(l), "root") }

// Receiver is all that the receiver needs, and no opening key.
func (l Layout) Receiver() string { return filepath.Join(string(l), "receiver") }

// Devices is the receiver's list of kiosks, which the opener reads too.
func (l Layout) Devices() string { return filepath.Join(l.Receiver(), "devices") }

// Codes holds the one-time codes of enrolment, hashed.
func (l Layout) Codes() string { return filepath.Join(l.Receiver(), "codes") }

// Keys is the signed key list that the receiver hands out.
func (l Layout) Keys() string { return filepath.Join(l.Receiver(), sync.FileKeys) }

// Opener holds the opening keys and the view log.
func (l Layout) Opener() string { return filepath.Join(string(l), "opener") }

// Records is the database of the receiver.
func (l Layout) Records() string { return filepath.Join(string(l), "store", "records.sqlite") }

// Views is the view log of the opener.
func (l Layout) Views() string { return filepath.Join(l.Opener(), "views.sqlite") }

// Kakunin is what HQ added to the verification records, in clear: only the opener's user may read it.
func (l Layout) Kakunin() string { return filepath.Join(l.Opener(), "kakunin.sqlite") }

// Retention holds the events that retention counts from, and the log of what was shredded.
func (l Layout) Retention() string { return filepath.Join(l.Opener(), "retention.sqlite") }

// Findings is what the opener found in the records. It may be deleted: all is found again.
func (l Layout) Findings() string { return filepath.Join(l.Opener(), "findings.sqlite") }

// Files of the receiver's directory.
const (
	FileReceiptKey = "receipt.key.pem" // the private receipt key
	FileIssuer     = "issuer.crt.pem"  // issues the kiosks' certificates
	FileIssuerKey  = "issuer.key.pem"
)

// Init makes what is missing.
func Init(o Options) error {
	if !record.ValidDevice(o.Kiosk) {
		return fmt.Errorf("setup: %q is no device name: a-z, 0-9 and inner hyphens, at most 64", o.Kiosk)
	}
	if o.Bundle == "" {
		o.Bundle = filepath.Join(o.Dir, "kiosk")
	}
	l := Layout(o.Dir)
	for _, d := range []string{o.Dir, l.CA(), l.Root(), l.Receiver(), l.Devices(), l.Codes(), l.Opener(), filepath.Dir(l.Records()), o.Bundle} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if err := sameKiosk(o); err != nil {
		return err
	}
	ca, err := loadOrMakeCA(l.CA(), o.Now)
	if err != nil {
		return err
	}
	if err := ca.copyTo(filepath.Join(l.Receiver(), sync.FileCA), filepath.Join(o.Bundle, sync.FileCA)); err != nil {
		return err
	}
	issuer, err := loadOrMakeIssuer(l.Receiver(), ca, o.Now)
	if err != nil {
		return err
	}
	return errors.Join(
		ca.issue(filepath.Join(l.Receiver(), "server.crt.pem"), filepath.Join(l.Receiver(), "server.key.pem"), serverName, true, o.Now),
		issuer.issue(filepath.Join(o.Bundle, sync.FileCert), filepath.Join(o.Bundle, sync.FileKey), o.Kiosk, false, o.Now),
		keyList(l, o),
		deviceKey(l, o),
		config(o),
	)
}

// sameKiosk refuses to mix two kiosks in one bundle.
func sameKiosk(o Options) error {
	raw, err := os.ReadFile(filepath.Join(o.Bundle, sync.FileConfig))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var c sync.BundleConfig
	if err := errors.Join(err, toml.Unmarshal(raw, &c)); err != nil {
		return err
	}
	if c.Device != o.Kiosk {
		return fmt.Errorf("setup: %s is the bundle of %q; choose another place for %q", o.Bundle, c.Device, o.Kiosk)
	}
	return nil
}

func config(o Options) error {
	raw, err := toml.Marshal(sync.BundleConfig{Version: 1, Device: o.Kiosk, URL: o.URL})
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(o.Bundle, sync.FileConfig), raw)
}

// deviceKey makes the kiosk's signing key and registers it.
func deviceKey(l Layout, o Options) error {
	key, err := loadOrMakeKey(filepath.Join(o.Bundle, sync.FileDeviceKey), func() (any, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	})
	if err != nil {
		return err
	}
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("setup: the device key is not ECDSA")
	}
	raw, err := device.Marshal(o.Kiosk, &k.PublicKey)
	if err != nil {
		return err
	}
	path := filepath.Join(l.Devices(), o.Kiosk+".toml")
	if err := writeNew(path, raw); err != nil {
		return err
	}
	known, err := device.Dir(l.Devices()).Lookup(o.Kiosk)
	if err != nil {
		return err
	}
	if !known.Public.Equal(&k.PublicKey) {
		return fmt.Errorf("setup: %q is registered with another key than that of its bundle", o.Kiosk)
	}
	return nil
}
