package face

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"
)

// ErrCalibration reports a calibration that is incomplete or that would decide nothing sensibly.
var ErrCalibration = errors.New("face calibration")

// Floors below which no calibration is believed, whatever measured it.
const (
	minAccept = 0.20 // strangers of one population reach this often
	minLive   = 0.50 // above it "real" is also the likeliest of the anti-spoofing classes
)

// Validate says why a calibration cannot be used. Errors wrap ErrCalibration.
func (c *Calibration) Validate() error {
	switch {
	case c == nil:
		return fmt.Errorf("%w: none", ErrCalibration)
	case c.ID == "" || c.Model == "":
		return fmt.Errorf("%w: id and model are needed", ErrCalibration)
	case !(c.Accept >= minAccept && c.Accept <= 1):
		return fmt.Errorf("%w: accept must lie between %.2f and 1", ErrCalibration, minAccept)
	case !(c.Refuse >= 0 && c.Refuse <= c.Accept):
		return fmt.Errorf("%w: refuse must lie between 0 and accept", ErrCalibration)
	case !(c.Live > minLive && c.Live <= 1):
		return fmt.Errorf("%w: live must lie above %.2f and not above 1", ErrCalibration, minLive)
	case !(c.Attack >= 0 && c.Attack <= c.Live):
		return fmt.Errorf("%w: attack must lie between 0 and live", ErrCalibration)
	}
	return nil
}

// VirtualCalibration is the calibration of the rendered faces that ship with the virtual cards, for the networks
// that they were measured with: lowest same-person similarity 0.900, highest of two people 0.509, lowest liveness
// 0.861, highest of the attack below 0.01 (daemon/virtualpeople -check). It says nothing about people and Judge refuses
// it with a real camera.
func VirtualCalibration(model string) *Calibration {
	return &Calibration{
		ID: "virtual-people-1", Model: model, VirtualOnly: true,
		Accept: 0.70, Refuse: 0.55, Live: 0.60, Attack: 0.30,
	}
}

// calibrationFile is the form on disk. Every key is needed but virtual_only.
type calibrationFile struct {
	ID          *string  `toml:"id"`
	Model       *string  `toml:"model"`
	Accept      *float64 `toml:"accept"`
	Refuse      *float64 `toml:"refuse"`
	Live        *float64 `toml:"live"`
	Attack      *float64 `toml:"attack"`
	VirtualOnly bool     `toml:"virtual_only"`
}

// maxCalibration bounds the file.
const maxCalibration = 64 << 10

// LoadCalibration reads a calibration made on consented pairs of the operator's own customers. An unknown or
// missing key is an error. Errors wrap ErrCalibration, or are those of reading the file.
func LoadCalibration(path string) (*Calibration, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("face calibration: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(io.LimitReader(f, maxCalibration+1))
	if err != nil {
		return nil, fmt.Errorf("face calibration: %w", err)
	}
	return ParseCalibration(b)
}

// ParseCalibration is LoadCalibration for bytes.
func ParseCalibration(b []byte) (*Calibration, error) {
	if len(b) > maxCalibration {
		return nil, fmt.Errorf("%w: file too long", ErrCalibration)
	}
	var f calibrationFile
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCalibration, err)
	}
	number := func(p *float64) float64 {
		if p == nil {
			return math.NaN() // Validate refuses it
		}
		return *p
	}
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	c := &Calibration{
		ID: text(f.ID), Model: text(f.Model), VirtualOnly: f.VirtualOnly,
		Accept: number(f.Accept), Refuse: number(f.Refuse), Live: number(f.Live), Attack: number(f.Attack),
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}
