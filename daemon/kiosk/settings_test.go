package kiosk

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/service"
	"madoguchi/face"
	"madoguchi/storage/audit"
	"madoguchi/storage/settings"
	"madoguchi/storage/sync"
)

const ownService = "[[service]]\nid = \"own\"\nkind = \"account-opening\"\nname_ja = \"a\"\nname_en = \"a\"\nchannel = \"attended\"\n"

// Without HQ the kiosk has its own services; with a bundle those of HQ, and the audit log says since when.
func TestRulesInForce(t *testing.T) {
	hq, state := setup.Layout(t.TempDir()), t.TempDir()
	if err := setup.Init(setup.Options{Dir: string(hq), Kiosk: "branch-1", URL: "https://127.0.0.1:1", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	bundle, err := sync.LoadBundle(filepath.Join(string(hq), "kiosk"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := service.Parse([]byte(ownService))
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(filepath.Join(state, "audit"), audit.Options{Device: bundle.Device, Signer: bundle.Signer, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	start := func() *kiosk {
		t.Helper()
		k := &kiosk{cfg: &config.Config{Kiosk: config.Kiosk{StateDir: state}, Services: own}, log: slog.New(slog.DiscardHandler), audit: log}
		k.journal = newJournal(log, time.Now, k.log)
		if err := k.openRules(bundle); err != nil {
			t.Fatal(err)
		}
		return k
	}
	size := func() uint64 { return uint64(log.Size()) }
	k := start()
	if k.rules.active.Services[0].Profile.ID != "own" || k.rules.active.Version != 0 || k.rules.store.Staged() {
		t.Fatalf("got %+v", k.rules.active)
	}
	raw, err := setup.SignConfig(hq.Root(), &settings.Bundle{Services: []byte("[[service]]\nid = \"hq\"\n" + ownService[len("[[service]]\nid = \"own\"\n"):])}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.rules.store.Stage(raw, func(*settings.Bundle) error { return nil }); err != nil {
		t.Fatal(err)
	}
	before := size()
	if k = start(); k.rules.active.Services[0].Profile.ID != "hq" || k.rules.active.Version != 1 {
		t.Fatalf("got %+v", k.rules.active)
	}
	if size() != before+1 {
		t.Fatal("the audit log does not say that a new configuration is in force")
	}
	if k = start(); k.rules.active.Version != 1 || size() != before+1 {
		t.Fatal("the same configuration again is nothing new")
	}
}

// The thresholds of another calibration are not used: then faces are not checked.
func TestCalibrationOfAService(t *testing.T) {
	for _, tt := range []struct {
		loaded, wanted string
		kept           bool
	}{{"bank-1", "", true}, {"bank-1", "bank-1", true}, {"bank-1", "bank-2", false}, {"", "bank-1", false}} {
		list, err := service.Parse([]byte(ownService + "calibration = \"" + tt.wanted + "\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		k := &kiosk{log: slog.New(slog.DiscardHandler), devices: &devices{}, rules: rules{active: service.Active{Services: list}}}
		if tt.loaded != "" {
			k.devices.calibration = &face.Calibration{ID: tt.loaded}
		}
		if k.fitCalibration(); (k.devices.calibration != nil) != tt.kept {
			t.Errorf("%+v: got %v", tt, k.devices.calibration)
		}
	}
}
