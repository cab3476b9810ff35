package v4l2

import (
	"bytes"
	"image"
	"image/jpeg"
)

// quality is that of the JPEG made from raw frames: high, because a face is compared afterwards.
const quality = 90

// encodeYUYV makes a JPEG of a raw YUYV frame (4:2:2: Y0 Cb Y1 Cr). ErrFrame when the bytes are not width x height.
func encodeYUYV(frame []byte, width, height int) ([]byte, error) {
	img, err := decodeYUYV(frame, width, height)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, ErrFrame
	}
	return out.Bytes(), nil
}

// decodeYUYV unpacks a raw frame without changing a value.
func decodeYUYV(frame []byte, width, height int) (*image.YCbCr, error) {
	if width < 2 || height < 1 || width%2 != 0 || width > maxSide || height > maxSide || len(frame) != 2*width*height {
		return nil, ErrFrame
	}
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio422)
	for y := range height {
		row := frame[2*width*y:]
		luma, cb, cr := img.Y[y*img.YStride:], img.Cb[y*img.CStride:], img.Cr[y*img.CStride:]
		for x := range width / 2 {
			luma[2*x], cb[x], luma[2*x+1], cr[x] = row[4*x], row[4*x+1], row[4*x+2], row[4*x+3]
		}
	}
	return img, nil
}
