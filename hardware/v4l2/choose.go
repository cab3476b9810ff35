package v4l2

import "cmp"

// The wanted picture: enough for a face at arm's length, and cheap to decode.
const (
	wantWidth, wantHeight = 1280, 720
	maxWidth, maxHeight   = 1920, 1080
)

// choose takes MJPEG 1280x720 where it is offered, else the best other MJPEG, else the best YUYV. The best is the
// largest up to 1920x1080 (up to 1280x720 for YUYV, which we have to encode), or the smallest above. ok is false
// when the device offers neither, like the metadata node of a camera.
func choose(modes []mode) (best mode, ok bool) {
	for _, m := range modes {
		if m.width < 1 || m.height < 1 || m.width > maxSide || m.height > maxSide {
			continue
		}
		if m.format != formatMJPEG && m.format != formatYUYV {
			continue
		}
		if !ok || better(m, best) {
			best, ok = m, true
		}
	}
	return best, ok
}

// better compares two usable modes.
func better(a, b mode) bool {
	if a.format != b.format {
		return a.format == formatMJPEG
	}
	if fitA, fitB := fits(a), fits(b); fitA != fitB {
		return fitA
	}
	exactA := a.width == wantWidth && a.height == wantHeight
	exactB := b.width == wantWidth && b.height == wantHeight
	if exactA != exactB {
		return exactA
	}
	order := cmp.Compare(a.width*a.height, b.width*b.height)
	if fits(a) {
		return order > 0
	}
	return order < 0
}

// fits tells whether a mode is not too large.
func fits(m mode) bool {
	if m.format == formatYUYV {
		return m.width <= wantWidth && m.height <= wantHeight && m.width%2 == 0
	}
	return m.width <= maxWidth && m.height <= maxHeight
}

// span is a range of sizes that a device offers.
type span struct {
	minW, maxW, stepW int
	minH, maxH, stepH int
}

// sizes gives the sizes of a span that choose should see: the wanted one, VGA and the largest.
func (s span) sizes(f format) []mode {
	var out []mode
	for _, size := range [][2]int{{wantWidth, wantHeight}, {640, 480}} {
		if inSteps(size[0], s.minW, s.maxW, s.stepW) && inSteps(size[1], s.minH, s.maxH, s.stepH) {
			out = append(out, mode{f, size[0], size[1]})
		}
	}
	return append(out, mode{f, s.maxW, s.maxH})
}

// inSteps tells whether v is one of low, low+step, ... high.
func inSteps(v, low, high, step int) bool {
	if v < low || v > high {
		return false
	}
	if step <= 1 {
		return low != high || v == low
	}
	return (v-low)%step == 0
}
