//go:build linux

package v4l2

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// This is the only file that knows the library. Its types do not leave it.

// buffers is how many frames the driver may hold; more only make the picture older.
const buffers = 4

// devices gives the video devices of this machine.
func devices() system { return machine{} }

type machine struct{}

// paths lists the devices, by stable name first. A name of by-id and its /dev/videoN count once.
func (machine) paths(pin string) []string {
	if pin != "" {
		if _, err := filepath.EvalSymlinks(pin); err != nil {
			return nil
		}
		return []string{pin}
	}
	byID, _ := filepath.Glob("/dev/v4l/by-id/*-video-index*")
	plain, _ := filepath.Glob("/dev/video[0-9]*")
	slices.SortFunc(plain, func(a, b string) int { // video10 after video9
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var out []string
	seen := map[string]bool{}
	for _, path := range append(byID, plain...) {
		target, err := filepath.EvalSymlinks(path)
		if err == nil && !seen[target] {
			seen[target] = true
			out = append(out, path)
		}
	}
	return out
}

func (machine) open(path string) (device, error) {
	cam, err := webcam.Open(path)
	if err != nil {
		return nil, err
	}
	return &webcamDevice{cam: cam}, nil
}

type webcamDevice struct{ cam *webcam.Webcam }

func (d *webcamDevice) name() string {
	name, err := d.cam.GetName()
	if err != nil || name == "" {
		return "camera"
	}
	return strings.TrimRight(name, "\x00")
}

// modes lists what the device offers in the two formats that we read.
func (d *webcamDevice) modes() []mode {
	var out []mode
	for code := range d.cam.GetSupportedFormats() {
		f := format(code)
		if f != formatMJPEG && f != formatYUYV {
			continue
		}
		for _, s := range d.cam.GetSupportedFrameSizes(code) {
			out = append(out, span{
				minW: int(s.MinWidth), maxW: int(s.MaxWidth), stepW: int(s.StepWidth),
				minH: int(s.MinHeight), maxH: int(s.MaxHeight), stepH: int(s.StepHeight),
			}.sizes(f)...)
		}
	}
	return out
}

// start sets the mode and begins. The library does not tell which size the driver really took; MJPEG frames say it
// themselves, and YUYV frames of another size are refused for their length.
func (d *webcamDevice) start(m mode) error {
	got, _, _, err := d.cam.SetImageFormat(webcam.PixelFormat(m.format), uint32(m.width), uint32(m.height))
	if err != nil {
		return err
	}
	if format(got) != m.format {
		return errors.New("v4l2: the driver took another format")
	}
	if err := d.cam.SetBufferCount(buffers); err != nil {
		return err
	}
	return d.cam.StartStreaming()
}

// frame waits for up to a second.
func (d *webcamDevice) frame() ([]byte, error) {
	err := d.cam.WaitForFrame(1)
	if _, ok := errors.AsType[*webcam.Timeout](err); ok {
		return nil, errWait
	}
	if err != nil {
		return nil, err
	}
	raw, index, err := d.cam.GetFrame()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil, errWait
	}
	if err != nil {
		return nil, err
	}
	own := append([]byte(nil), raw...)
	return own, d.cam.ReleaseFrame(index)
}

func (d *webcamDevice) close() error { return d.cam.Close() }
