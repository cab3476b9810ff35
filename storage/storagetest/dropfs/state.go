package dropfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// page is what the disk writes at once or not at all; sector is what survives of a torn page.
const (
	page   = 4096
	sector = 512
)

// blob is the content of a file: as programs see it, and as the disk has it for sure.
type blob struct {
	now   []byte
	sure  []byte
	dirty map[int64]bool // pages of now that were written since the last fsync
	mode  uint32
}

// dir is the content of a directory, in the same two forms; pending are the changes since its last fsync, in order.
type dir struct {
	now     map[string]any // *blob or *dir
	sure    map[string]any
	pending []change
	mode    uint32
}

// change is one change of names: all its entries at once, nil removes.
type change map[string]any

func newDir(mode uint32) *dir {
	return &dir{now: map[string]any{}, sure: map[string]any{}, mode: mode}
}

func newBlob(mode uint32) *blob { return &blob{dirty: map[int64]bool{}, mode: mode} }

func (d *dir) change(c change) {
	apply(d.now, c)
	d.pending = append(d.pending, c)
}

func apply(to map[string]any, c change) {
	for name, what := range c {
		if what == nil {
			delete(to, name)
		} else {
			to[name] = what
		}
	}
}

// sync makes the names sure.
func (d *dir) sync() {
	d.sure, d.pending = maps.Clone(d.now), nil
}

// write puts bytes at an offset.
func (b *blob) write(data []byte, off int64) {
	b.grow(off + int64(len(data)))
	copy(b.now[off:], data)
	for p := off / page; p <= (off+int64(len(data))-1)/page && len(data) > 0; p++ {
		b.dirty[p] = true
	}
}

func (b *blob) grow(size int64) {
	if n := size - int64(len(b.now)); n > 0 {
		b.now = append(b.now, make([]byte, n)...)
	}
}

// truncate sets the size; what is cut off counts as written.
func (b *blob) truncate(size int64) {
	b.grow(size)
	b.now = b.now[:size]
	b.dirty[size/page] = true
}

// sync makes the content sure.
func (b *blob) sync() {
	if len(b.sure) != len(b.now) {
		grown := make([]byte, len(b.now))
		copy(grown, b.sure)
		b.sure = grown
	}
	for p := range b.dirty {
		from, to := p*page, min((p+1)*page, int64(len(b.now)))
		if from < to {
			copy(b.sure[from:to], b.now[from:to])
		}
	}
	clear(b.dirty)
}

// survive is the content after a power cut: what is sure, and of every page written since, by chance, nothing, all, or
// the first sectors.
func (b *blob) survive(r *rand.Rand) *blob {
	out := newBlob(b.mode)
	size := len(b.sure)
	if len(b.now) != size && r.IntN(2) == 0 {
		size = len(b.now)
	}
	out.now = make([]byte, size)
	copy(out.now, b.sure)
	for _, p := range slices.Sorted(maps.Keys(b.dirty)) {
		from, to := p*page, min((p+1)*page, int64(len(b.now)))
		switch r.IntN(3) {
		case 0:
			continue
		case 1:
			to = min(to, from+sector*int64(r.IntN(page/sector)))
		}
		if to = min(to, int64(size)); from < to {
			copy(out.now[from:to], b.now[from:to])
		}
	}
	out.sure = slices.Clone(out.now)
	return out
}

// survive is the directory after a power cut: what is sure, and the first so many of the changes since.
func (d *dir) survive(r *rand.Rand) *dir {
	names := maps.Clone(d.sure)
	for _, c := range d.pending[:r.IntN(len(d.pending)+1)] {
		apply(names, c)
	}
	out := newDir(d.mode)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch what := names[name].(type) {
		case *blob:
			out.now[name] = what.survive(r)
		case *dir:
			out.now[name] = what.survive(r)
		}
	}
	out.sync()
	return out
}
