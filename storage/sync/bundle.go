package sync

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
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

	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/wire"
)

// Names of the files in a bundle.
const (
	FileConfig    = "kiosk.toml"
	FileCA        = "ca.crt.pem"
	FileCert      = "kiosk.crt.pem"
	FileKey       = "kiosk.key.pem"
	FileDeviceKey = "device.key.pem"
	FileSealKeys  = "keys.toml"
	FileReceipts  = "receipt.toml"
)

// Bundle is what a kiosk got from HQ at enrolment: who it is, where HQ is, and the keys of both.
type Bundle struct {
	Device   string
	URL      string
	TLS      *tls.Config // the kiosk's certificate, HQ's CA, TLS 1.3
	Keys     *seal.PublicKeys
	Receipts wire.ReceiptKeys
	Signer   crypto.Signer // the device key, ECDSA P-256; signs envelope headers and nothing else
}

// BundleConfig is kiosk.toml.
type BundleConfig struct {
	Version int    `toml:"version"`
	Device  string `toml:"device"`
	URL     string `toml:"url"`
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
	var cfg BundleConfig
	if err := readTOML(filepath.Join(dir, FileConfig), &cfg); err != nil {
		return nil, err
	}
	if cfg.Version != 1 || !record.ValidDevice(cfg.Device) || !strings.HasPrefix(cfg.URL, "https://") {
		return nil, fmt.Errorf("sync: %s: version 1, a device name and an https URL are needed", FileConfig)
	}
	b := &Bundle{Device: cfg.Device, URL: cfg.URL}
	raw, err := os.ReadFile(filepath.Join(dir, FileSealKeys))
	if err != nil {
		return nil, err
	}
	if b.Keys, err = seal.ParsePublicKeys(raw); err != nil {
		return nil, err
	}
	if b.Receipts, err = LoadReceiptKeys(filepath.Join(dir, FileReceipts)); err != nil {
		return nil, err
	}
	if raw, err = private(FileDeviceKey); err != nil {
		return nil, err
	}
	if b.Signer, err = parseDeviceKey(raw); err != nil {
		return nil, err
	}
	if raw, err = private(FileKey); err != nil {
		return nil, err
	}
	b.TLS, err = loadTLS(dir, cfg.Device, raw)
	return b, err
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

func loadTLS(dir, device string, key []byte) (*tls.Config, error) {
	defer clear(key)
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
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("sync: the kiosk's certificate: %w", err)
	}
	if cert.Leaf.Subject.CommonName != device {
		return nil, fmt.Errorf("sync: the certificate is for %q, not for %q", cert.Leaf.Subject.CommonName, device)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: []tls.Certificate{cert}}, nil
}

func parseDeviceKey(raw []byte) (crypto.Signer, error) {
	defer clear(raw)
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("sync: the device key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("sync: the device key is not PKCS #8")
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, errors.New("sync: the device key is not ECDSA P-256")
	}
	return ec, nil
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
