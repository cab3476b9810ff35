package push

// Object walks one flat JSON object: quoted keys without escapes, values that are quoted strings or unsigned whole
// numbers without leading zeros, no white space inside, only spaces after it. val is a part of b: a quoted value
// comes without its quotes and with its escapes as they are. Nothing is copied, so that wiping b wipes all.
// Every fault is ErrFrame, or the error of field.
func Object(b []byte, field func(key, val []byte, quoted bool) error) error {
	rest, ok := take(b, '{')
	if !ok {
		return ErrFrame
	}
	for first := true; ; first = false {
		if after, ok := take(rest, '}'); ok && first {
			return spaces(after)
		}
		key, after, ok := quotedString(rest)
		if !ok {
			return ErrFrame
		}
		if rest, ok = take(after, ':'); !ok {
			return ErrFrame
		}
		var val []byte
		quoted := len(rest) > 0 && rest[0] == '"'
		if quoted {
			val, rest, ok = quotedString(rest)
		} else {
			val, rest, ok = digits(rest)
		}
		if !ok {
			return ErrFrame
		}
		if err := field(key, val, quoted); err != nil {
			return err
		}
		if after, ok := take(rest, ','); ok {
			rest = after
			continue
		}
		if after, ok := take(rest, '}'); ok {
			return spaces(after)
		}
		return ErrFrame
	}
}

func take(b []byte, c byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != c {
		return b, false
	}
	return b[1:], true
}

func spaces(b []byte) error {
	for _, c := range b {
		if c != ' ' {
			return ErrFrame
		}
	}
	return nil
}

func quotedString(b []byte) (val, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, b, false
	}
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '"':
			return b[1:i], b[i+1:], true
		case b[i] == '\\':
			i++
		case b[i] < 0x20:
			return nil, b, false
		}
	}
	return nil, b, false
}

func digits(b []byte) (val, rest []byte, ok bool) {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	if n == 0 || n > 1 && b[0] == '0' {
		return nil, b, false
	}
	return b[:n], b[n:], true
}
