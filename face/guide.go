package face

import (
	"image"
	"image/color"
	"math"
)

// Guidance is what a frame must be like to take part. Lengths are fractions, so that they hold for any frame size.
type Guidance struct {
	MinScore  float64 // of the detector, below it a find is ignored
	MinWidth  float64 // of the face's box, as a fraction of the frame's shorter side; below: closer
	MaxWidth  float64 // above: back. The anti-spoofing net needs the surroundings of the face
	CentreX   float64 // how far the face's middle may lie from the frame's, as a fraction of its width
	CentreY   float64 // and of its height
	MinBright float64 // mean luminance of the face, 0..255
	MaxBright float64
	MinSharp  float64 // variance of the Laplacian over the variance of the luminance, see measure
	MaxYaw    float64 // nose tip to the middle between the eyes, sideways, in eye distances; 0.3 is about 25 degrees
	MaxRoll   float64 // slope of the line through the eyes, degrees
	MinPitch  float64 // height of the nose tip between eyes (0) and mouth (1): looking up
	MaxPitch  float64 // looking down
}

// DefaultGuidance fits a 640x480 camera at arm's length (measured on the rendered people and on portraits).
func DefaultGuidance() Guidance {
	return Guidance{
		MinScore: 0.70, MinWidth: 0.14, MaxWidth: 0.36, CentreX: 0.18, CentreY: 0.22,
		MinBright: 55, MaxBright: 215, MinSharp: 0.12, MaxYaw: 0.32, MaxRoll: 15, MinPitch: 0.30, MaxPitch: 0.85,
	}
}

// Guide looks at one frame for the preview: what should the customer change, and where is the face. The detection
// is zero with HintNoFace and HintMany. Without an engine, or when it fails, no face is seen: HintNoFace.
func Guide(engine Engine, frame image.Image) (Hint, Detection) {
	if engine == nil || frame == nil {
		return HintNoFace, Detection{}
	}
	found, err := engine.Detect(frame)
	if err != nil {
		return HintNoFace, Detection{}
	}
	return DefaultGuidance().Assess(frame, found)
}

// Assess is Guide for faces already found. The first thing to change wins: where the face is, then how it is lit,
// then how it is held.
func (g Guidance) Assess(frame image.Image, found []Detection) (Hint, Detection) {
	var d Detection
	n := 0
	for _, f := range found {
		if f.Score >= g.MinScore {
			if n == 0 {
				d = f
			}
			n++
		}
	}
	r := frame.Bounds()
	switch {
	case n == 0 || d.Box.Intersect(r).Empty():
		return HintNoFace, Detection{}
	case n > 1:
		return HintMany, Detection{}
	}
	width := float64(d.Box.Dx()) / float64(min(r.Dx(), r.Dy()))
	switch {
	case width < g.MinWidth:
		return HintCloser, d
	case width > g.MaxWidth:
		return HintBack, d
	case !g.centred(r, d.Box):
		return HintCentre, d
	}
	if h := g.light(frame, d.Box); h != HintGood {
		return h, d
	}
	if !g.straight(d) {
		return HintStraight, d
	}
	return HintGood, d
}

func (g Guidance) centred(r, box image.Rectangle) bool {
	dx := float64(box.Min.X+box.Max.X-r.Min.X-r.Max.X) / 2 / float64(r.Dx())
	dy := float64(box.Min.Y+box.Max.Y-r.Min.Y-r.Max.Y) / 2 / float64(r.Dy())
	return math.Abs(dx) <= g.CentreX && math.Abs(dy) <= g.CentreY
}

// light judges brightness and sharpness inside the box.
func (g Guidance) light(frame image.Image, box image.Rectangle) Hint {
	mean, sharp := measure(luminance(frame, box.Intersect(frame.Bounds())))
	switch {
	case mean < g.MinBright:
		return HintDark
	case mean > g.MaxBright:
		return HintBright
	case sharp < g.MinSharp:
		return HintStill
	}
	return HintGood
}

// straight judges the pose from the five landmarks.
func (g Guidance) straight(d Detection) bool {
	left, right, nose := d.Landmarks[0], d.Landmarks[1], d.Landmarks[2]
	mouth := Point{(d.Landmarks[3].X + d.Landmarks[4].X) / 2, (d.Landmarks[3].Y + d.Landmarks[4].Y) / 2}
	eyes := Point{(left.X + right.X) / 2, (left.Y + right.Y) / 2}
	ex, ey := right.X-left.X, right.Y-left.Y
	dist := math.Hypot(ex, ey)
	if !(dist > 1) || ex <= 0 {
		return false
	}
	// nose and mouth along and across the line through the eyes
	along := func(p Point) float64 { return ((p.X-eyes.X)*ex + (p.Y-eyes.Y)*ey) / dist }
	down := func(p Point) float64 { return ((p.Y-eyes.Y)*ex - (p.X-eyes.X)*ey) / dist }
	pitch := down(nose) / down(mouth)
	return math.Abs(along(nose))/dist <= g.MaxYaw &&
		math.Abs(math.Atan2(ey, ex))*180/math.Pi <= g.MaxRoll &&
		down(mouth) > 0 && pitch >= g.MinPitch && pitch <= g.MaxPitch
}

// sharpWidth is about how many samples wide a face is measured: sharpness then means the same for near and far
// faces, and the averaging takes out the sensor's noise, which would pass for detail.
const sharpWidth = 56

// luminance copies the luminance of a rectangle, averaged over squares so that about sharpWidth columns remain.
func luminance(img image.Image, r image.Rectangle) *image.Gray {
	k := max(1, (r.Dx()+sharpWidth/2)/sharpWidth)
	out := image.NewGray(image.Rect(0, 0, r.Dx()/k, r.Dy()/k))
	at := reader(img)
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			sum := 0
			for j := range k {
				for i := range k {
					sum += int(at(r.Min.X+x*k+i, r.Min.Y+y*k+j))
				}
			}
			out.Pix[y*out.Stride+x] = byte(sum / (k * k)) //nolint:gosec // a mean of bytes
		}
	}
	return out
}

// reader gives the luminance of single pixels.
func reader(img image.Image) func(x, y int) uint8 {
	switch m := img.(type) {
	case *image.YCbCr:
		return func(x, y int) uint8 { return m.Y[m.YOffset(x, y)] }
	case *image.Gray:
		return func(x, y int) uint8 { return m.Pix[m.PixOffset(x, y)] }
	}
	return func(x, y int) uint8 { return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y }
}

// measure gives the mean luminance and the sharpness: the variance of the Laplacian over the variance of the
// luminance itself, so that a dim face is not taken for a blurred one. The picture is cleared.
func measure(g *image.Gray) (mean, sharp float64) {
	defer clear(g.Pix)
	w, h := g.Rect.Dx(), g.Rect.Dy()
	if w < 3 || h < 3 {
		return 0, 0
	}
	var sum, square, lap, lap2 float64
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			i := y*g.Stride + x
			v := float64(g.Pix[i])
			l := float64(g.Pix[i-1]) + float64(g.Pix[i+1]) + float64(g.Pix[i-g.Stride]) + float64(g.Pix[i+g.Stride]) - 4*v
			sum, square, lap, lap2 = sum+v, square+v*v, lap+l, lap2+l*l
		}
	}
	n := float64((w - 2) * (h - 2))
	mean = sum / n
	contrast := square/n - mean*mean
	return mean, (lap2/n - lap/n*(lap/n)) / (contrast + 1)
}
