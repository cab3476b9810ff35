package v4l2

import (
	"bytes"
	"hash/maphash"
	"image"
	"image/color"
	"image/jpeg"

	"madoguchi/hardware/camera"
)

// health judges the frames of one stream.
type health struct {
	seed  maphash.Seed
	last  uint64
	equal int // frames in a row that are the same
	count int
	dark  int // dark measurements in a row
}

func newHealth() *health { return &health{seed: maphash.MakeSeed()} }

// frame judges one good frame: ErrFrozen when it was the same for too long, else the level. A black picture, a
// covered lens for instance, is Failing but no error: it may get light again.
func (h *health) frame(raw []byte) (camera.Level, error) {
	sum := maphash.Bytes(h.seed, raw)
	if h.count > 0 && sum == h.last {
		h.equal++
	} else {
		h.equal = 0
	}
	if h.last = sum; h.equal >= frozenAfter {
		return camera.Failing, ErrFrozen
	}
	if h.count%lookEvery == 0 {
		if meanLuma(raw) < darkLuma {
			h.dark++
		} else {
			h.dark = 0
		}
	}
	h.count++
	if h.dark >= darkLooks {
		return camera.Failing, nil
	}
	return camera.Ready, nil
}

// meanLuma measures the light of a picture from 0 to 255 on a coarse grid. What cannot be decoded is black.
func meanLuma(raw []byte) int {
	img, err := jpeg.Decode(bytes.NewReader(raw))
	if err != nil {
		return 0
	}
	const grid = 32
	b, sum := img.Bounds(), 0
	for i := range grid {
		for j := range grid {
			at := image.Pt(b.Min.X+(2*i+1)*b.Dx()/(2*grid), b.Min.Y+(2*j+1)*b.Dy()/(2*grid))
			sum += int(color.GrayModel.Convert(img.At(at.X, at.Y)).(color.Gray).Y)
		}
	}
	return sum / (grid * grid)
}
