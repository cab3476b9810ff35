package trust

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes a directory of the form that Load reads. d.Path must not exist yet, or be empty; keys are public,
// so the files are readable by all.
func (d *Dir) Write() error {
	if left, err := os.ReadDir(d.Path); err == nil && len(left) > 0 {
		return fmt.Errorf("trust: %s is not empty", d.Path)
	}
	for _, folder := range []string{folderSign, folderAuth, folderSurface} {
		if err := os.MkdirAll(filepath.Join(d.Path, folder), 0o755); err != nil { //nolint:gosec // public keys
			return fmt.Errorf("trust: %w", err)
		}
	}
	for folder, certs := range map[string][]*x509.Certificate{folderSign: d.JPKISign, folderAuth: d.JPKIAuth} {
		for i, c := range certs {
			name := fmt.Sprintf("ca-%d%s", i+1, suffix)
			if err := d.write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), folder, name); err != nil {
				return err
			}
		}
	}
	for _, k := range d.Surface {
		der, err := x509.MarshalPKIXPublicKey(k.Key)
		if err != nil {
			return fmt.Errorf("trust: %w", err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		if err := d.write(text, folderSurface, hex.EncodeToString(k.KeyID)+suffix); err != nil {
			return err
		}
	}
	text, err := json.Marshal(head{Name: d.Name, Kind: d.Kind})
	if err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	return d.write(append(text, '\n'), fileHead) // last: a directory that is half written does not load
}

func (d *Dir) write(content []byte, name ...string) error {
	path := filepath.Join(append([]string{d.Path}, name...)...)
	if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // public keys
		return fmt.Errorf("trust: %w", err)
	}
	return nil
}
