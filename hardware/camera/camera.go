// Package camera is the contract of a camera: a level, and a stream of JPEG frames while somebody looks.
// It has two implementers, hardware/v4l2 and hardware/virtual. Only daemon/... and hardware/... may import it.
package camera

import (
	"context"
	"time"
)

// Level is the state of the camera.
type Level uint8

// The levels, from worst to best.
const (
	Absent  Level = iota // no camera
	Failing              // present, but it gives no, frozen or black frames
	Ready                // present and usable
)

// String names the level for logs.
func (l Level) String() string { return [...]string{"absent", "failing", "ready"}[l] }

// Info describes the camera.
type Info struct {
	Name    string
	Virtual bool
}

// Frame is one picture. JPEG belongs to the receiver. Width and Height are in pixels. The picture is not
// mirrored and is upright.
type Frame struct {
	JPEG          []byte
	Width, Height int
	Seq           uint64
	At            time.Time
}

// Camera is one camera.
type Camera interface {
	Info() Info
	// Watch reports the level at once and after each change until ctx ends; it returns ctx.Err().
	Watch(ctx context.Context, report func(Level)) error
	// Stream opens the device, delivers frames from one goroutine until ctx ends or the device fails, and
	// closes the device. The device is closed at all other times: a customer is never filmed outside the
	// face step.
	Stream(ctx context.Context, deliver func(Frame)) error
}
