// Package setup makes a first installation of HQ for development and demonstration: a private CA, the certificates
// of the receiver and of one kiosk, the receipt key, and HQ's opening keys. It never overwrites a file and may be run
// again to finish or to add a kiosk. Production replaces the CA and keeps the opening keys in a PKCS #11 token
// (duty 10); the directory's form stays. Only daemon/hqd and tests may import it.
package setup

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/opener"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
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
	caLife   = 10 * 365 * 24 * time.Hour
	certLife = 398 * 24 * time.Hour
	sealLife = 2 * 365 * 24 * time.Hour
)

// Layout gives the paths below HQ's directory.
type Layout string

// CA is the private CA's directory; it belongs offline.
func (l Layout) CA() string { return filepath.Join(string(l), "ca") }

// Receiver is all that the receiver needs, and no opening key.
func (l Layout) Receiver() string { return filepath.Join(string(l), "receiver") }

// Devices is the receiver's list of kiosks, which the opener reads too.
func (l Layout) Devices() string { return filepath.Join(l.Receiver(), "devices") }

// Opener holds the opening keys and the view log.
func (l Layout) Opener() string { return filepath.Join(string(l), "opener") }

// Records is the database of the receiver.
func (l Layout) Records() string { return filepath.Join(string(l), "store", "records.sqlite") }

// Views is the view log of the opener.
func (l Layout) Views() string { return filepath.Join(l.Opener(), "views.sqlite") }

// FileReceiptKey is the receiver's private receipt key.
const FileReceiptKey = "receipt.key.pem"

// Init makes what is missing.
func Init(o Options) error {
	if !record.ValidDevice(o.Kiosk) {
		return fmt.Errorf("setup: %q is no device name: a-z, 0-9 and inner hyphens, at most 64", o.Kiosk)
	}
	if o.Bundle == "" {
		o.Bundle = filepath.Join(o.Dir, "kiosk")
	}
	l := Layout(o.Dir)
	for _, d := range []string{o.Dir, l.CA(), l.Receiver(), l.Devices(), l.Opener(), filepath.Dir(l.Records()), o.Bundle} {
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
	return errors.Join(
		ca.issue(filepath.Join(l.Receiver(), "server.crt.pem"), filepath.Join(l.Receiver(), "server.key.pem"), serverName, true, o.Now),
		ca.issue(filepath.Join(o.Bundle, sync.FileCert), filepath.Join(o.Bundle, sync.FileKey), o.Kiosk, false, o.Now),
		receiptKey(l, o.Bundle),
		openingKeys(l, o),
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

// receiptKey makes HQ's Ed25519 key and gives its public half to receiver, opener and kiosk.
func receiptKey(l Layout, bundle string) error {
	key, err := loadOrMakeKey(filepath.Join(l.Receiver(), FileReceiptKey), func() (any, error) {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	})
	if err != nil {
		return err
	}
	k, ok := key.(ed25519.PrivateKey)
	if !ok {
		return errors.New("setup: the receipt key is not Ed25519")
	}
	pub, ok := k.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("setup: the receipt key is not Ed25519")
	}
	raw, err := toml.Marshal(sync.ReceiptFile{Version: 1, Key: []sync.ReceiptFileKey{{ID: ReceiptKeyID(pub), Public: base64.StdEncoding.EncodeToString(pub)}}})
	if err != nil {
		return err
	}
	return writeAll(sync.FileReceipts, raw, l.Receiver(), l.Opener(), bundle)
}

// ReceiptKeyID names a receipt key by its public bytes.
func ReceiptKeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return "receipt-" + hex.EncodeToString(sum[:5])
}

// openingKeys makes one key pair per part: private ones for the opener only, public ones for receiver and kiosk.
func openingKeys(l Layout, o Options) error {
	var keys []seal.Key
	for _, p := range record.Parts() {
		path := filepath.Join(l.Opener(), opener.FileOf(p))
		pub, err := opener.PublicOf(path)
		if errors.Is(err, os.ErrNotExist) {
			var file []byte
			if file, pub, err = opener.Generate(p, o.Now.Add(sealLife).Truncate(time.Second)); err == nil {
				err = writeNew(path, file)
				clear(file)
			}
		}
		if err != nil {
			return err
		}
		keys = append(keys, pub)
	}
	set, err := seal.NewPublicKeys(keys)
	if err != nil {
		return err
	}
	raw, err := set.Marshal()
	if err != nil {
		return err
	}
	return writeAll(sync.FileSealKeys, raw, l.Receiver(), o.Bundle)
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
