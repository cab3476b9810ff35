//go:build cgo

package opencv

import (
	"errors"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/face"
	"madoguchi/face/models"
)

// modelDir gives the folder of the weights, or ends the test: loudly, and as a failure where CI is set.
func modelDir(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("FACE_MODELS")
	if dir == "" {
		missing(tb, "FACE_MODELS names no folder with the face models")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return abs
}

func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal("NOT RUN: " + what)
	}
	tb.Skip("NOT RUN: " + what)
}

func engine(tb testing.TB) *Engine {
	tb.Helper()
	e, err := Open(modelDir(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = e.Close() })
	return e
}

func picture(tb testing.TB, path string) image.Image {
	tb.Helper()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		missing(tb, "picture "+filepath.Base(path)+" is not there")
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	img, _, err := image.Decode(f)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// The reference values were published with the networks and measured with another implementation.
func TestDetectReference(t *testing.T) {
	e := engine(t)
	for _, tc := range []struct {
		file       string
		x, y, w, h int
		score      float64
	}{
		{"image_T1_upright.png", 119, 109, 177, 248, 0.931},
		{"image_F1_upright.png", 188, 110, 190, 246, 0.930},
		{"image_F2_upright.png", 147, 211, 214, 311, 0.924},
	} {
		t.Run(tc.file, func(t *testing.T) {
			found, err := e.Detect(picture(t, filepath.Join(modelDir(t), "samples", tc.file)))
			if err != nil || len(found) != 1 {
				t.Fatalf("got %d faces and error %v, want one face", len(found), err)
			}
			b := found[0].Box
			for i, diff := range []int{b.Min.X - tc.x, b.Min.Y - tc.y, b.Dx() - tc.w, b.Dy() - tc.h} {
				if diff < -1 || diff > 1 {
					t.Errorf("number %d of box %v is off by %d px", i, b, diff)
				}
			}
			if math.Abs(found[0].Score-tc.score) > 0.001 {
				t.Errorf("got score %.4f, want %.3f", found[0].Score, tc.score)
			}
		})
	}
}

func TestSpoofReference(t *testing.T) {
	e := engine(t)
	for _, tc := range []struct {
		file string
		box  image.Rectangle
		want [3]float64
	}{
		{"image_T1_upright.png", image.Rect(106, 147, 106+207, 147+213), [3]float64{0.0001, 0.9936, 0.0064}},
		{"image_F1_upright.png", image.Rect(178, 136, 178+223, 136+225), [3]float64{0.1960, 0.0723, 0.7316}},
		{"image_F2_upright.png", image.Rect(120, 252, 120+252, 252+256), [3]float64{0.0016, 0.1813, 0.8172}},
	} {
		t.Run(tc.file, func(t *testing.T) {
			got, err := e.spoof(picture(t, filepath.Join(modelDir(t), "samples", tc.file)), tc.box)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if math.Abs(float64(got[i])-tc.want[i]) > 0.0002 {
					t.Errorf("class %d: got %.5f, want %.4f", i, got[i], tc.want[i])
				}
			}
		})
	}
}

// With the detector's own box, squared, the three verdicts hold too.
func TestLivenessVerdicts(t *testing.T) {
	e := engine(t)
	for file, real := range map[string]bool{"image_T1_upright.png": true, "image_F1_upright.png": false, "image_F2_upright.png": false} {
		img := picture(t, filepath.Join(modelDir(t), "samples", file))
		found, err := e.Detect(img)
		if err != nil || len(found) != 1 {
			t.Fatal(file, len(found), err)
		}
		score, err := e.Liveness(img, found[0])
		if err != nil || (score > 0.9) != real || (score < 0.1) == real {
			t.Errorf("%s: got %.3f and %v", file, score, err)
		}
	}
}

// photos lists the portraits of the real-photo check; the stem is the person.
func photos() map[string][]string {
	return map[string][]string{"obama": {"obama-1.jpg", "obama-2.jpg", "obama-3.jpg"}, "biden": {"biden-1.jpg", "biden-2.jpg"}}
}

// 0.427 is the threshold of a false match rate of 1e-4 on the public set that the network was measured on.
func TestRealPhotos(t *testing.T) {
	e := engine(t)
	dir := os.Getenv("FACE_PHOTOS")
	if dir == "" {
		dir = filepath.Join(modelDir(t), "..", "faces")
	}
	type sample struct {
		who, file string
		tpl       *face.Template
	}
	var all []sample
	for who, files := range photos() {
		for _, file := range files {
			img := picture(t, filepath.Join(dir, file))
			found, err := e.Detect(img)
			if err != nil || len(found) == 0 {
				t.Fatalf("%s: %d faces, error %v", file, len(found), err)
			}
			tpl, err := e.Template(img, found[0])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, sample{who, file, tpl})
		}
	}
	genuine, impostor := 1.0, -1.0
	for i, a := range all {
		for _, b := range all[:i] {
			s := e.Similarity(a.tpl, b.tpl)
			t.Logf("%s %s %.4f", a.file, b.file, s)
			if a.who == b.who {
				genuine = min(genuine, s)
			} else {
				impostor = max(impostor, s)
			}
		}
	}
	t.Logf("lowest same-person %.4f, highest cross %.4f", genuine, impostor)
	if genuine < 0.427 || impostor >= 0.427 {
		t.Error("the threshold 0.427 does not part the people")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("no-folder", func(t *testing.T) {
		_, err := Open(filepath.Join(t.TempDir(), "none"))
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("got %v, want a missing file", err)
		}
	})
	t.Run("changed-byte", func(t *testing.T) {
		dir := t.TempDir()
		for i, m := range models.Manifest() {
			b, err := os.ReadFile(filepath.Join(modelDir(t), m.File))
			if err != nil {
				t.Fatal(err)
			}
			if i == 2 {
				b[len(b)/2] ^= 1
			}
			if err := os.WriteFile(filepath.Join(dir, m.File), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(dir)
		var unknown *ErrUnknownModel
		if !errors.As(err, &unknown) || unknown.File != models.Manifest()[2].File {
			t.Fatalf("got %v, want ErrUnknownModel", err)
		}
	})
	t.Run("longer-file", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, models.Manifest()[0].File), make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		var unknown *ErrUnknownModel
		if _, err := Open(dir); !errors.As(err, &unknown) {
			t.Fatalf("got %v, want ErrUnknownModel", err)
		}
	})
}

func TestErrorsNotCrashes(t *testing.T) {
	e := engine(t)
	img := image.NewGray(image.Rect(5, 5, 105, 105))
	if found, err := e.Detect(img); err != nil || len(found) != 0 {
		t.Errorf("black picture: %d faces, %v", len(found), err)
	}
	if _, err := e.Detect(nil); !errors.Is(err, ErrImageSize) {
		t.Errorf("nil picture: %v", err)
	}
	if _, err := e.Detect(image.NewGray(image.Rectangle{})); !errors.Is(err, ErrImageSize) {
		t.Errorf("empty picture: %v", err)
	}
	if _, err := e.Template(img, face.Detection{}); !errors.Is(err, ErrDetection) {
		t.Errorf("empty detection: %v", err)
	}
	if _, err := e.Liveness(img, face.Detection{Box: image.Rect(1000, 1000, 1100, 1100)}); !errors.Is(err, ErrDetection) {
		t.Errorf("box outside: %v", err)
	}
	for _, r := range []image.Rectangle{image.Rect(0, 0, 1, 1), image.Rect(0, 0, 7, 300), image.Rect(0, 0, 33, 2)} {
		if _, err := e.Detect(image.NewRGBA(r)); err != nil {
			t.Errorf("%v: %v", r, err)
		}
	}
	_ = e.Close()
	if _, err := e.Detect(img); !errors.Is(err, ErrClosed) {
		t.Errorf("closed engine: %v", err)
	}
}

func BenchmarkDetect(b *testing.B) {
	e := engine(b)
	img := picture(b, filepath.Join(modelDir(b), "samples", "image_T1_upright.png"))
	for b.Loop() {
		if _, err := e.Detect(img); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	e, img, d := benchFace(b)
	for b.Loop() {
		t, err := e.Template(img, d)
		if err != nil {
			b.Fatal(err)
		}
		t.Wipe()
	}
}

func BenchmarkLiveness(b *testing.B) {
	e, img, d := benchFace(b)
	for b.Loop() {
		if _, err := e.Liveness(img, d); err != nil {
			b.Fatal(err)
		}
	}
}

func benchFace(b *testing.B) (*Engine, image.Image, face.Detection) {
	b.Helper()
	e := engine(b)
	img := picture(b, filepath.Join(modelDir(b), "samples", "image_T1_upright.png"))
	found, err := e.Detect(img)
	if err != nil || len(found) == 0 {
		b.Fatal(len(found), err)
	}
	return e, img, found[0]
}
