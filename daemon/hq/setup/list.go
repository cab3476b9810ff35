package setup

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/daemon/hq/opener"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
)

// Files of the root's directory.
const (
	fileRootKey = "root.key.pem"
	fileSigned  = "signed.json" // the newest list that this root signed: it signs no second one of that version
)

// Errors of the work with key lists.
var (
	ErrVersion = errors.New("setup: this root has signed a list of this version, or a newer one, already")
	ErrNoSuch  = errors.New("setup: the list has no key of this id")
)

// RootInit makes the root's key pair in dir: "p256" or "ed25519". A root that is there stays.
func RootInit(dir, algorithm string) (*seal.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := loadOrMakeKey(filepath.Join(dir, fileRootKey), func() (any, error) {
		switch algorithm {
		case "p256":
			return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		case "ed25519":
			_, k, err := ed25519.GenerateKey(rand.Reader)
			return k, err
		}
		return nil, fmt.Errorf("setup: unknown algorithm %q: p256 or ed25519", algorithm)
	})
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
	return root, writeNew(filepath.Join(dir, sync.FileRoot), root.PEM())
}

// SignList is the one thing that is done with the root's private key: it gives a draft its time of issue and its
// signature. It never signs two lists of one version, nor an older one.
func SignList(rootDir string, draft *seal.List, now time.Time) ([]byte, error) {
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
	last, err := os.ReadFile(filepath.Join(rootDir, fileSigned))
	if err == nil {
		before, err := seal.VerifyList(last, root)
		if err != nil {
			return nil, err
		}
		if draft.Version <= before.Version {
			return nil, ErrVersion
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	draft.Issued = now.UTC().Truncate(time.Millisecond)
	raw, err := draft.Sign(signer)
	if err != nil {
		return nil, err
	}
	return raw, replace(filepath.Join(rootDir, fileSigned), raw, 0o600)
}

// Publish puts a signed list where the receiver hands it out, and what the roles need of it beside: only a list that
// the root signed and that is newer than the one there. Running roles see it by themselves or after a restart.
func Publish(l Layout, raw []byte) error {
	pub, err := os.ReadFile(filepath.Join(l.Receiver(), sync.FileRoot))
	if err != nil {
		return err
	}
	root, err := seal.ParseRoot(pub)
	if err != nil {
		return err
	}
	s, err := seal.OpenStore(l.Keys(), root, raw)
	if err != nil {
		return err
	}
	if s.Damaged() {
		return fmt.Errorf("%w: the list that was there; it is set aside", seal.ErrForged)
	}
	if _, err := s.Update(raw); err != nil {
		return err
	}
	return derive(l, s.List(), replacePublic)
}

// derive writes the files that the receiver and the opener read.
func derive(l Layout, list *seal.List, write func(string, []byte) error) error {
	set, err := seal.NewPublicKeys(list.Keys)
	if err != nil {
		return err
	}
	keys, err := set.Marshal()
	if err != nil {
		return err
	}
	f := sync.ReceiptFile{Version: 1}
	for _, k := range list.Receipts {
		f.Key = append(f.Key, sync.ReceiptFileKey{ID: k.ID, Public: base64.StdEncoding.EncodeToString(k.Public)})
	}
	receipts, err := toml.Marshal(f)
	if err != nil {
		return err
	}
	return errors.Join(
		write(filepath.Join(l.Receiver(), sync.FileSealKeys), keys),
		write(filepath.Join(l.Receiver(), sync.FileReceipts), receipts),
		write(filepath.Join(l.Opener(), sync.FileReceipts), receipts),
	)
}

// NextDraft gives the published list with the next version, to be changed and signed.
func NextDraft(l Layout) (*seal.List, error) {
	s, err := OpenList(l)
	if err != nil {
		return nil, err
	}
	d := *s.List()
	d.Version++
	d.Keys = append([]seal.Key(nil), d.Keys...)
	d.Receipts = append([]seal.ReceiptKey(nil), d.Receipts...)
	return &d, nil
}

// OpenList opens the published list, for the receiver.
func OpenList(l Layout) (*seal.Store, error) {
	pub, err := os.ReadFile(filepath.Join(l.Receiver(), sync.FileRoot))
	if err != nil {
		return nil, err
	}
	root, err := seal.ParseRoot(pub)
	if err != nil {
		return nil, err
	}
	return seal.OpenStore(l.Keys(), root, nil)
}

// Fingerprints gives the SHA-256 of the CA's certificate and of the root's public key: what a kiosk's operator pins.
func Fingerprints(l Layout) (ca, root [32]byte, err error) {
	cert, err := readCert(filepath.Join(l.Receiver(), sync.FileCA))
	if err != nil {
		return ca, root, err
	}
	s, err := OpenList(l)
	if err != nil {
		return ca, root, err
	}
	return sha256.Sum256(cert.Raw), s.Root().Fingerprint(), nil
}

// Rotation says how a sealing key is followed by the next.
type Rotation struct {
	Part record.Part
	From time.Time     // the new key may be sealed to from then on
	Life time.Duration // and until From + Life
	Keep time.Duration // keys that ended longer ago leave the list: nothing sealed to them may come in any more
	Now  time.Time
}

// Rotate makes a new opening key for a part in the opener's directory and adds its public half to the draft. The keys
// there stay as they are: both are valid until the older one ends.
func Rotate(l Layout, d *seal.List, r Rotation) error {
	file, pub, err := opener.Generate(r.Part, r.From.Add(r.Life).UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	defer clear(file)
	pub.NotBefore = r.From.UTC().Truncate(time.Second)
	if err := writeNew(filepath.Join(l.Opener(), opener.GenerationFile(r.Part, pub.ID)), file); err != nil {
		return err
	}
	d.Keys = append(d.Keys, pub)
	Prune(d, r.Now.Add(-r.Keep))
	return nil
}

// Prune takes sealing keys that ended before the time off the list.
func Prune(d *seal.List, ended time.Time) {
	kept := d.Keys[:0]
	for _, k := range d.Keys {
		if !k.NotAfter.Before(ended) {
			kept = append(kept, k)
		}
	}
	d.Keys = kept
}

// RevokeKey ends a sealing key now (HQ still takes what was sealed to it before), or takes a receipt key off the list
// (no receipt of it counts any more).
func RevokeKey(d *seal.List, id string, now time.Time) error {
	for i := range d.Keys {
		k := &d.Keys[i]
		if k.ID == id {
			end := now.UTC().Truncate(time.Second)
			if end.Before(k.NotBefore) {
				end = k.NotBefore
			}
			if end.Before(k.NotAfter) {
				k.NotAfter = end
			}
			return nil
		}
	}
	for i, k := range d.Receipts {
		if k.ID == id {
			d.Receipts = append(d.Receipts[:i], d.Receipts[i+1:]...)
			return nil
		}
	}
	return ErrNoSuch
}

// keyList makes the root, HQ's keys and the first list, or what is missing of them. Where a list is published already
// the root is not asked: its directory may be offline, as it should be.
func keyList(l Layout, o Options) error {
	if _, err := os.Stat(l.Keys()); errors.Is(err, os.ErrNotExist) {
		root, err := RootInit(l.Root(), "p256")
		if err != nil {
			return err
		}
		raw, err := firstList(l, o)
		if err != nil {
			return err
		}
		if err := errors.Join(writeNew(filepath.Join(l.Receiver(), sync.FileRoot), root.PEM()), writeNew(l.Keys(), raw)); err != nil {
			return err
		}
	}
	s, err := OpenList(l)
	if err != nil {
		return err
	}
	return errors.Join(
		derive(l, s.List(), writeNew),
		writeNew(filepath.Join(o.Bundle, sync.FileRoot), s.Root().PEM()),
		writeNew(filepath.Join(o.Bundle, sync.FileKeys), s.Raw()),
	)
}

func firstList(l Layout, o Options) ([]byte, error) {
	receipt, err := receiptKey(l, o.Now)
	if err != nil {
		return nil, err
	}
	list := &seal.List{Version: 1, Receipts: []seal.ReceiptKey{receipt}}
	for _, p := range record.Parts() {
		path := filepath.Join(l.Opener(), opener.FileOf(p))
		pub, err := opener.PublicOf(path)
		if errors.Is(err, os.ErrNotExist) {
			var file []byte
			if file, pub, err = opener.Generate(p, o.Now.Add(sealLife).Truncate(time.Second)); err == nil {
				err = writeNew(path, file)
				clear(file)
			}
		}
		if err != nil {
			return nil, err
		}
		pub.NotBefore = o.Now.Add(-time.Hour).UTC().Truncate(time.Second)
		list.Keys = append(list.Keys, pub)
	}
	raw, err := SignList(l.Root(), list, o.Now)
	if errors.Is(err, ErrVersion) {
		return os.ReadFile(filepath.Join(l.Root(), fileSigned))
	}
	return raw, err
}

// receiptKey makes HQ's Ed25519 key, or gives the public half of the one that is there.
func receiptKey(l Layout, now time.Time) (seal.ReceiptKey, error) {
	key, err := loadOrMakeKey(filepath.Join(l.Receiver(), FileReceiptKey), func() (any, error) {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	})
	if err != nil {
		return seal.ReceiptKey{}, err
	}
	k, ok := key.(ed25519.PrivateKey)
	if !ok {
		return seal.ReceiptKey{}, errors.New("setup: the receipt key is not Ed25519")
	}
	pub, ok := k.Public().(ed25519.PublicKey)
	if !ok {
		return seal.ReceiptKey{}, errors.New("setup: the receipt key is not Ed25519")
	}
	return seal.ReceiptKey{
		ID: ReceiptKeyID(pub), Public: pub,
		NotBefore: now.Add(-time.Hour).UTC().Truncate(time.Second), NotAfter: now.Add(sealLife).UTC().Truncate(time.Second),
	}, nil
}

// ReceiptKeyID names a receipt key by its public bytes.
func ReceiptKeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return "receipt-" + hex.EncodeToString(sum[:5])
}

// replacePublic is for public keys: who publishes a list is not who hands it out, so that all may read it.
func replacePublic(path string, data []byte) error { return replace(path, data, 0o644) }

// replace writes a file whole and durably, over one that may be there.
func replace(path string, data []byte, mode os.FileMode) error {
	tmp := path + ".next"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := writeNew(tmp, data); err != nil {
		return err
	}
	if err := os.Chmod(tmp, mode); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
