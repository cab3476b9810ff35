package segment

import "bytes"

// Piece is a stretch of a segment: a whole frame, or damage.
type Piece struct {
	From, To int64 // in the file
	Frame    Frame
	Known    bool   // the frame's header could be read
	Whole    bool   // and the body is what was stored
	Body     []byte // of a whole frame; shares the file's memory
}

// Scan goes through the bytes b of the whole segment number, from an offset on (0: all), frame by frame, and behind
// damage finds the next frame by its magic, its CRC and its place. Stretches of nothing but zeros are passed over. It
// visits the pieces in their order and stops at the first error of visit, which it returns.
func Scan(b []byte, from int, number uint64, visit func(Piece) error) error {
	at := max(from, 0)
	if _, ok := ParseHeader(b); ok {
		at = max(at, HeaderSize)
	}
	for at < len(b) {
		p := piece(b, at, number)
		if p.Whole || !zeros(b[p.From:p.To]) {
			if err := visit(p); err != nil {
				return err
			}
		}
		at = int(p.To)
	}
	return nil
}

func piece(b []byte, at int, number uint64) Piece {
	f, ok := frameAt(b, at, number)
	if !ok {
		return Piece{From: int64(at), To: int64(next(b, at+1, len(b), number))}
	}
	p := Piece{From: int64(at), To: int64(len(b)), Frame: f, Known: true}
	if end := int64(at) + f.Size(); end <= p.To {
		p.To = end
		if _, body, ok := Whole(b[at:]); ok {
			p.Whole, p.Body = true, body
			return p
		}
	}
	p.To = int64(next(b, at+HeaderSize, int(p.To), number)) // a damaged body may hide the frames of a later writer
	return p
}

// next is where the next frame begins in b[from:to], or to.
func next(b []byte, from, to int, number uint64) int {
	for from < to {
		i := bytes.Index(b[from:], []byte(frameMagic))
		if i < 0 || from+i >= to {
			break
		}
		if _, ok := frameAt(b, from+i, number); ok {
			return from + i
		}
		from += i + 1
	}
	return to
}

func frameAt(b []byte, at int, number uint64) (Frame, bool) {
	f, ok := ParseFrame(b[at:])
	return f, ok && f.Segment == number && f.Offset == uint64(at) //nolint:gosec // at >= 0
}

func zeros(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
