package kiosk

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"

	"madoguchi/daemon/config"
	"madoguchi/daemon/trust"
	"madoguchi/face"
	"madoguchi/face/opencv"
	"madoguchi/hardware/camera"
	"madoguchi/hardware/card"
	"madoguchi/hardware/pcsc"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/v4l2"
	"madoguchi/hardware/virtual"
	"madoguchi/hardware/virtual/control"
	"madoguchi/ui/screen"
)

// devices are the four hands of the kiosk, as configured.
type devices struct {
	reader      reader.Reader
	camera      camera.Camera
	trust       []card.IssuerKey
	authorities []*x509.Certificate // of the JPKI signature certificates
	trustTest   bool                // some of trust is for virtual and test cards only: records say so
	engine      face.Engine         // nil: the face is not checked
	calibration *face.Calibration
	control     *control.Server // nil unless the reader is virtual and a socket is configured
	developer   *developer      // nil unless everything is virtual
}

func openDevices(cfg *config.Config, log *slog.Logger) (*devices, error) {
	d := &devices{}
	hand, err := d.openReader(cfg)
	if err != nil {
		return nil, err
	}
	eye, err := d.openCamera(cfg)
	if err != nil {
		return nil, err
	}
	if err := d.openTrust(cfg); err != nil {
		return nil, err
	}
	if err := d.openFace(cfg, log); err != nil {
		return nil, err
	}
	if hand == nil || eye == nil {
		return d, nil
	}
	people, err := virtual.People()
	if err != nil {
		return nil, err
	}
	drawer := virtual.NewDrawer(people)
	d.control = &control.Server{Hand: hand, Camera: eye, Drawer: drawer}
	d.developer = &developer{control: d.control, people: people}
	if cfg.Devices.Control == "" {
		d.control = nil
	}
	return d, nil
}

func (d *devices) openReader(cfg *config.Config) (*virtual.Reader, error) {
	if cfg.Devices.Reader == config.Virtual {
		r := virtual.NewReader()
		d.reader = r
		return r, nil
	}
	opt := pcsc.Options{}
	if cfg.Devices.ReaderMatch != "" {
		pin, err := regexp.Compile(cfg.Devices.ReaderMatch)
		if err != nil {
			return nil, fmt.Errorf("devices.reader_match: %w", err)
		}
		opt.Pin = pin
	}
	d.reader = pcsc.New(opt)
	return nil, nil
}

func (d *devices) openCamera(cfg *config.Config) (*virtual.Camera, error) {
	if cfg.Devices.Camera != config.Virtual {
		d.camera = v4l2.New(v4l2.Options{Device: cfg.Devices.CameraDevice})
		return nil, nil
	}
	c, err := virtual.NewCamera()
	if err != nil {
		return nil, err
	}
	if cfg.Devices.Folder != "" {
		if err := c.ShowFolder(cfg.Devices.Folder); err != nil {
			return nil, err
		}
	}
	d.camera = c
	return c, nil
}

// openTrust loads the trust directories; the word "virtual" stands for the virtual cards' issuer.
func (d *devices) openTrust(cfg *config.Config) error {
	set, err := trust.Options{AllowTest: cfg.Trust.Test}.Load(cfg.Trust.Directories()...)
	if err != nil {
		return err
	}
	d.trust, d.trustTest, d.authorities = set.Surface, set.HasTest(), set.JPKISign
	if cfg.Trust.Issuers != config.Virtual {
		return nil
	}
	keys, err := virtual.IssuerKeys()
	if err != nil {
		return err
	}
	for _, k := range keys {
		d.trust = append(d.trust, card.IssuerKey{KeyID: k.KeyID, Key: k.Key})
	}
	root, _, err := virtual.JPKIRoots()
	if err != nil {
		return err
	}
	authority, err := x509.ParseCertificate(root)
	if err != nil {
		return err
	}
	d.authorities = append(d.authorities, authority)
	d.trustTest = true
	return nil
}

// openFace opens the engine. A kiosk without models goes on: the face is then not checked, and people compare.
func (d *devices) openFace(cfg *config.Config, log *slog.Logger) error {
	dir := cfg.Face.Models
	if dir == "" {
		dir = os.Getenv("FACE_MODELS")
	}
	if dir == "" {
		log.Warn("no face models (face.models or FACE_MODELS): faces are not checked, staff compare")
		return nil
	}
	engine, err := opencv.Open(dir)
	var missing *opencv.ErrMissingModel
	switch {
	case errors.As(err, &missing), errors.Is(err, opencv.ErrNoCgo):
		log.Warn("face models cannot be used: faces are not checked, staff compare", slog.Any("error", err))
		return nil
	case err != nil:
		return fmt.Errorf("face models: %w", err) // unknown bytes are not a matter of going on
	}
	d.engine = engine
	switch cfg.Face.Calibration {
	case "":
		log.Warn("no calibration (face.calibration): faces are not checked, staff compare")
	case config.Virtual:
		d.calibration = face.VirtualCalibration(engine.Model())
	default:
		if d.calibration, err = face.LoadCalibration(cfg.Face.Calibration); err != nil {
			return fmt.Errorf("face.calibration: %w", err)
		}
	}
	return nil
}

func (d *devices) close() {
	if d.engine != nil {
		_ = d.engine.Close()
	}
}

// developer is the developer panel's hand.
type developer struct {
	control *control.Server
	people  []virtual.Person
}

// People implements session.Developer.
func (d *developer) People() []screen.DevPerson {
	out := make([]screen.DevPerson, 0, len(d.people))
	for _, p := range d.people {
		out = append(out, screen.DevPerson{ID: p.ID, Label: p.Label("ja"), Note: p.Note("ja")})
	}
	return out
}

// Insert implements session.Developer.
func (d *developer) Insert(id string) error { return d.do(control.Request{Do: control.Insert, ID: id}) }

// Remove implements session.Developer.
func (d *developer) Remove() error { return d.do(control.Request{Do: control.Remove}) }

// Face implements session.Developer.
func (d *developer) Face(id string) error { return d.do(control.Request{Do: control.Show, ID: id}) }

// Now implements session.Developer.
func (d *developer) Now() (onReader, shown string) {
	r := d.control.Do(control.Request{Do: control.Status})
	return r.Card, r.Scene
}

func (d *developer) do(r control.Request) error {
	if reply := d.control.Do(r); reply.Error != "" {
		return errors.New(reply.Error)
	}
	return nil
}
