// Package trust loads the public keys that others are measured by: the card issuer's keys for the offline proof of
// the card's face. The official keys come to the operator by J-LIS's disclosure procedure; none is built in. Only
// daemon/kioskd and daemon/kioskctl import it.
package trust

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/hardware/card"
)

type file struct {
	Issuer []issuer `toml:"issuer"`
}

type issuer struct {
	KeyID    string `toml:"key_id"`   // 16 bytes, hex
	Modulus  string `toml:"modulus"`  // hex
	Exponent int    `toml:"exponent"` // 65537
	Source   string `toml:"source"`   // where it came from, e.g. the disclosure document
}

// ErrVirtual is given for an issuer key whose id is that of the virtual cards: such keys are never loaded from a file.
var ErrVirtual = errors.New("trust: a virtual issuer key (its id starts with 9) is not accepted from a file")

// Load reads an issuer file, strictly.
func Load(path string) ([]card.IssuerKey, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

// Parse is Load on bytes.
func Parse(b []byte) ([]card.IssuerKey, error) {
	var f file
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	var keys []card.IssuerKey
	for i, one := range f.Issuer {
		k, err := one.key()
		if err != nil {
			return nil, fmt.Errorf("trust: issuer %d: %w", i+1, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (i issuer) key() (card.IssuerKey, error) {
	id, err := hex.DecodeString(i.KeyID)
	if err != nil || len(id) != 16 {
		return card.IssuerKey{}, errors.New("key_id is not 16 bytes in hex")
	}
	if id[0] == '9' {
		return card.IssuerKey{}, ErrVirtual
	}
	n, err := hex.DecodeString(i.Modulus)
	if err != nil || len(n) != 256 || n[0] < 0x80 {
		return card.IssuerKey{}, errors.New("modulus is not 2048 bits in hex")
	}
	if i.Exponent != 65537 {
		return card.IssuerKey{}, errors.New("exponent is not 65537")
	}
	if i.Source == "" {
		return card.IssuerKey{}, errors.New("source is missing")
	}
	return card.IssuerKey{KeyID: id, Key: &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: i.Exponent}}, nil
}
