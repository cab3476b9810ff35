// Package pki is the test PKI of the virtual cards: the issuer and municipality keys behind the card's surface
// data, the two JPKI certification authorities, and the keys of the virtual people. All private keys are
// committed under keys/, because they are worthless by design: every issuer key id starts with 9 (production: 5,
// J-LIS test: 6) and every certificate names the organisation MADOGUCHI-VIRTUAL.
//
// Only hardware/virtual/... may import it.
package pki

import (
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
)

//go:generate go run gen.go

//go:embed keys
var files embed.FS

// Surface is one of the two applications whose data the municipality signs, or another hierarchy of
// card-verifiable certificates.
type Surface string

// The surfaces.
const (
	Face Surface = "face" // 券面事項確認, 0402
	Text Surface = "text" // 券面事項入力補助, 0408

	// Chain is the upper certificate of the master file's hierarchy (GET DATA 00F8), which certifies the
	// intermediate key of id 9000021. It signs no data that we know of.
	Chain Surface = "chain"
	// Link is the lower one (GET DATA 7F21): the intermediate key certifies a last key.
	Link Surface = "link"
	// Terminal is the hierarchy of the terminals that may use the authentication key without PIN (80 A2).
	Terminal Surface = "terminal"
)

// IssuerKeyID is the 16-byte id of the issuer key: 7 digits, 08 05, 3 digits, 4 bytes.
func (s Surface) IssuerKeyID() []byte {
	issuer, _ := s.ids()
	return keyID(issuer)
}

// SubjectKeyID is the id of the key that the issuer certifies, for Face and Text a municipality's.
func (s Surface) SubjectKeyID() []byte {
	_, subject := s.ids()
	return keyID(subject)
}

// ids are the last two digits of the numbers of both keys, as in J-LIS's own hierarchies. Only the subject of a
// terminal's certificate is made up.
func (s Surface) ids() (issuer, subject string) {
	switch s {
	case Face:
		return "23", "24"
	case Chain:
		return "20", "21"
	case Link:
		return "21", "22"
	case Terminal:
		return "73", "74"
	default:
		return "33", "34"
	}
}

func keyID(last string) []byte {
	return []byte("90000" + last + "\x08\x05" + "001" + "\x20\x26\x01\xA8")
}

// IssuerKey is a public issuer key with its id, as a checker of card surfaces is given it.
type IssuerKey struct {
	KeyID []byte
	Key   *rsa.PublicKey
}

// IssuerKeys are the public issuer keys of both surfaces.
func IssuerKeys() ([]IssuerKey, error) {
	var out []IssuerKey
	for _, s := range []Surface{Face, Text} {
		keys, err := privateKeys("virtual-issuer-" + string(s))
		if err != nil {
			return nil, err
		}
		out = append(out, IssuerKey{KeyID: s.IssuerKeyID(), Key: &keys[0].PublicKey})
	}
	return out, nil
}

// MunicipalityKey signs the surface data of all virtual cards.
func MunicipalityKey(s Surface) (*rsa.PrivateKey, error) {
	keys, err := privateKeys("virtual-municipality-" + string(s))
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// Certificate is the 568-byte card-verifiable certificate of the hierarchy, e.g. of the municipality key.
func Certificate(s Surface) ([]byte, error) {
	b, err := files.ReadFile("keys/virtual-cv-" + string(s) + ".bin")
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	return b, nil
}

// MessagingKey takes the session keys of secure messaging. All virtual cards share it; on real cards each has its
// own as far as is known.
func MessagingKey() (*rsa.PrivateKey, error) {
	keys, err := privateKeys("virtual-messaging")
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// TerminalAuthority is the public key, with its id, that certificates of terminals are checked with.
func TerminalAuthority() (IssuerKey, error) {
	keys, err := privateKeys("virtual-terminal-ca")
	if err != nil {
		return IssuerKey{}, err
	}
	return IssuerKey{KeyID: Terminal.IssuerKeyID(), Key: &keys[0].PublicKey}, nil
}

// PersonKeys are the three private keys on one card.
type PersonKeys struct {
	Card *rsa.PrivateKey // answers the challenge of the surface applications
	Auth *rsa.PrivateKey // 利用者証明用
	Sign *rsa.PrivateKey // 署名用
}

// KeysOf gives the keys of a virtual person; people without keys of their own share the spare set.
func KeysOf(id string) (PersonKeys, error) {
	keys, err := privateKeys("virtual-person-" + id)
	if errors.Is(err, fs.ErrNotExist) {
		keys, err = privateKeys("virtual-person-spare")
	}
	if err != nil {
		return PersonKeys{}, err
	}
	if len(keys) != 3 {
		return PersonKeys{}, errors.New("pki: a person needs three keys")
	}
	return PersonKeys{Card: keys[0], Auth: keys[1], Sign: keys[2]}, nil
}

// privateKeys reads the PEM file of one or more keys.
func privateKeys(name string) ([]*rsa.PrivateKey, error) {
	rest, err := files.ReadFile("keys/" + name + ".pem")
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	var keys []*rsa.PrivateKey
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("pki: %s: %w", name, err)
		}
		key, ok := k.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("pki: %s is not RSA", name)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("pki: %s holds no key", name)
	}
	return keys, nil
}
