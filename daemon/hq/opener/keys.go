// Package opener is the role of HQ that holds opening keys: it opens the parts it has keys for and verifies all that
// can be verified of a stored record. It runs in a process of its own, so that a receiver that is broken into opens
// nothing (duty 10). Only daemon/hq/... and daemon/hqd may import it; the kiosk never.
package opener

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Keys are opening keys from files, one per purpose and generation: the demo's key store. They are never logged and have
// no text form.
type Keys struct {
	parts []record.Part
	read  func(name string) ([]byte, error) // later generations; nil: none

	mu   sync.Mutex
	byID map[string]openingKey
}

type openingKey struct {
	part record.Part
	key  hpke.PrivateKey
}

type privateFile struct {
	Version  int       `toml:"version"`
	ID       string    `toml:"id"`
	Part     string    `toml:"part"`
	Suite    int       `toml:"suite,omitempty"` // HPKE id of the mechanism; 0: the default one
	NotAfter time.Time `toml:"not_after"`
	Private  string    `toml:"private"`
}

// FileOf is the name of the file with the opening key of a part.
func FileOf(p record.Part) string { return string(p) + ".key.toml" }

// GenerationFile is the name of the file with a later opening key of a part.
func GenerationFile(p record.Part, keyID string) string { return string(p) + "." + keyID + ".key.toml" }

// Generate makes a key pair of the default suite for a part: the bytes of the private file and the public key. The
// caller wipes file.
func Generate(p record.Part, notAfter time.Time) (file []byte, pub seal.Key, err error) {
	return GenerateOf(seal.KEM(), p, notAfter)
}

// GenerateOf is Generate with one of the mechanisms of seal.KEMOf.
func GenerateOf(kem hpke.KEM, p record.Part, notAfter time.Time) (file []byte, pub seal.Key, err error) {
	priv, err := kem.GenerateKey()
	if err != nil {
		return nil, seal.Key{}, err
	}
	raw, err := priv.Bytes()
	if err != nil {
		return nil, seal.Key{}, err
	}
	defer clear(raw)
	pub = seal.Key{ID: KeyID(p, priv.PublicKey()), Part: p, NotAfter: notAfter.UTC(), Public: priv.PublicKey()}
	f := privateFile{Version: 1, ID: pub.ID, Part: string(p), NotAfter: pub.NotAfter, Private: base64.StdEncoding.EncodeToString(raw)}
	if kem.ID() != seal.KEM().ID() {
		f.Suite = int(kem.ID())
	}
	file, err = toml.Marshal(f)
	return file, pub, err
}

// KeyID names a key by its purpose and its public bytes, so that two installations never share an id.
func KeyID(p record.Part, pub hpke.PublicKey) string {
	sum := sha256.Sum256(pub.Bytes())
	name := string(bytes.ReplaceAll([]byte(p), []byte("_"), []byte("-")))
	return name + "-" + hex.EncodeToString(sum[:5])
}

// errFile says no details: they would quote the file.
var errFile = errors.New("opener: malformed key file")

// parseFile reads a private file.
func parseFile(raw []byte) (seal.Key, hpke.PrivateKey, error) {
	var f privateFile
	if toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&f) != nil || f.Version != 1 || f.Suite < 0 || f.Suite > 0xffff {
		return seal.Key{}, nil, errFile
	}
	kem := seal.KEM()
	if f.Suite != 0 {
		var err error
		if kem, err = seal.KEMOf(uint16(f.Suite)); err != nil { //nolint:gosec // bounded above
			return seal.Key{}, nil, err
		}
	}
	b, err := base64.StdEncoding.Strict().DecodeString(f.Private)
	if err != nil {
		return seal.Key{}, nil, errFile
	}
	defer clear(b)
	priv, err := kem.NewPrivateKey(b)
	if err != nil {
		return seal.Key{}, nil, errFile
	}
	return seal.Key{ID: f.ID, Part: record.Part(f.Part), NotAfter: f.NotAfter, Public: priv.PublicKey()}, priv, nil
}

// PublicOf reads the public half out of a private file, for the set-up.
func PublicOf(path string) (seal.Key, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return seal.Key{}, err
	}
	defer clear(raw)
	pub, _, err := parseFile(raw)
	return pub, err
}

// LoadKeys loads the keys of the parts that this role may open, and no others.
func LoadKeys(dir string, parts ...record.Part) (*Keys, error) {
	return LoadKeysWith(func(p record.Part) ([]byte, error) { return os.ReadFile(filepath.Join(dir, FileOf(p))) }, parts...)
}

// LoadKeysWith is LoadKeys with the key files from elsewhere. What read gives is wiped.
func LoadKeysWith(read func(record.Part) ([]byte, error), parts ...record.Part) (*Keys, error) {
	k := &Keys{parts: parts, byID: map[string]openingKey{}}
	for _, p := range parts {
		raw, err := read(p)
		if err != nil {
			return nil, err
		}
		pub, priv, err := parseFile(raw)
		clear(raw)
		if err != nil {
			return nil, err
		}
		if pub.Part != p {
			return nil, fmt.Errorf("opener: %s holds a key for %q", FileOf(p), pub.Part)
		}
		k.byID[pub.ID] = openingKey{part: p, key: priv}
	}
	return k, nil
}

// Later lets the store look for keys of later generations when they are first asked for, so that a rotation needs no
// restart. read gives a file of the opener's directory by its name (GenerationFile) and is wiped. It is called before
// the store is used.
func (k *Keys) Later(read func(name string) ([]byte, error)) { k.read = read }

// Key implements KeyStore.
func (k *Keys) Key(part record.Part, id string) (hpke.PrivateKey, error) {
	if !slices.Contains(k.parts, part) {
		return nil, ErrNoKey
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.byID[id]
	switch {
	case ok && found.part == part:
		return found.key, nil
	case ok || k.read == nil || !seal.ValidKeyID(id):
		return nil, &Unavailable{WaitUnknown}
	}
	raw, err := k.read(GenerationFile(part, id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &Unavailable{WaitUnknown}
	}
	if err != nil {
		return nil, &Unavailable{WaitUnfit}
	}
	pub, priv, err := parseFile(raw)
	clear(raw)
	if err != nil || pub.Part != part || pub.ID != id {
		return nil, &Unavailable{WaitUnfit}
	}
	k.byID[id] = openingKey{part: part, key: priv}
	return priv, nil
}

// Has says whether this role can open the sealed part.
func (k *Keys) Has(s seal.Sealed) bool {
	_, err := k.Key(s.Part, s.KeyID)
	return err == nil
}

// Open opens one sealed part of the record. The caller wipes the result.
func (k *Keys) Open(device, id string, schema int, s seal.Sealed) (*secret.Bytes, error) {
	return Open(k, device, id, schema, s)
}
