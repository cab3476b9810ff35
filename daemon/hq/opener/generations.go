package opener

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"madoguchi/storage/record"
)

// GenerationFile is the name of the file with a later opening key of a part.
func GenerationFile(p record.Part, keyID string) string { return string(p) + "." + keyID + ".key.toml" }

// AddGenerations loads the later keys of the parts too (GenerationFile): what was sealed to any of them opens.
func (k *Keys) AddGenerations(dir string, parts ...record.Part) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, p := range parts {
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), string(p)+".") || !strings.HasSuffix(e.Name(), ".key.toml") || e.Name() == FileOf(p) {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			pub, priv, err := parseFile(raw)
			clear(raw)
			if err != nil {
				return err
			}
			if pub.Part != p || GenerationFile(p, pub.ID) != e.Name() {
				return fmt.Errorf("opener: %s holds another key than its name says", e.Name())
			}
			if _, twice := k.byID[pub.ID]; twice {
				return errors.New("opener: a key is there twice")
			}
			k.byID[pub.ID] = openingKey{part: p, key: priv}
		}
	}
	return nil
}
