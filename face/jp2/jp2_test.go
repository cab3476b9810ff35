package jp2_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"madoguchi/face/jp2"
	"madoguchi/internal/child"
)

func TestMain(m *testing.M) {
	funcs := jp2.Handlers()
	funcs["batch"] = batch
	child.Main(funcs)
	os.Exit(m.Run())
}

// batch decodes many inputs in one child: each is preceded by its length in four bytes. It answers how many were
// decoded and how many refused.
func batch(in []byte) ([]byte, error) {
	var decoded, refused uint32
	for len(in) >= 4 {
		n := binary.BigEndian.Uint32(in)
		if _, err := jp2.DecodeInProcess(in[4 : 4+n]); err != nil {
			refused++
		} else {
			decoded++
		}
		in = in[4+n:]
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, decoded), refused), nil
}

// pattern is a smooth grey picture with an edge.
func pattern(w, h int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := 40 + 150*x/w
			if y > h/2 {
				v = 220 - 100*y/h
			}
			img.Pix[y*w+x] = byte(v)
		}
	}
	return img
}

func encoded(tb testing.TB, w, h int) []byte {
	tb.Helper()
	b, err := jp2.Encode(pattern(w, h), 8)
	if errors.Is(err, jp2.ErrNoCgo) {
		if os.Getenv("CI") == "true" {
			tb.Fatal("NOT RUN: built without cgo")
		}
		tb.Skip("NOT RUN: built without cgo")
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func near(t *testing.T, got image.Image, want *image.Gray) {
	t.Helper()
	g, ok := got.(*image.Gray)
	if !ok || g.Rect != want.Rect {
		t.Fatalf("got %T %v, want grey %v", got, got.Bounds(), want.Rect)
	}
	for i := range want.Pix {
		if d := int(g.Pix[i]) - int(want.Pix[i]); d < -12 || d > 12 {
			t.Fatalf("sample %d: got %d, want about %d", i, g.Pix[i], want.Pix[i])
		}
	}
}

func TestDecode(t *testing.T) {
	b := encoded(t, 240, 300)
	h, err := jp2.Check(b)
	if err != nil || h != (jp2.Header{Width: 240, Height: 300, Components: 1, Tiles: 1}) {
		t.Fatalf("got %+v and %v", h, err)
	}
	img, err := jp2.Decode(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	near(t, img, pattern(240, 300))
}

// The tools of OpenJPEG are the independent judge of both directions, and make a colour picture.
func TestAgainstOpenJPEG(t *testing.T) {
	ours := encoded(t, 60, 80)
	for _, tool := range []string{"opj_compress", "opj_decompress"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("NOT RUN: " + tool + " (package libopenjp2-tools) is missing")
			}
			t.Skip("NOT RUN: " + tool + " (package libopenjp2-tools) is missing")
		}
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	run := func(t *testing.T, name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	write := func(t *testing.T, name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(file(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("ours-to-theirs", func(t *testing.T) {
		write(t, "a.jp2", ours)
		run(t, "opj_decompress", "-i", file("a.jp2"), "-o", file("a.pgm"))
		b, err := os.ReadFile(file("a.pgm"))
		if err != nil || len(b) < 60*80 {
			t.Fatal(len(b), err)
		}
		near(t, &image.Gray{Pix: b[len(b)-60*80:], Stride: 60, Rect: image.Rect(0, 0, 60, 80)}, pattern(60, 80))
	})
	t.Run("theirs-to-ours", func(t *testing.T) {
		ppm := []byte("P6\n64 48\n255\n")
		for i := range 64 * 48 {
			ppm = append(ppm, byte(i%64*4), 128, byte(i/64*5))
		}
		write(t, "c.ppm", ppm)
		run(t, "opj_compress", "-i", file("c.ppm"), "-o", file("c.jp2"), "-t", "32,32")
		b, err := os.ReadFile(file("c.jp2"))
		if err != nil {
			t.Fatal(err)
		}
		if h, err := jp2.Check(b); err != nil || h != (jp2.Header{Width: 64, Height: 48, Components: 3, Tiles: 4}) {
			t.Fatalf("got %+v and %v", h, err)
		}
		img, err := jp2.Decode(t.Context(), b) // lossless
		if err != nil {
			t.Fatal(err)
		}
		rgba := img.(*image.RGBA)
		for i := range 64 * 48 {
			if !bytes.Equal(rgba.Pix[4*i:4*i+4], []byte{byte(i % 64 * 4), 128, byte(i / 64 * 5), 255}) {
				t.Fatalf("pixel %d: got %v", i, rgba.Pix[4*i:4*i+4])
			}
		}
	})
	t.Run("too-many-tiles", func(t *testing.T) {
		write(t, "m.pgm", append([]byte("P5\n64 64\n255\n"), make([]byte, 64*64)...))
		run(t, "opj_compress", "-i", file("m.pgm"), "-o", file("m.jp2"), "-t", "8,8", "-n", "1")
		b, err := os.ReadFile(file("m.jp2"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jp2.Check(b); !errors.Is(err, jp2.ErrHeader) {
			t.Fatalf("64 tiles: got %v", err)
		}
	})
}

func TestCheckRefuses(t *testing.T) {
	good := encoded(t, 100, 120)
	soc := bytes.Index(good, []byte{0xFF, 0x4F, 0xFF, 0x51})
	ihdr := bytes.Index(good, []byte("ihdr"))
	put := func(at int, v ...byte) []byte {
		b := slices.Clone(good)
		copy(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"empty":            nil,
		"codestream-only":  good[soc:],
		"truncated":        good[:soc+20],
		"too-long":         append(slices.Clone(good), make([]byte, jp2.MaxBytes)...),
		"png":              []byte("\x89PNG\r\n\x1a\n0000000000000000"),
		"huge-in-both":     put(ihdr+4, 0x7F, 0xFF, 0xFF, 0xFF),
		"huge-in-siz":      put(soc+8, 0x7F, 0xFF, 0xFF, 0xFF),
		"other-size":       put(soc+8, 0, 0, 0, 99),
		"zero-tile":        put(soc+24, 0, 0, 0, 0),
		"tiny-tiles":       put(soc+24, 0, 0, 0, 1),
		"offset":           put(soc+16, 0, 0, 0, 1),
		"two-components":   put(soc+40, 0, 2),
		"sixteen-bit":      put(soc+42, 15),
		"sub-sampled":      put(soc+43, 2),
		"sixteen-bit-ihdr": put(ihdr+14, 15),
		"box-of-length-2":  put(12, 0, 0, 0, 2),
		"box-too-long":     put(12, 0xFF, 0xFF, 0xFF, 0xFF),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := jp2.Check(b); !errors.Is(err, jp2.ErrHeader) {
				t.Errorf("Check: got %v, want ErrHeader", err)
			}
			if _, err := jp2.Decode(t.Context(), b); !errors.Is(err, jp2.ErrHeader) {
				t.Errorf("Decode: got %v, want ErrHeader", err)
			}
		})
	}
}

// corrupted makes inputs in three kinds: cut off, bits flipped near the front, bits flipped anywhere.
func corrupted(good []byte, n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		b := slices.Clone(good)
		switch i % 3 {
		case 0:
			b = b[:r.IntN(len(b))]
		case 1:
			flip(r, b[:min(200, len(b))])
		case 2:
			flip(r, b)
		}
		out[i] = b
	}
	return out
}

func flip(r *rand.Rand, b []byte) {
	for range 1 + r.IntN(4) {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
}

func TestCorruptedCrashNothing(t *testing.T) {
	inputs := corrupted(encoded(t, 240, 300), 300)
	var all []byte
	for _, b := range inputs {
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(b))), b...)
	}
	l := child.Limits{CPU: 60 * time.Second, Wall: 120 * time.Second, Input: len(all)}
	out, err := child.Run(t.Context(), "batch", l, all)
	if err != nil {
		t.Fatal(err)
	}
	decoded, refused := binary.BigEndian.Uint32(out), binary.BigEndian.Uint32(out[4:])
	t.Logf("%d decoded all the same, %d refused", decoded, refused)
	if decoded+refused != uint32(len(inputs)) || refused < 100 {
		t.Errorf("%d decoded and %d refused of %d", decoded, refused, len(inputs))
	}
	for i, b := range inputs[:6] { // and through the front door
		if _, err := jp2.Decode(t.Context(), b); i%3 == 0 && !errors.Is(err, jp2.ErrHeader) && !errors.Is(err, jp2.ErrDecode) {
			t.Errorf("truncated input %s: got %v", strconv.Itoa(i), err)
		}
	}
}

func TestDecodeCancelled(t *testing.T) {
	b := encoded(t, 100, 100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := jp2.Decode(ctx, b); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	good := encoded(f, 60, 80)
	f.Add(good)
	for _, b := range corrupted(good, 30) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := jp2.Check(b)
		if err != nil {
			if !errors.Is(err, jp2.ErrHeader) || h != (jp2.Header{}) {
				t.Fatalf("got %+v and %v", h, err)
			}
			return
		}
		if len(b) > 64<<10 || h.Width < 1 || h.Width > 1024 || h.Height < 1 || h.Height > 1024 ||
			(h.Components != 1 && h.Components != 3) || h.Tiles < 1 || h.Tiles > 16 {
			t.Fatalf("accepted %+v", h)
		}
	})
}

func BenchmarkJP2Decode(b *testing.B) {
	data := encoded(b, 240, 300)
	b.Run("in-process", func(b *testing.B) {
		for b.Loop() {
			if _, err := jp2.DecodeInProcess(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("child", func(b *testing.B) {
		for b.Loop() {
			if _, err := jp2.Decode(b.Context(), data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
