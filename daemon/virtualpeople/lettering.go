package main

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// profile is what of profile.json is printed on the card.
type profile struct {
	Name         string `json:"name"`
	Address      string `json:"address"`
	SecurityCode string `json:"security_code"`
}

func readProfile(dir string) (profile, error) {
	var p profile
	b, err := os.ReadFile(filepath.Join(dir, "profile.json")) //nolint:gosec // the developer's own folder
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(b, &p)
}

// lettering draws text with the Japanese face of a font collection.
type lettering struct{ f *opentype.Font }

func newLettering(path string) (*lettering, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the developer's own font
	if err != nil {
		return nil, err
	}
	c, err := opentype.ParseCollection(b)
	if err != nil {
		return nil, err
	}
	f, err := c.Font(0) // in Noto Sans CJK the first face is the Japanese one
	return &lettering{f}, err
}

// lines draws text in black on white, broken at width pixels.
func (l *lettering) lines(text string, size, width int) *image.Gray {
	face, err := opentype.NewFace(l.f, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err) // constant options
	}
	defer face.Close() //nolint:errcheck // never fails
	rows := breakLines(face, text, width)
	step := size + size/4
	img := image.NewGray(image.Rect(0, 0, width, step*len(rows)+size/4))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for i, row := range rows {
		d := font.Drawer{Dst: img, Src: image.Black, Face: face, Dot: fixed.P(1, step*i+size)}
		d.DrawString(row)
	}
	return img
}

// breakLines breaks before the word that does not fit, or within it when it is as long as Japanese text.
func breakLines(face font.Face, text string, width int) []string {
	const longWord = 12 // runes
	var rows []string
	var row []rune
	for _, r := range text {
		row = append(row, r)
		if font.MeasureString(face, string(row)).Ceil() <= width-2 {
			continue
		}
		cut := len(row) - 1
		for i := cut; i > 0 && cut-i < longWord; i-- {
			if row[i-1] == ' ' || row[i-1] == '\u3000' {
				cut = i
				break
			}
		}
		rows, row = append(rows, string(row[:cut])), slices.Clone(row[cut:])
	}
	return append(rows, string(row))
}

// bilevel writes a PNG of colour type 0 (grey) with 1 bit per pixel, which is what cards hold. image/png writes
// grey with 8 bits only.
func bilevel(img *image.Gray) ([]byte, error) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	var raw bytes.Buffer
	for y := range h {
		row := make([]byte, 1+(w+7)/8) // filter 0
		for x := range w {
			if img.GrayAt(x, y).Y >= 150 {
				row[1+x/8] |= 0x80 >> (x % 8)
			}
		}
		raw.Write(row)
	}
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(raw.Bytes()); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(w)) //nolint:gosec // a few hundred
	head = binary.BigEndian.AppendUint32(head, uint32(h)) //nolint:gosec // a few hundred
	head = append(head, 1, 0, 0, 0, 0)                    // depth 1, grey, deflate, adaptive, not interlaced
	out := bytes.NewBufferString("\x89PNG\r\n\x1a\n")
	err = errors.Join(chunk(out, "IHDR", head), chunk(out, "IDAT", packed.Bytes()), chunk(out, "IEND", nil))
	return out.Bytes(), err
}

func chunk(out io.Writer, kind string, data []byte) error {
	body := append([]byte(kind), data...)
	if err := binary.Write(out, binary.BigEndian, uint32(len(data))); err != nil { //nolint:gosec // small
		return err
	}
	if _, err := out.Write(body); err != nil {
		return err
	}
	return binary.Write(out, binary.BigEndian, crc32.ChecksumIEEE(body))
}
