package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/storage/record"
)

// suiteName is how a key file names the suite.
const suiteName = "MLKEM768-X25519, HKDF-SHA256, AES-256-GCM"

// maxFile bounds a key file: some tens of keys.
const maxFile = 256 << 10

// keyFile is the file of public keys.
type keyFile struct {
	Version int       `toml:"version"`
	Suite   string    `toml:"suite"`
	Key     []fileKey `toml:"key"`
}

type fileKey struct {
	ID       string    `toml:"id"`
	Part     string    `toml:"part"`
	Suite    int       `toml:"suite,omitempty"` // HPKE id of the mechanism, where it is not the default one
	NotAfter time.Time `toml:"not_after"`
	Public   string    `toml:"public"`
}

// ParsePublicKeys reads the file of HQ's public keys. It is strict: an unknown field, another version or suite, a
// malformed key or an empty list is an error.
func ParsePublicKeys(b []byte) (*PublicKeys, error) {
	if len(b) > maxFile {
		return nil, errors.New("seal: the key file is too large")
	}
	var f keyFile
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	if f.Version != 1 || f.Suite != suiteName {
		return nil, fmt.Errorf("seal: key file of version %d and suite %q is not supported", f.Version, f.Suite)
	}
	if len(f.Key) == 0 {
		return nil, errors.New("seal: the key file has no keys")
	}
	keys := make([]Key, 0, len(f.Key))
	for _, k := range f.Key {
		raw, err := base64.StdEncoding.Strict().DecodeString(k.Public)
		if err != nil {
			return nil, fmt.Errorf("seal: key %q is not base64", k.ID)
		}
		kem := KEM()
		if k.Suite != 0 {
			if kem, err = KEMOf(uint16(min(max(k.Suite, 0), math.MaxUint16))); err != nil { //nolint:gosec // bounded here
				return nil, fmt.Errorf("seal: key %q: %w", k.ID, err)
			}
		}
		pub, err := kem.NewPublicKey(raw)
		if err != nil {
			return nil, fmt.Errorf("seal: key %q is malformed", k.ID)
		}
		keys = append(keys, Key{ID: k.ID, Part: record.Part(k.Part), NotAfter: k.NotAfter, Public: pub})
	}
	return NewPublicKeys(keys)
}

// Marshal writes the file that ParsePublicKeys reads.
func (p *PublicKeys) Marshal() ([]byte, error) {
	f := keyFile{Version: 1, Suite: suiteName}
	for _, k := range p.list() {
		key := fileKey{ID: k.ID, Part: string(k.Part), NotAfter: k.NotAfter.UTC(), Public: base64.StdEncoding.EncodeToString(k.Public.Bytes())}
		if k.Suite() != KEM().ID() {
			key.Suite = int(k.Suite())
		}
		f.Key = append(f.Key, key)
	}
	return toml.Marshal(f)
}
