// Package v4l2 is a camera behind Video4Linux, the real implementer of hardware/camera. Only kioskd and tests may
// construct it.
//
// The device is open only while somebody looks (Stream), and for a moment when a device appears (to see whether it
// can be used). It was not tested with a real camera: the choice of device and mode, the repair of frames, the
// conversion and the watching are tested with a simulated device.
package v4l2

import (
	"errors"
	"time"
)

// The typed errors of Stream. Test with errors.Is.
var (
	// ErrNoCamera means that there is no usable camera.
	ErrNoCamera = errors.New("v4l2: no camera")
	// ErrNoFrames means that the camera stopped giving frames, or never began.
	ErrNoFrames = errors.New("v4l2: the camera gives no frames")
	// ErrFrozen means that the camera repeats one and the same frame, which no real sensor does.
	ErrFrozen = errors.New("v4l2: the picture is frozen")
	// ErrBusy means that a Stream runs already.
	ErrBusy = errors.New("v4l2: the camera is in use")
	// ErrFrame is a frame that is not a picture.
	ErrFrame = errors.New("v4l2: broken frame")

	errWait = errors.New("v4l2: no frame yet")
)

// device is an open video device as this package needs it; device_linux.go implements it, the tests without one.
type device interface {
	name() string
	modes() []mode
	start(m mode) error
	// frame waits for at most a second for one frame, errWait when there is none yet. The bytes are the caller's.
	frame() ([]byte, error)
	close() error
}

// system finds and opens devices.
type system interface {
	paths(pin string) []string
	open(path string) (device, error)
}

// format is the coding of a mode.
type format uint32

// The formats this package reads, as FourCC.
const (
	formatMJPEG format = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24
	formatYUYV  format = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24
)

// mode is one way in which a device gives pictures.
type mode struct {
	format        format
	width, height int
}

// The times and counts of a stream.
const (
	pollEvery    = time.Second      // how often /dev is looked at
	frameLimit   = 3 * time.Second  // without a frame for so long the stream is dead
	maxBroken    = 30               // broken frames in a row
	forgiveAfter = 30 * time.Second // a camera that failed is worth another try
	frozenAfter  = 60               // equal frames in a row, two seconds or more
	lookEvery    = 15               // every how many frames the light is measured
	darkLooks    = 3                // dark measurements in a row that make a black picture
	darkLuma     = 12               // mean luma below this is black, of 255
	maxSide      = 4096
)
