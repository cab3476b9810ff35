package main

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/internal/portrait"
)

// The committed frames are those of the table: who changes the renderer or a seed writes the files anew.
func TestFilesBelongToTheTable(t *testing.T) {
	for _, who := range people() {
		b, err := os.ReadFile(filepath.Join(committed, who.id, "live-0.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		// not byte by byte: the encoder may change with the Go release, the last bit of a sine with the processor
		if d := difference(got, portrait.New(who.seed, who.kind).Live(views(who.seed)[0])); d > 3 {
			t.Errorf("%s: the file differs from the rendering by %.2f; run virtualpeople -write", who.id, d)
		}
	}
}

// difference is the mean absolute difference of the middle of two pictures, where the person is.
func difference(a, b image.Image) float64 {
	sum, n := 0.0, 0.0
	for y := 100; y < 330; y++ {
		for x := 240; x < 400; x++ {
			r0, g0, b0, _ := a.At(x, y).RGBA()
			r1, g1, b1, _ := b.At(x, y).RGBA()
			for _, d := range [3]float64{float64(r0) - float64(r1), float64(g0) - float64(g1), float64(b0) - float64(b1)} {
				sum, n = sum+max(d, -d)/257, n+1
			}
		}
	}
	return sum / n
}

func TestDifferenceSeesAnotherPerson(t *testing.T) {
	all := people()
	v := views(1)[0]
	a, b := portrait.New(all[0].seed, all[0].kind).Live(v), portrait.New(all[5].seed, all[5].kind).Live(v)
	if d := difference(a, b); d < 9 {
		t.Errorf("got %.2f", d)
	}
}
