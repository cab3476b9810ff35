package sync

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/storage/devicekey"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/wire"
)

// Names of the files in a bundle, and of two that HQ has.
const (
	FileConfig    = "kiosk.toml"
	FileCA        = "ca.crt.pem"
	FileCert      = "kiosk.crt.pem"  // the kiosk's certificate and its issuer's
	FileKey       = "kiosk.key.pem"  // its key; in a file or in the TPM
	FileDeviceKey = "device.key.pem" // the signing key; in a file or in the TPM
	FileRoot      = "root.pub.pem"   // HQ's offline root
	FileKeys      = "keys.json"      // HQ's keys, signed by the root
	FileSealKeys  = "keys.toml"      // HQ only: the sealing keys of keys.json, for the receiver
	FileReceipts  = "receipt.toml"   // HQ only: the receipt keys of keys.json, for the opener
)

// Bundle is what a kiosk got from HQ at enrolment: who it is, where HQ is, and the keys of both.
type Bundle struct {
	Device   string
	URL      string
	TLS      *tls.Config // the kiosk's certificate, HQ's CA, TLS 1.3
	Keys     *seal.PublicKeys
	Receipts wire.ReceiptKeys
	Signer   crypto.Signer // the device key, ECDSA P-256; signs envelope headers, checkpoints and enrolment proofs
	Root     *seal.Root
	List     []byte         // the signed key list of the enrolment; OpenKeys takes newer ones
	TPM      *devicekey.TPM // nil when no key is in one
}

// BundleConfig is kiosk.toml.
type BundleConfig struct {
	Version int    `toml:"version"`
	Device  string `toml:"device"`
	URL     string `toml:"url"`
	TPM     string `toml:"tpm,omitempty"` // e.g. /dev/tpmrm0; needed when a key is in one
}

// ReceiptFile is receipt.toml: HQ's public receipt keys.
type ReceiptFile struct {
	Version int              `toml:"version"`
	Key     []ReceiptFileKey `toml:"key"`
}

// ReceiptFileKey is one Ed25519 public key in base64.
type ReceiptFileKey struct {
	ID     string `toml:"id"`
	Public string `toml:"public"`
}

// LoadBundle reads a bundle directory. It is strict: an unknown field or a key that does not fit is an error.
func LoadBundle(dir string) (*Bundle, error) {
	return LoadBundleWith(dir, func(file string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, file)) })
}

// LoadBundleWith is LoadBundle with the two private keys (FileKey, FileDeviceKey) from elsewhere. What private gives
// is wiped.
func LoadBundleWith(dir string, private func(file string) ([]byte, error)) (*Bundle, error) {
	cfg, err := ReadBundleConfig(dir)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Device: cfg.Device, URL: cfg.URL}
	if err := b.loadKeys(dir); err != nil {
		return nil, err
	}
	if err := b.loadPrivate(dir, cfg, private); err != nil {
		if b.TPM != nil {
			b.TPM.Close()
		}
		return nil, err
	}
	return b, nil
}

// ReadBundleConfig reads kiosk.toml.
func ReadBundleConfig(dir string) (BundleConfig, error) {
	var cfg BundleConfig
	if err := readTOML(filepath.Join(dir, FileConfig), &cfg); err != nil {
		return BundleConfig{}, err
	}
	if cfg.Version != 1 || !record.ValidDevice(cfg.Device) || !strings.HasPrefix(cfg.URL, "https://") {
		return BundleConfig{}, fmt.Errorf("sync: %s: version 1, a device name and an https URL are needed", FileConfig)
	}
	return cfg, nil
}

// loadKeys reads the root and the list that it signed.
func (b *Bundle) loadKeys(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, FileRoot))
	if err != nil {
		return err
	}
	if b.Root, err = seal.ParseRoot(raw); err != nil {
		return fmt.Errorf("sync: %s: %w", FileRoot, err)
	}
	if b.List, err = os.ReadFile(filepath.Join(dir, FileKeys)); err != nil {
		return err
	}
	list, err := seal.VerifyList(b.List, b.Root)
	if err != nil {
		return fmt.Errorf("sync: %s: %w", FileKeys, err)
	}
	b.Receipts = ReceiptKeysOf(list.Receipts)
	b.Keys, err = seal.NewPublicKeys(list.Keys)
	return err
}

// loadPrivate reads the two keys and the certificate.
func (b *Bundle) loadPrivate(dir string, cfg BundleConfig, private func(file string) ([]byte, error)) error {
	open := func() (t *devicekey.TPM, err error) {
		if b.TPM == nil {
			if cfg.TPM == "" {
				return nil, devicekey.ErrNoTPM
			}
			b.TPM, err = devicekey.OpenTPM(cfg.TPM, 0)
		}
		return b.TPM, err
	}
	raw, err := private(FileDeviceKey)
	if err != nil {
		return err
	}
	if b.Signer, err = devicekey.Parse(raw, open); err != nil {
		return fmt.Errorf("sync: the device key: %w", err)
	}
	if raw, err = private(FileKey); err != nil {
		return err
	}
	key, err := devicekey.Parse(raw, open)
	if err != nil {
		return fmt.Errorf("sync: the certificate's key: %w", err)
	}
	b.TLS, err = loadTLS(dir, cfg.Device, key)
	return err
}

// OpenKeys opens the store of key lists at path (a file in the state directory) with the bundle's list as the first.
// From then on Keys are the store's, which change when it takes a newer list; the caller renews Receipts from
// ReceiptKeysOf(store.Receipts()) after each change.
func (b *Bundle) OpenKeys(path string) (*seal.Store, error) {
	s, err := seal.OpenStore(path, b.Root, b.List)
	if err != nil {
		return nil, err
	}
	b.Keys, b.Receipts = s.Public(), ReceiptKeysOf(s.Receipts())
	return s, nil
}

// ReceiptKeysOf puts the receipt keys of a list into the form that verifies receipts.
func ReceiptKeysOf(keys []seal.ReceiptKey) wire.ReceiptKeys {
	out := wire.ReceiptKeys{}
	for _, k := range keys {
		out[k.ID] = k.Public
	}
	return out
}

// Client makes the HTTP client for HQ: mutual TLS, one connection.
func (b *Bundle) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: b.TLS.Clone(), ForceAttemptHTTP2: true, MaxConnsPerHost: 1,
		IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: time.Minute,
	}}
}

// LoadReceiptKeys reads receipt.toml.
func LoadReceiptKeys(path string) (wire.ReceiptKeys, error) {
	var f ReceiptFile
	if err := readTOML(path, &f); err != nil {
		return nil, err
	}
	if f.Version != 1 || len(f.Key) == 0 {
		return nil, fmt.Errorf("sync: %s: version 1 and a key are needed", filepath.Base(path))
	}
	keys := wire.ReceiptKeys{}
	for _, k := range f.Key {
		raw, err := base64.StdEncoding.Strict().DecodeString(k.Public)
		if err != nil || len(raw) != ed25519.PublicKeySize || !seal.ValidKeyID(k.ID) || keys[k.ID] != nil {
			return nil, fmt.Errorf("sync: receipt key %q is malformed or there twice", k.ID)
		}
		keys[k.ID] = raw
	}
	return keys, nil
}

func loadTLS(dir, device string, key crypto.Signer) (*tls.Config, error) {
	ca, err := os.ReadFile(filepath.Join(dir, FileCA))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("sync: %s holds no certificate", FileCA)
	}
	chain, err := os.ReadFile(filepath.Join(dir, FileCert))
	if err != nil {
		return nil, err
	}
	cert, err := Certificate(chain, key, device)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: []tls.Certificate{cert}}, nil
}

// maxChain bounds the certificates of a chain.
const maxChain = 4

// Certificate joins a PEM chain, leaf first, with its key, and checks that the leaf is of this key and this device.
func Certificate(chain []byte, key crypto.Signer, device string) (tls.Certificate, error) {
	out := tls.Certificate{PrivateKey: key}
	for len(bytes.TrimSpace(chain)) > 0 {
		block, rest := pem.Decode(chain)
		if block == nil || block.Type != "CERTIFICATE" || len(out.Certificate) == maxChain {
			return tls.Certificate{}, errors.New("sync: the kiosk's certificate is malformed")
		}
		out.Certificate = append(out.Certificate, block.Bytes)
		chain = rest
	}
	if len(out.Certificate) == 0 {
		return tls.Certificate{}, errors.New("sync: the kiosk has no certificate")
	}
	leaf, err := x509.ParseCertificate(out.Certificate[0])
	if err != nil {
		return tls.Certificate{}, errors.New("sync: the kiosk's certificate is malformed")
	}
	pub, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !pub.Equal(key.Public()) {
		return tls.Certificate{}, errors.New("sync: the kiosk's certificate is not of its key")
	}
	if leaf.Subject.CommonName != device {
		return tls.Certificate{}, fmt.Errorf("sync: the certificate is for %q, not for %q", leaf.Subject.CommonName, device)
	}
	out.Leaf = leaf
	return out, nil
}

func readTOML(path string, into any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(into); err != nil {
		return fmt.Errorf("sync: %s: %w", filepath.Base(path), err)
	}
	return nil
}
