package canon

import (
	"encoding/base64"
	"unicode/utf8"
)

// plainRun is how many bytes of b stand for themselves in a JSON string.
func plainRun(b []byte) int {
	for i, x := range b {
		if x < 0x20 || x == '"' || x == '\\' {
			return i
		}
	}
	return len(b)
}

// escape is the one spelling of a byte that does not stand for itself (RFC 8785, 3.2.2.2).
func escape(x byte) string {
	switch x {
	case '"':
		return `\"`
	case '\\':
		return `\\`
	case '\b':
		return `\b`
	case '\t':
		return `\t`
	case '\n':
		return `\n`
	case '\f':
		return `\f`
	case '\r':
		return `\r`
	default:
		const digits = "0123456789abcdef"
		return `\u00` + string([]byte{digits[x>>4], digits[x&15]})
	}
}

// unescape finds the byte whose escape b begins with, and the length of that escape; 0 when there is none.
func unescape(b []byte) (x byte, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	var candidates []byte
	if b[1] == 'u' {
		for c := range byte(0x20) {
			candidates = append(candidates, c)
		}
	} else {
		candidates = []byte("\"\\\b\t\n\f\r")
	}
	for _, c := range candidates {
		if e := escape(c); len(b) >= len(e) && string(b[:len(e)]) == e {
			return c, len(e)
		}
	}
	return 0, 0
}

// key writes or expects the comma and the key before a member.
func (c *Coder) key(key string) {
	if c.comma {
		if c.reading && key != "" && c.peek() == '}' { // one member fewer than the schema knows
			c.fail(CodeKey, key)
		}
		c.lit(key, ",")
	}
	c.comma = false
	if key == "" || c.err != nil {
		return
	}
	quoted := `"` + key + `":`
	if c.reading && !c.has(quoted) {
		c.fail(CodeKey, key)
		return
	}
	c.lit(key, quoted)
}

// lit writes the literal, or reads exactly it.
func (c *Coder) lit(key, literal string) {
	if c.err != nil {
		return
	}
	if !c.reading {
		if c.room(key, len(literal)) {
			c.buf = append(c.buf, literal...)
		}
		return
	}
	if !c.has(literal) {
		code := CodeSyntax
		if literal == "}" && c.peek() == ',' { // one member more than the schema knows
			code = CodeKey
		}
		c.fail(code, key)
		return
	}
	c.pos += len(literal)
}

func (c *Coder) has(literal string) bool {
	return len(c.buf)-c.pos >= len(literal) && string(c.buf[c.pos:c.pos+len(literal)]) == literal
}

// peek is the next byte, 0 at the end.
func (c *Coder) peek() byte {
	if c.err != nil || c.pos >= len(c.buf) {
		return 0
	}
	return c.buf[c.pos]
}

func (c *Coder) raw(key string, b []byte) {
	if c.room(key, len(b)) {
		c.buf = append(c.buf, b...)
	}
}

// room makes space for n bytes more. A buffer that is left behind is wiped: it may hold personal data.
func (c *Coder) room(key string, n int) bool {
	if c.err != nil {
		return false
	}
	need := len(c.buf) + n
	if need > c.limit {
		c.fail(CodeLimit, key)
		return false
	}
	if need > cap(c.buf) {
		bigger := make([]byte, len(c.buf), max(need, 2*cap(c.buf), 512))
		copy(bigger, c.buf)
		clear(c.buf)
		c.buf = bigger
	}
	return true
}

// quoted finds the string at the cursor: its inside, with escapes, and whether it has any. It moves past it.
func (c *Coder) quoted(key string) (inside []byte, escapes bool) {
	c.lit(key, `"`)
	for i := c.pos; c.err == nil; i++ {
		if i >= len(c.buf) || c.buf[i] < 0x20 {
			c.fail(CodeSyntax, key)
			break
		}
		if c.buf[i] == '\\' {
			escapes = true
			i++ // whatever follows belongs to the escape, a quote too
			continue
		}
		if c.buf[i] == '"' {
			inside = c.buf[c.pos:i]
			c.pos = i + 1
			c.comma = true
			return inside, escapes
		}
	}
	return nil, false
}

func (c *Coder) readText(key string, most int) []byte {
	inside, escapes := c.quoted(key)
	if c.err != nil {
		return nil
	}
	out := make([]byte, 0, len(inside)) // never grows, so that no copy is left behind
	for i := 0; i < len(inside); {
		if !escapes || inside[i] != '\\' {
			n := plainRun(inside[i:])
			out = append(out, inside[i:i+n]...)
			i += n
			continue
		}
		x, n := unescape(inside[i:])
		if n == 0 {
			c.failText(CodeSyntax, key, out)
			return nil
		}
		out = append(out, x)
		i += n
	}
	if len(out) > most {
		c.failText(CodeLimit, key, out)
		return nil
	}
	if !utf8.Valid(out) {
		c.failText(CodeValue, key, out)
		return nil
	}
	return out
}

func (c *Coder) readBlob(key string, most int) []byte {
	inside, _ := c.quoted(key)
	if c.err != nil {
		return nil
	}
	if base64.StdEncoding.DecodedLen(len(inside)) > most+2 {
		c.fail(CodeLimit, key)
		return nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(inside)))
	n, err := base64.StdEncoding.Strict().Decode(out, inside)
	if err != nil {
		c.failText(CodeSyntax, key, out)
		return nil
	}
	if n > most {
		c.failText(CodeLimit, key, out)
		return nil
	}
	return out[:n:n]
}

// failText records the fault and wipes what was read so far.
func (c *Coder) failText(code Code, key string, out []byte) {
	clear(out[:cap(out)])
	c.fail(code, key)
}
