//go:build cgo

package token

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/pkcs11"

	"madoguchi/daemon/hq/opener"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Store is the key store of the tokens.
type Store struct {
	o       Options
	modules []*module
	byPart  map[record.Part]*slot
	all     []*slot

	mu   sync.Mutex
	keys map[string]hpke.PrivateKey
}

// Open gives a store. No token need be there yet: each is looked for when it is first asked.
func Open(o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Read == nil || o.PIN == nil || o.Now == nil {
		return nil, ErrConfig
	}
	s := &Store{o: o, byPart: map[record.Part]*slot{}, keys: map[string]hpke.PrivateKey{}}
	libraries := map[string]*module{}
	for _, spec := range o.Tokens {
		m := libraries[spec.Module]
		if m == nil {
			m = &module{path: spec.Module}
			libraries[spec.Module] = m
			s.modules = append(s.modules, m)
		}
		t := &slot{spec: spec, m: m, pin: o.PIN, now: o.Now, log: o.Log}
		mine := false
		for _, p := range o.Parts {
			if spec.Holds(p) {
				s.byPart[p] = t
				mine = true
			}
		}
		if mine { // a token of none of this role's purposes is never signed in to
			s.all = append(s.all, t)
		}
	}
	return s, nil
}

// Close signs out of all tokens: ending a library ends its sessions. The store is not used after.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.keys)
	for _, m := range s.modules {
		m.close()
	}
	return nil
}

// Key implements opener.KeyStore. The first use of a key takes its seed from its file through the token; after that the
// token is used for every opening.
func (s *Store) Key(p record.Part, id string) (hpke.PrivateKey, error) {
	t := s.byPart[p]
	if t == nil {
		return nil, opener.ErrNoKey
	}
	s.mu.Lock()
	key, ok := s.keys[string(p)+" "+id]
	s.mu.Unlock()
	if ok {
		return key, nil
	}
	key, err := s.load(t, p, id)
	if err != nil {
		away := unavailable(err)
		if away.Why == opener.WaitUnfit {
			s.o.Log.Error("token: a key is not what it must be", slog.String("token", t.spec.Name), slog.String("key", id), slog.String("error", err.Error()))
		}
		return nil, away
	}
	s.mu.Lock()
	s.keys[string(p)+" "+id] = key
	s.mu.Unlock()
	return key, nil
}

// load puts the two halves of a key together and compares each with its public half.
func (s *Store) load(t *slot, p record.Part, id string) (hpke.PrivateKey, error) {
	h, err := s.half(p, id)
	if err != nil {
		return nil, err
	}
	var pub *ecdh.PublicKey
	var seed []byte
	err = t.do(func(c *pkcs11.Ctx, ses pkcs11.SessionHandle, cn *conn) error {
		_, err := cn.handle(c, ses, object{pkcs11.CKO_PRIVATE_KEY, id})
		if err != nil {
			return err
		}
		public, err := cn.handle(c, ses, object{pkcs11.CKO_PUBLIC_KEY, id})
		if err != nil {
			return err
		}
		if pub, err = point(c, ses, public); err != nil {
			return err
		}
		aes, err := cn.handle(c, ses, object{pkcs11.CKO_SECRET_KEY, id})
		if err != nil {
			return err
		}
		seed, err = gcm(c, ses, aes, false, h.nonce, h.bound(), h.sealed)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return join(h, seed, &exchanger{t: t, label: id, public: pub})
}

func (s *Store) half(p record.Part, id string) (*half, error) {
	if !seal.ValidKeyID(id) {
		return nil, errNone
	}
	raw, err := s.o.Read(FileOf(p, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNone
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnit, err)
	}
	h, err := parseHalf(raw)
	if err != nil {
		return nil, err
	}
	if h.key.ID != id || h.key.Part != p {
		return nil, fmt.Errorf("%w: its file is of another key", errUnit)
	}
	return h, nil
}

// join makes the key of its halves.
func join(h *half, seed []byte, t ecdh.KeyExchanger) (hpke.PrivateKey, error) {
	pq, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		return nil, fmt.Errorf("%w: its seed has another size", errUnit)
	}
	key, err := hpke.NewHybridPrivateKey(pq, t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnit, err)
	}
	if !bytes.Equal(key.PublicKey().Bytes(), h.public) {
		return nil, fmt.Errorf("%w: token and file are not of one key", errUnit)
	}
	return key, nil
}

// exchanger is the P-256 half: the private key stays in the token.
type exchanger struct {
	t      *slot
	label  string
	public *ecdh.PublicKey
}

// PublicKey implements ecdh.KeyExchanger.
func (e *exchanger) PublicKey() *ecdh.PublicKey { return e.public }

// Curve implements ecdh.KeyExchanger.
func (*exchanger) Curve() ecdh.Curve { return ecdh.P256() }

// ECDH implements ecdh.KeyExchanger; its errors are *opener.Unavailable.
func (e *exchanger) ECDH(peer *ecdh.PublicKey) (secret []byte, err error) {
	err = e.t.do(func(c *pkcs11.Ctx, s pkcs11.SessionHandle, cn *conn) error {
		h, err := cn.handle(c, s, object{pkcs11.CKO_PRIVATE_KEY, e.label})
		if err != nil {
			return err
		}
		secret, err = derive(c, s, h, peer.Bytes())
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return secret, nil
}

// InitKey makes a key for a part in the token of that part, and gives the file with its other half (FileOf) and its
// public key for the key list. Only the file's loss or a token's loss ends what the key opens: keep both safe.
func (s *Store) InitKey(_ context.Context, p record.Part, notAfter time.Time) (file []byte, pub seal.Key, err error) {
	t := s.byPart[p]
	if t == nil {
		return nil, seal.Key{}, opener.ErrNoKey
	}
	var random [5]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	label := strings.ReplaceAll(string(p), "_", "-") + "-" + hex.EncodeToString(random[:])
	h := &half{key: seal.Key{ID: label, Part: p, NotAfter: notAfter.UTC().Truncate(time.Second)}, nonce: make([]byte, nonceSize)}
	_, _ = rand.Read(h.nonce)
	pq, err := mlkem.GenerateKey768()
	if err != nil {
		return nil, seal.Key{}, err
	}
	seed := pq.Bytes()
	defer clear(seed)
	err = t.do(func(c *pkcs11.Ctx, _ pkcs11.SessionHandle, cn *conn) error { return t.make(c, cn, h, pq, seed) })
	if err != nil {
		return nil, seal.Key{}, err
	}
	file, err = h.marshal()
	if err != nil {
		return nil, seal.Key{}, err
	}
	if h, err = parseHalf(file); err != nil { // what is written is what will be read
		return nil, seal.Key{}, err
	}
	return file, h.key, nil
}

// make generates the objects in a session that may write and encrypts the seed.
func (t *slot) make(c *pkcs11.Ctx, cn *conn, h *half, pq *mlkem.DecapsulationKey768, seed []byte) error {
	ses, err := c.OpenSession(cn.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseSession(ses) }()
	if old, err := search(c, ses, pkcs11.NewAttribute(pkcs11.CKA_LABEL, h.key.ID)); err != nil || len(old) > 0 {
		return errors.Join(err, ErrHasKey)
	}
	public, aes, undo, err := generate(c, ses, h.key.ID)
	if err != nil {
		return err
	}
	pub, err := point(c, ses, public)
	if err == nil {
		h.public = slices.Concat(pq.EncapsulationKey().Bytes(), pub.Bytes())
		h.sealed, err = gcm(c, ses, aes, true, h.nonce, h.bound(), seed)
	}
	if err == nil && len(h.sealed) != seedSize+tagSize {
		err = fmt.Errorf("%w: the token encrypts in another form", errUnit)
	}
	var back []byte
	if err == nil {
		back, err = gcm(c, ses, aes, false, h.nonce, h.bound(), h.sealed)
	}
	defer clear(back)
	if err == nil && !bytes.Equal(back, seed) {
		err = fmt.Errorf("%w: the token gives another seed back", errUnit)
	}
	if err != nil {
		undo()
	}
	return err
}
