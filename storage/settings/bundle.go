// Package settings is the configuration that HQ signs for its kiosks: services and the state of the legal methods, as
// canonical bytes under the root's signature, with a version that only grows; and the place on a kiosk's disk where such a
// bundle is staged, taken and, when it does not load, rolled back. What the contents mean is not known here: the caller
// checks. Only storage/... and daemon/... may import it.
package settings

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"madoguchi/storage/canon"
	"madoguchi/storage/seal"
)

// Caps of a bundle.
const (
	MaxBundle   = 512 << 10
	MaxServices = 256 << 10
	maxDevices  = 1024
	maxName     = 64
	maxRows     = 128
	maxText     = 512
	maxSig      = 128
)

// domain separates the root's signatures over bundles from all others.
const domain = "madoguchi configuration bundle v1"

// Errors of bundles.
var (
	ErrBundle = errors.New("settings: the configuration bundle is malformed")
	ErrForged = errors.New("settings: the configuration bundle is not signed by HQ's root")
)

// Bundle is what HQ signs.
type Bundle struct {
	Version    int64 // from 1; only grows
	Issued     time.Time
	Root       string // id of the root; trust comes from the signature
	Production bool   // what a production kiosk may take
	Devices    []string
	Services   []byte // TOML of [[service]] tables; empty: the kiosk keeps its own
	Rows       []Row
	Confirms   []Confirm
}

// Row is a row of the table of legal methods that HQ adds. Days are YYYYMMDD; 0 is open.
type Row struct {
	Act, Code, Article string
	From, To           int
	Note, Source       string
}

// Confirm is counsel's confirmation of a row.
type Confirm struct {
	Act, Code, Article string
	From               int
	By                 string
	On                 int
	Source             string
}

// For says whether the bundle is for a kiosk; one without names is for all.
func (b *Bundle) For(device string) bool {
	return len(b.Devices) == 0 || slices.Contains(b.Devices, device)
}

// Hash is the SHA-256 of the bundle without its signature, in hex, for the audit log.
func (b *Bundle) Hash() string {
	head, err := b.encode(nil)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(head)
	return hex.EncodeToString(sum[:])
}

// Sign signs the bundle with the root's private key and gives the bytes that Verify reads.
func (b *Bundle) Sign(root crypto.Signer) ([]byte, error) {
	r, err := seal.NewRoot(root.Public())
	if err != nil {
		return nil, err
	}
	b.Root = r.ID()
	head, err := b.encode(nil)
	if err != nil {
		return nil, err
	}
	sig, err := seal.SignMessage(root, domain, head)
	if err != nil {
		return nil, ErrForged
	}
	return b.encode(sig)
}

// Verify reads a bundle and checks the root's signature.
func Verify(raw []byte, root *seal.Root) (*Bundle, error) {
	b, sig, err := decode(raw)
	if err != nil {
		return nil, err
	}
	head, err := b.encode(nil)
	if err != nil {
		return nil, err
	}
	if root == nil || b.Root != root.ID() || !root.VerifyMessage(domain, head, sig) {
		return nil, ErrForged
	}
	return b, nil
}

// same says whether two bundles say the same; signatures are not compared, because anybody can re-write one of ECDSA.
func (b *Bundle) same(other *Bundle) bool {
	x, errX := b.encode(nil)
	y, errY := other.encode(nil)
	return errX == nil && errY == nil && string(x) == string(y)
}

func (b *Bundle) encode(sig []byte) ([]byte, error) {
	c := canon.NewWriter(MaxBundle)
	b.shape(c, &sig)
	out, err := c.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return out, nil
}

func decode(raw []byte) (*Bundle, []byte, error) {
	b, sig := &Bundle{}, []byte(nil)
	c := canon.NewReader(raw, MaxBundle)
	b.shape(c, &sig)
	if err := c.Done(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	return b, sig, nil
}

// shape is the bundle's form, in both directions.
func (b *Bundle) shape(c *canon.Coder, sig *[]byte) {
	c.Object("", func() {
		canon.List(c, "confirms", &b.Confirms, maxRows, func(v *Confirm) { c.Object("", func() { v.shape(c) }) })
		c.Strings("devices", &b.Devices, maxDevices, maxName)
		c.Time("issued", &b.Issued)
		c.Bool("production", &b.Production)
		c.String("root", &b.Root, seal.MaxKeyID)
		canon.List(c, "rows", &b.Rows, maxRows, func(v *Row) { c.Object("", func() { v.shape(c) }) })
		c.Data("services", &b.Services, MaxServices)
		c.Data("signature", sig, maxSig)
		v := 1
		c.Int("v", &v, 1, 1)
		c.Int64("version", &b.Version, 1, math.MaxInt64)
	})
}

func (r *Row) shape(c *canon.Coder) {
	c.String("act", &r.Act, maxName)
	c.String("article", &r.Article, maxText)
	c.String("code", &r.Code, maxName)
	day(c, "from", &r.From)
	c.String("note", &r.Note, maxText)
	c.String("source", &r.Source, maxText)
	day(c, "to", &r.To)
}

func (v *Confirm) shape(c *canon.Coder) {
	c.String("act", &v.Act, maxName)
	c.String("article", &v.Article, maxText)
	c.String("by", &v.By, maxName)
	c.String("code", &v.Code, maxName)
	day(c, "from", &v.From)
	day(c, "on", &v.On)
	c.String("source", &v.Source, maxText)
}

func day(c *canon.Coder, key string, v *int) { c.Int(key, v, 0, 99991231) }
