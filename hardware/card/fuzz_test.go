package card_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// How FuzzReads makes an answer of the input and the card's own.
const (
	fuzzReplace = iota // the input alone, with its status word
	fuzzData           // the input and 9000
	fuzzXOR            // the card's own, changed where the input is not zero
	fuzzSplice         // the card's own from some offset on replaced, and 9000
	fuzzModes
)

// pieces cuts the input of a fuzz target into answers: two bytes of length each, then the bytes.
func pieces(b []byte) [][]byte {
	var out [][]byte
	for len(b) >= 2 {
		n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
		out = append(out, b[2:2+n])
		b = b[2+n:]
	}
	return out
}

// answers is the opposite of pieces.
func answers(of ...string) []byte {
	var out []byte
	for _, a := range of {
		out = binary.BigEndian.AppendUint16(out, uint16(len(a)))
		out = append(out, a...)
	}
	return out
}

// fuzzed makes the attack of one input. When the pieces are used up the last one is said for ever, or the card is
// pulled.
func fuzzed(mode byte, endless bool, input []byte) func(command, answer []byte) ([]byte, error) {
	left := pieces(input)
	return func(_, answer []byte) ([]byte, error) {
		if len(left) == 0 {
			return nil, errPulled
		}
		piece := left[0]
		if len(left) > 1 || !endless {
			left = left[1:]
		}
		switch mode % fuzzModes {
		case fuzzData:
			return append(bytes.Clone(piece), 0x90, 0), nil
		case fuzzXOR:
			answer = bytes.Clone(answer)
			for i := range min(len(piece), len(answer)) {
				answer[i] ^= piece[i]
			}
			return answer, nil
		case fuzzSplice:
			if len(piece) < 2 {
				return answer, nil
			}
			at := min(int(binary.BigEndian.Uint16(piece)), max(0, len(answer)-2))
			return slices.Concat(answer[:at], piece[2:], []byte{0x90, 0}), nil
		}
		return bytes.Clone(piece), nil
	}
}

// FuzzReads lets every public read meet a card that is honest for some commands, and then answers from the input.
// Each read ends within its bounds, with a typed error, and never sends a PIN twice.
func FuzzReads(f *testing.F) {
	v := newVictim(f)
	ops := operations()
	for i := range ops {
		f.Add(uint8(i), uint8(4), uint8(fuzzReplace), false, answers("\x90\x00", "\x90\x00", "\xFF\x20\x84\xFF\xFF\xFF\xFF\x90\x00"))
		f.Add(uint8(i), uint8(6), uint8(fuzzData), true, answers("", "", "\xFF\x20\x82\x7F\xFF", "\x00"))
		f.Add(uint8(i), uint8(5), uint8(fuzzXOR), true, answers("\x00\x00\x00\x01", "", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40"))
		f.Add(uint8(i), uint8(5), uint8(fuzzSplice), false, answers("\x00\x02\x83\xFF\xFF\xFF", "\x00\x00", "\x00\x05\xDF\x22\x01\x30"))
		f.Add(uint8(i), uint8(0), uint8(fuzzReplace), true, answers("\x61\x00"))
	}
	f.Fuzz(func(t *testing.T, op, honest, mode uint8, endless bool, input []byte) {
		h := &hostile{honest: int(honest % 32), attack: fuzzed(mode, endless, input)}
		v.renew(t)
		_, _ = endure(t, v, h, mode&0x80 != 0, ops[int(op)%len(ops)])
	})
}
