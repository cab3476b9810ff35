//go:build cgo

package jp2

/*
#cgo pkg-config: libopenjp2
#include <stdlib.h>
#include "codec.h"
*/
import "C"

import (
	"image"
	"image/color"
	"unsafe"
)

// DecodeInProcess decodes in this process, after Check. It is for the child process, the generator and benchmarks;
// the daemon calls Decode. Errors: ErrHeader, ErrDecode.
func DecodeInProcess(b []byte) (image.Image, error) {
	h, err := Check(b)
	if err != nil {
		return nil, err
	}
	n := h.Width * h.Height
	pix := make([]byte, n*h.Components)
	if C.mg_decode((*C.uint8_t)(unsafe.SliceData(b)), C.size_t(len(b)), C.int(h.Width), C.int(h.Height),
		C.int(h.Components), (*C.uint8_t)(unsafe.SliceData(pix))) != 0 {
		return nil, ErrDecode
	}
	r := image.Rect(0, 0, h.Width, h.Height)
	if h.Components == 1 {
		return &image.Gray{Pix: pix, Stride: h.Width, Rect: r}, nil
	}
	img := image.NewRGBA(r)
	for i := range n {
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = pix[i], pix[n+i], pix[2*n+i], 255
	}
	clear(pix)
	return img, nil
}

// Encode writes a grey JP2 picture with the compression ratio given (8 bits per pixel before, ratio times fewer
// after; lossy 9-7 wavelet), as the card holds it. It is for the generator of the virtual people.
func Encode(img image.Image, ratio float64) ([]byte, error) {
	r := img.Bounds()
	w, h := r.Dx(), r.Dy()
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide || !(ratio >= 1) {
		return nil, ErrHeader
	}
	pix := make([]byte, 0, w*h)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			pix = append(pix, color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
		}
	}
	out := make([]byte, MaxBytes)
	n := C.mg_encode((*C.uint8_t)(unsafe.SliceData(pix)), C.int(w), C.int(h), C.float(ratio),
		(*C.uint8_t)(unsafe.SliceData(out)), C.size_t(len(out)))
	if n <= 0 {
		return nil, ErrDecode
	}
	return out[:n], nil
}
