package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	keyfile "madoguchi/daemon/credential"
	"madoguchi/daemon/doctor"
	"madoguchi/storage/devicekey"
	"madoguchi/storage/enroll"
	"madoguchi/storage/sync"
)

// unitCredentials is where the running unit has its private keys.
const unitCredentials = "/run/credentials/madoguchi-kioskd.service"

// wayToHQ gives the TLS settings that kioskd uses, with the newest certificate; without one when the private key cannot
// be read, because this is not root or the key is sealed and the unit does not run.
func wayToHQ(dir, state string) (doctor.Client, func(), error) {
	nothing := func() {}
	cfg, err := sync.ReadBundleConfig(dir)
	if err != nil {
		return doctor.Client{}, nothing, err
	}
	var private error
	b, err := sync.LoadBundleWith(dir, func(file string) (raw []byte, err error) {
		raw, err = privateKey(dir, file)
		private = errors.Join(private, err)
		return raw, err
	})
	switch {
	case private != nil, errors.Is(err, fs.ErrPermission):
		t, err := withoutKey(dir)
		return doctor.Client{URL: cfg.URL, TLS: t}, nothing, err
	case err != nil:
		return doctor.Client{}, nothing, err
	}
	release := nothing
	if b.TPM != nil {
		release = b.TPM.Close
	}
	c := doctor.Client{URL: b.URL, TLS: b.TLS, Certified: true}
	renewed, err := renewedCertificate(filepath.Join(state, enroll.FileRenewed), b)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrPermission): // it may be the one that counts
		c.TLS.Certificates, c.Certified = nil, false
	case err != nil:
		release()
		return doctor.Client{}, nothing, err
	case renewed.Leaf.NotBefore.After(b.TLS.Certificates[0].Leaf.NotBefore):
		c.TLS.Certificates = []tls.Certificate{*renewed}
	}
	return c, release, nil
}

// privateKey reads a key of the bundle, or what the running unit was given of it.
func privateKey(dir, file string) ([]byte, error) {
	name := keyfile.DeviceKey
	if file == sync.FileKey {
		name = keyfile.KioskTLS
	}
	raw, err := keyfile.FromEnvironment().Read(name, filepath.Join(unitCredentials, name))
	if errors.Is(err, fs.ErrNotExist) {
		return keyfile.Source{}.Read(name, filepath.Join(dir, file))
	}
	return raw, err
}

// withoutKey knows HQ and is nobody.
func withoutKey(dir string) (*tls.Config, error) {
	raw, err := os.ReadFile(filepath.Join(dir, sync.FileCA)) //nolint:gosec // named by the configuration
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s holds no certificate", sync.FileCA)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool}, nil
}

// maxRenewed bounds the file with the renewed certificate.
const maxRenewed = 64 << 10

// renewedCertificate reads the key and the chain that kioskd has renewed.
func renewedCertificate(path string, b *sync.Bundle) (*tls.Certificate, error) {
	raw, err := keyfile.Source{}.Read(enroll.FileRenewed, path)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	block, chain := pem.Decode(raw)
	if block == nil || len(raw) > maxRenewed {
		return nil, devicekey.ErrKey
	}
	defer clear(block.Bytes)
	key, err := devicekey.Parse(pem.EncodeToMemory(block), func() (*devicekey.TPM, error) {
		if b.TPM == nil {
			return nil, devicekey.ErrNoTPM
		}
		return b.TPM, nil
	})
	if err != nil {
		return nil, err
	}
	cert, err := sync.Certificate(chain, key, b.Device)
	return &cert, err
}
