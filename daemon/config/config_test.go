package config_test

import (
	"strings"
	"testing"

	"madoguchi/daemon/config"
)

const good = `
[kiosk]
listen = "127.0.0.1:1"
staff_listen = "127.0.0.1:2"
state_dir = "s"
runtime_dir = "r"
[devices]
reader = "virtual"
camera = "virtual"
[face]
calibration = "virtual"
[trust]
issuers = "virtual"
[hq]
bundle = "b"
[service]
id = "account-opening"
channel = "attended"
[[staff]]
id = "s1"
name = "係員"
pin_hash = "x"
`

func TestParse(t *testing.T) {
	c, err := config.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Profile()
	if p.ID != "account-opening" || p.FaceTries != 2 || p.CardTries != 3 || p.MinorAge != 15 || !c.AllVirtual() {
		t.Fatalf("got %+v", p)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct{ name, from, to, want string }{
		{"unknown-key", "[hq]", "[hq]\nbundel = 1", "bundel"},
		{"not-toml", "[hq]", "[hq", "line 14"},
		{"wrong-type", `id = "account-opening"`, "id = 7", "line 17"},
		{"virtual-in-production", "\n[kiosk]", "production = true\n[kiosk]", "production refuses"},
		{"developer-in-production", "\n[kiosk]", "production = true\ndeveloper = true\n[kiosk]", "exclude"},
		{"real-card-virtual-camera", `reader = "virtual"`, `reader = "pcsc"`, "refused outside developer mode"},
		{"virtual-card-real-camera", `camera = "virtual"`, `camera = "v4l2"`, "refused outside developer mode"},
		{"odd-reader", `reader = "virtual"`, `reader = "nfc"`, "devices.reader"},
		{"unattended", `channel = "attended"`, `channel = "unattended"`, "needs staff"},
		{"no-bundle", `bundle = "b"`, `bundle = ""`, "hq.bundle"},
		{"no-tries", `channel = "attended"`, "channel = \"attended\"\nface_tries = 0", "face_tries"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.from, tt.to, 1)
			if text == good {
				t.Fatal("the test changes nothing")
			}
			_, err := config.Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want something about %q", err, tt.want)
			}
		})
	}
}

// A real reader and a real camera with the calibration of rendered faces is refused even for developers.
func TestVirtualCalibrationNeedsTheVirtualCamera(t *testing.T) {
	text := strings.NewReplacer(`reader = "virtual"`, `reader = "pcsc"`, `camera = "virtual"`, `camera = "v4l2"`).Replace(good)
	if _, err := config.Parse([]byte("developer = true\n" + text)); err == nil || !strings.Contains(err.Error(), "virtual calibration") {
		t.Fatalf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = config.Parse(b) })
}

// Test trust is refused in production, and for a real reader outside developer mode; directories add up.
func TestTrustDirectories(t *testing.T) {
	dirs := strings.Replace(good, `issuers = "virtual"`, "issuers = \"/a\"\ndirs = [\"/b\", \"/c\"]\ntest = true", 1)
	c, err := config.Parse([]byte(dirs))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Trust.Directories(), " "); got != "/a /b /c" {
		t.Fatalf("got %q", got)
	}
	real := strings.NewReplacer(`reader = "virtual"`, `reader = "pcsc"`, `camera = "virtual"`, `camera = "v4l2"`,
		`calibration = "virtual"`, `calibration = ""`).Replace(dirs)
	if _, err := config.Parse([]byte(real)); err == nil || !strings.Contains(err.Error(), "test trust needs") {
		t.Fatalf("a real reader: %v", err)
	}
	if _, err := config.Parse([]byte("production = true\n" + real)); err == nil || !strings.Contains(err.Error(), "production refuses") {
		t.Fatalf("production: %v", err)
	}
	if _, err := config.Parse([]byte("production = true\n" + strings.Replace(real, "test = true", "", 1))); err != nil {
		t.Fatalf("production directories in production: %v", err)
	}
}
