package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"madoguchi/daemon/config"
	"madoguchi/face/models"
)

// Reader is a reader as pcscd lists it.
type Reader struct {
	Name               string
	Presence           string
	Used, SAM, Virtual bool
}

// The errors of the Readers probe.
var (
	ErrNoPCSC  = errors.New("built without cgo: no PC/SC")
	ErrService = errors.New("pcscd does not answer")
)

// Readers judges what pcscd lists, for this doctor and for kioskctl card doctor. No card is touched.
func Readers(all []Reader, err error) []Finding {
	v := &visit{}
	switch {
	case errors.Is(err, ErrNoPCSC):
		v.bad("reader-cgo", "this kioskctl was built without cgo and has no PC/SC", "install the packaged one, or build it with CGO_ENABLED=1 and libpcsclite-dev")
		return v.out
	case err != nil:
		v.bad("reader-service", "pcscd does not answer",
			"apt-get install pcscd; systemctl enable --now pcscd.socket; without rights, see polkit's rule for org.debian.pcsc-lite.access_pcsc")
		return v.out
	}
	v.good("reader", "pcscd answers")
	used := 0
	for _, l := range all {
		what := "not used: another reader was named, or a contactless one is there"
		switch {
		case l.Used:
			what = "used"
			used++
		case l.SAM:
			what = "not used: a slot for a security module"
		}
		if l.Virtual {
			what += "; virtual (vpcd)"
		}
		v.good("reader", "reader %q: %s, %s", l.Name, l.Presence, what)
	}
	if used == 0 {
		wrong := "pcscd has no reader that can be used"
		if len(all) == 0 {
			wrong = "pcscd has no reader at all"
		}
		v.bad("reader-none", wrong, "plug the reader in; check lsusb and the driver (libccid, or the maker's); check the name given with --reader, or devices.reader_match")
	}
	return v.out
}

// reader checks pcscd and its readers as this user, and the rule that lets kioskd's user in.
func (v *visit) reader(ctx context.Context) {
	if v.cfg.Devices.Reader == config.Virtual {
		v.note("reader-virtual", "the reader is virtual: a demonstration", `devices.reader = "pcsc"`)
		return
	}
	all, err := v.Readers(ctx, v.cfg.Devices.ReaderMatch)
	if errors.Is(err, context.DeadlineExceeded) {
		v.unchecked("reader", "readers", why(err))
	} else {
		v.out = append(v.out, Readers(all, err)...)
	}
	const rule = "50-madoguchi-kiosk.rules"
	asks := v.there("/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy")
	if asks && !v.there("/usr/share/polkit-1/rules.d/"+rule) && !v.there("/etc/polkit-1/rules.d/"+rule) {
		v.bad("reader-polkit", "pcscd asks polkit, and no rule lets "+serviceUser+" in", "apt-get install --reinstall madoguchi-kiosk (it brings "+rule+")")
	}
}

// camera checks that there is one, that kioskd's user may open it, and that it has a format that can be read.
func (v *visit) camera(ctx context.Context) {
	if v.cfg.Devices.Camera == config.Virtual {
		v.note("camera-virtual", "the camera is virtual: a demonstration", `devices.camera = "v4l2"`)
		return
	}
	device := v.cfg.Devices.CameraDevice
	paths := []string{device}
	if device == "" {
		paths = v.videoDevices()
	}
	there, mine := false, false
	for _, path := range paths {
		if i, err := v.Files.Stat(path); err == nil && i.Mode&fs.ModeCharDevice != 0 {
			there = true
			mine = mine || v.mayOpen(i)
		}
	}
	switch {
	case !there && device != "":
		v.bad("camera-none", "there is no camera at "+device, "plug it in; ls /dev/v4l/by-id, and devices.camera_device")
		return
	case !there:
		v.bad("camera-none", "there is no camera", "plug it in; dmesg, lsusb; the driver is uvcvideo")
		return
	case v.user.known && !mine:
		v.bad("camera-rights", serviceUser+" may not open the camera", "udevadm control --reload; udevadm trigger --subsystem-match=video4linux (the package's udev rule gives it to the daemon's group)")
	}
	usable, err := v.Camera(ctx, device)
	switch {
	case errors.Is(err, fs.ErrPermission), err != nil:
		v.unchecked("camera", "the camera's formats", why(err))
	case !usable:
		v.bad("camera-format", "no camera gives pictures that can be read (MJPEG or YUYV), or none can be opened by this user", "v4l2-ctl --list-formats; another camera, or run this as root")
	default:
		v.good("camera", "a camera with a usable format")
	}
}

func (v *visit) videoDevices() []string {
	names, _ := v.Files.List("/dev") // always there
	var out []string
	for _, name := range names {
		if n, ok := strings.CutPrefix(name, "video"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			out = append(out, filepath.Join("/dev", name))
		}
	}
	return out
}

// mayOpen says whether the daemon's user may read and write a device. The unit's own group comes with it.
func (v *visit) mayOpen(i Info) bool {
	p := i.Mode.Perm()
	switch {
	case i.UID == v.user.uid:
		return p&0o600 == 0o600
	case i.GID == v.user.gid || slices.Contains(v.user.groups, i.GID):
		return p&0o060 == 0o060
	}
	return p&0o006 == 0o006
}

// face checks the models' bytes and the calibration that goes with them.
func (v *visit) face() {
	dir := v.cfg.Face.Models
	if dir == "" {
		dir = v.Environ("FACE_MODELS")
	}
	const people = "faces are not compared by the machine: staff compare"
	var unknown *models.UnknownError
	var err error
	if dir != "" {
		err = v.Models(dir)
	}
	switch {
	case dir == "" || errors.Is(err, fs.ErrNotExist):
		v.note("models-missing", "there are no face models: "+people, "apt-get install madoguchi-face-models, and face.models")
		return
	case errors.As(err, &unknown):
		v.bad("models-unknown", "the face model "+unknown.File+" is not one that was measured: kioskd does not start", "apt-get install --reinstall madoguchi-face-models")
		return
	case err != nil:
		v.unchecked("models", "the face models in "+dir, why(err))
		return
	}
	v.good("models", "the face models are those that were measured")
	v.calibration(people)
}

func (v *visit) calibration(people string) {
	path := v.cfg.Face.Calibration
	switch path {
	case "":
		v.note("calibration-none", "there is no calibration: "+people, "calibrate on consented pairs of your own customers, then face.calibration")
		return
	case config.Virtual:
		v.note("calibration-virtual", "the calibration is that of rendered faces: a demonstration", "face.calibration")
		return
	}
	c, err := v.Calibration(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.unchecked("calibration", path, why(err))
	case err != nil:
		v.bad("calibration-broken", "the calibration "+path+" cannot be used: kioskd does not start", "see the form in the documents; calibrate again")
	case c.Model != models.Name():
		v.bad("calibration-foreign", "the calibration was measured with other face models: it decides nothing", "calibrate again with the models of this package")
	case c.VirtualOnly:
		v.bad("calibration-foreign", "the calibration is for virtual cameras only: it decides nothing here", "calibrate on consented pairs of your own customers")
	default:
		v.good("calibration", "the calibration goes with the face models")
	}
}

// picture lets a child process decode a picture, as kioskd does with the card's photo.
func (v *visit) picture(ctx context.Context) {
	err := v.Picture(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		v.unchecked("jpeg2000", "the decoder of the card's photo", why(err))
	case err != nil:
		v.bad("jpeg2000-broken", fmt.Sprintf("the card's photo could not be decoded: %v", err), "apt-get install --reinstall libopenjp2-7 madoguchi-kiosk; check the memory limits of this user (ulimit -v)")
	default:
		v.good("jpeg2000", "a child process decodes JPEG 2000 (outside the unit's sandbox)")
	}
}
