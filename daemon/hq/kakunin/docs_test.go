package kakunin_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"madoguchi/daemon/hq/kakunin"
)

// The table in the document is written by hand: what it says is what the code does.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../../docs/verification-record.md")
	if err != nil {
		t.Fatal(err)
	}
	columns := []struct {
		act  kakunin.Act
		code string
	}{{"jp_aml", "in-person-chip"}, {"jp_aml", "jpki-signature"}, {"jp_mpiupa", "in-person-chip"}, {"jp_mpiupa", "jpki-signature"}}
	words := map[string]kakunin.Level{"R": "required", "A": "answer", "I": "if-applicable", "–": "not-of-method"}
	seen := 0
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(line, "|")
		if len(cells) != 10 {
			continue
		}
		for _, n := range numbers(strings.TrimSpace(cells[1])) {
			seen++
			if item, _ := kakunin.ItemOf(n); string(item.Mark) != strings.TrimSpace(cells[8]) {
				t.Errorf("item %d has mark %s", n, item.Mark)
			}
			for i, c := range columns {
				cell, _, _ := strings.Cut(strings.TrimSpace(cells[4+i]), ";")
				levels, ok := kakunin.Levels(c.act, c.code, "2026-11-20")
				if !ok || levels[n-1] != words[cell] {
					t.Errorf("item %d, %v: the document says %q, the code %q", n, c, cell, levels[n-1])
				}
			}
		}
	}
	if seen != kakunin.Items {
		t.Fatalf("the document has %d items", seen)
	}
}

// numbers reads "3", "18, 19" and "8–12".
func numbers(cell string) (out []int) {
	if a, b, ok := strings.Cut(cell, "–"); ok {
		from, err1 := strconv.Atoi(a)
		to, err2 := strconv.Atoi(b)
		for n := from; err1 == nil && err2 == nil && n <= to; n++ {
			out = append(out, n)
		}
		return out
	}
	for one := range strings.SplitSeq(cell, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(one)); err == nil {
			out = append(out, n)
		}
	}
	return out
}
