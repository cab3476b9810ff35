package record

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"madoguchi/internal/secret"
	"madoguchi/storage/canon"
)

// Code says why a record or a part was refused.
type Code string

// The codes. Those of DecodePart and EncodePart first, then those of Validate.
const (
	CodeSize    Code = "size"    // larger than MaxPart
	CodeSyntax  Code = "syntax"  // not canonical bytes
	CodeKey     Code = "key"     // a key unknown, missing, repeated or out of order
	CodeValue   Code = "value"   // a value outside its type, range or closed list
	CodeLimit   Code = "limit"   // a field longer than its cap
	CodeVersion Code = "version" // another schema version
	CodeBinding Code = "binding" // the part of another record
	CodePart    Code = "part"    // no such part, or the record does not have it

	CodeRequired Code = "required" // a field that must be there is empty
	CodeDecision Code = "decision" // the decision does not follow from the evidence: "not checked" is never "passed"
)

// Error is a typed refusal. It names the field of the schema and never a value.
type Error struct {
	Code  Code
	Part  Part
	Field string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("record part %q: %s (field %q)", e.Part, e.Code, e.Field)
}

// Is lets errors.Is match a bare code: errors.Is(err, &record.Error{Code: record.CodeVersion}).
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code && (t.Part == "" || t.Part == e.Part) && (t.Field == "" || t.Field == e.Field)
}

// MaxPart is the most bytes that the canonical form of a part may have.
func MaxPart(p Part) int {
	switch p {
	case PartIdentity:
		return 32 << 10
	case PartImages:
		return 1 << 20
	case PartEvidence:
		return 256 << 10
	case PartCertificate:
		return 128 << 10
	case PartMyNumber:
		return 4 << 10
	}
	return 0
}

// Has says whether the record holds the part.
func (r *Record) Has(p Part) bool {
	switch p {
	case PartIdentity:
		return r.Identity != nil
	case PartImages:
		return r.Images != nil
	case PartEvidence:
		return r.Evidence != nil
	case PartCertificate:
		return r.Certificate != nil
	case PartMyNumber:
		return r.MyNumber != nil
	}
	return false
}

// EncodePart writes the canonical bytes of one part. Every part carries the schema version, its own name and the
// record's id, device, time and virtual list, so that it can be attributed when it is taken out of its envelope.
// The list Virtual is written in ascending order, each word once. The caller wipes the result.
func EncodePart(r *Record, p Part) (*secret.Bytes, error) {
	if !r.Has(p) {
		return nil, &Error{Code: CodePart, Part: p}
	}
	c := canon.NewWriter(MaxPart(p))
	head := *r // the frame is written from a copy, so that a canonical list does not change the caller's
	head.Virtual = slices.Compact(slices.Sorted(slices.Values(r.Virtual)))
	frame(c, &head, p)
	b, err := c.Bytes()
	if err != nil {
		return nil, refusal(p, err)
	}
	return secret.New(b), nil
}

// DecodePart reads canonical bytes of part p into the record. When the record has an ID already, the part must be
// of the same record: id, device, time and virtual list. The decoder refuses everything that EncodePart would not
// have written: after reading, it encodes again and compares. On error the record is as it was before.
func DecodePart(p Part, b []byte, into *Record) error {
	if MaxPart(p) == 0 {
		return &Error{Code: CodePart, Part: p}
	}
	if len(b) > MaxPart(p) {
		return &Error{Code: CodeSize, Part: p}
	}
	var got Record
	c := canon.NewReader(b, MaxPart(p))
	frame(c, &got, p)
	if err := c.Done(); err != nil {
		got.Wipe()
		return refusal(p, err)
	}
	again, err := EncodePart(&got, p)
	if err != nil || !bytes.Equal(again.Reveal(), b) {
		again.Wipe()
		got.Wipe()
		return &Error{Code: CodeSyntax, Part: p}
	}
	again.Wipe()
	if err := into.adopt(&got, p); err != nil {
		got.Wipe()
		return err
	}
	return nil
}

// adopt takes part p of got, after a check that both are one record.
func (r *Record) adopt(got *Record, p Part) error {
	same := r.Device == got.Device && r.Created.Equal(got.Created) && slices.Equal(r.Virtual, got.Virtual)
	if r.ID != "" && (r.ID != got.ID || !same) {
		return &Error{Code: CodeBinding, Part: p}
	}
	r.ID, r.Device, r.Created, r.Virtual = got.ID, got.Device, got.Created, got.Virtual
	switch p {
	case PartIdentity:
		r.Identity = got.Identity
	case PartImages:
		r.Images = got.Images
	case PartEvidence:
		r.Evidence = got.Evidence
	case PartCertificate:
		r.Certificate = got.Certificate
	case PartMyNumber:
		r.MyNumber = got.MyNumber
	}
	return nil
}

// refusal translates an error of the canonical form.
func refusal(p Part, err error) error {
	var e *canon.Error
	if !errors.As(err, &e) {
		return err
	}
	code := CodeSyntax
	switch e.Code {
	case canon.CodeKey:
		code = CodeKey
	case canon.CodeValue:
		code = CodeValue
	case canon.CodeLimit:
		code = CodeLimit
	case canon.CodeSyntax:
	}
	if e.Key == "schema" && e.Code == canon.CodeValue {
		code = CodeVersion
	}
	return &Error{Code: code, Part: p, Field: e.Key}
}
