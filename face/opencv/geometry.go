package opencv

import (
	"cmp"
	"image"
	"math"
	"slices"

	"madoguchi/face"
)

// Limits of the detector.
const (
	minScore   = 0.6 // YuNet: 0.6 to 0.9 are usable
	maxOverlap = 0.3 // intersection over union above which the weaker box is dropped
	maxFaces   = 32
	longSide   = 640 // larger pictures are scaled down to this before detection: YuNet was trained on faces of 10 to 300 px
	step       = 32  // the detector's sides are multiples of this
)

// plan says how a picture goes into the detector: scaled to sw x sh, padded to pw x ph.
type plan struct {
	sw, sh, pw, ph int
	back           float64 // scaled pixels to picture pixels
}

func newPlan(w, h int) plan {
	p := plan{sw: w, sh: h, back: 1}
	if long := max(w, h); long > longSide {
		p.back = float64(long) / longSide
		p.sw = max(1, int(math.Round(float64(w)/p.back)))
		p.sh = max(1, int(math.Round(float64(h)/p.back)))
	}
	p.pw, p.ph = (p.sw+step-1)/step*step, (p.sh+step-1)/step*step
	return p
}

// cells is the number of detector cells over the three strides; each has 16 numbers.
func (p plan) cells() int {
	n := 0
	for _, s := range [3]int{8, 16, 32} {
		n += (p.pw / s) * (p.ph / s)
	}
	return n
}

// decode turns the raw outputs of YuNet into faces, best first. Layout: see shim.h; formulas: the network's
// training code (score here is sqrt(cls*obj), as newer OpenCV does).
func decode(p plan, raw []float32) []face.Detection {
	var found []face.Detection
	at := 0
	for _, s := range [3]int{8, 16, 32} {
		cols, rows := p.pw/s, p.ph/s
		n := cols * rows
		cls, obj := raw[at:at+n], raw[at+n:at+2*n]
		box, kps := raw[at+2*n:at+6*n], raw[at+6*n:at+16*n]
		at += 16 * n
		for i := range n {
			score := math.Sqrt(clamp01(cls[i]) * clamp01(obj[i]))
			if !(score >= minScore) {
				continue
			}
			if d, ok := cell(p, float64(s), i%cols, i/cols, box[4*i:4*i+4], kps[10*i:10*i+10]); ok {
				d.Score = score
				found = append(found, d)
			}
		}
	}
	return suppress(found)
}

func cell(p plan, s float64, cx, cy int, box, kps []float32) (face.Detection, bool) {
	x, y := (float64(cx)+float64(box[0]))*s, (float64(cy)+float64(box[1]))*s
	w, h := math.Exp(float64(box[2]))*s, math.Exp(float64(box[3]))*s
	var d face.Detection
	const sane = 1 << 14 // keeps a wild output from overflowing an int
	if !(math.Abs(x) < sane && math.Abs(y) < sane && w < sane && h < sane) {
		return d, false
	}
	x0, y0 := (x-w/2)*p.back, (y-h/2)*p.back
	d.Box = image.Rect(int(math.Round(x0)), int(math.Round(y0)), int(math.Round(x0+w*p.back)), int(math.Round(y0+h*p.back)))
	for j := range d.Landmarks {
		lx, ly := (float64(cx)+float64(kps[2*j]))*s, (float64(cy)+float64(kps[2*j+1]))*s
		if !(math.Abs(lx) < sane && math.Abs(ly) < sane) {
			return d, false
		}
		d.Landmarks[j] = face.Point{X: lx * p.back, Y: ly * p.back}
	}
	return d, !d.Box.Empty()
}

// suppress keeps the best of overlapping boxes.
func suppress(found []face.Detection) []face.Detection {
	slices.SortStableFunc(found, func(a, b face.Detection) int { return cmp.Compare(b.Score, a.Score) })
	var kept []face.Detection
	for _, d := range found {
		if len(kept) == maxFaces {
			break
		}
		if !slices.ContainsFunc(kept, func(k face.Detection) bool { return overlap(k.Box, d.Box) > maxOverlap }) {
			kept = append(kept, d)
		}
	}
	return kept
}

func overlap(a, b image.Rectangle) float64 {
	i := a.Intersect(b)
	inter := float64(i.Dx()) * float64(i.Dy())
	union := float64(a.Dx())*float64(a.Dy()) + float64(b.Dx())*float64(b.Dy()) - inter
	if union <= 0 {
		return 0
	}
	return inter / union
}

func clamp01(v float32) float64 { return min(max(float64(v), 0), 1) }

// alignment gives the 2x3 similarity (row major, source to 128x128) that brings the five landmarks closest, in the
// least-squares sense, to the positions the recogniser was trained on; false when the landmarks fall together.
func alignment(l [5]face.Point) ([6]float64, bool) {
	target := [5]face.Point{{X: 0.315569, Y: 0.461574}, {X: 0.682623, Y: 0.461574}, {X: 0.500263, Y: 0.640505}, {X: 0.349472, Y: 0.824692}, {X: 0.653436, Y: 0.824692}}
	var ps, pt face.Point
	for i := range l {
		target[i].X *= 128
		target[i].Y *= 128
		ps.X, ps.Y = ps.X+l[i].X/5, ps.Y+l[i].Y/5
		pt.X, pt.Y = pt.X+target[i].X/5, pt.Y+target[i].Y/5
	}
	var dot, cross, norm float64
	for i := range l {
		sx, sy := l[i].X-ps.X, l[i].Y-ps.Y
		tx, ty := target[i].X-pt.X, target[i].Y-pt.Y
		dot += sx*tx + sy*ty
		cross += sx*ty - sy*tx
		norm += sx*sx + sy*sy
	}
	a, b := dot/norm, cross/norm
	if !(norm > 1) || !(a*a+b*b > 1e-6) {
		return [6]float64{}, false
	}
	return [6]float64{a, -b, pt.X - a*ps.X + b*ps.Y, b, a, pt.Y - b*ps.X - a*ps.Y}, true
}

// square is the square of the longer side round the box's centre: the anti-spoofing nets were trained with the boxes
// of another detector, which are about as wide as high.
func square(r image.Rectangle) image.Rectangle {
	side := max(r.Dx(), r.Dy())
	x, y := (r.Min.X+r.Max.X-side)/2, (r.Min.Y+r.Max.Y-side)/2
	return image.Rect(x, y, x+side, y+side)
}

// spoofCrop is the window of the anti-spoofing nets (Silent-Face-Anti-Spoofing, generate_patches.py): the box grown
// by scale, as far as the picture allows, and shifted inside. Corners are inclusive.
func spoofCrop(w, h int, box image.Rectangle, scale float64) (x0, y0, x1, y1 int) {
	bw, bh := float64(box.Dx()), float64(box.Dy())
	scale = min(float64(h-1)/bh, float64(w-1)/bw, scale)
	cx, cy := float64(box.Min.X)+bw/2, float64(box.Min.Y)+bh/2
	left, right := within(cx-bw*scale/2, cx+bw*scale/2, float64(w-1))
	top, bottom := within(cy-bh*scale/2, cy+bh*scale/2, float64(h-1))
	return int(left), int(top), int(right), int(bottom)
}

// within shifts [lo, hi] back into [0, top].
func within(lo, hi, top float64) (float64, float64) {
	if lo < 0 {
		hi, lo = hi-lo, 0
	}
	if hi > top {
		lo, hi = lo-(hi-top), top
	}
	return max(lo, 0), min(hi, top)
}

// cosine is the cosine of the angle between two vectors, 0 when they cannot be compared.
func cosine(a, b []float32) float64 {
	if len(a) == 0 || len(a) != len(b) {
		return 0
	}
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	c := ab / math.Sqrt(aa*bb)
	if math.IsNaN(c) || math.IsInf(c, 0) {
		return 0
	}
	return min(max(c, -1), 1)
}
