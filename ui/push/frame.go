package push

import (
	"strconv"
	"unicode/utf8"
)

// UpSize is the exact size of every frame from a kiosk browser: JSON padded with spaces, so that the length of a
// frame says nothing about what was pressed.
const UpSize = 64

// KeySize is the length of a key (a bootstrap token or a session secret): 128 bits in base64url without padding.
const KeySize = 22

// TypeAuth is the type of the first frame of every connection.
const TypeAuth = "auth"

// Limits of the numbers in an upstream frame.
const (
	maxIndex    = 99
	maxInstance = 1<<53 - 1 // the largest integer that JavaScript keeps exactly
	maxCount    = 1<<32 - 1
)

// Up is one frame from a kiosk browser. An auth frame has Key only; every other frame has the other fields.
type Up struct {
	Type     string
	Index    int
	Instance uint64 // the screen instance on which the finger went down
	N        uint64 // counts the frames of this connection, from 1
	Key      [KeySize]byte
}

// Down is one rendered screen on its way to the browser.
type Down struct {
	Boot     string // id of this process; the page reloads itself when it changes
	Rev      uint64
	Screen   string
	Instance uint64
	HTML     []byte
}

// Encode makes the JSON of a screen. It builds the bytes itself: encoding/json would keep copies of names and
// addresses in buffers that cannot be wiped.
func (d Down) Encode() []byte {
	// escaping at worst makes six bytes of one; a buffer that never grows leaves no copies behind
	b := make([]byte, 0, 160+len(d.Boot)+len(d.Screen)+6*len(d.HTML))
	b = append(b, `{"boot":`...)
	b = appendString(b, []byte(d.Boot))
	b = append(b, `,"rev":`...)
	b = strconv.AppendUint(b, d.Rev, 10)
	b = append(b, `,"screen":`...)
	b = appendString(b, []byte(d.Screen))
	b = append(b, `,"inst":`...)
	b = strconv.AppendUint(b, d.Instance, 10)
	b = append(b, `,"html":`...)
	b = appendString(b, d.HTML)
	return append(b, '}')
}

// Heartbeat makes the frame that says that we live.
func Heartbeat(rev uint64) []byte {
	return append(strconv.AppendUint([]byte(`{"hb":`), rev, 10), '}')
}

// KeyFrame makes the frame that hands the browser its session secret.
func KeyFrame(key string) []byte { return []byte(`{"key":"` + key + `"}`) }

// appendString appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendString(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		s = s[n:]
	}
	return append(b, '"')
}

// ParseUp reads one frame of a kiosk browser. It accepts exactly UpSize bytes: one flat JSON object without white
// space, then spaces. Every error is ErrFrame.
func ParseUp(frame []byte) (Up, error) {
	var u Up
	if len(frame) != UpSize {
		return Up{}, ErrFrame
	}
	seen := ""
	err := Object(frame, func(key, val []byte, quoted bool) error {
		if len(key) != 1 {
			return ErrFrame
		}
		for i := range len(seen) {
			if seen[i] == key[0] {
				return ErrFrame
			}
		}
		seen += string(key)
		return u.set(key[0], val, quoted)
	})
	if err != nil {
		return Up{}, ErrFrame
	}
	if u.Type == TypeAuth && seen == "tk" || u.Type != TypeAuth && seen == "tisn" && u.N > 0 {
		return u, nil
	}
	return Up{}, ErrFrame
}

func (u *Up) set(key byte, val []byte, quoted bool) error {
	var err error
	switch {
	case key == 't' && quoted:
		u.Type, err = kindName(val)
	case key == 'k' && quoted:
		if len(val) != KeySize || !isKey(val) {
			return ErrFrame
		}
		copy(u.Key[:], val)
	case key == 'i' && !quoted:
		var n uint64
		n, err = number(val, maxIndex)
		u.Index = int(n)
	case key == 's' && !quoted:
		u.Instance, err = number(val, maxInstance)
	case key == 'n' && !quoted:
		u.N, err = number(val, maxCount)
	default:
		return ErrFrame
	}
	return err
}

func kindName(val []byte) (string, error) {
	if len(val) == 0 || len(val) > 16 {
		return "", ErrFrame
	}
	for _, c := range val {
		if (c < 'a' || c > 'z') && c != '-' {
			return "", ErrFrame
		}
	}
	return string(val), nil
}

func isKey(val []byte) bool {
	for _, c := range val {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func number(val []byte, most uint64) (uint64, error) {
	n, err := strconv.ParseUint(string(val), 10, 64)
	if err != nil || n > most {
		return 0, ErrFrame
	}
	return n, nil
}
