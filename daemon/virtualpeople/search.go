package main

import (
	"fmt"
	"io"
	"math/rand/v2"

	"madoguchi/face"
	"madoguchi/internal/portrait"
)

// candidate is one seed that the networks accept.
type candidate struct {
	seed uint64
	sample
	own float64
}

// What a candidate must reach to be considered at all.
const (
	minDetector = 0.80
	minReal     = 0.85
	minOwn      = 0.80
)

// search renders pool seeds per kind, keeps those that are detected, called real and alike themselves, and then
// picks one per person so that the margin (lowest own minus highest other similarity) is largest.
func search(e face.Engine, out io.Writer, first uint64, pool int) error {
	pools := map[portrait.Kind][]candidate{}
	for _, who := range people() {
		if _, done := pools[who.kind]; done {
			continue
		}
		kept, err := candidates(e, out, who.kind, first, pool)
		if err != nil {
			return err
		}
		pools[who.kind] = kept
	}
	chosen, margin := choose(newTable(e, pools))
	for i, who := range people() {
		if _, err := fmt.Fprintf(out, "%-13s %d\n", who.id, chosen[i]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "margin over all frames: %.4f\n", margin)
	return err
}

func candidates(e face.Engine, out io.Writer, kind portrait.Kind, first uint64, pool int) ([]candidate, error) {
	var kept []candidate
	refused := 0
	for seed := first; seed < first+uint64(pool); seed++ { //nolint:gosec // a flag
		c, err := try(e, seed, kind)
		if err != nil || !c.fit() {
			refused++
			continue
		}
		kept = append(kept, c)
	}
	sum, n := 0.0, 0.0
	for i, a := range kept {
		for _, b := range kept[:i] {
			sum, n = sum+impostor(e, a.sample, b.sample), n+1
		}
	}
	_, err := fmt.Fprintf(out, "kind %d: %d kept, %d refused, mean similarity of two %.3f\n", kind, len(kept), refused, sum/max(n, 1))
	return kept, err
}

// try measures a seed: first on the two frames that differ most, which refuse most seeds, then on the others.
func try(e face.Engine, seed uint64, kind portrait.Kind) (candidate, error) {
	p := portrait.New(seed, kind)
	c := candidate{seed: seed}
	card, err := cardFile(p)
	if err != nil {
		return c, err
	}
	all := views(seed)
	c.score, c.real, c.own = 1, 1, 1
	for _, part := range [][]portrait.View{all[2:4], append(all[:2:2], all[4:]...)} {
		var frames [][]byte
		for _, v := range part {
			b, err := jpegFile(p.Live(v))
			if err != nil {
				return c, err
			}
			frames = append(frames, b)
		}
		s, err := look(e, fmt.Sprint(seed), card, frames)
		if err != nil {
			return c, err
		}
		c.own = min(c.own, genuine(e, s))
		s.live = append(s.live, c.live...)
		s.score, s.real = min(s.score, c.score), min(s.real, c.real)
		c.sample = s
		if !c.fit() {
			break
		}
	}
	return c, nil
}

// fit says whether a candidate may be chosen.
func (c candidate) fit() bool {
	return c.score >= minDetector && c.real >= minReal && c.own >= minOwn
}

// table holds the candidates in one list with all similarities.
type table struct {
	all    []candidate
	like   [][]float64
	choice [][]int // per person, the indices that fit
}

func newTable(e face.Engine, pools map[portrait.Kind][]candidate) table {
	var t table
	start := map[portrait.Kind]int{}
	for kind := portrait.Woman; kind <= portrait.OldMan; kind++ {
		start[kind] = len(t.all)
		t.all = append(t.all, pools[kind]...)
	}
	for _, a := range t.all {
		row := make([]float64, len(t.all))
		for j, b := range t.all {
			row[j] = impostor(e, a.sample, b.sample)
		}
		t.like = append(t.like, row)
	}
	for _, who := range people() {
		var fit []int
		for i := range pools[who.kind] {
			fit = append(fit, start[who.kind]+i)
		}
		t.choice = append(t.choice, fit)
	}
	return t
}

// margin of a choice, with a small weight on the mean so that the search can climb on plateaus.
func (t table) margin(pick []int) (margin, value float64) {
	own, other, sum := 1.0, -1.0, 0.0
	for i, a := range pick {
		own = min(own, t.all[a].own)
		for _, b := range pick[:i] {
			other = max(other, t.like[a][b])
			sum += t.like[a][b]
			if a == b {
				return -2, -2
			}
		}
	}
	return own - other, own - other - 0.001*sum
}

// choose climbs from many random starts, exchanging one person at a time.
func choose(t table) (seeds []uint64, margin float64) {
	r := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // reproducible on purpose
	var best []int
	bestValue, bestMargin := -3.0, -3.0
	for range 300 {
		pick := make([]int, len(t.choice))
		for i, fit := range t.choice {
			if len(fit) == 0 {
				return make([]uint64, len(t.choice)), -2
			}
			pick[i] = fit[r.IntN(len(fit))]
		}
		m, v := t.climb(pick)
		if v > bestValue {
			best, bestMargin, bestValue = pick, m, v
		}
	}
	for _, i := range best {
		seeds = append(seeds, t.all[i].seed)
	}
	return seeds, bestMargin
}

func (t table) climb(pick []int) (margin, value float64) {
	margin, value = t.margin(pick)
	for improved := true; improved; {
		improved = false
		for i, fit := range t.choice {
			for _, c := range fit {
				old := pick[i]
				pick[i] = c
				if m, v := t.margin(pick); v > value {
					margin, value, improved = m, v, true
				} else {
					pick[i] = old
				}
			}
		}
	}
	return margin, value
}
