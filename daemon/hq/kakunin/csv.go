package kakunin

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// CSV renders the record per RFC 4180: one line per value, at least one per item, every cell quoted. With bom it begins
// with U+FEFF, without which Excel does not read it as UTF-8. The caller wipes the bytes.
func (v *Verification) CSV(x Export, bom bool) []byte {
	w := &writer{}
	if bom {
		w.grow(3)
		w.b = append(w.b, "\ufeff"...)
	}
	w.line("record", "device", "state", "watermark", "number", "item", "項目", "level", "status", "source", "confirmed", "field", "value", "author", "at", "reason")
	for i := range v.Items {
		s := &v.Items[i]
		values := s.Values
		if len(values) == 0 {
			values = []Value{{}}
		}
		for n, one := range values {
			var author, at, reason string
			if s.Entry != nil && (len(s.Entry.Values) == 0 || n >= len(values)-len(s.Entry.Values)) { // HQ's values are the last
				author, at, reason = s.Entry.Author, clock(s.Entry.At), s.Entry.Reason
			}
			w.cells(
				[]byte(v.ID), []byte(v.Device), []byte(v.State()), []byte(x.Watermark), []byte(strconv.Itoa(s.Number)), []byte(s.ID),
				[]byte(s.JA), []byte(s.Level), []byte(s.Status), []byte(s.Source), []byte(strconv.FormatBool(s.Confirmed)),
				[]byte(one.Field), one.Text.Reveal(), []byte(author), []byte(at), []byte(reason),
			)
		}
	}
	return w.b
}

func (w *writer) line(cells ...string) {
	var all [][]byte
	for _, c := range cells {
		all = append(all, []byte(c))
	}
	w.cells(all...)
}

func (w *writer) cells(cells ...[]byte) {
	for i, c := range cells {
		w.grow(2*len(c) + 6)
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '"')
		if formula(c) {
			w.b = append(w.b, '\'') // a spreadsheet shows it and calculates nothing
		}
		for _, x := range c {
			if x == '"' {
				w.b = append(w.b, '"')
			}
			w.b = append(w.b, x)
		}
		w.b = append(w.b, '"')
	}
	w.grow(2)
	w.b = append(w.b, '\r', '\n')
}

// formula says whether a spreadsheet could take the cell for one: by its first sign that is no white space, half or
// full width, or because it begins with a control character.
func formula(c []byte) bool {
	if len(c) > 0 && (c[0] == '\t' || c[0] == '\r' || c[0] == '\n') {
		return true
	}
	r, _ := utf8.DecodeRune(bytes.TrimSpace(c))
	switch r {
	case '=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠', '−':
		return true
	}
	return false
}
