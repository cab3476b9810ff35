package v4l2

import "bytes"

// The markers of JPEG (ITU-T T.81, table B.1).
const (
	markSOI = 0xD8
	markEOI = 0xD9
	markSOS = 0xDA
	markDHT = 0xC4
	markTEM = 0x01
)

// repair makes a JPEG file of a Motion-JPEG frame: it inserts the standard Huffman tables where the camera leaves
// them out, and cuts what follows the end of the picture, which drivers fill up. It gives the size in pixels.
func repair(frame []byte) (jpeg []byte, width, height int, err error) {
	if len(frame) < 4 || frame[0] != 0xFF || frame[1] != markSOI {
		return nil, 0, 0, ErrFrame
	}
	hasTables := false
	at := 2
	for {
		mark, start, body, next, ok := segment(frame, at)
		if !ok {
			return nil, 0, 0, ErrFrame
		}
		switch {
		case mark == markDHT:
			hasTables = true
		case isFrameHeader(mark):
			if len(body) < 6 {
				return nil, 0, 0, ErrFrame
			}
			height, width = int(body[1])<<8|int(body[2]), int(body[3])<<8|int(body[4])
		case mark == markSOS:
			end := endOfPicture(frame, next)
			if end < 0 || width < 1 || height < 1 || width > maxSide || height > maxSide {
				return nil, 0, 0, ErrFrame
			}
			if hasTables {
				return frame[:end:end], width, height, nil
			}
			return bytes.Join([][]byte{frame[:start], standardTables(), frame[start:end]}, nil), width, height, nil
		}
		at = next
	}
}

// segment reads one marker segment at b[at:]: start is where its marker begins, body is without the length.
func segment(b []byte, at int) (mark byte, start int, body []byte, next int, ok bool) {
	for at+1 < len(b) && b[at] == 0xFF && b[at+1] == 0xFF { // fill bytes
		at++
	}
	if at+4 > len(b) || b[at] != 0xFF {
		return 0, 0, nil, 0, false
	}
	mark = b[at+1]
	if mark == 0 || mark == markTEM || mark >= 0xD0 && mark <= markEOI { // no segment: nothing to look for here
		return 0, 0, nil, 0, false
	}
	length := int(b[at+2])<<8 | int(b[at+3])
	if length < 2 || at+2+length > len(b) {
		return 0, 0, nil, 0, false
	}
	return mark, at, b[at+4 : at+2+length], at + 2 + length, true
}

// isFrameHeader tells SOF0 to SOF15 from the tables that share their range.
func isFrameHeader(mark byte) bool {
	return mark >= 0xC0 && mark <= 0xCF && mark != markDHT && mark != 0xC8 && mark != 0xCC
}

// endOfPicture finds the end of the first EOI after the entropy-coded data begins, -1 when there is none.
func endOfPicture(b []byte, at int) int {
	for {
		i := bytes.IndexByte(b[min(at, len(b)):], 0xFF)
		if i < 0 || at+i+1 >= len(b) {
			return -1
		}
		at += i + 1
		if b[at] == markEOI {
			return at + 1
		}
	}
}
