package session

import (
	"crypto/rand"
	"slices"

	"madoguchi/daemon/flow"
	"madoguchi/internal/secret"
	"madoguchi/ui/screen"
)

// entry is the buffer behind the keypad: the browser sends positions, digits exist here only.
//
// The codes that keys send are drawn anew for each screen, so that what is left of an upstream frame, in a buffer or
// anywhere, says nothing about the digit.
type entry struct {
	digits [16]byte
	n      int
	codes  []int // the code of the key at each position 0..9, of the keyboard 0..35
}

// keyboard is what the keys of the signature password stand for, by position.
const keyboard = "1234567890QWERTYUIOPASDFGHJKLZXCVBNM"

// minPassword is the shortest signature password.
const minPassword = 6

// renew takes new codes.
func (e *entry) renew(codes []int) { e.codes = codes }

// position finds the key of a code, -1 for none.
func (e *entry) position(code int) int { return slices.Index(e.codes, code) }

// shape gives the fields of a route in the order in which they are typed.
func shape(r flow.Route) []screen.EntryField {
	switch r {
	case flow.RoutePIN:
		return []screen.EntryField{{Name: "pin", Length: 4}}
	case flow.RouteSign:
		return []screen.EntryField{{Name: "password", Length: 16}}
	case flow.RouteB:
	}
	return []screen.EntryField{{Name: "birth", Length: 6}, {Name: "expiry", Length: 4}, {Name: "code", Length: 4}}
}

func size(r flow.Route) int {
	n := 0
	for _, f := range shape(r) {
		n += f.Length
	}
	return n
}

// fields gives the counts for the screen; complete means that every field is full.
func (e *entry) fields(r flow.Route) (fields []screen.EntryField, complete bool) {
	fields = shape(r)
	left, active := e.n, false
	for i := range fields {
		f := &fields[i]
		f.Filled = min(left, f.Length)
		left -= f.Filled
		if f.Filled < f.Length && !active {
			f.Active, active = true, true
		}
	}
	return fields, e.n == size(r) || r == flow.RouteSign && e.n >= minPassword
}

// key types what stands at a position of the pad (1..9, then 0) or of the keyboard.
func (e *entry) key(r flow.Route, position int) {
	last := 9
	if r == flow.RouteSign {
		last = len(keyboard) - 1
	}
	if position < 0 || position > last || e.n >= size(r) {
		return
	}
	e.digits[e.n] = digitAt(position)
	if r == flow.RouteSign {
		e.digits[e.n] = keyboard[position]
	}
	e.n++
}

func digitAt(position int) byte { return '0' + byte((position+1)%10) }

func (e *entry) erase() {
	if e.n > 0 {
		e.n--
		e.digits[e.n] = 0
	}
}

// take gives what was typed and empties the buffer.
func (e *entry) take() *secret.Bytes {
	s := secret.Copy(e.digits[:e.n])
	e.clear()
	return s
}

func (e *entry) clear() {
	clear(e.digits[:])
	e.n = 0
}

// permutation gives a random permutation of 0..n-1 (Fisher and Yates), every one as likely as any other.
func permutation(n int) []int {
	codes := make([]int, n)
	for i := range codes {
		codes[i] = i
	}
	for i := len(codes) - 1; i > 0; i-- {
		j := below(i + 1)
		codes[i], codes[j] = codes[j], codes[i]
	}
	return codes
}

// below gives a random number in 0..n-1, n at most 256: bytes of the incomplete last run of n are thrown away.
func below(n int) int {
	var b [1]byte
	for {
		_, _ = rand.Read(b[:]) // never fails since Go 1.24
		if int(b[0]) < 256/n*n {
			return int(b[0]) % n
		}
	}
}
