package hardwaretest

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"testing"
	"time"

	"madoguchi/hardware/camera"
)

// RunCamera runs the conformance suite of hardware/camera. Each call of ready gives a camera that is ready; it cleans
// up by t.Cleanup.
func RunCamera(t *testing.T, ready func(t *testing.T) camera.Camera) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, camera.Camera)
	}{
		{"level-at-once", cameraLevel},
		{"frames", cameraFrames},
		{"stream-again", cameraAgain},
		{"stream-with-cancelled-context", cameraCancelled},
		{"watch-and-stream-together", cameraTogether},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, ready(t)) })
	}
}

// watchCamera gives the first level, and a func that ends the Watch.
func watchCamera(t *testing.T, c camera.Camera) (camera.Level, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	first, done := make(chan camera.Level, 100), make(chan error, 1)
	go func() { done <- c.Watch(ctx, func(l camera.Level) { first <- l }) }()
	end := func() {
		t.Helper()
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Watch ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("Watch does not end with its context")
		}
	}
	select {
	case level := <-first:
		return level, end
	case <-time.After(patience):
		end()
		t.Fatal("no level at once")
		panic("unreachable")
	}
}

func cameraLevel(t *testing.T, c camera.Camera) {
	t.Helper()
	level, end := watchCamera(t, c)
	end()
	if level != camera.Ready {
		t.Fatalf("got %v, want ready", level)
	}
	if c.Info().Name == "" {
		t.Fatal("the camera has no name")
	}
}

// take streams n frames.
func take(t *testing.T, c camera.Camera, n int) []camera.Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []camera.Frame
	after := false
	err := c.Stream(ctx, func(f camera.Frame) {
		if after {
			t.Error("a frame after Stream returned")
		}
		if got = append(got, f); len(got) == n {
			cancel()
		}
	})
	after = true
	if !errors.Is(err, context.Canceled) || len(got) < n {
		t.Fatalf("got %d frames, %v; want %d and context.Canceled", len(got), err, n)
	}
	return got
}

func cameraFrames(t *testing.T, c camera.Camera) {
	t.Helper()
	frames := take(t, c, 5)
	for i, f := range frames {
		img, err := jpeg.Decode(bytes.NewReader(f.JPEG))
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if size := img.Bounds().Size(); size.X != f.Width || size.Y != f.Height {
			t.Fatalf("frame %d is %v and says %dx%d", i, size, f.Width, f.Height)
		}
		if f.At.IsZero() || i > 0 && (f.Seq <= frames[i-1].Seq || f.At.Before(frames[i-1].At)) {
			t.Fatalf("frame %d: Seq %d at %v after %d at %v", i, f.Seq, f.At, frames[max(i-1, 0)].Seq, frames[max(i-1, 0)].At)
		}
	}
	clear(frames[0].JPEG) // it is ours: no other frame may change
	if _, err := jpeg.Decode(bytes.NewReader(frames[1].JPEG)); err != nil {
		t.Fatalf("frames share their bytes: %v", err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(take(t, c, 1)[0].JPEG)); err != nil {
		t.Fatalf("a later stream shows our changes: %v", err)
	}
}

func cameraAgain(t *testing.T, c camera.Camera) {
	t.Helper()
	for range 3 {
		take(t, c, 1)
	}
}

func cameraCancelled(t *testing.T, c camera.Camera) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Stream(ctx, func(camera.Frame) {}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if err := c.Watch(ctx, func(camera.Level) {}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
}

func cameraTogether(t *testing.T, c camera.Camera) {
	t.Helper()
	_, end := watchCamera(t, c)
	defer end()
	take(t, c, 3)
}
