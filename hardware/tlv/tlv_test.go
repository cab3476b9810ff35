package tlv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/tlv"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestFirst(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		tag      tlv.Tag
		value    string
		err      error
	}{
		{"my-number-file", "FF100C 313233343536373839303132 FFFF", 0xFF10, "313233343536373839303132", nil},
		{"one-byte-tag", "3003020105", 0x30, "020105", nil},
		{"length-81-non-minimal", "DF258101 31", 0xDF25, "31", nil},
		{"length-82-non-minimal", "FF40820001 AA FF", 0xFF40, "AA", nil},
		{"length-83", "FF4083000001 AA", 0xFF40, "AA", nil},
		{"empty-value", "FF2000", 0xFF20, "", nil},
		{"nothing", "", 0, "", tlv.ErrTruncated},
		{"half-a-tag", "FF", 0, "", tlv.ErrTruncated},
		{"no-length", "FF20", 0, "", tlv.ErrTruncated},
		{"half-a-length", "FF208201", 0, "", tlv.ErrTruncated},
		{"longer-than-input", "FF2003 0102", 0, "", tlv.ErrTruncated},
		{"announces-16-megabytes", "FF2083FFFFFF 00", 0, "", tlv.ErrTruncated},
		{"indefinite", "3080 0000", 0, "", tlv.ErrMalformed},
		{"four-length-bytes", "308400000001 00", 0, "", tlv.ErrMalformed},
		{"three-byte-tag", "FF8101 00", 0, "", tlv.ErrMalformed},
		{"filler", "FFFFFFFF", 0, "", tlv.ErrMalformed},
		{"zero-tag", "0000", 0, "", tlv.ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tlv.First(unhex(t, tc.in))
			if !errors.Is(err, tc.err) {
				t.Fatalf("got error %v, want %v", err, tc.err)
			}
			if got.Tag != tc.tag || !bytes.Equal(got.Value, unhex(t, tc.value)) {
				t.Fatalf("got %04X %X, want %04X %s", got.Tag, got.Value, tc.tag, tc.value)
			}
		})
	}
}

func TestHeaderOfPrefix(t *testing.T) {
	tag, header, size, err := tlv.Header(unhex(t, "FF20822EE0"))
	if err != nil || tag != 0xFF20 || header != 5 || size != 12005 {
		t.Fatalf("got %04X %d %d %v, want FF20 5 12005", tag, header, size, err)
	}
}

func TestFind(t *testing.T) {
	// a key object as in DF24: a primitive tag whose value is TLV all the same
	file := unhex(t, "FF20 10 DF21 02 0000 DF24 08 900103 91820001FF FFFFFF")
	got, err := tlv.Find(file, 0xFF20, 0xDF24, 0x91)
	if err != nil || !bytes.Equal(got.Value, []byte{0xFF}) || !bytes.Equal(got.Raw, unhex(t, "91820001FF")) {
		t.Fatalf("got %X %v", got.Raw, err)
	}
	if _, err := tlv.Find(file, 0xFF20, 0xDF28); !errors.Is(err, tlv.ErrMissing) {
		t.Fatalf("got %v, want ErrMissing", err)
	}
	if _, err := tlv.Find(file); !errors.Is(err, tlv.ErrMalformed) {
		t.Fatalf("an empty path: got %v, want ErrMalformed", err)
	}
}

func TestChildrenRefusesTwins(t *testing.T) {
	if _, err := tlv.Children(unhex(t, "DF270101 DF270102")); !errors.Is(err, tlv.ErrDuplicate) {
		t.Fatalf("got %v, want ErrDuplicate", err)
	}
	if _, err := tlv.Children(bytes.Repeat([]byte{1, 0}, 65)); !errors.Is(err, tlv.ErrMalformed) {
		t.Fatalf("65 objects: got %v, want ErrMalformed", err)
	}
}

func TestAllSimple(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []tlv.Simple
		err      error
	}{
		{"record", "0102 3435 FFFF", []tlv.Simple{{Tag: 1, Value: []byte("45")}}, nil},
		{"long-length", "01FF0002 3435 0200", []tlv.Simple{{Tag: 1, Value: []byte("45")}, {Tag: 2, Value: []byte{}}}, nil},
		{"empty", "", nil, nil},
		{"truncated", "0103 3435", nil, tlv.ErrTruncated},
		{"no-length", "01", nil, tlv.ErrTruncated},
		{"half-a-long-length", "01FF00", nil, tlv.ErrTruncated},
		{"zero-tag", "000101", nil, tlv.ErrMalformed},
		{"data-after-filler", "FF0101", nil, tlv.ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tlv.AllSimple(unhex(t, tc.in))
			if !errors.Is(err, tc.err) {
				t.Fatalf("got error %v, want %v", err, tc.err)
			}
			if d := cmp.Diff(got, tc.want); d != "" {
				t.Fatal(d)
			}
		})
	}
}

// FuzzAll checks that parsing never panics and that the objects are the input, piece by piece, up to filler.
func FuzzAll(f *testing.F) {
	for _, s := range []string{"FF100C313233343536373839303132FFFF", "3080", "FF408200 9F", "FF2083FFFFFF00", "90010391820001FF"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		objects, err := tlv.All(in)
		if err != nil {
			return
		}
		rest := in
		for _, o := range objects {
			if !bytes.HasPrefix(rest, o.Raw) || !bytes.HasSuffix(o.Raw, o.Value) || len(o.Raw) == 0 {
				t.Fatalf("object %04X is not where it was read", o.Tag)
			}
			rest = rest[len(o.Raw):]
		}
		if len(bytes.Trim(rest, "\xFF")) != 0 {
			t.Fatal("something other than filler was ignored")
		}
		_, _ = tlv.Find(in, 0xFF20, 0xDF24, 0x91)
	})
}

// FuzzAllSimple checks that values lie in the input and never overlap.
func FuzzAllSimple(f *testing.F) {
	f.Add([]byte("\x01\x02AB\xFF"))
	f.Add([]byte("\x01\xFF\x00\x02AB"))
	f.Fuzz(func(t *testing.T, in []byte) {
		objects, err := tlv.AllSimple(in)
		total := 0
		for _, o := range objects {
			total += 2 + len(o.Value)
		}
		if err == nil && total > len(in) {
			t.Fatal("the values are longer than the input")
		}
	})
}
