package portrait_test

import (
	"bytes"
	"image"
	"testing"

	"madoguchi/internal/portrait"
)

func TestDeterministic(t *testing.T) {
	v := portrait.View{Yaw: 4, Light: 0.3, Room: 5, Noise: 9}
	for name, draw := range map[string]func() *image.RGBA{
		"live":  func() *image.RGBA { return portrait.New(7, portrait.Man).Live(v) },
		"phone": func() *image.RGBA { return portrait.New(7, portrait.Man).Phone(v) },
		"card":  func() *image.RGBA { return portrait.New(7, portrait.Man).Card(120, 150) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := draw(), draw()
			if !bytes.Equal(a.Pix, b.Pix) {
				t.Error("two renderings of the same person differ")
			}
		})
	}
}

// difference is the mean absolute difference of two pictures of one size.
func difference(a, b *image.RGBA) float64 {
	sum := 0
	for i := range a.Pix {
		d := int(a.Pix[i]) - int(b.Pix[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(len(a.Pix))
}

func TestSeedsAndViewsDiffer(t *testing.T) {
	base := portrait.New(1, portrait.Woman).Card(120, 150)
	if d := difference(base, portrait.New(2, portrait.Woman).Card(120, 150)); d < 5 {
		t.Errorf("another seed changes only %.1f", d)
	}
	if d := difference(base, portrait.New(1, portrait.OldMan).Card(120, 150)); d < 5 {
		t.Errorf("another kind changes only %.1f", d)
	}
	p := portrait.New(1, portrait.Woman)
	front := p.Live(portrait.View{Room: 1})
	for name, v := range map[string]portrait.View{
		"yaw": {Yaw: 15, Room: 1}, "pitch": {Pitch: 10, Room: 1}, "roll": {Roll: 10, Room: 1}, "light": {Light: 1, Room: 1},
		"brightness": {Brightness: 0.5, Room: 1}, "shift": {ShiftX: 1, Room: 1}, "room": {Room: 2}, "noise": {Room: 1, Noise: 1},
	} {
		if d := difference(front, p.Live(v)); d < 0.3 {
			t.Errorf("%s changes only %.2f", name, d)
		}
	}
}

func TestSizes(t *testing.T) {
	p := portrait.New(3, portrait.Girl)
	if r := p.Card(240, 300).Rect; r != image.Rect(0, 0, 240, 300) {
		t.Errorf("card %v", r)
	}
	if r := p.Live(portrait.View{}).Rect; r != image.Rect(0, 0, 640, 480) {
		t.Errorf("live %v", r)
	}
	if r := p.Phone(portrait.View{}).Rect; r != image.Rect(0, 0, 640, 480) {
		t.Errorf("phone %v", r)
	}
}

// Every kind and many seeds render without a hole where the face is: the middle of the card is never background.
func TestManySeeds(t *testing.T) {
	for seed := range uint64(12) {
		p := portrait.New(seed, portrait.Kind(seed%4))
		img := p.Card(60, 75)
		ground := img.RGBAAt(1, 1)
		for _, at := range []image.Point{{30, 30}, {30, 40}, {26, 36}, {34, 36}} {
			if img.RGBAAt(at.X, at.Y) == ground {
				t.Errorf("seed %d: background at %v", seed, at)
			}
		}
	}
}
