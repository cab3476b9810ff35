package kakunin

import (
	"strconv"
	"unicode/utf8"

	"madoguchi/internal/secret"
)

// writer writes JSON in the order of its calls. It exists because encoding/json would make strings of secrets.
type writer struct {
	b []byte
}

// comma separates what comes next from what stands before it.
func (w *writer) comma() {
	if n := len(w.b); n > 0 && w.b[n-1] != '{' && w.b[n-1] != '[' && w.b[n-1] != ':' {
		w.grow(1)
		w.b = append(w.b, ',')
	}
}

// grow makes room and wipes the smaller buffer that it leaves behind.
func (w *writer) grow(n int) {
	if cap(w.b)-len(w.b) >= n {
		return
	}
	bigger := make([]byte, len(w.b), 2*cap(w.b)+n+1024)
	copy(bigger, w.b)
	clear(w.b)
	w.b = bigger
}

func (w *writer) open(c byte) {
	w.comma()
	w.grow(1)
	w.b = append(w.b, c)
}

func (w *writer) close(c byte) {
	w.grow(1)
	w.b = append(w.b, c)
}

func (w *writer) key(k string) {
	w.comma()
	w.quote([]byte(k))
	w.grow(1)
	w.b = append(w.b, ':')
}

func (w *writer) text(k, s string) {
	w.key(k)
	w.quote([]byte(s))
}

func (w *writer) secret(k string, s *secret.Bytes) {
	w.key(k)
	w.quote(s.Reveal())
}

func (w *writer) number(k string, n int) {
	w.key(k)
	w.grow(20)
	w.b = strconv.AppendInt(w.b, int64(n), 10)
}

func (w *writer) boolean(k string, v bool) {
	w.key(k)
	w.grow(5)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *writer) numbers(k string, all []int) {
	w.key(k)
	w.open('[')
	for _, n := range all {
		w.comma()
		w.grow(20)
		w.b = strconv.AppendInt(w.b, int64(n), 10)
	}
	w.close(']')
}

func (w *writer) words(k string, all []string) {
	w.key(k)
	w.open('[')
	for _, s := range all {
		w.comma()
		w.quote([]byte(s))
	}
	w.close(']')
}

func (w *writer) values(all []Value) {
	w.key("values")
	w.open('[')
	for _, v := range all {
		w.open('{')
		w.text("field", v.Field)
		w.secret("text", v.Text)
		w.close('}')
	}
	w.close(']')
}

// quote writes a JSON string (RFC 8259, 7). What is no UTF-8 becomes U+FFFD; angle brackets are escaped, so that the
// text may stand in a page.
func (w *writer) quote(s []byte) {
	w.grow(6*len(s) + 2)
	w.b = append(w.b, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			w.b = append(w.b, '\\', byte(r))
		case r < 0x20 || r == '<' || r == '>' || r == '&' || r == 0x7f || r == 0x2028 || r == 0x2029:
			const hex = "0123456789abcdef"
			w.b = append(w.b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			w.b = utf8.AppendRune(w.b, r)
		}
		s = s[n:]
	}
	w.b = append(w.b, '"')
}
