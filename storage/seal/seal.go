// Package seal encrypts the parts of a record to HQ's public keys, one key per purpose, so that only ciphertext
// ever reaches the kiosk's disk and each role at HQ opens only what it may.
//
// The cipher is HPKE in base mode (RFC 9180) with a hybrid KEM chosen per key (draft-ietf-hpke-pq: MLKEM768-X25519,
// the default, or MLKEM768-P256, whose P-256 half can live in a PKCS #11 token), HKDF-SHA256 and AES-256-GCM. The kiosk
// cannot read back: this package has no opening function and no private keys; they are HQ's (daemon/hq/opener).
//
// Which keys are HQ's is said by a list that HQ's offline root signs (List); a kiosk knows the root since its enrolment
// and never takes an unsigned, forged or older list (Store). Only storage/... and daemon/... may import it.
package seal

import (
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// Overhead is how many bytes a part sealed with the default suite is longer than its plain text: the encapsulated key
// and the tag. It is the smallest of all suites; MaxOverhead is the largest (MLKEM768-P256).
const (
	Overhead    = 1120 + 16
	MaxOverhead = 1153 + 16
)

// MaxKeyID is the most bytes of a key id.
const MaxKeyID = 64

// Errors of sealing. They say nothing about the contents.
var (
	ErrNoKey = errors.New("seal: HQ gave no usable key for this part")
	ErrSeal  = errors.New("seal: the part could not be sealed")
	ErrSuite = errors.New("seal: a suite that is not allowed")
)

// KEM is the key encapsulation mechanism of the default suite, MLKEM768-X25519 (0x647a).
func KEM() hpke.KEM { return hpke.MLKEM768X25519() }

// KEMOf gives an allowed mechanism by its HPKE id: 0x647a, or 0x0050 (MLKEM768-P256). Others are ErrSuite.
func KEMOf(id uint16) (hpke.KEM, error) {
	switch id {
	case hpke.MLKEM768X25519().ID():
		return hpke.MLKEM768X25519(), nil
	case hpke.MLKEM768P256().ID():
		return hpke.MLKEM768P256(), nil
	}
	return nil, ErrSuite
}

// KDF is the key derivation function of the suite.
func KDF() hpke.KDF { return hpke.HKDFSHA256() }

// AEAD is the cipher of the suite.
func AEAD() hpke.AEAD { return hpke.AES256GCM() }

// Context is what a sealed part is bound to. A part moved to another record, device, purpose, schema or key does
// not open.
type Context struct {
	Device string
	Record string
	Part   record.Part
	Schema int
	KeyID  string
}

// Info is the HPKE info: a domain string and every field of the context, each with its length before it.
func (c Context) Info() []byte {
	var b []byte
	for _, s := range []string{"madoguchi sealed part v1", c.Device, c.Record, string(c.Part), fmt.Sprint(c.Schema), c.KeyID} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // names and ids are short
		b = append(b, s...)
	}
	return b
}

// Key is one public key of HQ. It may be sealed to from NotBefore (zero: since ever) until before NotAfter.
type Key struct {
	ID        string
	Part      record.Part
	NotBefore time.Time
	NotAfter  time.Time
	Public    hpke.PublicKey
}

// Suite is the HPKE id of the key's mechanism.
func (k Key) Suite() uint16 { return k.Public.KEM().ID() }

// PublicKeys are HQ's public keys. Two may overlap for one part while keys are changed. Those of a Store change when
// it takes a newer list; all methods may be called at any time from anywhere.
type PublicKeys struct{ keys atomic.Pointer[[]Key] }

// NewPublicKeys checks the keys: known parts, distinct ids, an allowed suite, an end.
func NewPublicKeys(keys []Key) (*PublicKeys, error) {
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	p := &PublicKeys{}
	p.replace(keys)
	return p, nil
}

func (p *PublicKeys) replace(keys []Key) {
	own := append([]Key(nil), keys...)
	p.keys.Store(&own)
}

func (p *PublicKeys) list() []Key {
	if l := p.keys.Load(); l != nil {
		return *l
	}
	return nil
}

func checkKeys(keys []Key) error {
	seen := map[string]bool{}
	for _, k := range keys {
		if !ValidKeyID(k.ID) || seen[k.ID] {
			return fmt.Errorf("seal: key id %q is malformed or there twice", k.ID)
		}
		seen[k.ID] = true
		if record.MaxPart(k.Part) == 0 {
			return fmt.Errorf("seal: key %q is for the unknown part %q", k.ID, k.Part)
		}
		if k.Public == nil {
			return fmt.Errorf("seal: key %q is of another kind", k.ID)
		}
		if _, err := KEMOf(k.Suite()); err != nil {
			return fmt.Errorf("seal: key %q is of another kind", k.ID)
		}
		if k.NotAfter.IsZero() || k.NotAfter.Before(k.NotBefore) {
			return fmt.Errorf("seal: key %q has no end, or one before its beginning", k.ID)
		}
	}
	return nil
}

// ValidKeyID says whether s is a key id: 1..64 of a-z, 0-9 and hyphens.
func ValidKeyID(s string) bool { return len(s) <= MaxKeyID && record.ValidDevice(s) }

// Choose gives the key for the part that is valid longest, ErrNoKey when none is valid at now.
func (p *PublicKeys) Choose(part record.Part, now time.Time) (Key, error) {
	var best Key
	for _, k := range p.list() {
		if k.Part == part && !now.Before(k.NotBefore) && now.Before(k.NotAfter) && k.NotAfter.After(best.NotAfter) {
			best = k
		}
	}
	if best.Public == nil {
		return Key{}, fmt.Errorf("%w: %s", ErrNoKey, part)
	}
	return best, nil
}

// Known says whether a key of that id is for that part, whether still valid or not. HQ uses it to refuse what it
// could never open.
func (p *PublicKeys) Known(part record.Part, id string) bool {
	for _, k := range p.list() {
		if k.ID == id && k.Part == part {
			return true
		}
	}
	return false
}

// Keys lists the keys in the order of their file.
func (p *PublicKeys) Keys() []Key { return append([]Key(nil), p.list()...) }

// Sealed is one sealed part.
type Sealed struct {
	Part  record.Part
	KeyID string
	Bytes []byte // encapsulated key and ciphertext
}

// Seal seals one part's canonical bytes for the record at now. The plain text stays with the caller, who wipes it.
func (p *PublicKeys) Seal(device, id string, part record.Part, plain *secret.Bytes, now time.Time) (Sealed, error) {
	k, err := p.Choose(part, now)
	if err != nil {
		return Sealed{}, err
	}
	info := Context{Device: device, Record: id, Part: part, Schema: record.Version, KeyID: k.ID}.Info()
	b, err := hpke.Seal(k.Public, KDF(), AEAD(), info, plain.Reveal())
	if err != nil {
		return Sealed{}, fmt.Errorf("%w: %s", ErrSeal, part)
	}
	return Sealed{Part: part, KeyID: k.ID, Bytes: b}, nil
}
