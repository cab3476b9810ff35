package face_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/face"
)

const goodFile = `id = "branch-2027"
model = "m"
accept = 0.52
refuse = 0.4
live = 0.9
attack = 0.5
`

func TestLoadCalibration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte(goodFile), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := face.LoadCalibration(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &face.Calibration{ID: "branch-2027", Model: "m", Accept: 0.52, Refuse: 0.4, Live: 0.9, Attack: 0.5}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if _, err := face.LoadCalibration(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestParseCalibrationRefuses(t *testing.T) {
	swap := func(old, with string) string { return strings.Replace(goodFile, old, with, 1) }
	for name, file := range map[string]string{
		"empty":         "",
		"not-toml":      "accept: 0.5",
		"unknown-key":   goodFile + "acept = 0.1\n",
		"no-id":         swap(`id = "branch-2027"`, ""),
		"no-accept":     swap("accept = 0.52", ""),
		"no-attack":     swap("attack = 0.5", ""),
		"accept-zero":   swap("accept = 0.52", "accept = 0.0"),
		"accept-low":    swap("accept = 0.52", "accept = 0.1"),
		"accept-high":   swap("accept = 0.52", "accept = 1.5"),
		"accept-nan":    swap("accept = 0.52", "accept = nan"),
		"accept-string": swap("accept = 0.52", `accept = "0.52"`),
		"crossed":       swap("refuse = 0.4", "refuse = 0.6"),
		"live-half":     swap("live = 0.9", "live = 0.5"),
		"live-crossed":  swap("attack = 0.5", "attack = 0.95"),
		"live-inf":      swap("live = 0.9", "live = inf"),
		"too-long":      goodFile + "#" + strings.Repeat("x", 64<<10),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := face.ParseCalibration([]byte(file))
			if !errors.Is(err, face.ErrCalibration) || c != nil {
				t.Errorf("got %v and %v", c, err)
			}
		})
	}
}

func TestVirtualCalibration(t *testing.T) {
	c := face.VirtualCalibration("m")
	if err := c.Validate(); err != nil || !c.VirtualOnly || c.Model != "m" {
		t.Errorf("got %+v and %v", c, err)
	}
}

func FuzzParseCalibration(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte("virtual_only = true\n" + goodFile))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := face.ParseCalibration(b)
		if (c == nil) == (err == nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		if c != nil && !(c.Accept >= 0.2 && c.Accept <= 1 && c.Refuse <= c.Accept && c.Live > 0.5 && c.Live <= 1) {
			t.Fatalf("accepted %+v", c)
		}
	})
}
