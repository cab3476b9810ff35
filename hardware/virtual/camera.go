package virtual

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"madoguchi/hardware/camera"
)

// CameraName is the name of the virtual camera.
const CameraName = "Madoguchi Virtual Camera"

// FrameInterval is the time between two frames.
const FrameInterval = 100 * time.Millisecond

// The typed errors of Stream.
var (
	ErrCameraFailing = errors.New("virtual: the camera gives no pictures")
	ErrCameraBusy    = errors.New("virtual: the camera is already in use")
)

const maxFrames = 100

var _ camera.Camera = (*Camera)(nil)

// Camera shows what it is told to: a person's live frames over and over, the frames of a folder, or an empty room.
// All methods may be called from anywhere.
type Camera struct {
	mu        sync.Mutex
	people    fs.FS
	frames    []picture
	scene     string
	failing   bool
	changed   chan struct{}
	streaming bool
	seq       uint64
	opened    int
}

// picture is one frame to be shown.
type picture struct {
	jpeg          []byte
	width, height int
}

// NewCamera makes a camera that shows an empty room.
func NewCamera() (*Camera, error) {
	sub, err := fs.Sub(embedded, "people")
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	return NewCameraOf(sub)
}

// NewCameraOf makes a camera for people other than those that ship; see LoadPeople.
func NewCameraOf(people fs.FS) (*Camera, error) {
	c := &Camera{people: people, changed: make(chan struct{})}
	if err := c.ShowNothing(); err != nil {
		return nil, err
	}
	return c, nil
}

// Info implements camera.Camera.
func (*Camera) Info() camera.Info { return camera.Info{Name: CameraName, Virtual: true} }

// Show puts somebody before the camera. The id is that of a person, who is shown as the profile says (an impostor
// profile shows somebody else), or the name of a folder of live frames, e.g. "attack-phone".
func (c *Camera) Show(id string) error {
	if !plainName(id) {
		return ErrUnknownPerson
	}
	frames, err := loadFrames(c.people, c.liveFolder(id), "live-")
	if errors.Is(err, fs.ErrNotExist) {
		return ErrUnknownPerson
	}
	if err != nil {
		return err
	}
	c.set(id, frames)
	return nil
}

// Scenes lists the folders of live frames that Show takes, people and attacks alike.
func (c *Camera) Scenes() ([]string, error) {
	files, err := fs.Glob(c.people, "*/live-*.jpg")
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	var out []string
	for _, f := range files {
		out = append(out, path.Dir(f))
	}
	sort.Strings(out)
	return slices.Compact(out), nil
}

// liveFolder follows the profile of a person to the folder of live frames.
func (c *Camera) liveFolder(id string) string {
	raw, err := fs.ReadFile(c.people, path.Join(id, "profile.json"))
	if err != nil {
		return id
	}
	j, err := parseProfile(raw)
	if err != nil {
		return id
	}
	return j.Live
}

// ShowFolder shows the JPEG files of a folder in the order of their names. Each must be 8-bit baseline JPEG.
func (c *Camera) ShowFolder(dir string) error {
	frames, err := loadFrames(os.DirFS(dir), ".", "")
	if err != nil {
		return err
	}
	c.set("folder", frames)
	return nil
}

// ShowNothing shows an empty room.
func (c *Camera) ShowNothing() error {
	room, err := emptyRoom()
	if err != nil {
		return err
	}
	c.set("", []picture{room})
	return nil
}

// Fail makes the camera stop giving pictures, until something is shown again.
func (c *Camera) Fail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = true
	c.notify()
}

// Scene is what is shown: an id, "folder", or empty for the empty room.
func (c *Camera) Scene() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scene
}

// Streaming says whether the device is open now, and how often it was opened so far.
func (c *Camera) Streaming() (now bool, opened int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streaming, c.opened
}

func (c *Camera) set(scene string, frames []picture) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames, c.scene, c.failing = frames, scene, false
	c.notify()
}

func (c *Camera) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Watch implements camera.Camera.
func (c *Camera) Watch(ctx context.Context, report func(camera.Level)) error {
	last, begun := camera.Absent, false
	for {
		c.mu.Lock()
		level, changed := camera.Ready, c.changed
		if c.failing {
			level = camera.Failing
		}
		c.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !begun || level != last {
			report(level)
		}
		last, begun = level, true
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Stream implements camera.Camera. The frames carry the times of its own ticker.
func (c *Camera) Stream(ctx context.Context, deliver func(camera.Frame)) error {
	if err := c.start(); err != nil {
		return err
	}
	defer c.stop()
	ticker := time.NewTicker(FrameInterval)
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case at := <-ticker.C:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f, err := c.frame(turn, at)
			if err != nil {
				return err
			}
			deliver(f)
		}
	}
}

func (c *Camera) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.streaming:
		return ErrCameraBusy
	case c.failing:
		return ErrCameraFailing
	}
	c.streaming = true
	c.opened++
	return nil
}

func (c *Camera) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streaming = false
}

func (c *Camera) frame(turn int, at time.Time) (camera.Frame, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing {
		return camera.Frame{}, ErrCameraFailing
	}
	c.seq++
	p := c.frames[turn%len(c.frames)]
	return camera.Frame{JPEG: bytes.Clone(p.jpeg), Width: p.width, Height: p.height, Seq: c.seq, At: at}, nil
}

// loadFrames reads the JPEG files of a folder whose names begin with prefix.
func loadFrames(fsys fs.FS, dir, prefix string) ([]picture, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	var names []string
	for _, e := range entries {
		ext := strings.ToLower(path.Ext(e.Name()))
		if !e.IsDir() && strings.HasPrefix(e.Name(), prefix) && (ext == ".jpg" || ext == ".jpeg") {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	if len(names) == 0 || len(names) > maxFrames {
		return nil, fmt.Errorf("virtual: a folder of frames must hold 1 to %d JPEG files, not %d", maxFrames, len(names))
	}
	var out []picture
	for _, n := range names {
		raw, err := readAtMost(fsys, path.Join(dir, n), maxFrame)
		if err != nil {
			return nil, fmt.Errorf("virtual: %w", err)
		}
		w, h, err := baselineSize(raw)
		if err != nil {
			return nil, fmt.Errorf("virtual: frame %s: %w", n, err)
		}
		out = append(out, picture{jpeg: raw, width: w, height: h})
	}
	return out, nil
}

// emptyRoom is a wall and a floor with some texture, so that it is no black or flat picture.
func emptyRoom() (picture, error) {
	const width, height, horizon = 640, 480, 330
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			grain := uint8((x*7 + y*13 + x*y%11) % 9)
			c := color.RGBA{R: 205 + grain - uint8(x/24), G: 200 + grain - uint8(x/24), B: 190 + grain - uint8(x/24), A: 255}
			if y > horizon {
				c = color.RGBA{R: 120 + grain, G: 100 + grain - uint8(y/32), B: 85 + grain, A: 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		return picture{}, fmt.Errorf("virtual: %w", err)
	}
	return picture{jpeg: b.Bytes(), width: width, height: height}, nil
}
