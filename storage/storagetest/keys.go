package storagetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"time"

	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Keys are key pairs as HQ and a kiosk have them, made anew by every call of NewKeys.
type Keys struct {
	Public  *seal.PublicKeys
	Private map[string]hpke.PrivateKey // by key id
	Device  *ecdsa.PrivateKey
}

// NewKeys makes one key per part, valid for a year from At, and a device key.
func NewKeys() (*Keys, error) {
	k := &Keys{Private: map[string]hpke.PrivateKey{}}
	var list []seal.Key
	for _, p := range record.Parts() {
		priv, err := seal.KEM().GenerateKey()
		if err != nil {
			return nil, err
		}
		id := "test-" + string(p[:2]) + string(p[len(p)-2:])
		k.Private[id] = priv
		list = append(list, seal.Key{ID: id, Part: p, NotAfter: At().Add(365 * 24 * time.Hour), Public: priv.PublicKey()})
	}
	var err error
	if k.Public, err = seal.NewPublicKeys(list); err != nil {
		return nil, err
	}
	k.Device, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return k, err
}
