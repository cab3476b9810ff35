// Package config loads the kiosk's settings, strictly: an unknown key is an error with its line, and a set-up that
// would mix virtual and real parts, or run anything virtual in production, is refused. Only daemon/kioskd and
// daemon/kioskctl import it.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/service"
	"madoguchi/storage/audit"
)

// The words that choose a device.
const (
	Virtual = "virtual"
	PCSC    = "pcsc"
	V4L2    = "v4l2"
)

// Config is kioskd's configuration file.
type Config struct {
	Production bool    `toml:"production"` // refuses everything virtual
	Developer  bool    `toml:"developer"`  // allows mixtures of virtual and real parts; never with production
	Kiosk      Kiosk   `toml:"kiosk"`
	Devices    Devices `toml:"devices"`
	Face       Face    `toml:"face"`
	Trust      Trust   `toml:"trust"`
	HQ         HQ      `toml:"hq"`
	Upload     Upload  `toml:"upload"`
	Staff      []Staff `toml:"staff"`

	Services []service.Service `toml:"-"` // of [[service]], or of the one [service]; never empty
	OneTable bool              `toml:"-"` // the file has the one [service] of before

	Hash string `toml:"-"` // SHA-256 of the file in hex, for the audit log
}

// Kiosk is where the daemon listens and keeps its state.
type Kiosk struct {
	Listen      string `toml:"listen"`       // loopback address of the customer's page
	StaffListen string `toml:"staff_listen"` // address of the staff page
	StateDir    string `toml:"state_dir"`    // the queue
	RuntimeDir  string `toml:"runtime_dir"`  // launcher socket, hash of the page's secret
	PrintURL    bool   `toml:"print_url"`    // print the page's address with a one-time token at start (demonstrations)
	ReserveMiB  uint64 `toml:"reserve_mib"`  // free disk below which no new customer is taken
}

// Devices chooses the reader and the camera.
type Devices struct {
	Reader       string `toml:"reader"`        // "virtual" or "pcsc"
	ReaderMatch  string `toml:"reader_match"`  // regular expression on the PC/SC reader name
	Camera       string `toml:"camera"`        // "virtual" or "v4l2"
	CameraDevice string `toml:"camera_device"` // e.g. /dev/v4l/by-id/...; empty: the first that can be used
	Folder       string `toml:"folder"`        // JPEGs for the virtual camera instead of the virtual people
	Control      string `toml:"control"`       // unix socket that places virtual cards; empty means none
}

// Face chooses models and calibration.
type Face struct {
	Models      string `toml:"models"`      // directory; empty means the environment's FACE_MODELS
	Calibration string `toml:"calibration"` // a file, "virtual", or empty: then the face is not checked
}

// Trust chooses the issuer keys for the offline proof of the card's face.
type Trust struct {
	Issuers string   `toml:"issuers"` // a trust directory, "virtual", or empty
	Dirs    []string `toml:"dirs"`    // more trust directories; none and no issuers: the card's proof is not checked
	Test    bool     `toml:"test"`    // admits trust directories of kind "test"; never in production
}

// Directories are the trust directories to load, without the word "virtual".
func (t *Trust) Directories() []string {
	if t.Issuers == "" || t.Issuers == Virtual {
		return t.Dirs
	}
	return append([]string{t.Issuers}, t.Dirs...)
}

// HQ is the enrolment bundle.
type HQ struct {
	Bundle string `toml:"bundle"`
	URL    string `toml:"url"` // overrides the bundle's, e.g. behind a proxy
}

// Upload is the policy of the way to HQ.
type Upload struct {
	MaxKiBPerSecond int `toml:"max_kib_per_second"` // bandwidth cap; 0: none
	FreezeHours     int `toml:"freeze_hours"`       // the oldest undelivered record's age from which no customer is taken; 0: never
	MaxSkewMinutes  int `toml:"max_skew_minutes"`   // from HQ's clock, from which no customer is taken; 0: never
}

// Staff is one member of staff who may sign in.
type Staff struct {
	ID      string `toml:"id"`
	Name    string `toml:"name"`
	PINHash string `toml:"pin_hash"` // kioskctl staff-hash
}

// Load reads and checks a file.
func Load(path string) (*Config, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return c, nil
}

// Parse is Load on bytes.
func Parse(b []byte) (*Config, error) {
	c := Config{Kiosk: Kiosk{ReserveMiB: 256}, Upload: Upload{FreezeHours: 30 * 24, MaxSkewMinutes: 10}}
	var tables []service.Table
	if oneService(b) {
		f := struct {
			Config
			Service service.Table `toml:"service"`
		}{Config: c}
		if err := service.Decode(b, &f); err != nil {
			return nil, err
		}
		c, tables = f.Config, []service.Table{complete(f.Service)}
		c.OneTable = true
	} else {
		f := struct {
			Config
			Service []service.Table `toml:"service"`
		}{Config: c}
		if err := service.Decode(b, &f); err != nil {
			return nil, err
		}
		c, tables = f.Config, f.Service
	}
	sum := sha256.Sum256(b)
	c.Hash = hex.EncodeToString(sum[:])
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.OneTable && tables[0].ID == "" {
		return nil, errors.New("service.id is missing")
	}
	var err error
	if c.Services, err = service.Load(tables); err != nil {
		return nil, err
	}
	return &c, c.checkServices()
}

// oneService says whether the file has the [service] table of before [[service]].
func oneService(b []byte) bool {
	var probe map[string]any
	if toml.Unmarshal(b, &probe) != nil {
		return false
	}
	_, table := probe["service"].(map[string]any)
	return table
}

// complete gives the one [service] of before what it did not have to say.
func complete(t service.Table) service.Table {
	if t.Kind == "" {
		t.Kind = policy.AccountOpening.String()
	}
	if t.NameJA == "" && t.NameEN == "" {
		t.NameJA, t.NameEN = "本人確認", "Identity check"
	}
	return t
}

// checkServices holds the rules between services and the rest.
func (c *Config) checkServices() error {
	for i := range c.Services {
		if err := service.Supported(&c.Services[i]); err != nil {
			return err
		}
	}
	return nil
}

// Check holds the rules that the file's form cannot.
func (c *Config) Check() error {
	virtualReader, virtualCamera := c.Devices.Reader == Virtual, c.Devices.Camera == Virtual
	anyVirtual := virtualReader || virtualCamera || c.Trust.Issuers == Virtual || c.Trust.Test ||
		c.Face.Calibration == Virtual
	for _, rule := range []struct {
		broken bool
		say    string
	}{
		{c.Devices.Reader != Virtual && c.Devices.Reader != PCSC, `devices.reader must be "virtual" or "pcsc"`},
		{c.Devices.Camera != Virtual && c.Devices.Camera != V4L2, `devices.camera must be "virtual" or "v4l2"`},
		{c.Production && c.Developer, "production and developer exclude each other"},
		{c.Production && anyVirtual, "production refuses every virtual part: reader, camera, trust and calibration"},
		{
			virtualReader != virtualCamera && !c.Developer,
			"a real card with a virtual camera, or the other way round, is refused outside developer mode",
		},
		{c.Trust.Issuers == Virtual && !virtualReader && !c.Developer, "virtual trust needs the virtual reader or developer mode"},
		{c.Trust.Test && !virtualReader && !c.Developer, "test trust needs the virtual reader or developer mode"},
		{c.Face.Calibration == Virtual && !virtualCamera, "the virtual calibration is for the virtual camera only"},
		{c.Devices.Folder != "" && !virtualCamera, "devices.folder is for the virtual camera only"},
		{c.Kiosk.Listen == "", "kiosk.listen is missing"},
		{c.Kiosk.StaffListen == "", "kiosk.staff_listen is missing"},
		{c.Kiosk.StateDir == "", "kiosk.state_dir is missing"},
		{c.Kiosk.RuntimeDir == "", "kiosk.runtime_dir is missing"},
		{c.HQ.Bundle == "", "hq.bundle is missing"},
		{
			slices.ContainsFunc(c.Staff, func(s Staff) bool { return !audit.ValidWord(s.ID) }),
			"a staff id begins with a letter, then letters, digits, '.', '_' or '-', with at most seven digits in a row",
		},
		{c.Upload.MaxKiBPerSecond < 0 || c.Upload.FreezeHours < 0 || c.Upload.MaxSkewMinutes < 0, "the numbers of [upload] must not be negative"},
	} {
		if rule.broken {
			return errors.New(rule.say)
		}
	}
	return nil
}

// AllVirtual says whether reader and camera are virtual, which is when the developer panel is shown.
func (c *Config) AllVirtual() bool { return c.Devices.Reader == Virtual && c.Devices.Camera == Virtual }

// Profile is the first service's rules.
func (c *Config) Profile() policy.Profile { return c.Services[0].Profile }

// Profiles are the rules of all services, in the order of the file.
func (c *Config) Profiles() []policy.Profile {
	var out []policy.Profile
	for i := range c.Services {
		out = append(out, c.Services[i].Profile)
	}
	return out
}

// Calibrated says whether a calibration is configured.
func (c *Config) Calibrated() bool { return c.Face.Calibration != "" }

// For is what a bundle of HQ is checked against at this kiosk.
func (c *Config) For(device string) service.Kiosk {
	return service.Kiosk{Device: device, Production: c.Production, Own: c.Services}
}

// SettingsDir is where HQ's configuration bundles lie.
func (c *Config) SettingsDir() string { return filepath.Join(c.Kiosk.StateDir, "config") }
