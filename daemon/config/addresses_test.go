package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"madoguchi/daemon/config"
)

func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ name, file, customer, staff string }{
		{"good", "[kiosk]\nlisten = \"127.0.0.1:9001\"\n  staff_listen='127.0.0.1:9002'\n", "127.0.0.1:9001", "127.0.0.1:9002"},
		{"broken-toml", "[kiosk\nlisten = \"[::1]:9001\" # ja\n\x00\xff\nfoo", "[::1]:9001", "127.0.0.1:18081"},
		{"not-loopback", "listen = \"0.0.0.0:80\"\nstaff_listen = \"nowhere\"\n", "127.0.0.1:18080", "127.0.0.1:18081"},
		{"commented", "# listen = \"127.0.0.1:9001\"\n", "127.0.0.1:18080", "127.0.0.1:18081"},
		{"empty", "", "127.0.0.1:18080", "127.0.0.1:18081"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kiosk.toml")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			if c, s := config.Addresses(path); c != tt.customer || s != tt.staff {
				t.Errorf("got %s and %s", c, s)
			}
		})
	}
	if c, s := config.Addresses(filepath.Join(t.TempDir(), "none")); c != "127.0.0.1:18080" || s != "127.0.0.1:18081" {
		t.Errorf("no file: got %s and %s", c, s)
	}
}
