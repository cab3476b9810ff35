package opencv

import (
	"image"

	"madoguchi/face"
)

// offset moves detections from the picture's own origin to its Bounds.
func offset(found []face.Detection, by image.Point) []face.Detection {
	for i := range found {
		found[i] = moved(found[i], by)
	}
	return found
}

// local is the inverse of offset for one detection.
func local(d face.Detection, img image.Image) face.Detection {
	if img == nil {
		return d
	}
	return moved(d, image.Point{}.Sub(img.Bounds().Min))
}

func moved(d face.Detection, by image.Point) face.Detection {
	d.Box = d.Box.Add(by)
	for i := range d.Landmarks {
		d.Landmarks[i].X += float64(by.X)
		d.Landmarks[i].Y += float64(by.Y)
	}
	return d
}
