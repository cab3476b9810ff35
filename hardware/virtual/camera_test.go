package virtual_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/hardware/camera"
	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

// picture is a grey JPEG of the given size.
func picture(width, height int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func newCamera(t testing.TB) *virtual.Camera {
	t.Helper()
	c, err := virtual.NewCameraOf(people())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// widths streams for a while and lists the widths of the frames.
func widths(t *testing.T, c *virtual.Camera, d time.Duration) []int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var out []int
	err := c.Stream(ctx, func(f camera.Frame) {
		if cfg, err := jpeg.DecodeConfig(bytes.NewReader(f.JPEG)); err != nil || cfg.Width != f.Width || cfg.Height != f.Height {
			t.Errorf("frame %d: %v, %dx%d", f.Seq, err, f.Width, f.Height)
		}
		clear(f.JPEG) // it belongs to the receiver
		out = append(out, f.Width)
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of ctx", err)
	}
	return out
}

func TestCameraShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		if got := widths(t, c, 350*time.Millisecond); !cmp.Equal(got, []int{640, 640, 640}) {
			t.Errorf("empty room: got %v, want three frames in 350 ms", got)
		}
		if err := c.Show("yamada"); err != nil {
			t.Fatal(err)
		}
		if got := widths(t, c, 550*time.Millisecond); !cmp.Equal(got, []int{96, 100, 96, 100, 96}) {
			t.Errorf("got %v, want the two frames over and over", got)
		}
		if err := c.Show("child"); err != nil { // whose live face is somebody else's
			t.Fatal(err)
		}
		if got := widths(t, c, 150*time.Millisecond); !cmp.Equal(got, []int{64}) || c.Scene() != "child" {
			t.Errorf("got %v and %q, want the frames of another folder", got, c.Scene())
		}
		for _, id := range []string{"nobody", "../yamada", ""} {
			if err := c.Show(id); !errors.Is(err, virtual.ErrUnknownPerson) {
				t.Errorf("%q: got %v, want ErrUnknownPerson", id, err)
			}
		}
		if got, err := c.Scenes(); err != nil || !cmp.Equal(got, []string{"other", "yamada"}) {
			t.Errorf("got the scenes %v, %v", got, err)
		}
		if now, opened := c.Streaming(); now || opened != 3 {
			t.Errorf("got %v and %d, want closed and 3", now, opened)
		}
		if !c.Info().Virtual {
			t.Error("the camera must say that it is virtual")
		}
	})
}

func TestCameraFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(t)
		var levels []camera.Level
		ctx, cancel := context.WithCancel(t.Context())
		watched, streamed := make(chan error, 1), make(chan error, 1)
		go func() { watched <- c.Watch(ctx, func(l camera.Level) { levels = append(levels, l) }) }()
		go func() { streamed <- c.Stream(ctx, func(camera.Frame) {}) }()
		synctest.Wait()
		if err := c.Stream(ctx, func(camera.Frame) {}); !errors.Is(err, virtual.ErrCameraBusy) {
			t.Errorf("got %v, want ErrCameraBusy", err)
		}
		c.Fail()
		if err := <-streamed; !errors.Is(err, virtual.ErrCameraFailing) {
			t.Errorf("got %v, want ErrCameraFailing", err)
		}
		if err := c.Show("yamada"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		if err := <-watched; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of ctx", err)
		}
		if d := cmp.Diff([]camera.Level{camera.Ready, camera.Failing, camera.Ready}, levels); d != "" {
			t.Error("levels (-want +got):", d)
		}
	})
}

func TestFolderFrames(t *testing.T) {
	progressive := bytes.Replace(picture(96, 96), []byte{0xFF, 0xC0}, []byte{0xFF, 0xC2}, 1)
	twelve := bytes.Replace(picture(96, 96), []byte{0xFF, 0xC0, 0x00, 0x0B, 8}, []byte{0xFF, 0xC0, 0x00, 0x0B, 12}, 1)
	for name, tc := range map[string]struct {
		content []byte
		good    bool
	}{
		"baseline":    {picture(96, 96), true},
		"progressive": {progressive, false},
		"twelve-bit":  {twelve, false},
		"tiny":        {picture(10, 96), false},
		"text":        {[]byte("not a picture"), false},
		"empty":       {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.jpg"), tc.content, 0o600); err != nil {
				t.Fatal(err)
			}
			c := newCamera(t)
			err := c.ShowFolder(dir)
			if tc.good != (err == nil) {
				t.Fatalf("got %v, want good = %v", err, tc.good)
			}
			if err != nil && (!strings.Contains(err.Error(), "a.jpg") || !strings.Contains(err.Error(), "baseline") || c.Scene() != "") {
				t.Errorf("got %q, want the file, the cause and the old scene", err)
			}
		})
	}
	if err := newCamera(t).ShowFolder(t.TempDir()); err == nil {
		t.Error("a folder without pictures must be refused")
	}
}
