//go:build cgo

package opencv

/*
#cgo CXXFLAGS: -std=c++17 -O2 -I/usr/include/opencv4
#cgo LDFLAGS: -lopencv_dnn -lopencv_imgproc -lopencv_core
#include "shim.h"
*/
import "C"

import (
	"image"
	"runtime"
	"unsafe"

	"madoguchi/face"
	"madoguchi/face/models"
)

// Engine implements face.Engine. It is not safe for concurrent use.
type Engine struct{ c *C.mg_engine }

var _ face.Engine = (*Engine)(nil)

// Open loads the networks from the files in dir. Errors: *ErrMissingModel, *ErrUnknownModel, *EngineError.
func Open(dir string) (*Engine, error) {
	files, err := models.Load(dir)
	if err != nil {
		return nil, err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	var blobs [4]C.mg_blob
	for i, b := range files {
		pin.Pin(&b[0])
		blobs[i] = C.mg_blob{data: (*C.uint8_t)(&b[0]), len: C.size_t(len(b))}
	}
	e := &Engine{}
	var text errText
	if C.mg_open(blobs[0], blobs[1], blobs[2], blobs[3], &e.c, text.ptr(), text.cap()) != 0 {
		return nil, text.err("open")
	}
	return e, nil
}

// errText receives an error text from the shim.
type errText [256]C.char

func (t *errText) ptr() *C.char  { return &t[0] }
func (t *errText) cap() C.size_t { return C.size_t(len(t)) }

func (t *errText) err(op string) error { return &EngineError{Op: op, Text: C.GoString(&t[0])} }

// Model implements face.Engine.
func (e *Engine) Model() string { return modelName() }

// Close frees the networks. It may be called more than once.
func (e *Engine) Close() error {
	if e.c != nil {
		C.mg_close(e.c)
		e.c = nil
	}
	return nil
}

// pixels converts img for one call of the library.
func (e *Engine) pixels(img image.Image) ([]byte, int, int, error) {
	if e == nil || e.c == nil {
		return nil, 0, 0, ErrClosed
	}
	return bgr(img)
}

// Detect implements face.Engine. Boxes may reach over the picture's edge.
func (e *Engine) Detect(img image.Image) ([]face.Detection, error) {
	pix, w, h, err := e.pixels(img)
	if err != nil {
		return nil, err
	}
	defer clear(pix)
	p := newPlan(w, h)
	raw := make([]float32, 16*p.cells())
	var text errText
	if C.mg_detect(e.c, bytePtr(pix), C.int(w), C.int(h), C.int(p.sw), C.int(p.sh), C.int(p.pw), C.int(p.ph),
		floatPtr(raw), C.size_t(len(raw)), text.ptr(), text.cap()) != 0 {
		return nil, text.err("detect")
	}
	return offset(decode(p, raw), img.Bounds().Min), nil
}

// Template implements face.Engine.
func (e *Engine) Template(img image.Image, d face.Detection) (*face.Template, error) {
	pix, w, h, err := e.pixels(img)
	if err != nil {
		return nil, err
	}
	defer clear(pix)
	d = local(d, img)
	m, ok := alignment(d.Landmarks)
	if !ok {
		return nil, ErrDetection
	}
	out := make([]float32, 256)
	var text errText
	if C.mg_template(e.c, bytePtr(pix), C.int(w), C.int(h), (*C.double)(&m[0]), floatPtr(out), text.ptr(), text.cap()) != 0 {
		return nil, text.err("template")
	}
	return &face.Template{V: out}, nil
}

// Similarity implements face.Engine: the cosine, 0 when the templates cannot be compared.
func (e *Engine) Similarity(a, b *face.Template) float64 {
	if a == nil || b == nil {
		return 0
	}
	return cosine(a.V, b.V)
}

// Liveness implements face.Engine: the mean over the two anti-spoofing nets of the probability of their class
// "real". Above 0.5 it is also the largest of the three classes.
func (e *Engine) Liveness(img image.Image, d face.Detection) (float64, error) {
	d = local(d, img)
	p, err := e.spoof(img, square(d.Box))
	return float64(p[1]), err
}

// spoof gives the fused probabilities (attack, real, attack) for a box.
func (e *Engine) spoof(img image.Image, box image.Rectangle) ([3]float32, error) {
	var fused [3]float32
	pix, w, h, err := e.pixels(img)
	if err != nil {
		return fused, err
	}
	defer clear(pix)
	if box.Empty() || !box.Overlaps(image.Rect(0, 0, w, h)) || w < 2 || h < 2 {
		return fused, ErrDetection
	}
	for net, scale := range [2]float64{2.7, 4.0} {
		x0, y0, x1, y1 := spoofCrop(w, h, box, scale)
		var p [3]float32
		var text errText
		if C.mg_spoof(e.c, C.int(net), bytePtr(pix), C.int(w), C.int(h), C.int(x0), C.int(y0), C.int(x1), C.int(y1),
			floatPtr(p[:]), text.ptr(), text.cap()) != 0 {
			return [3]float32{}, text.err("liveness")
		}
		for i, v := range p {
			fused[i] += v / 2
		}
	}
	return fused, nil
}

func bytePtr(b []byte) *C.uint8_t   { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
func floatPtr(f []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(f))) }
