package models_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/face/models"
)

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	var missing *models.MissingError
	if _, err := models.Load(dir); !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) || missing.File != "yunet_n_320_320.onnx" {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "yunet_n_320_320.onnx"), make([]byte, 317434), 0o600); err != nil {
		t.Fatal(err)
	}
	var unknown *models.UnknownError
	if _, err := models.Load(dir); !errors.As(err, &unknown) || unknown.File != "yunet_n_320_320.onnx" {
		t.Errorf("other bytes of the right size: %v", err)
	}
}

// The name stands in calibrations that operators have made: it changes only with the networks.
func TestName(t *testing.T) {
	const want = "yunet-n:81dbde15 intel-0095:035b5c7b minifasnet:38691068+92a7da0d"
	if got := models.Name(); got != want {
		t.Errorf("got %q", got)
	}
}
