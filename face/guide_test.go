package face_test

import (
	"errors"
	"image"
	"testing"

	"madoguchi/face"
	"madoguchi/face/fake"
)

func TestGuide(t *testing.T) {
	flat := func(v byte) func(*image.Gray) {
		return func(g *image.Gray) {
			for i := range g.Pix {
				g.Pix[i] = v
			}
		}
	}
	turned := func(d *face.Detection, dx, dy [5]float64) {
		for i := range d.Landmarks {
			d.Landmarks[i].X += dx[i]
			d.Landmarks[i].Y += dy[i]
		}
	}
	for _, tc := range []struct {
		name  string
		width int
		draw  func(*image.Gray)
		edit  func(*face.Detection)
		more  int
		want  face.Hint
	}{
		{"good", 70, nil, nil, 0, face.HintGood},
		{"two-faces", 70, nil, nil, 1, face.HintMany},
		{"far", 30, nil, nil, 0, face.HintCloser},
		{"near", 100, nil, nil, 0, face.HintBack},
		{"left", 70, nil, func(d *face.Detection) { d.Box = d.Box.Sub(image.Pt(70, 0)) }, 0, face.HintCentre},
		{"low", 70, nil, func(d *face.Detection) { d.Box = d.Box.Add(image.Pt(0, 60)) }, 0, face.HintCentre},
		{"outside", 70, nil, func(d *face.Detection) { d.Box = d.Box.Add(image.Pt(0, 600)) }, 0, face.HintNoFace},
		{"dark", 70, flat(20), nil, 0, face.HintDark},
		{"bright", 70, flat(240), nil, 0, face.HintBright},
		{"featureless", 70, flat(128), nil, 0, face.HintStill},
		{"weak-find", 70, nil, func(d *face.Detection) { d.Score = 0.65 }, 0, face.HintNoFace},
		{"turned", 70, nil, func(d *face.Detection) { d.Landmarks[2].X += 15 }, 0, face.HintStraight},
		{"looking-down", 70, nil, func(d *face.Detection) { d.Landmarks[2].Y += 12 }, 0, face.HintStraight},
		{"looking-up", 70, nil, func(d *face.Detection) { d.Landmarks[2].Y -= 12 }, 0, face.HintStraight},
		{"tilted", 70, nil, func(d *face.Detection) {
			turned(d, [5]float64{}, [5]float64{-6, 6, 0, -5, 5})
		}, 0, face.HintStraight},
		{"landmarks-in-one-point", 70, nil, func(d *face.Detection) { d.Landmarks = [5]face.Point{} }, 0, face.HintStraight},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img := picture()
			if tc.draw != nil {
				tc.draw(img)
			}
			d := fake.Straight(img, tc.width)
			if tc.edit != nil {
				tc.edit(&d)
			}
			found := []face.Detection{d}
			for range tc.more {
				found = append(found, d)
			}
			e := &fake.Engine{Script: map[image.Image]fake.Scene{img: {Found: found}}}
			got, at := face.Guide(e, img)
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if gone := at == (face.Detection{}); gone != (got == face.HintNoFace || got == face.HintMany) {
				t.Errorf("%s with detection %v", got, at)
			}
		})
	}
}

func TestGuideWithoutAnswer(t *testing.T) {
	img := picture()
	broken := &fake.Engine{Script: map[image.Image]fake.Scene{img: {DetectErr: errors.New("bad")}}}
	for name, got := range map[string]face.Hint{
		"no-engine": first(face.Guide(nil, img)), "no-frame": first(face.Guide(broken, nil)), "error": first(face.Guide(broken, img)),
	} {
		if got != face.HintNoFace {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func first(h face.Hint, _ face.Detection) face.Hint { return h }
