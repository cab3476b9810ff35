package seal

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"time"

	"madoguchi/storage/canon"
	"madoguchi/storage/record"
)

// Caps of a key list.
const (
	MaxList         = 256 << 10
	maxListKeys     = 64
	maxListReceipts = 16
	maxPublic       = 2048
	maxRootSig      = 128
)

// listDomain separates the root's signatures over lists from all others.
const listDomain = "madoguchi key list v1"

// Errors of key lists.
var (
	ErrList   = errors.New("seal: the key list is malformed")
	ErrForged = errors.New("seal: the key list is not signed by HQ's root")
	ErrOlder  = errors.New("seal: the key list is older than the one held")
	ErrFork   = errors.New("seal: two different key lists have the same version")
)

// List is all of HQ's public keys at one time, as the offline root signs it. The newest version counts, and it alone.
// Expired sealing keys stay listed for as long as records sealed to them may still come in; a sealing key is revoked by
// a newer list that ends it now. A receipt key is revoked by a newer list without it.
type List struct {
	Version  int64 // from 1; only grows
	Issued   time.Time
	Root     string // id of the root, to find the right one; trust comes from the signature
	Keys     []Key
	Receipts []ReceiptKey
}

// ReceiptKey is a public key with which HQ signs receipts.
type ReceiptKey struct {
	ID        string
	NotBefore time.Time
	NotAfter  time.Time
	Public    ed25519.PublicKey
}

// Draft writes the list unsigned, for the way to the root.
func (l *List) Draft() ([]byte, error) { return l.encode(nil) }

// Sign signs the list with the root's private key and gives the bytes that VerifyList reads.
func (l *List) Sign(root crypto.Signer) ([]byte, error) {
	r, err := NewRoot(root.Public())
	if err != nil {
		return nil, err
	}
	l.Root = r.ID()
	head, err := l.encode(nil)
	if err != nil {
		return nil, err
	}
	sig, err := signRoot(root, framed(listDomain, head))
	if err != nil || !r.verify(framed(listDomain, head), sig) {
		return nil, ErrForged
	}
	return l.encode(sig)
}

// ParseDraft reads an unsigned list. Nothing may be sealed to it; it is what the root is asked to sign.
func ParseDraft(b []byte) (*List, error) {
	l, sig, err := decodeList(b)
	if err != nil {
		return nil, err
	}
	if len(sig) != 0 {
		return nil, fmt.Errorf("%w: a draft has no signature", ErrList)
	}
	return l, nil
}

// ReadUnverified reads a draft or a list without a look at its signature, for printing.
func ReadUnverified(b []byte) (*List, error) {
	l, _, err := decodeList(b)
	return l, err
}

// VerifyList reads a list and checks the root's signature. Which of two lists is newer is the Store's matter.
func VerifyList(b []byte, root *Root) (*List, error) {
	l, sig, err := decodeList(b)
	if err != nil {
		return nil, err
	}
	head, err := l.encode(nil)
	if err != nil {
		return nil, err
	}
	if root == nil || l.Root != root.id || !root.verify(framed(listDomain, head), sig) {
		return nil, ErrForged
	}
	return l, nil
}

func (l *List) encode(sig []byte) ([]byte, error) {
	c := canon.NewWriter(MaxList)
	l.shape(c, &sig)
	b, err := c.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrList, err)
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return b, nil
}

func decodeList(b []byte) (*List, []byte, error) {
	l, sig := &List{}, []byte(nil)
	c := canon.NewReader(b, MaxList)
	l.shape(c, &sig)
	if err := c.Done(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrList, err)
	}
	if err := l.check(); err != nil {
		return nil, nil, err
	}
	return l, sig, nil
}

// shape is the list's form, in both directions.
func (l *List) shape(c *canon.Coder, sig *[]byte) {
	c.Object("", func() {
		c.Time("issued", &l.Issued)
		canon.List(c, "keys", &l.Keys, maxListKeys, func(k *Key) { c.Object("", func() { k.shape(c) }) })
		canon.List(c, "receipts", &l.Receipts, maxListReceipts, func(k *ReceiptKey) { c.Object("", func() { k.shape(c) }) })
		c.String("root", &l.Root, MaxKeyID)
		c.Data("signature", sig, maxRootSig)
		v := 1
		c.Int("v", &v, 1, 1)
		c.Int64("version", &l.Version, 1, math.MaxInt64)
	})
}

func (k *Key) shape(c *canon.Coder) {
	c.String("id", &k.ID, MaxKeyID)
	c.Time("not_after", &k.NotAfter)
	c.Time("not_before", &k.NotBefore)
	part := string(k.Part)
	c.String("part", &part, 32)
	k.Part = record.Part(part)
	var public []byte
	suite := 0
	if !c.Reading() && k.Public != nil {
		public, suite = k.Public.Bytes(), int(k.Suite())
	}
	c.Data("public", &public, maxPublic)
	c.Int("suite", &suite, 1, math.MaxUint16)
	if !c.Reading() || !c.OK() {
		return
	}
	kem, err := KEMOf(uint16(suite)) //nolint:gosec // the coder has checked the range
	if err == nil {
		k.Public, err = kem.NewPublicKey(public)
	}
	if err != nil || !bytes.Equal(k.Public.Bytes(), public) {
		c.Fail(canon.CodeValue, "public")
	}
}

func (k *ReceiptKey) shape(c *canon.Coder) {
	c.String("id", &k.ID, MaxKeyID)
	c.Time("not_after", &k.NotAfter)
	c.Time("not_before", &k.NotBefore)
	public := []byte(k.Public)
	c.Data("public", &public, ed25519.PublicKeySize)
	k.Public = public
}

func (l *List) check() error {
	if err := checkKeys(l.Keys); err != nil {
		return fmt.Errorf("%w: %w", ErrList, err)
	}
	if l.Root != "" && !ValidKeyID(l.Root) {
		return fmt.Errorf("%w: root", ErrList)
	}
	seen := map[string]bool{}
	for _, k := range l.Receipts {
		if !ValidKeyID(k.ID) || seen[k.ID] || len(k.Public) != ed25519.PublicKeySize || k.NotAfter.Before(k.NotBefore) {
			return fmt.Errorf("%w: receipt key %q", ErrList, k.ID)
		}
		seen[k.ID] = true
	}
	return nil
}
