package audit

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Seen is what a witness remembers of a device's log. The zero Seen has met none.
type Seen struct {
	Origin string
	Tree   Tree
}

// What a witness refuses. Each is an alarm at HQ, except a PlaceError.
var (
	// ErrOrigin is a log of another name: the files of the old one are gone. A person at HQ must allow the new one.
	ErrOrigin = errors.New("audit: another log than the one known")
	// ErrShrunken is a log that has fewer leaves than were seen: rolled back, or cut.
	ErrShrunken = errors.New("audit: the log has shrunk")
	// ErrForked is a log whose past is not the one that was seen.
	ErrForked = errors.New("audit: the log has forked")
)

// PlaceError says from where the leaves are wanted.
type PlaceError struct{ Want int64 }

// Error implements error.
func (e *PlaceError) Error() string {
	return fmt.Sprintf("audit: leaves are wanted from %d on", e.Want)
}

// Advance checks a batch of a device and gives what is seen now. The leaves count only when the device's signed root
// follows from what was seen before and from exactly these leaves, each of the form that has no place for personal
// data. Errors: ErrCheckpoint, ErrSignature, ErrLeaf, ErrOrigin, ErrShrunken, ErrForked, *PlaceError; then nothing is
// seen newly.
func (s Seen) Advance(b Batch, device string, pub *ecdsa.PublicKey) (Seen, Checkpoint, error) {
	c, err := OpenCheckpoint(b.Checkpoint, device, pub)
	if err != nil {
		return s, c, err
	}
	have := s.Tree.Size()
	switch {
	case s.Origin != "" && c.Origin != s.Origin:
		return s, c, ErrOrigin
	case c.Size < have:
		return s, c, ErrShrunken
	case b.From != have:
		return s, c, &PlaceError{Want: have}
	case c.Size != have+int64(len(b.Leaves)):
		return s, c, ErrCheckpoint
	}
	tree := s.Tree.Clone()
	for _, leaf := range b.Leaves {
		if _, err := ParseLeaf(leaf); err != nil {
			return s, c, err
		}
		tree.Append(leaf)
	}
	if tree.Root() != c.Root {
		return s, c, ErrForked
	}
	return Seen{Origin: c.Origin, Tree: tree}, c, nil
}

// MaxBatchBytes is the most bytes of an encoded batch.
const MaxBatchBytes = MaxBatch*(MaxLeaf*4/3+8) + MaxCheckpoint*2

// batchJSON is the form on the way: leaves in base64.
type batchJSON struct {
	From       int64    `json:"from"`
	Leaves     [][]byte `json:"leaves"`
	Checkpoint string   `json:"checkpoint"`
}

// Encode gives the JSON that a device sends.
func (b Batch) Encode() ([]byte, error) {
	leaves := b.Leaves
	if leaves == nil {
		leaves = [][]byte{}
	}
	return json.Marshal(batchJSON{From: b.From, Leaves: leaves, Checkpoint: string(b.Checkpoint)})
}

// ErrBatch is JSON that is no batch.
var ErrBatch = errors.New("audit: malformed batch")

// ParseBatch reads the JSON of a batch, strictly.
func ParseBatch(raw []byte) (Batch, error) {
	if len(raw) > MaxBatchBytes {
		return Batch{}, ErrBatch
	}
	var j batchJSON
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return Batch{}, ErrBatch
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Batch{}, ErrBatch
	}
	if j.From < 0 || j.From > maxSize || len(j.Leaves) > MaxBatch || len(j.Checkpoint) == 0 || len(j.Checkpoint) > MaxCheckpoint {
		return Batch{}, ErrBatch
	}
	for _, l := range j.Leaves {
		if len(l) == 0 || len(l) > MaxLeaf {
			return Batch{}, ErrBatch
		}
	}
	return Batch{From: j.From, Leaves: j.Leaves, Checkpoint: []byte(j.Checkpoint)}, nil
}
