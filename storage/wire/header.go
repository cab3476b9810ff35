// Package wire is what travels from a kiosk to HQ and back: the envelope (a header free of personal data, the
// device's signature over it, and the sealed parts) and HQ's signed receipt. Both sides verify with the functions of
// this package and no others. Only storage/... and daemon/... may import it.
package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"madoguchi/storage/canon"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Version is the version of the envelope.
const Version = 1

// Caps of what is parsed.
const (
	MaxHeader    = 8 << 10
	MaxSignature = 128
	// MaxEnvelope is the most bytes of an envelope: all parts at their caps, sealed, and the frame.
	MaxEnvelope = 2 << 20
)

// Code says why an envelope or a receipt was refused. HQ's answers carry it.
type Code string

// The codes.
const (
	CodeMagic     Code = "magic"     // no envelope, or one of another version
	CodeFrame     Code = "frame"     // lengths that do not fit
	CodeSize      Code = "size"      // larger than a cap
	CodeHeader    Code = "header"    // not the canonical form, or a value out of range
	CodeSchema    Code = "schema"    // records of another schema version
	CodeDigest    Code = "digest"    // a sealed part is not the one that the header names
	CodeSignature Code = "signature" // not signed by this device, or not by HQ
	CodeBinding   Code = "binding"   // the receipt is for something else
)

// Error is a typed refusal.
type Error struct {
	Code  Code
	Field string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("wire: %s (%s)", e.Code, e.Field) }

// Is lets errors.Is match a bare code.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code && (t.Field == "" || t.Field == e.Field)
}

// Header is the routing part of an envelope. It holds nothing personal.
type Header struct {
	ID      string
	Device  string
	Seq     uint64 // counts the envelopes of a device, from 1; HQ notices gaps
	Created time.Time
	Schema  int
	Virtual []string
	Parts   []PartInfo // in the order of record.Parts
}

// PartInfo describes a sealed part.
type PartInfo struct {
	Name   record.Part
	KeyID  string
	Size   int // sealed
	SHA256 [32]byte
}

// encode writes the canonical bytes of the header.
func (h Header) encode() ([]byte, error) {
	c := canon.NewWriter(MaxHeader)
	h.shape(c)
	b, err := c.Bytes()
	if err != nil {
		return nil, headerError(err)
	}
	return b, nil
}

// decodeHeader accepts canonical bytes only.
func decodeHeader(b []byte) (Header, error) {
	var h Header
	c := canon.NewReader(b, MaxHeader)
	h.shape(c)
	if err := c.Done(); err != nil {
		return Header{}, headerError(err)
	}
	return h, nil
}

func headerError(err error) error {
	if e, ok := errors.AsType[*canon.Error](err); ok {
		if e.Key == "schema" && e.Code == canon.CodeValue {
			return &Error{Code: CodeSchema}
		}
		return &Error{Code: CodeHeader, Field: e.Key}
	}
	return &Error{Code: CodeHeader}
}

// shape is the header's form, in both directions, with its rules.
func (h *Header) shape(c *canon.Coder) {
	c.Object("", func() {
		c.Time("created", &h.Created)
		c.String("device", &h.Device, record.MaxDevice)
		c.String("id", &h.ID, 36)
		canon.List(c, "parts", &h.Parts, len(record.Parts()), func(p *PartInfo) {
			c.Object("", func() { p.shape(c) })
		})
		if !c.Reading() {
			h.Schema = record.Version
		}
		c.Int("schema", &h.Schema, record.Version, record.Version)
		seq := int64(h.Seq & math.MaxInt64)
		c.Int64("seq", &seq, 1, math.MaxInt64)
		h.Seq = uint64(max(seq, 0))
		v := Version
		c.Int("v", &v, Version, Version)
		c.Strings("virtual", &h.Virtual, len(record.VirtualParts()), 16)
	})
	if c.OK() {
		h.rules(c)
	}
}

func (p *PartInfo) shape(c *canon.Coder) {
	c.String("key_id", &p.KeyID, seal.MaxKeyID)
	name := string(p.Name)
	c.String("name", &name, 32)
	p.Name = record.Part(name)
	c.Hash("sha256", &p.SHA256)
	c.Int("size", &p.Size, seal.Overhead+1, record.MaxPart(p.Name)+seal.MaxOverhead)
	if !seal.ValidKeyID(p.KeyID) {
		c.Fail(canon.CodeValue, "key_id")
	}
}

func (h *Header) rules(c *canon.Coder) {
	if !record.ValidID(h.ID) {
		c.Fail(canon.CodeValue, "id")
	}
	if !record.ValidDevice(h.Device) {
		c.Fail(canon.CodeValue, "device")
	}
	last := -1
	for _, p := range h.Parts {
		i := slices.Index(record.Parts(), p.Name)
		if i <= last { // unknown (-1), repeated or out of order
			c.Fail(canon.CodeValue, "parts")
		}
		last = i
	}
	if len(h.Parts) == 0 {
		c.Fail(canon.CodeValue, "parts")
	}
	for i, v := range h.Virtual {
		if !slices.Contains(record.VirtualParts(), v) || i > 0 && h.Virtual[i-1] >= v {
			c.Fail(canon.CodeValue, "virtual")
		}
	}
}

// signed is what the device signs: a hash with its own domain, so that the signature means nothing elsewhere.
func signed(domain string, message []byte) [32]byte {
	b := make([]byte, 0, len(domain)+len(message)+8)
	b = binary.BigEndian.AppendUint32(b, uint32(len(domain))) //nolint:gosec // constants of ours
	b = append(b, domain...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message))) //nolint:gosec // capped by the parser
	b = append(b, message...)
	return sha256.Sum256(b)
}
