// Package secret holds the one type in which PINs, passwords, My Numbers, names and images travel.
//
// It prints as [hidden] whatever asks (fmt, slog, encoding/json) and is wiped after use. Any package of this
// module may import it; it imports nothing of ours.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Hidden is what every secret prints as.
const Hidden = "[hidden]"

// Bytes is a secret byte string. The nil pointer is an empty secret.
// It is not safe for concurrent use with Wipe.
type Bytes struct{ b []byte }

// New takes ownership of b: the caller must not use it again.
func New(b []byte) *Bytes { return &Bytes{b: b} }

// Copy makes a secret of its own from b; the caller stays responsible for b.
func Copy(b []byte) *Bytes { return &Bytes{b: append([]byte(nil), b...)} }

// Reveal gives the bytes themselves, nil when wiped. Callers must neither keep nor change them.
func (s *Bytes) Reveal() []byte {
	if s == nil {
		return nil
	}
	return s.b
}

// Len is the number of bytes.
func (s *Bytes) Len() int { return len(s.Reveal()) }

// Clone makes an independent copy, which is wiped on its own.
func (s *Bytes) Clone() *Bytes { return Copy(s.Reveal()) }

// Wipe overwrites the bytes and empties the secret. It may be called more than once.
func (s *Bytes) Wipe() {
	if s == nil {
		return
	}
	clear(s.b)
	s.b = nil
}

// Wipe wipes all of the secrets given.
func Wipe(all ...*Bytes) {
	for _, s := range all {
		s.Wipe()
	}
}

// String implements fmt.Stringer.
func (*Bytes) String() string { return Hidden }

// GoString implements fmt.GoStringer.
func (*Bytes) GoString() string { return Hidden }

// Format implements fmt.Formatter, so that no verb (not even %x or %v on a struct that holds one) reveals.
func (*Bytes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Hidden) }

// LogValue implements slog.LogValuer.
func (*Bytes) LogValue() slog.Value { return slog.StringValue(Hidden) }

// MarshalText implements encoding.TextMarshaler, and through it encoding/json.
func (*Bytes) MarshalText() ([]byte, error) { return []byte(Hidden), nil }
