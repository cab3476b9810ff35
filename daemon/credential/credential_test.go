package credential_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/daemon/credential"
)

func write(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadPrefersTheCredential(t *testing.T) {
	sealed, files := t.TempDir(), t.TempDir()
	write(t, filepath.Join(sealed, "device-key"), 0o400)
	path := write(t, filepath.Join(files, "file"), 0o600)
	t.Setenv("CREDENTIALS_DIRECTORY", sealed)
	with := credential.FromEnvironment()
	for _, tt := range []struct {
		name   string
		source credential.Source
		ask    string
		want   string
	}{
		{"delivered", with, "device-key", "device-key"},
		{"not-delivered", with, "receipt-key", "file"},
		{"no-systemd", credential.Source{}, "device-key", "file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.source.Read(tt.ask, path)
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	if !with.Has("device-key") || with.Has("receipt-key") || (credential.Source{}).Has("device-key") {
		t.Error("Has does not say what Read takes")
	}
	if _, err := with.Read("receipt-key", filepath.Join(files, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A credential that is there and cannot be read never falls back to a file.
func TestReadNeverFallsBackFromABadCredential(t *testing.T) {
	sealed := t.TempDir()
	write(t, filepath.Join(sealed, "device-key"), 0o666)
	t.Setenv("CREDENTIALS_DIRECTORY", sealed)
	path := write(t, filepath.Join(t.TempDir(), "file"), 0o600)
	if b, err := credential.FromEnvironment().Read("device-key", path); !errors.Is(err, credential.ErrMode) {
		t.Fatalf("got %q, %v", b, err)
	}
}

func TestReadRefusesModes(t *testing.T) {
	for _, tt := range []struct {
		mode fs.FileMode
		good bool
	}{
		{0o400, true},
		{0o600, true},
		{0o640, os.Geteuid() == 0}, // the group of root's file only
		{0o660, false},
		{0o604, false},
		{0o644, false},
		{0o602, false},
	} {
		t.Run(tt.mode.String(), func(t *testing.T) {
			_, err := credential.Source{}.Read("x", write(t, filepath.Join(t.TempDir(), "key"), tt.mode))
			if (err == nil) != tt.good || (!tt.good && !errors.Is(err, credential.ErrMode)) {
				t.Fatalf("got %v, want good %v", err, tt.good)
			}
		})
	}
	if _, err := (credential.Source{}).Read("x", t.TempDir()); !errors.Is(err, credential.ErrMode) {
		t.Errorf("a directory: got %v", err)
	}
}
