package main

import (
	"bytes"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/face/jp2"
	"madoguchi/face/opencv"
)

const committed = "../../hardware/virtual/people"

// The margin is what makes the demonstration honest: over the committed files the least similar picture of the
// same person is still more alike than the most similar pair of two people.
func TestMarginOfCommittedFiles(t *testing.T) {
	dir := os.Getenv("FACE_MODELS")
	if dir == "" {
		missing(t, "FACE_MODELS names no folder with the face models")
	}
	e, err := opencv.Open(dir)
	if errors.Is(err, opencv.ErrNoCgo) {
		missing(t, "built without cgo")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	s, err := measure(e, committed)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("lowest own %.4f, highest other %.4f (%v)", s.genuine, s.impostor, s.pair)
	if s.genuine-s.impostor < 0.05 {
		t.Errorf("margin %.4f, want at least 0.05", s.genuine-s.impostor)
	}
	attack, err := load(e, committed, attackFolder, false)
	if err != nil || attack.top > 0.1 {
		t.Errorf("the telephone reaches a liveness of %.4f (%v)", attack.top, err)
	}
	if len(s.all) != 8 {
		t.Fatalf("%d people", len(s.all))
	}
	for _, m := range s.all {
		if m.real < 0.8 || m.score < 0.8 || len(m.live) != 6 {
			t.Errorf("%s: real %.3f, detector %.3f, %d frames", m.id, m.real, m.score, len(m.live))
		}
		if m.wide > 120 {
			t.Errorf("%s: face %d px wide, more than a quarter of the frame's height", m.id, m.wide)
		}
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("NOT RUN: " + what)
	}
	t.Skip("NOT RUN: " + what)
}

// The card's images are in the form that cards hold.
func TestCommittedCards(t *testing.T) {
	for _, who := range people() {
		if !who.card {
			continue
		}
		read := func(name string) []byte {
			b, err := os.ReadFile(filepath.Join(committed, who.id, name))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		b := read("face.jp2")
		h, err := jp2.Check(b)
		if err != nil || h != (jp2.Header{Width: 240, Height: 300, Components: 1, Tiles: 1}) || len(b) < 3000 || len(b) > 15000 {
			t.Errorf("%s: face %+v, %d bytes, %v", who.id, h, len(b), err)
		}
		for _, name := range []string{"name.png", "address.png", "code.png"} {
			b := read(name)
			img, err := png.Decode(bytes.NewReader(b))
			if err != nil || b[24] != 1 || b[25] != 0 { // IHDR: bit depth 1, colour type grey
				t.Errorf("%s %s: %v, depth %d, type %d", who.id, name, err, b[24], b[25])
				continue
			}
			black := 0
			r := img.Bounds()
			for y := range r.Dy() {
				for x := range r.Dx() {
					if v, _, _, _ := img.At(x, y).RGBA(); v == 0 {
						black++
					}
				}
			}
			if black < 40 {
				t.Errorf("%s %s: %d black pixels", who.id, name, black)
			}
		}
	}
}
