package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/doctor"
)

// The command works anywhere: without a kiosk it says so, exits with 1, and quotes nothing of the file.
func TestDoctorWithoutKiosk(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "kiosk.toml")
	if err := os.WriteFile(broken, []byte("[[staff]]\npin_hash = \"pbkdf2-secret\"\nbogus = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, code string }{
		"missing": {filepath.Join(t.TempDir(), "none.toml"), "config-missing"},
		"broken":  {broken, "config-broken"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(t.Context(), []string{"doctor", "--config", tt.file, "--json"}, nil, &out)
			if !errors.Is(err, errUnhealthy) || codeOf(err) != codeError {
				t.Errorf("got %v", err)
			}
			var said struct {
				Healthy  bool             `json:"healthy"`
				Findings []doctor.Finding `json:"findings"`
			}
			if err := json.Unmarshal([]byte(out.String()), &said); err != nil {
				t.Fatal(err)
			}
			if said.Healthy || len(said.Findings) < 3 || said.Findings[0].Code != tt.code || said.Findings[0].Grade != doctor.Bad {
				t.Errorf("got %+v", said)
			}
			if strings.Contains(out.String(), "secret") {
				t.Error("quotes the configuration")
			}
			out.Reset()
			if err := run(t.Context(), []string{"doctor", "--config", tt.file}, nil, &out); err == nil {
				t.Error("healthy")
			}
			if !strings.HasPrefix(out.String(), "BAD   ") || !strings.Contains(out.String(), "\n      cure: ") || !strings.Contains(out.String(), "["+tt.code+"]") {
				t.Errorf("got %q", out.String())
			}
		})
	}
	if err := run(t.Context(), []string{"doctor", "more"}, nil, &strings.Builder{}); !errors.Is(err, errUsage) {
		t.Errorf("got %v", err)
	}
}
