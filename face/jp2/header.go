package jp2

import (
	"encoding/binary"
	"fmt"
)

// Header is what the codestream says of the picture (ISO/IEC 15444-1, A.5.1 SIZ).
type Header struct{ Width, Height, Components, Tiles int }

// Check reads the container (15444-1, annex I) and the SIZ segment and refuses whatever is beyond the limits. It
// is plain Go: nothing of b has reached a C library yet. Every error wraps ErrHeader.
func Check(b []byte) (Header, error) {
	if len(b) > MaxBytes {
		return Header{}, bad("longer than the limit")
	}
	const signature = "\x00\x00\x00\x0cjP  \r\n\x87\n"
	if len(b) < len(signature) || string(b[:len(signature)]) != signature {
		return Header{}, bad("no JP2 signature")
	}
	var ihdr *Header
	for at := len(signature); at < len(b); {
		kind, body, next, err := box(b, at)
		if err != nil {
			return Header{}, err
		}
		switch kind {
		case "jp2h":
			h, err := imageHeader(body)
			if err != nil {
				return Header{}, err
			}
			ihdr = &h
		case "jp2c":
			if ihdr == nil {
				return Header{}, bad("codestream before the header")
			}
			siz, err := codestream(body)
			if err != nil {
				return Header{}, err
			}
			if siz.Width != ihdr.Width || siz.Height != ihdr.Height || siz.Components != ihdr.Components {
				return Header{}, bad("container and codestream disagree")
			}
			return siz, nil
		}
		at = next
	}
	return Header{}, bad("no codestream")
}

func bad(why string) error { return fmt.Errorf("%w: %s", ErrHeader, why) }

// box reads one box: length (0 = to the end, 1 = 64-bit length follows), type, contents.
func box(b []byte, at int) (kind string, body []byte, next int, err error) {
	if len(b)-at < 8 {
		return "", nil, 0, bad("truncated box")
	}
	n, head := uint64(binary.BigEndian.Uint32(b[at:])), uint64(8)
	kind = string(b[at+4 : at+8])
	left := uint64(len(b) - at)
	switch n {
	case 0:
		n = left
	case 1:
		if left < 16 {
			return "", nil, 0, bad("truncated box")
		}
		n, head = binary.BigEndian.Uint64(b[at+8:]), 16
	}
	if n < head || n > left {
		return "", nil, 0, bad("box length")
	}
	next = at + int(n)
	return kind, b[at+int(head) : next], next, nil
}

// imageHeader reads ihdr, which must be the first box in jp2h: height, width, components, bit depth, compression.
func imageHeader(b []byte) (Header, error) {
	kind, body, _, err := box(b, 0)
	if err != nil {
		return Header{}, err
	}
	if kind != "ihdr" || len(body) != 14 {
		return Header{}, bad("no image header")
	}
	if body[10] != 7 || body[11] != 7 {
		return Header{}, bad("not 8 bits per sample, or not JPEG 2000")
	}
	h, w := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	return limited(w, h, uint32(binary.BigEndian.Uint16(body[8:])))
}

func limited(w, h, components uint32) (Header, error) {
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide {
		return Header{}, bad("dimensions")
	}
	if components != 1 && components != maxComponents {
		return Header{}, bad("number of components")
	}
	return Header{Width: int(w), Height: int(h), Components: int(components)}, nil
}

// codestream reads SOC and SIZ: profile, grid size and offset, tile size and offset, components with their depth and
// sub-sampling. Offsets and sub-sampling are allowed by the standard and refused here: no card photo needs them.
func codestream(b []byte) (Header, error) {
	if len(b) < 42 || binary.BigEndian.Uint32(b) != 0xFF4FFF51 {
		return Header{}, bad("codestream does not start with SOC and SIZ")
	}
	u32 := func(i int) uint32 { return binary.BigEndian.Uint32(b[i:]) }
	n := uint32(binary.BigEndian.Uint16(b[40:]))
	if uint32(binary.BigEndian.Uint16(b[4:])) != 38+3*n || uint32(len(b)) < 42+3*n {
		return Header{}, bad("SIZ length")
	}
	h, err := limited(u32(8), u32(12), n)
	if err != nil {
		return Header{}, err
	}
	if u32(16)|u32(20)|u32(32)|u32(36) != 0 {
		return Header{}, bad("grid offsets")
	}
	tw, th := u32(24), u32(28)
	if tw < 1 || th < 1 {
		return Header{}, bad("tile size")
	}
	cols, rows := tiles(h.Width, tw), tiles(h.Height, th)
	if cols*rows > MaxTiles {
		return Header{}, bad("too many tiles")
	}
	h.Tiles = cols * rows
	for i := range int(n) {
		if c := b[42+3*i:]; c[0] != 7 || c[1] != 1 || c[2] != 1 {
			return Header{}, bad("component depth or sub-sampling")
		}
	}
	return h, nil
}

// tiles is the number of tiles along one side; the result is at most MaxSide.
func tiles(side int, tile uint32) int { return int((uint64(side) + uint64(tile) - 1) / uint64(tile)) }
