// Package tlv reads the two tag-length-value codings of the My Number Card: BER-TLV in its transparent files and
// JICSAP simple TLV in its record files. It is pure, never copies, and is safe on hostile input: lengths are
// checked against the input, the number of objects and the depth are limited, indefinite lengths are refused.
// Only hardware/... may import it.
//
// The card's files are not DER: private tags below 31 are written in two bytes (FF 20), lengths may be longer than
// needed (82 00 9F), and files end in FF up to their physical size.
package tlv

import "errors"

// The limits.
const (
	maxObjects = 64 // per level; the largest file of the card has ten
	maxDepth   = 8
	filler     = 0xFF
)

// The typed errors. Test with errors.Is.
var (
	// ErrTruncated means that an object is longer than the input.
	ErrTruncated = errors.New("tlv: object is longer than the input")
	// ErrMalformed is everything else that is not TLV.
	ErrMalformed = errors.New("tlv: malformed")
	// ErrDuplicate means that a tag occurs twice where it may occur once.
	ErrDuplicate = errors.New("tlv: tag occurs twice")
	// ErrMissing means that a tag that must occur does not.
	ErrMissing = errors.New("tlv: tag is missing")
)

// Tag is a tag as written, one or two bytes, e.g. 0x30 or 0xFF20.
type Tag uint16

// Object is one object. Value and Raw (tag, length and value as stored) are parts of the input.
type Object struct {
	Tag   Tag
	Value []byte
	Raw   []byte
}

// Header reads tag and length at the start of b, which may end right after them. size is the length of the whole
// object, header included.
func Header(b []byte) (tag Tag, header, size int, err error) {
	tag, n, err := readTag(b)
	if err != nil {
		return 0, 0, 0, err
	}
	length, m, err := readLength(b[n:])
	if err != nil {
		return 0, 0, 0, err
	}
	return tag, n + m, n + m + length, nil
}

// readTag reads a tag of one or two bytes.
func readTag(b []byte) (Tag, int, error) {
	if len(b) == 0 {
		return 0, 0, ErrTruncated
	}
	if b[0] == 0 {
		return 0, 0, ErrMalformed
	}
	if b[0]&0x1F != 0x1F {
		return Tag(b[0]), 1, nil
	}
	if len(b) < 2 {
		return 0, 0, ErrTruncated
	}
	if b[1]&0x80 != 0 { // three bytes and more: not on this card, and FF FF is filler
		return 0, 0, ErrMalformed
	}
	return Tag(b[0])<<8 | Tag(b[1]), 2, nil
}

// readLength reads a definite length of up to three bytes, minimal or not.
func readLength(b []byte) (int, int, error) {
	if len(b) == 0 {
		return 0, 0, ErrTruncated
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	n := int(b[0] & 0x7F)
	if n == 0 || n > 3 {
		return 0, 0, ErrMalformed
	}
	if len(b) < 1+n {
		return 0, 0, ErrTruncated
	}
	length := 0
	for _, c := range b[1 : 1+n] {
		length = length<<8 | int(c)
	}
	return length, 1 + n, nil
}

// First reads the object at the start of b and ignores what follows it: the FF up to the end of a file.
func First(b []byte) (Object, error) {
	tag, header, size, err := Header(b)
	if err != nil {
		return Object{}, err
	}
	if size > len(b) {
		return Object{}, ErrTruncated
	}
	return Object{Tag: tag, Value: b[header:size:size], Raw: b[:size:size]}, nil
}

// All reads the objects that make up b, one after the other. Trailing FF are filler.
func All(b []byte) ([]Object, error) {
	var out []Object
	for len(b) > 0 && !isFiller(b) {
		if len(out) == maxObjects {
			return nil, ErrMalformed
		}
		o, err := First(b)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
		b = b[len(o.Raw):]
	}
	return out, nil
}

// isFiller tells whether nothing but FF follows.
func isFiller(b []byte) bool {
	for _, c := range b {
		if c != filler {
			return false
		}
	}
	return true
}

// Set is a level of objects by tag, in which no tag occurs twice: a reader that showed the one and verified the
// other could be deceived.
type Set struct{ objects []Object }

// Children reads b as a Set.
func Children(b []byte) (Set, error) {
	all, err := All(b)
	if err != nil {
		return Set{}, err
	}
	seen := make(map[Tag]bool, len(all))
	for _, o := range all {
		if seen[o.Tag] {
			return Set{}, ErrDuplicate
		}
		seen[o.Tag] = true
	}
	return Set{objects: all}, nil
}

// Objects are the objects in the order of the input.
func (s Set) Objects() []Object { return s.objects }

// Get gives the object with the tag, or ErrMissing.
func (s Set) Get(tag Tag) (Object, error) {
	for _, o := range s.objects {
		if o.Tag == tag {
			return o, nil
		}
	}
	return Object{}, ErrMissing
}

// Find follows a path of tags from the top level of b and gives the object at its end. Intermediate values are
// read as TLV whether or not their tags are marked as constructed, as the card's key objects demand.
func Find(b []byte, path ...Tag) (Object, error) {
	if len(path) == 0 || len(path) > maxDepth {
		return Object{}, ErrMalformed
	}
	var o Object
	for _, tag := range path {
		level, err := Children(b)
		if err != nil {
			return Object{}, err
		}
		if o, err = level.Get(tag); err != nil {
			return Object{}, err
		}
		b = o.Value
	}
	return o, nil
}
