package virtual

import (
	"errors"
)

// errNotBaseline is the refusal of a frame, with the way out.
var errNotBaseline = errors.New("not an 8-bit baseline JPEG of a camera's size; convert it (e.g. jpegtran without -progressive)")

const (
	minSide, maxSide = 64, 4096
	maxFrame         = 8 << 20
)

// baselineSize finds the size of an 8-bit baseline JPEG (ITU-T T.81: SOF0) and refuses everything else: cameras
// and the decoders behind them know nothing else.
func baselineSize(b []byte) (width, height int, err error) {
	if len(b) < 4 || len(b) > maxFrame || b[0] != 0xFF || b[1] != 0xD8 {
		return 0, 0, errNotBaseline
	}
	for at := 2; at+4 <= len(b); {
		if b[at] != 0xFF {
			return 0, 0, errNotBaseline
		}
		marker := b[at+1]
		if marker == 0xFF { // filler
			at++
			continue
		}
		n := int(b[at+2])<<8 | int(b[at+3])
		segment := b[at+4:]
		if n < 2 || len(segment) < n-2 {
			return 0, 0, errNotBaseline
		}
		segment = segment[:n-2]
		switch {
		case marker == 0xC0:
			return frameHeader(segment)
		case !skippable(marker):
			return 0, 0, errNotBaseline
		}
		at += 2 + n
	}
	return 0, 0, errNotBaseline
}

// skippable is true for the segments that may stand before the frame header: tables, application data, comments.
func skippable(marker byte) bool {
	switch marker {
	case 0xC4, 0xDB, 0xDD, 0xFE:
		return true
	}
	return marker >= 0xE0 && marker <= 0xEF
}

func frameHeader(segment []byte) (width, height int, err error) {
	if len(segment) < 6 || segment[0] != 8 || (segment[5] != 1 && segment[5] != 3) {
		return 0, 0, errNotBaseline
	}
	height = int(segment[1])<<8 | int(segment[2])
	width = int(segment[3])<<8 | int(segment[4])
	if width < minSide || height < minSide || width > maxSide || height > maxSide {
		return 0, 0, errNotBaseline
	}
	return width, height, nil
}
