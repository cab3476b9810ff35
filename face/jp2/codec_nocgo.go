//go:build !cgo

package jp2

import "image"

// DecodeInProcess fails with ErrHeader or ErrNoCgo.
func DecodeInProcess(b []byte) (image.Image, error) {
	if _, err := Check(b); err != nil {
		return nil, err
	}
	return nil, ErrNoCgo
}

// Encode fails with ErrNoCgo.
func Encode(image.Image, float64) ([]byte, error) { return nil, ErrNoCgo }
