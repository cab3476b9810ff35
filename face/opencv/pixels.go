package opencv

import (
	"errors"
	"image"
	"image/color"
)

// ErrImageSize reports a picture that is empty or larger than the engine takes.
var ErrImageSize = errors.New("face engine: picture empty or too large")

// maxSide bounds what is copied for the networks.
const maxSide = 4096

// bgr converts a picture to packed BGR bytes, which is what the networks were trained on; with RGB the anti-spoofing
// nets call photos of a screen real. The caller clears the bytes after use.
func bgr(img image.Image) ([]byte, int, int, error) {
	if img == nil {
		return nil, 0, 0, ErrImageSize
	}
	r := img.Bounds()
	w, h := r.Dx(), r.Dy()
	if w < 1 || h < 1 || w > maxSide || h > maxSide {
		return nil, 0, 0, ErrImageSize
	}
	out := make([]byte, 3*w*h)
	switch m := img.(type) {
	case *image.YCbCr:
		for y, o := r.Min.Y, 0; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x, o = x+1, o+3 {
				yi, ci := m.YOffset(x, y), m.COffset(x, y)
				out[o+2], out[o+1], out[o] = color.YCbCrToRGB(m.Y[yi], m.Cb[ci], m.Cr[ci])
			}
		}
	case *image.Gray:
		for y, o := r.Min.Y, 0; y < r.Max.Y; y++ {
			row := m.Pix[m.PixOffset(r.Min.X, y):][:w]
			for _, v := range row {
				out[o], out[o+1], out[o+2] = v, v, v
				o += 3
			}
		}
	case *image.RGBA:
		for y, o := r.Min.Y, 0; y < r.Max.Y; y++ {
			row := m.Pix[m.PixOffset(r.Min.X, y):][:4*w]
			for x := 0; x < len(row); x, o = x+4, o+3 {
				out[o], out[o+1], out[o+2] = row[x+2], row[x+1], row[x]
			}
		}
	default:
		for y, o := r.Min.Y, 0; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x, o = x+1, o+3 {
				cr, cg, cb, _ := img.At(x, y).RGBA()
				out[o], out[o+1], out[o+2] = byte(cb>>8), byte(cg>>8), byte(cr>>8)
			}
		}
	}
	return out, w, h, nil
}
