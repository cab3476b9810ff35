// Package fake is a face engine that says what a test wrote down for each picture. It looks at no pixels, and its
// model name says so, so that no calibration of real networks fits it. Only tests may import it.
package fake

import (
	"errors"
	"image"
	"math"

	"madoguchi/face"
)

// Model is the name of the fake engine's weights.
const Model = "fake"

// ErrUnscripted reports a picture that the script does not know.
var ErrUnscripted = errors.New("fake face engine: picture not in the script")

// Scene is what the engine says of one picture.
type Scene struct {
	Found     []face.Detection
	Vector    []float32 // the template
	Live      float64
	DetectErr error
	VectorErr error
	LiveErr   error
}

// Engine implements face.Engine from a script. The keys are compared by identity (pictures are pointers).
type Engine struct {
	Name   string // Model when empty, unless Nameless
	Script map[image.Image]Scene
	// Issued holds every template given out, so that a test can see that all were wiped.
	Issued   []*face.Template
	Nameless bool
	Closed   bool
}

var _ face.Engine = (*Engine)(nil)

// Model implements face.Engine.
func (e *Engine) Model() string {
	if e.Name == "" && !e.Nameless {
		return Model
	}
	return e.Name
}

// Detect implements face.Engine.
func (e *Engine) Detect(img image.Image) ([]face.Detection, error) {
	s, ok := e.Script[img]
	if !ok {
		return nil, ErrUnscripted
	}
	return s.Found, s.DetectErr
}

// Template implements face.Engine.
func (e *Engine) Template(img image.Image, _ face.Detection) (*face.Template, error) {
	s, ok := e.Script[img]
	if !ok {
		return nil, ErrUnscripted
	}
	t := &face.Template{V: append([]float32(nil), s.Vector...)}
	e.Issued = append(e.Issued, t)
	return t, s.VectorErr
}

// Similarity implements face.Engine by the cosine; it is NaN for an empty or a zero template.
func (e *Engine) Similarity(a, b *face.Template) float64 {
	var ab, aa, bb float64
	for i := range min(len(a.V), len(b.V)) {
		x, y := float64(a.V[i]), float64(b.V[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// Liveness implements face.Engine.
func (e *Engine) Liveness(img image.Image, _ face.Detection) (float64, error) {
	s, ok := e.Script[img]
	if !ok {
		return 0, ErrUnscripted
	}
	return s.Live, s.LiveErr
}

// Close implements face.Engine.
func (e *Engine) Close() error {
	e.Closed = true
	return nil
}

// Person gives a template at the angle given (in units of cosine) from the card's, which is Person(1): the
// similarity of Person(1) and Person(c) is c.
func Person(c float64) []float32 {
	return []float32{float32(c), float32(math.Sqrt(max(0, 1-c*c)))}
}

// Straight is a detection of a centred face that looks into the camera, of a width in pixels, in a picture.
func Straight(img image.Image, width int) face.Detection {
	r := img.Bounds()
	cx, cy := (r.Min.X+r.Max.X)/2, (r.Min.Y+r.Max.Y)/2
	w := float64(width)
	at := func(x, y float64) face.Point { return face.Point{X: float64(cx) + x*w, Y: float64(cy) + y*w} }
	return face.Detection{
		Box:       image.Rect(cx-width/2, cy-width*6/10, cx+width/2, cy+width*6/10),
		Landmarks: [5]face.Point{at(-0.2, -0.15), at(0.2, -0.15), at(0, 0.1), at(-0.15, 0.3), at(0.15, 0.3)},
		Score:     0.9,
	}
}
