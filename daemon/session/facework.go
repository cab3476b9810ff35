package session

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"image/png"
	"log/slog"
	"time"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
	"madoguchi/face"
	"madoguchi/hardware/camera"
	"madoguchi/internal/secret"
)

const (
	needFrames = 5                      // good frames that take part in a verdict
	frameGap   = 150 * time.Millisecond // between them, so that they are not one moment
	keepLive   = 3                      // frames that staff see beside the chip's photo
)

// faceHint is the live guidance.
type faceHint struct {
	gen        uint32
	hint       face.Hint
	good, need int
}

// faceResult is the end of a capture.
type faceResult struct {
	gen     uint32
	verdict face.Verdict
	live    []*secret.Bytes
}

// capture films, guides and judges. It ends with the phase; the camera is open only meanwhile.
func (s *Session) capture(gen uint32) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.phase = scope{cancel: cancel}
	photo := cloneGray(s.vault.photo)
	frames := make(chan camera.Frame, 1)
	s.wg.Go(func() {
		defer close(frames)
		select { // a capture that has just ended may still be closing the device
		case s.filming <- struct{}{}:
			defer func() { <-s.filming }()
		case <-ctx.Done():
			return
		}
		err := s.Camera.Stream(ctx, func(f camera.Frame) {
			s.Kiosk.Frame(f.JPEG)
			select { // the newest frame counts
			case frames <- f:
			default:
				select {
				case <-frames:
				default:
				}
				frames <- f
			}
		})
		if ctx.Err() == nil { // the verdict over too few frames says the rest; levels come from Watch alone
			s.Log.Warn("the camera stopped", slog.Any("error", err))
		}
	})
	s.wg.Go(func() {
		s.engineMu.Lock()
		defer s.engineMu.Unlock()
		defer wipeImage(photo)
		c := collector{s: s, gen: gen}
		c.collect(ctx, frames)
		if ctx.Err() != nil {
			return
		}
		v := face.Judge(s.Engine, s.Calibration, !s.Camera.Info().Virtual, grayOrNil(photo), c.images)
		s.post(s.ctx, faceResult{gen: gen, verdict: v, live: c.live(v.Best)})
	})
}

// collector picks good frames.
type collector struct {
	s      *Session
	gen    uint32
	images []image.Image
	found  []face.Detection
	last   time.Time
	hint   face.Hint
}

func (c *collector) collect(ctx context.Context, frames <-chan camera.Frame) {
	for len(c.images) < needFrames {
		select {
		case <-ctx.Done():
			return
		case f, ok := <-frames:
			if !ok {
				return
			}
			c.frame(ctx, f)
		}
	}
}

func (c *collector) frame(ctx context.Context, f camera.Frame) {
	img, err := jpeg.Decode(bytes.NewReader(f.JPEG))
	if err != nil {
		return
	}
	hint, found := face.HintGood, face.Detection{} // without an engine staff compare: any frame will do
	if c.s.Engine != nil {
		hint, found = face.Guide(c.s.Engine, img)
	}
	took := false
	if hint == face.HintGood && f.At.Sub(c.last) >= frameGap {
		c.images, c.found, c.last, took = append(c.images, img), append(c.found, found), f.At, true
	}
	if took || hint != c.hint {
		c.hint = hint
		c.s.post(ctx, faceHint{gen: c.gen, hint: hint, good: len(c.images), need: needFrames})
	}
}

// live gives the faces for staff, the best first.
func (c *collector) live(best int) []*secret.Bytes {
	var out []*secret.Bytes
	if best >= 0 && best < len(c.images) {
		out = append(out, portrait(c.images[best], c.found[best]))
	}
	for i := range c.images {
		if i != best && len(out) < keepLive {
			out = append(out, portrait(c.images[i], c.found[i]))
		}
	}
	return out
}

// portrait cuts a frame to the framing of the chip's photo (4:5, the face about half as wide as the picture), so
// that staff compare at equal scale. Without a face found it is the whole frame.
func portrait(img image.Image, d face.Detection) *secret.Bytes {
	cut := img.Bounds()
	if side := max(d.Box.Dx(), d.Box.Dy()*3/4); side > 0 {
		w := side * 2
		h := w * 5 / 4
		cx, cy := (d.Box.Min.X+d.Box.Max.X)/2, (d.Box.Min.Y+d.Box.Max.Y)/2
		if r := image.Rect(cx-w/2, cy-h/2, cx+w/2, cy+h/2).Intersect(cut); !r.Empty() {
			cut = r
		}
	}
	if s, ok := img.(interface {
		SubImage(image.Rectangle) image.Image
	}); ok {
		img = s.SubImage(cut)
	}
	var b bytes.Buffer
	if jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}) != nil {
		return nil
	}
	return secret.New(b.Bytes())
}

func (s *Session) onFace(m faceResult) {
	if s.state.Phase != flow.Face || m.gen != s.state.Gen {
		discard(m)
		s.event(flow.FaceDone{Gen: m.gen})
		return
	}
	secret.Wipe(s.vault.live...)
	s.vault.live, s.vault.verdict = m.live, m.verdict
	s.event(flow.FaceDone{Gen: m.gen, Match: check(m.verdict.Match), Live: check(m.verdict.Live)})
}

// check maps an outcome of the engine to the rules' vocabulary; whatever is not known is not checked.
func check(o face.Outcome) policy.Check {
	switch o {
	case face.Pass:
		return policy.Pass
	case face.Unsure:
		return policy.Unsure
	case face.Fail:
		return policy.Fail
	case face.NotChecked:
	}
	return policy.NotChecked
}

func cloneGray(img *image.Gray) *image.Gray {
	if img == nil {
		return nil
	}
	return &image.Gray{Pix: bytes.Clone(img.Pix), Stride: img.Stride, Rect: img.Rect}
}

// grayOrNil avoids an interface that holds a nil pointer.
func grayOrNil(img *image.Gray) image.Image {
	if img == nil {
		return nil
	}
	return img
}

func encodePNG(img *image.Gray) *secret.Bytes {
	var b bytes.Buffer
	if png.Encode(&b, img) != nil {
		return nil
	}
	return secret.New(b.Bytes())
}
