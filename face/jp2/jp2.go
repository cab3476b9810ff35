// Package jp2 decodes the face of the card, a JPEG 2000 picture in a JP2 container. The bytes come from a card, that
// is from a stranger: the header is checked in plain Go first, and the C library (libopenjp2) sees them only in a
// child process with hard limits (internal/child), so that a bad picture can never take the daemon down.
//
// Only daemon/... and the tests of face may import it. A program that calls Decode must hand Handlers to
// child.Main first thing in main.
package jp2

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"time"

	"madoguchi/internal/child"
)

// Limits of what is decoded at all.
const (
	MaxBytes      = 64 << 10 // input; the photo of a card is 3 to 15 kB
	MaxSide       = 1024     // pixels
	MaxTiles      = 16
	maxComponents = 3
)

// The errors. A *child.Error from Decode means that the library was killed or failed on its own.
var (
	ErrHeader = errors.New("jp2: not a JPEG 2000 picture within the limits")
	ErrDecode = errors.New("jp2: the picture cannot be decoded")
	ErrNoCgo  = errors.New("jp2: this binary was built without cgo, so JPEG 2000 cannot be decoded")
)

// childName is the name under which the decoder runs in the child process.
const childName = "jp2-decode"

// Handlers is what child.Main needs to serve Decode.
func Handlers() map[string]child.Func {
	return map[string]child.Func{childName: serve}
}

// limits of the child: a good picture takes 4 ms and 12 MB, the worst corrupt one seen took 1.7 s.
func limits() child.Limits {
	return child.Limits{Memory: 256 << 20, CPU: 3 * time.Second, Wall: 6 * time.Second, Output: 4*MaxSide*MaxSide + 16}
}

// Decode decodes a JP2 picture in a child process. The result is *image.Gray or *image.RGBA; the caller clears its
// pixels after use. Errors: ErrHeader, ErrDecode, ErrNoCgo, *child.Error, and those of ctx.
func Decode(ctx context.Context, b []byte) (image.Image, error) {
	if _, err := Check(b); err != nil {
		return nil, err
	}
	out, err := child.Run(ctx, childName, limits(), b)
	if err != nil {
		return nil, err
	}
	defer clear(out)
	return unpack(out)
}

// serve is the child's side of Decode. Its answer is one status byte, 1 for a picture, and then the picture.
func serve(in []byte) ([]byte, error) {
	img, err := DecodeInProcess(in)
	switch {
	case errors.Is(err, ErrNoCgo):
		return []byte{2}, nil
	case err != nil:
		return []byte{0}, nil //nolint:nilerr // the status byte is how the child says it
	}
	return pack(img), nil
}

// pack writes status 1, the number of components, width and height as two bytes each (big-endian) and the samples.
func pack(img image.Image) []byte {
	r := img.Bounds()
	w, h := r.Dx(), r.Dy()
	head := []byte{1, 1, byte(w >> 8), byte(w), byte(h >> 8), byte(h)}
	if g, ok := img.(*image.Gray); ok && g.Stride == w {
		return append(head, g.Pix...)
	}
	head[1] = 3
	out := append(make([]byte, 0, 6+3*w*h), head...)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
			out = append(out, c.R, c.G, c.B)
		}
	}
	return out
}

// unpack reads what pack wrote. The child is not trusted: it may have been taken over by what it decoded.
func unpack(b []byte) (image.Image, error) {
	if len(b) == 1 && b[0] == 2 {
		return nil, ErrNoCgo
	}
	if len(b) < 6 || b[0] != 1 {
		return nil, ErrDecode
	}
	n, w, h := int(b[1]), int(b[2])<<8|int(b[3]), int(b[4])<<8|int(b[5])
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide || (n != 1 && n != 3) || len(b) != 6+n*w*h {
		return nil, fmt.Errorf("%w: the child's answer has the wrong size", ErrDecode)
	}
	pix := b[6:]
	if n == 1 {
		img := image.NewGray(image.Rect(0, 0, w, h))
		copy(img.Pix, pix)
		return img, nil
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(img.Pix[4*i:], pix[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	return img, nil
}
