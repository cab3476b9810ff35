package canon_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/canon"
)

// shape is one of each kind, written and read by the same function.
type shape struct {
	b    bool
	n    int
	list []string
	s    string
	t    time.Time
	x    *secret.Bytes
}

func (v *shape) walk(c *canon.Coder) {
	c.Object("", func() {
		c.Bool("b", &v.b)
		c.Strings("list", &v.list, 2, 3)
		c.Int("n", &v.n, -5, 5)
		c.String("s", &v.s, 8)
		c.Time("t", &v.t)
		c.Blob("x", &v.x, 4)
	})
}

const golden = `{"b":true,"list":["a","b"],"n":-5,"s":"é\t\"\\","t":"2026-01-02T03:04:05.000Z","x":"AQI="}`

func TestBothDirections(t *testing.T) {
	v := shape{b: true, n: -5, list: []string{"a", "b"}, s: "é\t\"\\", t: time.Date(2026, 1, 2, 3, 4, 5, 999_999, time.UTC), x: secret.New([]byte{1, 2})}
	w := canon.NewWriter(1000)
	v.walk(w)
	b, err := w.Bytes()
	if err != nil || string(b) != golden {
		t.Fatalf("got %s, %v", b, err)
	}
	var got shape
	r := canon.NewReader([]byte(golden), 1000)
	got.walk(r)
	if err := r.Done(); err != nil || got.n != -5 || got.s != v.s || len(got.list) != 2 || string(got.x.Reveal()) != "\x01\x02" {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           canon.Code
		key            string
	}{
		{"negative-zero", `-5`, `-0`, canon.CodeSyntax, "n"},
		{"plus", `-5`, `+5`, canon.CodeSyntax, "n"},
		{"too-small", `-5`, `-6`, canon.CodeValue, "n"},
		{"huge", `-5`, `99999999999999999999`, canon.CodeSyntax, "n"},
		{"three-elements", `"b"]`, `"b","c"]`, canon.CodeLimit, "list"},
		{"trailing-comma", `,"b"]`, `,]`, canon.CodeSyntax, ""},
		{"long-element", `"a"`, `"aaaa"`, canon.CodeLimit, ""},
		{"leap-second", `05.000Z`, `60.000Z`, canon.CodeValue, "t"},
		{"lower-case-z", `000Z`, `000z`, canon.CodeValue, "t"},
		{"long-blob", `AQI=`, `AQIDBAU=`, canon.CodeLimit, "x"},
		{"true-as-number", `true`, `1`, canon.CodeSyntax, "b"},
		{"solidus-escaped", `é`, `\/`, canon.CodeSyntax, "s"},
		{"surrogate-escape", `é`, `\u00e9`, canon.CodeSyntax, "s"},
		{"open-end", `AQI="}`, `AQI=\"}`, canon.CodeSyntax, "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := strings.Replace(golden, c.old, c.new, 1)
			if in == golden {
				t.Fatal("nothing was changed")
			}
			var v shape
			r := canon.NewReader([]byte(in), 1000)
			v.walk(r)
			var e *canon.Error
			if err := r.Done(); !errors.As(err, &e) || e.Code != c.want || e.Key != c.key {
				t.Fatalf("got %v, want %s at %q", err, c.want, c.key)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	v := shape{t: time.Unix(0, 0)}
	w := canon.NewWriter(20)
	v.walk(w)
	if b, err := w.Bytes(); err == nil || b != nil {
		t.Fatalf("got %q", b)
	}
	r := canon.NewReader([]byte(golden), 20)
	v.walk(r)
	if r.Done() == nil {
		t.Fatal("a long input was accepted")
	}
}
