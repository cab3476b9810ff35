package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"

	"madoguchi/face"
	"madoguchi/face/jp2"
)

// sample is what the networks say of one person's files.
type sample struct {
	id    string
	card  *face.Template // nil without a card
	live  []*face.Template
	score float64 // lowest score of the detector
	real  float64 // lowest liveness of the live frames
	top   float64 // highest
	wide  int     // widest face in a live frame, pixels
}

// look measures a card's file (may be nil) and live frames.
func look(e face.Engine, id string, card []byte, frames [][]byte) (sample, error) {
	s := sample{id: id, score: 1, real: 1}
	if card != nil {
		img, err := jp2.DecodeInProcess(card)
		if err != nil {
			return s, err
		}
		d, err := only(e, img)
		if err != nil {
			return s, fmt.Errorf("card: %w", err)
		}
		s.score = min(s.score, d.Score)
		if s.card, err = e.Template(img, d); err != nil {
			return s, err
		}
	}
	for i, b := range frames {
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			return s, err
		}
		d, err := only(e, img)
		if err != nil {
			return s, fmt.Errorf("frame %d: %w", i, err)
		}
		t, err := e.Template(img, d)
		if err != nil {
			return s, err
		}
		r, err := e.Liveness(img, d)
		if err != nil {
			return s, err
		}
		s.live = append(s.live, t)
		s.score, s.real, s.wide = min(s.score, d.Score), min(s.real, r), max(s.wide, d.Box.Dx())
		s.top = max(s.top, r)
	}
	return s, nil
}

func only(e face.Engine, img image.Image) (face.Detection, error) {
	found, err := e.Detect(img)
	if err != nil {
		return face.Detection{}, err
	}
	if len(found) != 1 {
		return face.Detection{}, fmt.Errorf("%d faces found", len(found))
	}
	return found[0], nil
}

// genuine is the lowest similarity of a person's card to the own live frames (1 without a card).
func genuine(e face.Engine, s sample) float64 {
	worst := 1.0
	if s.card == nil {
		return worst
	}
	for _, l := range s.live {
		worst = min(worst, e.Similarity(s.card, l))
	}
	return worst
}

// impostor is the highest similarity of two people: cards with each other, and each card with the other's frames.
func impostor(e face.Engine, a, b sample) float64 {
	best := -1.0
	if a.card != nil && b.card != nil {
		best = e.Similarity(a.card, b.card)
	}
	for _, pair := range [2][2]sample{{a, b}, {b, a}} {
		if pair[0].card == nil {
			continue
		}
		for _, l := range pair[1].live {
			best = max(best, e.Similarity(pair[0].card, l))
		}
	}
	return best
}

// load measures the files of a folder.
func load(e face.Engine, dir, id string, hasCard bool) (sample, error) {
	var card []byte
	var err error
	if hasCard {
		if card, err = os.ReadFile(filepath.Join(dir, id, "face.jp2")); err != nil { //nolint:gosec // own files
			return sample{}, err
		}
	}
	var frames [][]byte
	for i := range views(0) {
		b, err := os.ReadFile(filepath.Join(dir, id, fmt.Sprintf("live-%d.jpg", i))) //nolint:gosec // own files
		if err != nil {
			return sample{}, err
		}
		frames = append(frames, b)
	}
	return look(e, id, card, frames)
}

// summary is the margin of a set of people.
type summary struct {
	genuine, impostor float64
	pair              [2]string // the two most alike
	all               []sample
}

func measure(e face.Engine, dir string) (summary, error) {
	s := summary{genuine: 1, impostor: -1}
	for _, who := range people() {
		m, err := load(e, dir, who.id, who.card)
		if err != nil {
			return s, fmt.Errorf("%s: %w", who.id, err)
		}
		s.genuine = min(s.genuine, genuine(e, m))
		for _, other := range s.all {
			if v := impostor(e, m, other); v > s.impostor {
				s.impostor, s.pair = v, [2]string{m.id, other.id}
			}
		}
		s.all = append(s.all, m)
	}
	return s, nil
}

// report prints what -check measured.
func report(e face.Engine, dir string, out io.Writer) error {
	s, err := measure(e, dir)
	if err != nil {
		return err
	}
	for _, m := range s.all {
		if _, err := fmt.Fprintf(out, "%-13s own %.3f  detector %.3f  real %.3f  face %d px\n", m.id, genuine(e, m), m.score, m.real, m.wide); err != nil {
			return err
		}
	}
	attack, err := load(e, dir, attackFolder, false)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "lowest own %.4f, highest other %.4f (%s, %s), margin %.4f\nattack: highest real score %.4f\n",
		s.genuine, s.impostor, s.pair[0], s.pair[1], s.genuine-s.impostor, attack.top)
	return err
}
