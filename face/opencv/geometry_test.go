package opencv

import (
	"image"
	"image/color"
	"math"
	"testing"

	"madoguchi/face"
)

// A transformation that is a similarity already must be found exactly.
func TestAlignmentFindsTheSimilarity(t *testing.T) {
	target := [5]face.Point{{X: 40.392832, Y: 59.081472}, {X: 87.375744, Y: 59.081472}, {X: 64.033664, Y: 81.98464}, {X: 44.732416, Y: 105.560576}, {X: 83.639808, Y: 105.560576}}
	const scale, angle, dx, dy = 2.5, 0.3, 17, -40
	sin, cos := math.Sincos(angle)
	var l [5]face.Point
	for i, p := range target {
		l[i] = face.Point{X: scale*(cos*p.X-sin*p.Y) + dx, Y: scale*(sin*p.X+cos*p.Y) + dy}
	}
	m, ok := alignment(l)
	if !ok {
		t.Fatal("refused")
	}
	for i, p := range l {
		x, y := m[0]*p.X+m[1]*p.Y+m[2], m[3]*p.X+m[4]*p.Y+m[5]
		if math.Abs(x-target[i].X) > 1e-6 || math.Abs(y-target[i].Y) > 1e-6 {
			t.Errorf("landmark %d comes to %.3f,%.3f, want %.3f,%.3f", i, x, y, target[i].X, target[i].Y)
		}
	}
	if got := math.Hypot(m[0], m[3]); math.Abs(got-0.4) > 1e-9 {
		t.Errorf("scale %.4f, want 0.4", got)
	}
}

func TestAlignmentRefuses(t *testing.T) {
	nan := math.NaN()
	for name, l := range map[string][5]face.Point{
		"one-point":    {{X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}},
		"not-a-number": {{X: nan, Y: 5}, {X: 15, Y: 5}, {X: 10, Y: 9}, {X: 6, Y: 15}, {X: 14, Y: 15}},
	} {
		if _, ok := alignment(l); ok {
			t.Errorf("%s was accepted", name)
		}
	}
}

// Worked by hand from generate_patches.py: in the middle, at the corner, and larger than the picture.
func TestSpoofCrop(t *testing.T) {
	for _, tc := range []struct {
		name           string
		w, h           int
		box            image.Rectangle
		scale          float64
		x0, y0, x1, y1 int
	}{
		{"inside", 640, 480, image.Rect(270, 190, 370, 290), 2.7, 185, 105, 455, 375},
		{"at-the-corner", 640, 480, image.Rect(0, 0, 100, 100), 2.7, 0, 0, 270, 270},
		{"at-the-far-corner", 640, 480, image.Rect(540, 380, 640, 480), 2.0, 439, 279, 639, 479},
		{"too-large", 640, 480, image.Rect(120, 40, 520, 440), 2.7, 80, 0, 559, 479},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x0, y0, x1, y1 := spoofCrop(tc.w, tc.h, tc.box, tc.scale)
			if x0 != tc.x0 || y0 != tc.y0 || x1 != tc.x1 || y1 != tc.y1 {
				t.Errorf("got %d,%d-%d,%d", x0, y0, x1, y1)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	for _, tc := range []struct {
		w, h, sw, sh, pw, ph int
	}{
		{640, 480, 640, 480, 640, 480},
		{320, 240, 320, 240, 320, 256},
		{1280, 720, 640, 360, 640, 384},
		{1, 4096, 1, 640, 32, 640},
	} {
		p := newPlan(tc.w, tc.h)
		if p.sw != tc.sw || p.sh != tc.sh || p.pw != tc.pw || p.ph != tc.ph {
			t.Errorf("%dx%d: got %+v", tc.w, tc.h, p)
		}
	}
	if n := newPlan(320, 240).cells(); n != 40*32+20*16+10*8 {
		t.Errorf("got %d cells", n)
	}
}

func TestSuppress(t *testing.T) {
	at := func(x int, score float64) face.Detection {
		return face.Detection{Box: image.Rect(x, 0, x+100, 100), Score: score}
	}
	got := suppress([]face.Detection{at(0, 0.7), at(20, 0.9), at(300, 0.8)})
	if len(got) != 2 || got[0].Score != 0.9 || got[1].Score != 0.8 {
		t.Errorf("got %+v", got)
	}
}

func TestCosine(t *testing.T) {
	for _, tc := range []struct {
		a, b []float32
		want float64
	}{
		{[]float32{3, 4}, []float32{3, 4}, 1},
		{[]float32{1, 0}, []float32{0, 2}, 0},
		{[]float32{1, 0}, []float32{-5, 0}, -1},
		{[]float32{3, 4}, []float32{4, 3}, 0.96},
		{[]float32{0, 0}, []float32{1, 1}, 0},
		{[]float32{1}, []float32{1, 1}, 0},
		{nil, nil, 0},
		{[]float32{float32(math.NaN()), 1}, []float32{1, 1}, 0},
		{[]float32{float32(math.Inf(1)), 1}, []float32{1, 1}, 0},
	} {
		if got := cosine(tc.a, tc.b); math.Abs(got-tc.want) > 1e-9 {
			t.Errorf("cosine of %v and %v: got %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}

// All kinds of pictures give the same bytes, in the order blue, green, red.
func TestBGR(t *testing.T) {
	r := image.Rect(3, 4, 9, 10)
	rgba, nrgba := image.NewRGBA(r), image.NewNRGBA(r)
	grey := image.NewGray(r)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := color.RGBA{R: byte(10 * x), G: byte(20 * y), B: 7, A: 255}
			rgba.Set(x, y, c)
			nrgba.Set(x, y, c)
			grey.Set(x, y, color.Gray{Y: byte(x + y)})
		}
	}
	for _, img := range []image.Image{rgba, nrgba} {
		b, w, h, err := bgr(img)
		if err != nil || w != 6 || h != 6 {
			t.Fatal(w, h, err)
		}
		if at := b[3*(2*6+1):]; at[0] != 7 || at[1] != 120 || at[2] != 40 {
			t.Errorf("%T: got %v", img, at[:3])
		}
	}
	b, _, _, err := bgr(grey)
	if at := b[3*(2*6+1):]; err != nil || at[0] != 10 || at[1] != 10 || at[2] != 10 {
		t.Errorf("grey: got %v, %v", at[:3], err)
	}
	sub := rgba.SubImage(image.Rect(4, 5, 6, 7))
	if b, w, _, err := bgr(sub); err != nil || w != 2 || b[0] != 7 || b[1] != 100 || b[2] != 40 {
		t.Errorf("part of a picture: %v %v", b, err)
	}
}

// Whatever the detector's outputs are, decoding neither panics nor gives a box it cannot use.
func FuzzDecode(f *testing.F) {
	f.Add(uint16(64), uint16(32), []byte{1, 2, 3, 4})
	f.Add(uint16(640), uint16(480), []byte{0, 0, 0x80, 0x7F, 0xFF, 0xFF, 0x7F, 0x7F})
	f.Fuzz(func(t *testing.T, w, h uint16, seed []byte) {
		p := newPlan(int(w%700)+1, int(h%700)+1)
		raw := make([]float32, 16*p.cells())
		for i := range raw {
			if len(seed) >= 4 {
				k := i * 4 % (len(seed) - 3)
				raw[i] = math.Float32frombits(uint32(seed[k]) | uint32(seed[k+1])<<8 | uint32(seed[k+2])<<16 | uint32(seed[k+3])<<24)
			}
		}
		for _, d := range decode(p, raw) {
			if d.Box.Empty() || !(d.Score >= 0.6 && d.Score <= 1) {
				t.Fatalf("got %+v", d)
			}
			for _, l := range d.Landmarks {
				if math.IsNaN(l.X) || math.IsNaN(l.Y) {
					t.Fatalf("got %+v", d)
				}
			}
		}
	})
}
