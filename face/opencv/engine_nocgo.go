//go:build !cgo

package opencv

import (
	"image"

	"madoguchi/face"
)

// Engine is the engine of a binary without cgo: Open never gives one.
type Engine struct{}

var _ face.Engine = (*Engine)(nil)

// Open fails with ErrNoCgo.
func Open(string) (*Engine, error) { return nil, ErrNoCgo }

// Model implements face.Engine.
func (*Engine) Model() string { return modelName() }

// Detect implements face.Engine.
func (*Engine) Detect(image.Image) ([]face.Detection, error) { return nil, ErrNoCgo }

// Template implements face.Engine.
func (*Engine) Template(image.Image, face.Detection) (*face.Template, error) { return nil, ErrNoCgo }

// Similarity implements face.Engine.
func (*Engine) Similarity(a, b *face.Template) float64 { return 0 }

// Liveness implements face.Engine.
func (*Engine) Liveness(image.Image, face.Detection) (float64, error) { return 0, ErrNoCgo }

// Close implements face.Engine.
func (*Engine) Close() error { return nil }
