package push_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/ui/push"
)

func pad(s string) []byte { return []byte(s + strings.Repeat(" ", max(0, 64-len(s)))) }

func TestParseUp(t *testing.T) {
	auth := push.Up{Type: "auth"}
	copy(auth.Key[:], "abcdefghijklmnopqrstuv")
	for _, c := range []struct {
		name, frame string
		want        push.Up
		ok          bool
	}{
		{"key", `{"t":"key","i":7,"s":123,"n":45}`, push.Up{Type: "key", Index: 7, Instance: 123, N: 45}, true},
		{
			"longest", `{"t":"cancel-yes","i":99,"s":9007199254740991,"n":4294967295}`,
			push.Up{Type: "cancel-yes", Index: 99, Instance: 9007199254740991, N: 4294967295},
			true,
		},
		{"auth", `{"t":"auth","k":"abcdefghijklmnopqrstuv"}`, auth, true},
		{"auth-short-key", `{"t":"auth","k":"abcdefghijklmnopqrstu"}`, push.Up{}, false},
		{"auth-odd-key", `{"t":"auth","k":"abcdefghijklmnopqrstu+"}`, push.Up{}, false},
		{"auth-with-more", `{"t":"auth","k":"abcdefghijklmnopqrstuv","n":1}`, push.Up{}, false},
		{"key-without-auth", `{"t":"key","k":"abcdefghijklmnopqrstuv"}`, push.Up{}, false},
		{"no-count", `{"t":"key","i":7,"s":123}`, push.Up{}, false},
		{"count-zero", `{"t":"key","i":7,"s":123,"n":0}`, push.Up{}, false},
		{"index-too-large", `{"t":"key","i":100,"s":1,"n":1}`, push.Up{}, false},
		{"instance-too-large", `{"t":"key","i":1,"s":9007199254740992,"n":1}`, push.Up{}, false},
		{"count-too-large", `{"t":"key","i":1,"s":1,"n":4294967296}`, push.Up{}, false},
		{"negative", `{"t":"key","i":-1,"s":1,"n":1}`, push.Up{}, false},
		{"fraction", `{"t":"key","i":1.5,"s":1,"n":1}`, push.Up{}, false},
		{"leading-zero", `{"t":"key","i":01,"s":1,"n":1}`, push.Up{}, false},
		{"text-as-number", `{"t":"key","i":"1","s":1,"n":1}`, push.Up{}, false},
		{"number-as-text", `{"t":5,"i":1,"s":1,"n":1}`, push.Up{}, false},
		{"twice", `{"t":"key","i":1,"i":2,"s":1,"n":1}`, push.Up{}, false},
		{"unknown-field", `{"t":"key","i":1,"s":1,"n":1,"x":1}`, push.Up{}, false},
		{"capital-type", `{"t":"Key","i":1,"s":1,"n":1}`, push.Up{}, false},
		{"type-too-long", `{"t":"abcdefghijklmnopq","i":1,"s":1,"n":1}`, push.Up{}, false},
		{"escape", `{"t":"ke\u0079","i":1,"s":1,"n":1}`, push.Up{}, false},
		{"white-space-inside", `{"t": "key","i":1,"s":1,"n":1}`, push.Up{}, false},
		{"something-behind", `{"t":"key","i":1,"s":1,"n":1}  x`, push.Up{}, false},
		{"two-objects", `{"t":"key","i":1,"s":1,"n":1}{}`, push.Up{}, false},
		{"array", `["t"]`, push.Up{}, false},
		{"empty-object", `{}`, push.Up{}, false},
		{"trailing-comma", `{"t":"key","i":1,"s":1,"n":1,}`, push.Up{}, false},
		{"nothing", ``, push.Up{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := push.ParseUp(pad(c.frame))
			if (err == nil) != c.ok {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Error(diff)
			}
		})
	}
	good := `{"t":"key","i":7,"s":123,"n":45}`
	for _, n := range []int{len(good), 63, 65, 4096} {
		if _, err := push.ParseUp([]byte(good + strings.Repeat(" ", n-len(good)))); err == nil {
			t.Errorf("a frame of %d bytes was accepted", n)
		}
	}
}

func FuzzParseUp(f *testing.F) {
	for _, s := range []string{
		`{"t":"key","i":7,"s":123,"n":45}`, `{"t":"auth","k":"abcdefghijklmnopqrstuv"}`, `{}`, `{"t":"`, `{"t":"key",`,
		`{"t":"ack","i":0,"s":0,"n":4294967295}`, `{"t":"key","i":7,"s":123,"n":45}}`,
	} {
		f.Add(pad(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		up, err := push.ParseUp(frame)
		if err != nil {
			if up != (push.Up{}) {
				t.Fatalf("a refused frame gave %+v", up)
			}
			return
		}
		// whatever is accepted is JSON to an independent decoder, and says the same
		var other struct {
			T string `json:"t"`
			I int    `json:"i"`
			S uint64 `json:"s"`
			N uint64 `json:"n"`
			K string `json:"k"`
		}
		dec := json.NewDecoder(bytes.NewReader(frame))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&other); err != nil {
			t.Fatalf("accepted what is not JSON: %q: %v", frame, err)
		}
		if other.T != up.Type || other.I != up.Index || other.S != up.Instance || other.N != up.N {
			t.Fatalf("got %+v, JSON says %+v", up, other)
		}
		if up.Type == push.TypeAuth && other.K != string(up.Key[:]) {
			t.Fatalf("got key %q, JSON says %q", up.Key, other.K)
		}
	})
}

func FuzzObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":"b\"c","d":0}  `, `{"a":"\`, `{"a":00}`, `{"":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := push.Object(b, func(key, val []byte, _ bool) error {
			n += len(key) + len(val)
			return nil
		})
		if n > len(b) {
			t.Fatalf("gave %d bytes out of %d", n, len(b))
		}
		if err == nil && !strings.ContainsRune(string(b), '\\') && !json.Valid(bytes.ToValidUTF8(b, nil)) {
			t.Fatalf("accepted what is not JSON: %q", b)
		}
	})
}
