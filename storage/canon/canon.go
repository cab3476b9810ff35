// Package canon is the canonical JSON of records, envelope headers and receipts: keys in ascending order, no white
// space, integers only, times in UTC with milliseconds, bytes in padded standard base64, hashes in lower-case hex,
// and only the escapes of RFC 8785 (JSON Canonicalization Scheme) section 3.2.2.2.
//
// A shape is described once, as a function over a Coder, and walked in both directions. The reader accepts nothing
// that the writer would not have written, so bytes and value are one to one. Only storage/... may import it.
package canon

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"madoguchi/internal/secret"
)

// TimeLayout is the only form of a time: RFC 3339, UTC, milliseconds.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Code says in which way bytes or a value are not canonical.
type Code string

// The codes.
const (
	CodeSyntax Code = "syntax" // not the one spelling that the writer uses
	CodeKey    Code = "key"    // a key is unknown, missing, repeated or out of order
	CodeValue  Code = "value"  // a value outside its type or range
	CodeLimit  Code = "limit"  // longer than the cap
)

// Error is the first fault found. It names the key of the schema and never a value.
type Error struct {
	Code   Code
	Key    string
	Offset int // in the input, when reading
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("canonical JSON: %s at %q, offset %d", e.Code, e.Key, e.Offset)
}

// Coder walks one shape, writing or reading. After the first fault every further call does nothing.
type Coder struct {
	buf     []byte
	pos     int
	limit   int
	reading bool
	comma   bool // the next member or element needs a comma before it
	err     *Error
}

// NewWriter makes a Coder that writes at most limit bytes.
func NewWriter(limit int) *Coder { return &Coder{limit: limit} }

// NewReader makes a Coder that reads b, which may be at most limit bytes. It keeps b only until Done.
func NewReader(b []byte, limit int) *Coder {
	c := &Coder{buf: b, limit: limit, reading: true}
	if len(b) > limit {
		c.fail(CodeLimit, "")
	}
	return c
}

// Reading says whether the Coder reads.
func (c *Coder) Reading() bool { return c.reading }

// Bytes ends writing and hands over what was written. On a fault everything written is wiped.
func (c *Coder) Bytes() ([]byte, error) {
	if c.err != nil {
		clear(c.buf)
		c.buf = nil
		return nil, c.err
	}
	b := c.buf
	c.buf = nil
	return b, nil
}

// Done ends reading: all of the input must have been read.
func (c *Coder) Done() error {
	if c.err == nil && c.pos != len(c.buf) {
		c.fail(CodeSyntax, "")
	}
	if c.err != nil {
		return c.err
	}
	return nil
}

// Fail records a fault of the caller's own shape, for example a value outside a closed list.
func (c *Coder) Fail(code Code, key string) { c.fail(code, key) }

// OK says whether there was no fault so far.
func (c *Coder) OK() bool { return c.err == nil }

func (c *Coder) fail(code Code, key string) {
	if c.err == nil {
		c.err = &Error{Code: code, Key: key, Offset: c.pos}
	}
}

// Object walks an object. The key is empty at the top level and for elements of a list.
func (c *Coder) Object(key string, body func()) {
	c.key(key)
	c.lit(key, "{")
	c.comma = false
	if c.err == nil {
		body()
	}
	c.lit(key, "}")
	c.comma = true
}

// List walks an array of at most most elements. An empty array reads as nil.
func List[T any](c *Coder, key string, v *[]T, most int, each func(*T)) {
	c.key(key)
	c.lit(key, "[")
	c.comma = false
	if c.reading {
		*v = nil
		for c.err == nil && c.peek() != ']' {
			if len(*v) == most {
				c.fail(CodeLimit, key)
				break
			}
			var t T
			before := c.pos
			each(&t)
			*v = append(*v, t)
			if c.pos == before { // an element is never empty: no endless loop, whatever each does
				c.fail(CodeSyntax, key)
			}
		}
	} else {
		if len(*v) > most {
			c.fail(CodeLimit, key)
		}
		for i := range *v {
			if c.err != nil {
				break
			}
			each(&(*v)[i])
		}
	}
	c.lit(key, "]")
	c.comma = true
}

// String walks a string that is no secret, of at most most bytes.
func (c *Coder) String(key string, v *string, most int) {
	c.key(key)
	if !c.reading {
		c.writeText(key, []byte(*v), most)
		return
	}
	*v = string(c.readText(key, most))
}

// Strings walks a list of strings.
func (c *Coder) Strings(key string, v *[]string, items, most int) {
	List(c, key, v, items, func(s *string) { c.String("", s, most) })
}

// Const walks a string that must be exactly want.
func (c *Coder) Const(key, want string) {
	got := want
	c.String(key, &got, len(want))
	if got != want {
		c.fail(CodeValue, key)
	}
}

// Text walks a secret of UTF-8 text. The empty text reads as nil. The text never becomes a Go string.
func (c *Coder) Text(key string, v **secret.Bytes, most int) {
	c.key(key)
	if !c.reading {
		c.writeText(key, (*v).Reveal(), most)
		return
	}
	*v = own(c.readText(key, most))
}

// Blob walks a secret of bytes as base64. Empty reads as nil.
func (c *Coder) Blob(key string, v **secret.Bytes, most int) {
	c.key(key)
	if !c.reading {
		c.writeBlob(key, (*v).Reveal(), most)
		return
	}
	*v = own(c.readBlob(key, most))
}

// Data walks bytes that are no secret as base64.
func (c *Coder) Data(key string, v *[]byte, most int) {
	c.key(key)
	if !c.reading {
		c.writeBlob(key, *v, most)
		return
	}
	*v = c.readBlob(key, most)
}

// Hash walks a SHA-256 as lower-case hex.
func (c *Coder) Hash(key string, v *[32]byte) {
	s := hex.EncodeToString(v[:])
	c.String(key, &s, 64)
	if !c.reading || c.err != nil {
		return
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 || hex.EncodeToString(b) != s {
		c.fail(CodeValue, key)
		return
	}
	copy(v[:], b)
}

// Int walks an integer within least..most.
func (c *Coder) Int(key string, v *int, least, most int) {
	n := int64(*v)
	c.Int64(key, &n, int64(least), int64(most))
	*v = int(n)
}

// Int64 walks an integer within least..most.
func (c *Coder) Int64(key string, v *int64, least, most int64) {
	c.key(key)
	if c.err != nil {
		return
	}
	if c.reading {
		end := c.pos
		for end < len(c.buf) && (c.buf[end] == '-' || c.buf[end] >= '0' && c.buf[end] <= '9') {
			end++
		}
		word := string(c.buf[c.pos:end])
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != word {
			c.fail(CodeSyntax, key)
			return
		}
		*v = n
		c.pos = end
	}
	if *v < least || *v > most {
		c.fail(CodeValue, key)
		return
	}
	if !c.reading {
		c.raw(key, strconv.AppendInt(nil, *v, 10))
	}
	c.comma = true
}

// Bool walks a truth value.
func (c *Coder) Bool(key string, v *bool) {
	c.key(key)
	if c.reading {
		*v = c.peek() == 't'
	}
	if *v {
		c.lit(key, "true")
	} else {
		c.lit(key, "false")
	}
	c.comma = true
}

// Time walks a time; what is finer than a millisecond is cut off in writing. Years are 1..9999.
func (c *Coder) Time(key string, v *time.Time) {
	s := v.UTC().Truncate(time.Millisecond).Format(TimeLayout)
	c.String(key, &s, len(TimeLayout))
	if c.err != nil {
		return
	}
	t, err := time.Parse(TimeLayout, s)
	if err != nil || t.Format(TimeLayout) != s {
		c.fail(CodeValue, key)
		return
	}
	if c.reading {
		*v = t
	}
}

func own(b []byte) *secret.Bytes {
	if len(b) == 0 {
		return nil
	}
	return secret.New(b)
}

func (c *Coder) writeText(key string, b []byte, most int) {
	if len(b) > most {
		c.fail(CodeLimit, key)
	}
	if !utf8.Valid(b) {
		c.fail(CodeValue, key)
	}
	c.lit(key, `"`)
	for i := 0; i < len(b) && c.err == nil; {
		n := plainRun(b[i:])
		c.raw(key, b[i:i+n])
		if i += n; i < len(b) {
			c.lit(key, escape(b[i]))
			i++
		}
	}
	c.lit(key, `"`)
	c.comma = true
}

func (c *Coder) writeBlob(key string, b []byte, most int) {
	if len(b) > most {
		c.fail(CodeLimit, key)
	}
	n := base64.StdEncoding.EncodedLen(len(b))
	c.lit(key, `"`)
	if c.room(key, n) {
		c.buf = base64.StdEncoding.AppendEncode(c.buf, b)
	}
	c.lit(key, `"`)
	c.comma = true
}
