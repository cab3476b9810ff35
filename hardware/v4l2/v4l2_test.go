package v4l2

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

func TestChoose(t *testing.T) {
	mj := func(w, h int) mode { return mode{formatMJPEG, w, h} }
	yu := func(w, h int) mode { return mode{formatYUYV, w, h} }
	for _, tc := range []struct {
		name  string
		modes []mode
		want  mode
		ok    bool
	}{
		{"wanted-one", []mode{mj(1920, 1080), mj(1280, 720), mj(640, 480), yu(1280, 720)}, mj(1280, 720), true},
		{"order-does-not-matter", []mode{yu(1280, 720), mj(640, 480), mj(1280, 720)}, mj(1280, 720), true},
		{"largest-mjpeg-that-fits", []mode{mj(640, 480), mj(800, 600), mj(2560, 1440)}, mj(800, 600), true},
		{"full-hd-before-vga", []mode{mj(640, 480), mj(1920, 1080)}, mj(1920, 1080), true},
		{"smallest-that-is-too-large", []mode{mj(3840, 2160), mj(2560, 1440)}, mj(2560, 1440), true},
		{"mjpeg-before-yuyv", []mode{yu(1280, 720), mj(320, 240)}, mj(320, 240), true},
		{"yuyv-only", []mode{yu(640, 480), yu(1280, 720), yu(1920, 1080)}, yu(1280, 720), true},
		{"yuyv-vga-before-full-hd", []mode{yu(1920, 1080), yu(640, 480)}, yu(640, 480), true},
		{"other-formats", []mode{{format: 1, width: 1280, height: 720}}, mode{}, false},
		{"metadata-node", nil, mode{}, false},
		{"nonsense-sizes", []mode{mj(0, 0), mj(-1, 5), mj(5000, 10)}, mode{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := choose(tc.modes); got != tc.want || ok != tc.ok {
				t.Fatalf("got %v %v, want %v %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	for _, tc := range []struct {
		name string
		s    span
		want [2]int // what choose takes
	}{
		{"discrete", span{minW: 800, maxW: 800, minH: 600, maxH: 600}, [2]int{800, 600}},
		{"stepwise", span{minW: 160, maxW: 1920, stepW: 16, minH: 120, maxH: 1080, stepH: 8}, [2]int{1280, 720}},
		{"stepwise-without-720p", span{minW: 160, maxW: 800, stepW: 160, minH: 120, maxH: 600, stepH: 120}, [2]int{800, 600}},
		{"continuous", span{minW: 1, maxW: 4000, stepW: 1, minH: 1, maxH: 4000, stepH: 1}, [2]int{1280, 720}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := choose(tc.s.sizes(formatMJPEG))
			if got != (mode{formatMJPEG, tc.want[0], tc.want[1]}) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// picture is a JPEG by the standard library, which writes the tables of Annex K.3.
func picture(tb testing.TB, w, h int, c color.Color) []byte {
	tb.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	img.Set(w/2, h/2, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// withoutTables cuts the DHT segments out, as Motion-JPEG cameras do, and gives them.
func withoutTables(tb testing.TB, file []byte) (frame, tables []byte) {
	tb.Helper()
	for at := 2; ; {
		size := 2 + int(file[at+2])<<8 + int(file[at+3])
		if file[at+1] == 0xC4 {
			return append(bytes.Clone(file[:at]), file[at+size:]...), file[at : at+size]
		}
		at += size
	}
}

func TestStandardTables(t *testing.T) {
	// the standard library is the independent source: it writes the same four tables in one segment
	_, want := withoutTables(t, picture(t, 16, 16, color.Black))
	if got := standardTables(); !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes\n%X\nwant %d bytes\n%X", len(got), got, len(want), want)
	}
}

func TestRepair(t *testing.T) {
	whole := picture(t, 64, 48, color.RGBA{200, 100, 50, 255})
	bare, _ := withoutTables(t, whole)
	for name, in := range map[string][]byte{
		"whole":                     whole,
		"with-filler":               append(bytes.Clone(whole), make([]byte, 1000)...),
		"without-tables":            bare,
		"without-tables-and-filler": append(bytes.Clone(bare), 0, 0, 0xFF, 0xD9, 0),
		"fill-bytes":                append([]byte{0xFF, 0xD8, 0xFF, 0xFF}, whole[2:]...),
	} {
		t.Run(name, func(t *testing.T) {
			out, w, h, err := repair(in)
			if err != nil || w != 64 || h != 48 {
				t.Fatalf("got %dx%d %v, want 64x48", w, h, err)
			}
			got, err := jpeg.Decode(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			want, err := jpeg.Decode(bytes.NewReader(whole))
			if err != nil {
				t.Fatal(err)
			}
			if got.At(3, 3) != want.At(3, 3) || !bytes.HasSuffix(out, []byte{0xFF, 0xD9}) {
				t.Fatal("another picture came out")
			}
			if n := bytes.Count(out, []byte{0xFF, 0xC4}); n != 1 {
				t.Fatalf("%d table segments", n)
			}
		})
	}
	for name, in := range map[string][]byte{
		"empty": nil, "zeros": make([]byte, 100), "soi-only": {0xFF, 0xD8, 0xFF, 0xD9}, "cut": whole[:len(whole)/2],
		"no-eoi": whole[:len(whole)-2], "length-beyond": {0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xFF, 0},
		"length-of-one": {0xFF, 0xD8, 0xFF, 0xE0, 0, 1, 0, 0}, "no-size": append([]byte{0xFF, 0xD8}, whole[len(whole)-40:]...),
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, _, err := repair(in); !errors.Is(err, ErrFrame) {
				t.Fatalf("got %v, want ErrFrame", err)
			}
		})
	}
}

// FuzzRepair wants no panic, and a JPEG that begins and ends as one.
func FuzzRepair(f *testing.F) {
	whole := picture(f, 16, 16, color.White)
	bare, _ := withoutTables(f, whole)
	f.Add(whole)
	f.Add(bare)
	f.Add([]byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 8, 8, 0, 1, 0, 1, 0, 0xFF, 0xDA, 0, 2, 0xFF, 0xD9})
	f.Fuzz(func(t *testing.T, in []byte) {
		out, w, h, err := repair(bytes.Clone(in))
		if err != nil {
			return
		}
		if w < 1 || h < 1 || w > maxSide || h > maxSide {
			t.Fatalf("%dx%d", w, h)
		}
		if !bytes.HasPrefix(out, []byte{0xFF, 0xD8}) || !bytes.HasSuffix(out, []byte{0xFF, 0xD9}) {
			t.Fatal("not a JPEG")
		}
	})
}

func TestYUYV(t *testing.T) {
	// two pixels a row, written by hand: Y0 Cb Y1 Cr
	frame := []byte{
		10, 20, 30, 40,
		50, 60, 70, 80,
	}
	img, err := decodeYUYV(frame, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		x, y int
		want color.YCbCr
	}{
		{0, 0, color.YCbCr{Y: 10, Cb: 20, Cr: 40}},
		{1, 0, color.YCbCr{Y: 30, Cb: 20, Cr: 40}},
		{0, 1, color.YCbCr{Y: 50, Cb: 60, Cr: 80}},
		{1, 1, color.YCbCr{Y: 70, Cb: 60, Cr: 80}},
	} {
		if got := img.YCbCrAt(tc.x, tc.y); got != tc.want {
			t.Errorf("(%d,%d): got %v, want %v", tc.x, tc.y, got, tc.want)
		}
	}
	for _, bad := range []struct{ n, w, h int }{{7, 2, 2}, {9, 2, 2}, {6, 3, 1}, {0, 0, 0}, {8, -2, -2}} {
		if _, err := decodeYUYV(make([]byte, bad.n), bad.w, bad.h); !errors.Is(err, ErrFrame) {
			t.Errorf("%v: got %v, want ErrFrame", bad, err)
		}
	}
}

func TestYUYVColour(t *testing.T) {
	// BT.601 red is Y 76, Cb 85, Cr 255 (full range, as JPEG has it)
	frame := bytes.Repeat([]byte{76, 85, 76, 255}, 16*16/2)
	file, err := encodeYUYV(frame, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r, g, b, _ := img.At(8, 8).RGBA()
	if r>>8 < 245 || g>>8 > 10 || b>>8 > 10 {
		t.Fatalf("got %d %d %d, want red", r>>8, g>>8, b>>8)
	}
}
