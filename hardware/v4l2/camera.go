package v4l2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"madoguchi/hardware/camera"
)

// Options are the settings of a Camera; the zero value serves.
type Options struct {
	// Device pins the camera to one path, best one of /dev/v4l/by-id. Empty means the first that can be used.
	Device string
}

// Camera implements camera.Camera over Video4Linux.
type Camera struct {
	opt Options
	sys system

	mu        sync.Mutex
	info      camera.Info
	streaming bool
	failing   bool // the last stream died, or the one that runs is black
	failedAt  time.Time
	changed   chan struct{}
}

var _ camera.Camera = (*Camera)(nil)

// New makes a Camera. It touches nothing until Watch or Stream.
func New(opt Options) *Camera { return newCamera(opt, devices()) }

func newCamera(opt Options, sys system) *Camera {
	return &Camera{opt: opt, sys: sys, changed: make(chan struct{}, 1)}
}

// Info implements camera.Camera. The name is empty until a camera was seen.
func (c *Camera) Info() camera.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info
}

// Watch implements camera.Camera. It looks at /dev every second and opens a device that appears for a moment, never
// one that is being streamed. Failing means that the last stream died or that the picture is black; it ends with
// the next good frame, when the camera is plugged in anew, or after half a minute without a stream: nobody is
// filmed just to see whether the camera works again, the next stream will tell.
func (c *Camera) Watch(ctx context.Context, report func(camera.Level)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var known []string
	last, usable := camera.Absent, false
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		paths := c.sys.paths(c.opt.Device)
		if first || !usable || !slices.Equal(paths, known) {
			replugged := !first && !slices.Equal(paths, known)
			usable = c.probe(paths, replugged, usable)
		}
		known = paths
		if level := c.level(usable && len(paths) > 0); first || level != last {
			last = level
			report(level)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-c.changed:
		}
	}
}

// level judges what is known now.
func (c *Camera) level(usable bool) camera.Level {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !usable:
		return camera.Absent
	case c.failing && (c.streaming || time.Since(c.failedAt) < forgiveAfter):
		return camera.Failing
	}
	return camera.Ready
}

// probe tells whether one of the devices can be used. While a stream runs it opens nothing and believes what it
// knew.
func (c *Camera) probe(paths []string, replugged, before bool) bool {
	c.mu.Lock()
	if replugged && !c.streaming {
		c.failing = false
	}
	streaming := c.streaming
	c.mu.Unlock()
	if streaming {
		return before || len(paths) > 0
	}
	dev, _, err := c.first(paths)
	if err != nil {
		return false
	}
	_ = dev.close()
	return true
}

// first opens the first device that can be used, and says in which mode.
func (c *Camera) first(paths []string) (device, mode, error) {
	for _, path := range paths {
		dev, err := c.sys.open(path)
		if err != nil {
			continue
		}
		if m, ok := choose(dev.modes()); ok {
			c.mu.Lock()
			c.info = camera.Info{Name: dev.name()}
			c.mu.Unlock()
			return dev, m, nil
		}
		_ = dev.close()
	}
	return nil, mode{}, ErrNoCamera
}

// Stream implements camera.Camera. Errors: ctx.Err(), ErrNoCamera, ErrNoFrames, ErrFrozen, ErrFrame (too many in a
// row), ErrBusy, or what the driver says.
func (c *Camera) Stream(ctx context.Context, deliver func(camera.Frame)) error {
	c.mu.Lock()
	if c.streaming {
		c.mu.Unlock()
		return ErrBusy
	}
	c.streaming = true
	c.mu.Unlock()
	err := c.stream(ctx, deliver)
	c.mu.Lock()
	c.streaming = false
	c.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.setFailing(!errors.Is(err, ErrNoCamera)) // an absent one is Absent
	return err
}

// setFailing takes note and wakes Watch.
func (c *Camera) setFailing(failing bool) {
	c.mu.Lock()
	changed := c.failing != failing
	c.failing, c.failedAt = failing, time.Now()
	c.mu.Unlock()
	if changed {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// stream opens the device, delivers until it fails or ctx ends, and closes it.
func (c *Camera) stream(ctx context.Context, deliver func(camera.Frame)) (err error) {
	dev, m, err := c.first(c.sys.paths(c.opt.Device))
	if err != nil {
		return err
	}
	defer func() { _ = dev.close() }()
	if err := dev.start(m); err != nil {
		return fmt.Errorf("%w: %w", ErrNoFrames, err)
	}
	s := stream{dev: dev, mode: m, health: newHealth(), last: time.Now()}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		frame, level, err := s.next()
		if err != nil {
			return err
		}
		if frame.JPEG != nil {
			c.setFailing(level == camera.Failing)
			deliver(frame)
		}
	}
}

// stream is a running stream.
type stream struct {
	dev    device
	mode   mode
	health *health
	last   time.Time // of the last good frame, or of the start
	broken int
	seq    uint64
}

// next waits for one frame. A frame without JPEG means that there is none yet.
func (s *stream) next() (camera.Frame, camera.Level, error) {
	raw, err := s.dev.frame()
	now := time.Now()
	frame := camera.Frame{Width: s.mode.width, Height: s.mode.height, At: now}
	switch {
	case errors.Is(err, errWait):
		if now.Sub(s.last) > frameLimit {
			return camera.Frame{}, camera.Failing, ErrNoFrames
		}
		return camera.Frame{}, camera.Ready, nil
	case err != nil:
		return camera.Frame{}, camera.Failing, fmt.Errorf("%w: %w", ErrNoFrames, err)
	case s.mode.format == formatYUYV:
		frame.JPEG, err = encodeYUYV(raw, s.mode.width, s.mode.height)
	default:
		frame.JPEG, frame.Width, frame.Height, err = repair(raw)
	}
	if err != nil {
		if s.broken++; s.broken > maxBroken {
			return camera.Frame{}, camera.Failing, err
		}
		return camera.Frame{}, camera.Ready, nil
	}
	level, err := s.health.frame(frame.JPEG)
	if err != nil {
		return camera.Frame{}, level, err
	}
	s.broken, s.last = 0, now
	s.seq++
	frame.Seq = s.seq
	return frame, level, nil
}
