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
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Errors of opening.
var (
	ErrNoKey = errors.New("opener: this role has no key for the part")
	ErrOpen  = errors.New("opener: the part does not open: it is not what was sealed for this record")
)

// Keys are opening keys, one per purpose and generation. They are never logged and have no text form.
type Keys struct{ byID map[string]openingKey }

type openingKey struct {
	part record.Part
	key  hpke.PrivateKey
}

type privateFile struct {
	Version  int       `toml:"version"`
	ID       string    `toml:"id"`
	Part     string    `toml:"part"`
	NotAfter time.Time `toml:"not_after"`
	Private  string    `toml:"private"`
}

// FileOf is the name of the file with the opening key of a part.
func FileOf(p record.Part) string { return string(p) + ".key.toml" }

// Generate makes a key pair for a part: the bytes of the private file and the public key. The caller wipes file.
func Generate(p record.Part, notAfter time.Time) (file []byte, pub seal.Key, err error) {
	priv, err := seal.KEM().GenerateKey()
	if err != nil {
		return nil, seal.Key{}, err
	}
	raw, err := priv.Bytes()
	if err != nil {
		return nil, seal.Key{}, err
	}
	defer clear(raw)
	pub = seal.Key{ID: keyID(p, priv.PublicKey()), Part: p, NotAfter: notAfter.UTC(), Public: priv.PublicKey()}
	file, err = toml.Marshal(privateFile{
		Version: 1, ID: pub.ID, Part: string(p), NotAfter: pub.NotAfter, Private: base64.StdEncoding.EncodeToString(raw),
	})
	return file, pub, err
}

// keyID names a key by its purpose and its public bytes, so that two installations never share an id.
func keyID(p record.Part, pub hpke.PublicKey) string {
	sum := sha256.Sum256(pub.Bytes())
	name := string(bytes.ReplaceAll([]byte(p), []byte("_"), []byte("-")))
	return name + "-" + hex.EncodeToString(sum[:5])
}

// parseFile reads a private file.
func parseFile(raw []byte) (seal.Key, hpke.PrivateKey, error) {
	var f privateFile
	if toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&f) != nil || f.Version != 1 {
		return seal.Key{}, nil, errors.New("opener: malformed key file") // no details: they would quote the file
	}
	b, err := base64.StdEncoding.Strict().DecodeString(f.Private)
	if err != nil {
		return seal.Key{}, nil, errors.New("opener: malformed key file")
	}
	defer clear(b)
	priv, err := seal.KEM().NewPrivateKey(b)
	if err != nil {
		return seal.Key{}, nil, errors.New("opener: malformed key file")
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
	k := &Keys{byID: map[string]openingKey{}}
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

// Has says whether this role can open the sealed part.
func (k *Keys) Has(s seal.Sealed) bool {
	key, ok := k.byID[s.KeyID]
	return ok && key.part == s.Part
}

// Open opens one sealed part of the record. The caller wipes the result.
func (k *Keys) Open(device, id string, schema int, s seal.Sealed) (*secret.Bytes, error) {
	if !k.Has(s) {
		return nil, ErrNoKey
	}
	info := seal.Context{Device: device, Record: id, Part: s.Part, Schema: schema, KeyID: s.KeyID}.Info()
	b, err := hpke.Open(k.byID[s.KeyID].key, seal.KDF(), seal.AEAD(), info, s.Bytes)
	if err != nil {
		return nil, ErrOpen
	}
	return secret.New(b), nil
}
