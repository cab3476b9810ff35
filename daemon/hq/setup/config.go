package setup

import (
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"time"

	"madoguchi/storage/seal"
	"madoguchi/storage/settings"
)

// fileSignedConfig is the last configuration bundle that the root signed.
const fileSignedConfig = "signed-config.json"

// SignConfig gives a configuration bundle its time of issue and the root's signature. It never signs two bundles of one
// version, nor an older one; version 0 becomes the next one.
func SignConfig(rootDir string, b *settings.Bundle, now time.Time) ([]byte, error) {
	key, err := LoadKey(filepath.Join(rootDir, fileRootKey))
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, seal.ErrRoot
	}
	root, err := seal.NewRoot(signer.Public())
	if err != nil {
		return nil, err
	}
	var before int64
	last, err := os.ReadFile(filepath.Join(rootDir, fileSignedConfig)) //nolint:gosec // the operator names the directory
	if err == nil {
		seen, err := settings.Verify(last, root)
		if err != nil {
			return nil, err
		}
		before = seen.Version
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if b.Version == 0 {
		b.Version = before + 1
	}
	if b.Version <= before {
		return nil, ErrVersion
	}
	b.Issued = now.UTC().Truncate(time.Millisecond)
	raw, err := b.Sign(signer)
	if err != nil {
		return nil, err
	}
	return raw, replace(filepath.Join(rootDir, fileSignedConfig), raw, 0o600)
}
