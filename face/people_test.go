package face_test

import (
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/face"
	"madoguchi/face/jp2"
	"madoguchi/face/opencv"
	"madoguchi/internal/child"
)

func TestMain(m *testing.M) {
	child.Main(jp2.Handlers())
	os.Exit(m.Run())
}

// missing ends a test that cannot run: loudly, and as a failure where CI is set.
func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal("NOT RUN: " + what)
	}
	tb.Skip("NOT RUN: " + what)
}

func realEngine(tb testing.TB) face.Engine {
	tb.Helper()
	dir := os.Getenv("FACE_MODELS")
	if dir == "" {
		missing(tb, "FACE_MODELS names no folder with the face models")
	}
	e, err := opencv.Open(dir)
	if errors.Is(err, opencv.ErrNoCgo) {
		missing(tb, "built without cgo")
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = e.Close() })
	return e
}

const people = "../hardware/virtual/people"

func liveFrames(tb testing.TB, id string) []image.Image {
	tb.Helper()
	var out []image.Image
	for i := range 6 {
		f, err := os.Open(filepath.Join(people, id, fmt.Sprintf("live-%d.jpg", i)))
		if err != nil {
			tb.Fatal(err)
		}
		img, err := jpeg.Decode(f)
		_ = f.Close()
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, img)
	}
	return out
}

func cardFace(tb testing.TB, id string) image.Image {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(people, id, "face.jp2"))
	if err != nil {
		tb.Fatal(err)
	}
	img, err := jp2.DecodeInProcess(b)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// The real networks, the virtual calibration and the files that ship: everybody passes as themselves, nobody as
// somebody else, and the telephone is seen.
func TestVirtualPeople(t *testing.T) {
	e := realEngine(t)
	cal := face.VirtualCalibration(e.Model())
	ids := []string{"sato", "suzuki", "tanaka", "kobayashi", "watanabe", "ito", "nguyen"}
	live := map[string][]image.Image{"ito-impostor": liveFrames(t, "ito-impostor"), "attack-phone": liveFrames(t, "attack-phone")}
	for _, id := range ids {
		live[id] = liveFrames(t, id)
	}
	for i, id := range ids {
		card := cardFace(t, id)
		t.Run(id, func(t *testing.T) {
			v := face.Judge(e, cal, false, card, live[id])
			t.Logf("match %d, live %d", v.Score, v.LiveScore)
			if v.Match != face.Pass || v.Live != face.Pass || v.Frames != 6 || v.Reasons != nil || !v.VirtualOnly {
				t.Errorf("own face: %+v", v)
			}
			other := ids[(i+1)%len(ids)]
			if id == "ito" {
				other = "ito-impostor"
			}
			if v := face.Judge(e, cal, false, card, live[other]); v.Match != face.Fail || v.Live != face.Pass {
				t.Errorf("face of %s: %+v", other, v)
			}
			if v := face.Judge(e, cal, true, card, live[id]); v.Match != face.NotChecked || v.Live != face.NotChecked {
				t.Errorf("virtual calibration with a real camera: %+v", v)
			}
		})
	}
	t.Run("attack-phone", func(t *testing.T) {
		v := face.Judge(e, cal, false, cardFace(t, "sato"), live["attack-phone"])
		if v.Live != face.Fail {
			t.Errorf("got %+v, want an attack", v)
		}
	})
}

// blurred averages over squares of five pixels, three times: about a Gaussian of 2.4 pixels.
func blurred(src image.Image) *image.Gray {
	r := src.Bounds()
	a := image.NewGray(r)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			a.Set(x, y, src.At(x, y))
		}
	}
	for range 3 {
		b := image.NewGray(r)
		for y := 2; y < r.Dy()-2; y++ {
			for x := 2; x < r.Dx()-2; x++ {
				sum := 0
				for j := -2; j <= 2; j++ {
					for i := -2; i <= 2; i++ {
						sum += int(a.Pix[(y+j)*a.Stride+x+i])
					}
				}
				b.Pix[y*b.Stride+x] = byte(sum / 25)
			}
		}
		a = b
	}
	return a
}

func TestGuideOnVirtualPeople(t *testing.T) {
	e := realEngine(t)
	for _, id := range []string{"sato", "suzuki", "tanaka", "kobayashi", "watanabe", "ito", "ito-impostor", "nguyen"} {
		for i, img := range liveFrames(t, id) {
			if h, _ := face.Guide(e, img); h != face.HintGood {
				t.Errorf("%s %d: %s", id, i, h)
			}
			if i > 0 {
				continue
			}
			if h, _ := face.Guide(e, blurred(img)); h != face.HintStill {
				t.Errorf("%s blurred: %s", id, h)
			}
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	e := realEngine(b)
	cal, card, frames := face.VirtualCalibration(e.Model()), cardFace(b, "sato"), liveFrames(b, "sato")
	for b.Loop() {
		face.Judge(e, cal, false, card, frames)
	}
}

// The child of a program that is linked with OpenCV, as the kiosk's is, takes longer to start.
func BenchmarkCardDecode(b *testing.B) {
	data, err := os.ReadFile(filepath.Join(people, "sato", "face.jp2"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := jp2.Decode(b.Context(), data); err != nil {
			b.Fatal(err)
		}
	}
}
