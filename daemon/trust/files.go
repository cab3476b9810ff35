package trust

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"madoguchi/hardware/card"
)

// The names in a directory.
const (
	fileHead      = "trust.json"
	folderSign    = "jpki-sign"
	folderAuth    = "jpki-auth"
	folderSurface = "surface"
	suffix        = ".pem"
)

const (
	maxFile = 64 << 10 // a certificate takes 2 KiB
	minBits = 2048
	keyID   = 16
)

// readSmall reads a file that must not be large.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %w: no file, or a large one", path, ErrForm)
	}
	return os.ReadFile(path) //nolint:gosec // the operator names the directory
}

// pems lists the *.pem files of a folder; a missing folder has none, any other name is an error.
func pems(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if e.IsDir() || !strings.HasSuffix(e.Name(), suffix) {
			return nil, fmt.Errorf("%s: %w: only *%s files belong here", path, ErrForm, suffix)
		}
		out = append(out, path)
	}
	return out, nil
}

// block reads the one PEM block of a file. Text before it is allowed (openssl writes some), text behind it is not.
func block(path, kind string) ([]byte, error) {
	raw, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	b, rest := pem.Decode(raw)
	if b == nil || b.Type != kind || len(b.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s: %w: it must hold exactly one PEM block %q", path, ErrForm, kind)
	}
	return b.Bytes, nil
}

// authorities reads the CA certificates of a folder.
func authorities(folder string) ([]*x509.Certificate, error) {
	files, err := pems(folder)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for _, path := range files {
		der, err := block(path, "CERTIFICATE")
		if err != nil {
			return nil, err
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path, ErrForm, err)
		}
		key, isRSA := c.PublicKey.(*rsa.PublicKey)
		if !c.IsCA || !c.BasicConstraintsValid || c.KeyUsage&x509.KeyUsageCertSign == 0 || !isRSA || key.N.BitLen() < minBits {
			return nil, fmt.Errorf("%s: %w: not a CA certificate with an RSA key of %d bits or more", path, ErrForm, minBits)
		}
		out = append(out, c)
	}
	return out, nil
}

// surfaceKeys reads the issuer keys of a folder and keeps the worlds apart.
func surfaceKeys(folder string, kind Kind) ([]card.IssuerKey, error) {
	files, err := pems(folder)
	if err != nil {
		return nil, err
	}
	var out []card.IssuerKey
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), suffix)
		id, err := hex.DecodeString(name)
		if err != nil || len(id) != keyID || name != hex.EncodeToString(id) {
			return nil, fmt.Errorf("%s: %w: the name must be the key id, %d hex digits in lower case", path, ErrForm, 2*keyID)
		}
		if kind == Production && testKey(id) || kind == Test && id[0] == '5' {
			return nil, fmt.Errorf("%s: %w", path, ErrMixed)
		}
		der, err := block(path, "PUBLIC KEY")
		if err != nil {
			return nil, err
		}
		k, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path, ErrForm, err)
		}
		key, isRSA := k.(*rsa.PublicKey)
		if !isRSA || key.N.BitLen() < minBits || key.E != 65537 {
			return nil, fmt.Errorf("%s: %w: not an RSA key of %d bits or more with exponent 65537", path, ErrForm, minBits)
		}
		out = append(out, card.IssuerKey{KeyID: id, Key: key})
	}
	return out, nil
}

// testKey tells by its id whether an issuer key is for virtual cards (9) or J-LIS's test environment (6).
func testKey(id []byte) bool { return len(id) == keyID && (id[0] == '9' || id[0] == '6') }

// NamesTestIssuer tells whether an issuer key id, in hex as in card.Proof, is one of the test worlds' by its form. It
// is what a card says of itself and proves nothing: a reason to treat a card as a test card, none to believe it.
func NamesTestIssuer(id string) bool {
	raw, err := hex.DecodeString(id)
	return err == nil && testKey(raw)
}
