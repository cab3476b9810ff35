package enroll

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"

	"madoguchi/internal/secret"
	"madoguchi/storage/devicekey"
	"madoguchi/storage/record"
	"madoguchi/storage/sync"
)

// Options of Enroll. TPM, Trust.Root and Group may be empty.
type Options struct {
	URL    string
	Device string
	Trust  Trust
	Code   *secret.Bytes
	Dir    string // the bundle directory; its parent exists
	TPM    string // e.g. /dev/tpmrm0: both keys are made in it; empty: in files
	Group  int    // of the files, which get mode 0640 then; 0: 0600
	Now    func() time.Time
}

// Result says what was enrolled. Nothing in it is secret.
type Result struct {
	Device   string
	NotAfter time.Time // of the certificate
	Root     [32]byte  // fingerprint of HQ's root, to compare with what hqd prints
	TPM      bool
	Kept     bool // the device key of an earlier bundle was kept
}

// Enroll makes the keys, asks HQ, checks the answer and puts the bundle in place: whole or not at all. A bundle of the
// same device that is there is replaced, and its device key kept where it is of the same kind, so that what lies in the
// queue stays signed by the device's key.
func Enroll(ctx context.Context, o Options) (*Result, error) {
	if !record.ValidDevice(o.Device) {
		return nil, fmt.Errorf("enroll: %q is no device name: a-z, 0-9 and inner hyphens, at most 64", o.Device)
	}
	c, err := newCaller(o.URL, o.Trust, o.Now)
	if err != nil {
		return nil, err
	}
	k, err := o.makeKeys()
	if err != nil {
		return nil, err
	}
	defer k.close()
	req, err := NewRequest(o.Device, o.Code, k.tls, k.device)
	if err != nil {
		return nil, err
	}
	defer req.Wipe()
	body, err := req.Encode()
	if err != nil {
		return nil, err
	}
	defer clear(body)
	raw, err := c.do(ctx, "POST", PathEnroll, body, nil)
	if err != nil {
		return nil, err
	}
	a, err := accept(raw, o.Device, publicKey{k.tls}, o.Now())
	if err != nil {
		return nil, err
	}
	if o.Trust.Root != [32]byte{} && a.root.Fingerprint() != o.Trust.Root {
		return nil, fmt.Errorf("%w: another root than the pinned one", ErrServer)
	}
	if err := o.write(a, k, c.ca); err != nil {
		return nil, err
	}
	return &Result{Device: o.Device, NotAfter: a.leaf.NotAfter, Root: a.root.Fingerprint(), TPM: k.tpm != nil, Kept: k.kept}, nil
}

// publicKey compares a signer's key with any other.
type publicKey struct{ devicekey.Key }

// Equal says whether x is the signer's public key.
func (p publicKey) Equal(x any) bool {
	pub, ok := p.Public().(*ecdsa.PublicKey)
	return ok && pub.Equal(x)
}

type keys struct {
	tls, device devicekey.Key
	tpm         *devicekey.TPM
	kept        bool
}

func (k *keys) close() {
	if k.tpm != nil {
		k.tpm.Close()
	}
}

// makeKeys makes both keys, or keeps the device key of the bundle that is there.
func (o *Options) makeKeys() (_ *keys, err error) {
	k := &keys{}
	create := devicekey.NewFile
	if o.TPM != "" {
		if k.tpm, err = devicekey.OpenTPM(o.TPM, 0); err != nil {
			return nil, err
		}
		create = k.tpm.Create
	}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	if k.device, err = o.formerKey(k.tpm); err != nil {
		return nil, err
	}
	k.kept = k.device != nil
	if !k.kept {
		if k.device, err = create(); err != nil {
			return nil, err
		}
	}
	k.tls, err = create()
	return k, err
}

// formerKey loads the device key of a bundle that is there; nil when there is none of the kind that is wanted, or when
// it belongs to another TPM.
func (o *Options) formerKey(tpm *devicekey.TPM) (devicekey.Key, error) {
	cfg, err := sync.ReadBundleConfig(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		if entries, err := os.ReadDir(o.Dir); err == nil && len(entries) > 0 {
			return nil, fmt.Errorf("enroll: %s is there and is no bundle", o.Dir)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if cfg.Device != o.Device {
		return nil, fmt.Errorf("enroll: %s is the bundle of %q; choose another place for %q", o.Dir, cfg.Device, o.Device)
	}
	raw, err := os.ReadFile(filepath.Join(o.Dir, sync.FileDeviceKey))
	if errors.Is(err, fs.ErrNotExist) { // delivered from elsewhere: a new one is made
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if devicekey.IsTPM(raw) != (tpm != nil) {
		clear(raw)
		return nil, nil
	}
	key, err := devicekey.Parse(raw, func() (*devicekey.TPM, error) { return tpm, nil })
	if errors.Is(err, devicekey.ErrForeign) || errors.Is(err, devicekey.ErrKey) {
		return nil, nil
	}
	return key, err
}

// write makes the bundle beside its place and exchanges the two in one step.
func (o *Options) write(a *accepted, k *keys, ca []*x509.Certificate) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".enroll-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	files, err := o.files(a, k, ca)
	if err != nil {
		return err
	}
	for name, data := range files {
		err := o.writeFile(filepath.Join(tmp, name), data)
		clear(data)
		if err != nil {
			return err
		}
	}
	if o.Group != 0 {
		if err := errors.Join(os.Chown(tmp, -1, o.Group), os.Chmod(tmp, 0o750)); err != nil { //nolint:gosec // the group that runs the kiosk
			return err
		}
	}
	if err := syncDir(tmp); err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
		if err != nil {
			return fmt.Errorf("enroll: %s cannot be exchanged: %w", dir, err)
		}
	} else if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func (o *Options) files(a *accepted, k *keys, ca []*x509.Certificate) (map[string][]byte, error) {
	var cas bytes.Buffer
	for _, c := range ca {
		if err := pem.Encode(&cas, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			return nil, err
		}
	}
	u, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	cfg, err := toml.Marshal(sync.BundleConfig{Version: 1, Device: o.Device, URL: u.String(), TPM: o.TPM})
	if err != nil {
		return nil, err
	}
	tlsKey, err := k.tls.PEM()
	if err != nil {
		return nil, err
	}
	deviceKey, err := k.device.PEM()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		sync.FileConfig: cfg, sync.FileCA: cas.Bytes(), sync.FileCert: a.chain, sync.FileKey: tlsKey, sync.FileDeviceKey: deviceKey,
		sync.FileRoot: a.root.PEM(), sync.FileKeys: a.keys,
	}, nil
}

func (o *Options) writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // below our own directory
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if o.Group != 0 {
		err = errors.Join(err, f.Chown(-1, o.Group), f.Chmod(0o640))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // our own directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
