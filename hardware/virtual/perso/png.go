package perso

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// glyph is a digit of 4 by 7 points, one byte for each row, bit 3 on the left.
func glyph(d byte) [7]byte {
	return [10][7]byte{
		{0x6, 0x9, 0x9, 0x9, 0x9, 0x9, 0x6},
		{0x2, 0x6, 0x2, 0x2, 0x2, 0x2, 0x7},
		{0x6, 0x9, 0x1, 0x2, 0x4, 0x8, 0xF},
		{0x6, 0x9, 0x1, 0x6, 0x1, 0x9, 0x6},
		{0x1, 0x3, 0x5, 0x9, 0xF, 0x1, 0x1},
		{0xF, 0x8, 0xE, 0x1, 0x1, 0x9, 0x6},
		{0x6, 0x8, 0xE, 0x9, 0x9, 0x9, 0x6},
		{0xF, 0x1, 0x2, 0x2, 0x4, 0x4, 0x4},
		{0x6, 0x9, 0x9, 0x6, 0x9, 0x9, 0x6},
		{0x6, 0x9, 0x9, 0x7, 0x1, 0x1, 0x6},
	}[d%10]
}

// digitsImage draws digits black on white as PNG, 1-bit grey, 6 by 12 points each: 72 by 12 for a My Number.
func digitsImage(digits string) []byte {
	width, height := 6*len(digits), 12
	stride := (width + 7) / 8
	var rows []byte
	for y := range height {
		row := bytes.Repeat([]byte{0xFF}, stride)
		for i := range len(digits) {
			g := glyph(digits[i] - '0')
			for x := range 4 {
				if y >= 2 && y < 9 && g[y-2]>>(3-x)&1 == 1 {
					at := 6*i + 1 + x
					row[at/8] &^= 0x80 >> (at % 8)
				}
			}
		}
		rows = append(append(rows, 0x00), row...) // filter 0
	}
	return onePNG(width, height, rows)
}

// DigitsImage is digitsImage for digits that come from outside.
func DigitsImage(s string) ([]byte, error) {
	if !digits(s, len(s)) || len(s) == 0 || len(s) > 16 {
		return nil, errors.New("perso: the security code must be digits")
	}
	return digitsImage(s), nil
}

// EmptyStrip is a white image, 1-bit grey, for a name or an address of which there is no picture.
func EmptyStrip(width, height int) []byte {
	row := append([]byte{0x00}, bytes.Repeat([]byte{0xFF}, (width+7)/8)...) // filter 0
	return onePNG(width, height, bytes.Repeat(row, height))
}

// onePNG packs filtered rows of one bit a point.
func onePNG(width, height int, rows []byte) []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(rows) // a bytes.Buffer never fails
	_ = z.Close()
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	header = append(header, 1, 0, 0, 0, 0) // one bit, grey, deflate, adaptive, not interlaced
	out := []byte("\x89PNG\r\n\x1a\n")
	out = append(out, chunk("IHDR", header)...)
	out = append(out, chunk("IDAT", packed.Bytes())...)
	return append(out, chunk("IEND", nil)...)
}

func chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}
