package kakunin

import (
	"bytes"
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"madoguchi/internal/secret"
)

// Caps of what HQ enters, in bytes.
const (
	MaxValue  = 1024
	MaxReason = 256
	MaxAuthor = 128
)

// Errors of what HQ enters. They name no value.
var (
	ErrItem     = errors.New("kakunin: HQ cannot enter this item")
	ErrField    = errors.New("kakunin: a field is unknown, missing or malformed")
	ErrAuthor   = errors.New("kakunin: an entry needs its author, time and reason")
	ErrAnswer   = errors.New("kakunin: this item cannot be answered with \"does not apply\"")
	ErrMyNumber = errors.New("kakunin: this looks like a My Number, which a verification record never holds")
)

// Value is one field with its text.
type Value struct {
	Field string
	Text  *secret.Bytes // UTF-8
}

// Entry is one addition of HQ's to a record: an item with all its fields, or the answer that it does not apply. Entries
// are only ever added; the newest of an item counts, and the earlier ones stay as its history.
type Entry struct {
	N            int64 // its number in the database
	Item         int
	Values       []Value
	DoesNotApply bool
	Author       string
	At           time.Time
	Reason       string // why it was added or corrected
}

// Wipe wipes the entry's values.
func (e *Entry) Wipe() {
	for _, v := range e.Values {
		v.Text.Wipe()
	}
}

// Check says whether HQ may add the entry to a record verified by that method on that day.
func (e *Entry) Check(levels [Items]Level) error {
	item, ok := ItemOf(e.Item)
	if !ok || len(item.Fields) == 0 || levels[e.Item-1] == NotOfMethod {
		return ErrItem
	}
	if e.Author == "" || len(e.Author) > MaxAuthor || e.At.IsZero() || e.Reason == "" || len(e.Reason) > MaxReason ||
		!plain([]byte(e.Author)) || !plain([]byte(e.Reason)) {
		return ErrAuthor
	}
	if LooksLikeMyNumber([]byte(e.Reason)) {
		return ErrMyNumber
	}
	if e.DoesNotApply {
		if l := levels[e.Item-1]; len(e.Values) > 0 || l != Answer && l != IfApplicable {
			return ErrAnswer
		}
		return nil
	}
	return e.checkValues(item)
}

func (e *Entry) checkValues(item Item) error {
	seen := map[string]bool{}
	for _, v := range e.Values {
		f, ok := item.Field(v.Field)
		b := v.Text.Reveal()
		if !ok || seen[v.Field] || len(b) == 0 || len(b) > MaxValue || !plain(b) {
			return ErrField
		}
		seen[v.Field] = true
		if LooksLikeMyNumber(b) {
			return ErrMyNumber
		}
		if f.Kind == KindDate {
			if _, err := time.Parse(time.DateOnly, string(b)); err != nil {
				return ErrField
			}
		}
	}
	for _, f := range item.Fields {
		if f.Required && !seen[f.ID] {
			return ErrField
		}
	}
	return nil
}

// plain is UTF-8 without control characters and not only of white space.
func plain(b []byte) bool {
	if !utf8.Valid(b) || len(bytes.TrimSpace(b)) == 0 {
		return false
	}
	return !bytes.ContainsFunc(b, unicode.IsControl)
}

// LooksLikeMyNumber finds a run of exactly twelve digits, half or full width, with or without separators, whose last
// digit is the check digit of a My Number (番号法施行令の検査用数字; the same as 総務省令85号 第5条).
func LooksLikeMyNumber(text []byte) bool {
	var run []byte
	check := func() bool {
		found := len(run) == 12 && checkDigit(run) == run[11]
		clear(run)
		run = run[:0]
		return found
	}
	for _, r := range string(text) {
		switch {
		case r >= '0' && r <= '9':
			run = append(run, byte(r-'0'))
		case r >= '０' && r <= '９':
			run = append(run, byte(r-'０'))
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), r == 'ー', r == '・', r == '−', r == '.', r == '_', r == '/':
		default:
			if check() {
				return true
			}
		}
	}
	return check()
}

// checkDigit of the first eleven digits.
func checkDigit(d []byte) byte {
	sum := 0
	for n := 1; n <= 11; n++ { // n counts from the lowest of the eleven
		q := n + 1
		if n > 6 {
			q = n - 5
		}
		sum += int(d[11-n]) * q
	}
	if r := sum % 11; r > 1 {
		return byte(11 - r)
	}
	return 0
}
