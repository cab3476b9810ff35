//go:build linux && cgo

package main

import "testing"

// A child of this program decodes the sample, as kioskctl's own main lets it.
func TestDecodeSample(t *testing.T) {
	if err := decodeSample(t.Context()); err != nil {
		t.Error(err)
	}
}
