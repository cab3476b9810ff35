package v4l2

import (
	"context"
	"errors"
	"image/color"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/camera"
)

// bench is a simulated machine with one camera.
type bench struct {
	mu      sync.Mutex
	there   []string
	offers  []mode
	next    func() ([]byte, error)
	opens   int
	openNow int // open now
}

func (b *bench) paths(pin string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pin != "" && !slices.Contains(b.there, pin) {
		return nil
	}
	return slices.Clone(b.there)
}

func (b *bench) open(string) (device, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.there) == 0 {
		return nil, errors.New("test: unplugged")
	}
	b.opens++
	b.openNow++
	return &benchDevice{b}, nil
}

func (b *bench) plug(paths ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.there = paths
}

func (b *bench) state() (opens, now int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opens, b.openNow
}

type benchDevice struct{ b *bench }

func (d *benchDevice) name() string     { return "bench camera" }
func (d *benchDevice) modes() []mode    { return d.b.offers }
func (d *benchDevice) start(mode) error { return nil }

func (d *benchDevice) frame() ([]byte, error) {
	time.Sleep(33 * time.Millisecond) // in the bubble of synctest
	return d.b.next()
}

func (d *benchDevice) close() error {
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	d.b.openNow--
	return nil
}

// moving gives pictures that differ, of one colour.
func moving(t *testing.T, c color.Color) func() ([]byte, error) {
	t.Helper()
	a, b, n := picture(t, 32, 32, c), picture(t, 32, 16, c), 0
	return func() ([]byte, error) {
		n++
		if n%2 == 0 {
			return a, nil
		}
		return b, nil
	}
}

func grey() color.Color { return color.Gray{Y: 128} }

// watched runs Watch and gives the levels so far.
func watched(t *testing.T, c *Camera) func() []camera.Level {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var got []camera.Level
	done := make(chan error)
	go func() {
		done <- c.Watch(ctx, func(l camera.Level) { mu.Lock(); defer mu.Unlock(); got = append(got, l) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return func() []camera.Level {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func TestWatchFollowsThePlug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{offers: []mode{{formatMJPEG, 1280, 720}}}
		c := newCamera(Options{}, b)
		levels := watched(t, c)
		levels()
		b.plug("/dev/video0")
		time.Sleep(2 * time.Second)
		b.plug()
		time.Sleep(2 * time.Second)
		want := []camera.Level{camera.Absent, camera.Ready, camera.Absent}
		if d := cmp.Diff(levels(), want); d != "" {
			t.Fatal(d)
		}
		if c.Info().Name != "bench camera" || c.Info().Virtual {
			t.Fatalf("got %v", c.Info())
		}
		b.plug("/dev/video0")
		time.Sleep(time.Minute)
		if opens, now := b.state(); opens != 2 || now != 0 {
			t.Fatalf("opened %d times, %d open now; want once for each time it was plugged in", opens, now)
		}
	})
}

func TestWatchRefusesTheMetadataNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(Options{}, &bench{there: []string{"/dev/video1"}})
		levels := watched(t, c)
		time.Sleep(3 * time.Second)
		if d := cmp.Diff(levels(), []camera.Level{camera.Absent}); d != "" {
			t.Fatal(d)
		}
	})
}

func TestStreamDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{there: []string{"/dev/video0"}, offers: []mode{{formatMJPEG, 1280, 720}}, next: moving(t, grey())}
		c := newCamera(Options{}, b)
		levels := watched(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		var got []camera.Frame
		err := c.Stream(ctx, func(f camera.Frame) {
			if got = append(got, f); len(got) == 5 {
				cancel()
			}
			if err := c.Stream(ctx, func(camera.Frame) {}); len(got) == 1 && !errors.Is(err, ErrBusy) {
				t.Errorf("a second stream: got %v, want ErrBusy", err)
			}
		})
		if !errors.Is(err, context.Canceled) || len(got) != 5 {
			t.Fatalf("got %d frames, %v", len(got), err)
		}
		for i, f := range got {
			// the size is that of the frame, not the one asked for
			if f.Seq != uint64(i+1) || f.Width != 32 || f.Height != 16<<(i%2) || f.At.IsZero() {
				t.Fatalf("frame %d is %d %dx%d at %v", i, f.Seq, f.Width, f.Height, f.At)
			}
		}
		if _, now := b.state(); now != 0 {
			t.Fatal("the device stayed open")
		}
		if d := cmp.Diff(levels(), []camera.Level{camera.Ready}); d != "" {
			t.Fatal(d)
		}
	})
}

func TestStreamFails(t *testing.T) {
	gone := errors.New("test: no such device")
	still := picture(t, 32, 32, grey())
	for _, tc := range []struct {
		name string
		next func() ([]byte, error)
		want error
	}{
		{"no-frames", func() ([]byte, error) { return nil, errWait }, ErrNoFrames},
		{"unplugged", func() ([]byte, error) { return nil, gone }, gone},
		{"frozen", func() ([]byte, error) { return still, nil }, ErrFrozen},
		{"broken", func() ([]byte, error) { return []byte("no picture"), nil }, ErrFrame},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bench{there: []string{"/dev/video0"}, offers: []mode{{formatMJPEG, 1280, 720}}, next: tc.next}
				c := newCamera(Options{}, b)
				levels := watched(t, c)
				levels()
				if err := c.Stream(t.Context(), func(camera.Frame) {}); !errors.Is(err, tc.want) {
					t.Fatalf("got %v, want %v", err, tc.want)
				}
				if d := cmp.Diff(levels(), []camera.Level{camera.Ready, camera.Failing}); d != "" {
					t.Fatal(d)
				}
				time.Sleep(forgiveAfter + 2*pollEvery)
				if d := cmp.Diff(levels(), []camera.Level{camera.Ready, camera.Failing, camera.Ready}); d != "" {
					t.Fatal(d)
				}
				if _, now := b.state(); now != 0 {
					t.Fatal("the device stayed open")
				}
			})
		})
	}
	t.Run("absent", func(t *testing.T) {
		c := newCamera(Options{}, &bench{})
		if err := c.Stream(t.Context(), func(camera.Frame) {}); !errors.Is(err, ErrNoCamera) {
			t.Fatalf("got %v, want ErrNoCamera", err)
		}
	})
}

func TestCoveredLensIsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dark, light := moving(t, color.Black), moving(t, grey())
		covered := true
		b := &bench{there: []string{"/dev/video0"}, offers: []mode{{formatMJPEG, 1280, 720}}}
		b.next = func() ([]byte, error) {
			if covered {
				return dark()
			}
			return light()
		}
		c := newCamera(Options{}, b)
		levels := watched(t, c)
		levels()
		ctx, cancel := context.WithCancel(t.Context())
		frames := 0
		_ = c.Stream(ctx, func(camera.Frame) {
			frames++
			covered = frames < 100
			if frames == 200 {
				cancel()
			}
		})
		if d := cmp.Diff(levels(), []camera.Level{camera.Ready, camera.Failing, camera.Ready}); d != "" {
			t.Fatal(d)
		}
	})
}

func TestPinnedDevice(t *testing.T) {
	b := &bench{there: []string{"/dev/video0"}, offers: []mode{{formatMJPEG, 1280, 720}}}
	c := newCamera(Options{Device: "/dev/v4l/by-id/other"}, b)
	if err := c.Stream(t.Context(), func(camera.Frame) {}); !errors.Is(err, ErrNoCamera) {
		t.Fatalf("got %v, want ErrNoCamera", err)
	}
}
