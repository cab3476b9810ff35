// Package segment is the format of the flat files that hold the bodies of the kiosk's queue: a header, then frames,
// one after the other. A frame is 128 bytes of header with its own CRC and, for a record, the body, whose SHA-256 the
// header names. Every frame says where it lies (segment and offset), so that a reader finds its way again behind
// damage, and old bytes of another file are never taken for a frame. Only storage/... may import it.
//
// All integers are big-endian. Segment header (128 bytes): magic (8), number (8), sequence floor (8), made at, Unix ms
// (8), length of the device's name (1), the name (64), zeros (27), CRC-32C of all before (4). Frame header (128 bytes):
// magic (8), kind (1), zeros (3), body length (4), segment (8), offset (8), sequence number (8), Unix ms (8), SHA-256 of
// the body (32), record id (36), zeros (8), CRC-32C of all before (4).
package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Sizes.
const (
	HeaderSize = 128
	MaxBody    = 64 << 20 // no frame of ours is longer; records are much shorter
	maxDevice  = 64
	maxID      = 36
)

// The magics: a name and the version.
const (
	fileMagic  = "MDGSEG\x00\x01"
	frameMagic = "MDGFRM\x00\x01"
)

// Kind of a frame.
type Kind byte

// The kinds. All but Record and Damaged are notes: hints for a rebuild of the index, written without being waited for.
const (
	Record    Kind = 'R' // an envelope
	Committed Kind = 'C' // the index took the record of this id: it was acknowledged
	Receipted Kind = 'D' // HQ's verified receipt for the record of this id came
	Moved     Kind = 'S' // the record of this id was moved to the shelf
	Damaged   Kind = 'X' // on the shelf: bytes that are no longer what was stored
	Reason    Kind = 'W' // on the shelf: why
)

func (k Kind) valid() bool {
	switch k {
	case Record, Committed, Receipted, Moved, Damaged, Reason:
		return true
	}
	return false
}

// Header begins a segment.
type Header struct {
	Number uint64    // of the segment, ascending
	Floor  uint64    // the device's sequence number when the segment was made: it never goes below
	Made   time.Time // milliseconds
	Device string
}

// Append writes the header to b.
func (h Header) Append(b []byte) []byte {
	at := len(b)
	b = append(b, fileMagic...)
	b = binary.BigEndian.AppendUint64(b, h.Number)
	b = binary.BigEndian.AppendUint64(b, h.Floor)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Made.UnixMilli())) //nolint:gosec // after 1970
	name := h.Device[:min(len(h.Device), maxDevice)]
	b = append(b, byte(len(name)))
	b = append(b, name...)
	return finish(b, at)
}

// ParseHeader reads a header; ok says whether it is what Append wrote.
func ParseHeader(b []byte) (h Header, ok bool) {
	if len(b) < HeaderSize || string(b[:8]) != fileMagic || !sound(b) || b[32] > maxDevice {
		return Header{}, false
	}
	return Header{
		Number: binary.BigEndian.Uint64(b[8:]), Floor: binary.BigEndian.Uint64(b[16:]),
		Made: millis(b[24:]), Device: string(b[33 : 33+int(b[32])]),
	}, true
}

// Frame is the header of a frame.
type Frame struct {
	Kind    Kind
	Length  uint32 // of the body
	Segment uint64
	Offset  uint64 // of the frame in its file
	Seq     uint64 // of the record; in a note, the last one that the device used
	At      time.Time
	Digest  [32]byte // SHA-256 of the body
	ID      string
}

// Size is the frame with its body, in bytes.
func (f Frame) Size() int64 { return HeaderSize + int64(f.Length) }

// Append writes the header to b.
func (f Frame) Append(b []byte) []byte {
	at := len(b)
	b = append(b, frameMagic...)
	b = append(b, byte(f.Kind), 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, f.Length)
	b = binary.BigEndian.AppendUint64(b, f.Segment)
	b = binary.BigEndian.AppendUint64(b, f.Offset)
	b = binary.BigEndian.AppendUint64(b, f.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(f.At.UnixMilli())) //nolint:gosec // after 1970
	b = append(b, f.Digest[:]...)
	b = append(b, f.ID[:min(len(f.ID), maxID)]...)
	return finish(b, at)
}

// ParseFrame reads a frame header; ok says whether it is what Append wrote. It does not look at the body.
func ParseFrame(b []byte) (f Frame, ok bool) {
	if len(b) < HeaderSize || string(b[:8]) != frameMagic || !sound(b) {
		return Frame{}, false
	}
	f = Frame{
		Kind: Kind(b[8]), Length: binary.BigEndian.Uint32(b[12:]), Segment: binary.BigEndian.Uint64(b[16:]),
		Offset: binary.BigEndian.Uint64(b[24:]), Seq: binary.BigEndian.Uint64(b[32:]), At: millis(b[40:]),
		Digest: [32]byte(b[48:80]), ID: string(bytes.TrimRight(b[80:80+maxID], "\x00")),
	}
	if !f.Kind.valid() || f.Length > MaxBody {
		return Frame{}, false
	}
	return f, true
}

// Whole reads the frame of a record at the start of b and checks all of it, wherever it says it lies.
func Whole(b []byte) (f Frame, body []byte, ok bool) {
	f, ok = ParseFrame(b)
	if !ok || f.Size() > int64(len(b)) {
		return f, nil, false
	}
	body = b[HeaderSize:f.Size():f.Size()]
	return f, body, sha256.Sum256(body) == f.Digest
}

// finish fills up to the CRC and adds it.
func finish(b []byte, at int) []byte {
	b = append(b, make([]byte, HeaderSize-4-(len(b)-at))...)
	return binary.BigEndian.AppendUint32(b, crc(b[at:]))
}

func sound(b []byte) bool {
	return crc(b[:HeaderSize-4]) == binary.BigEndian.Uint32(b[HeaderSize-4:])
}

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func millis(b []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC() //nolint:gosec // guarded by a CRC
}
