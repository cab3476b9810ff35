package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/service"
	"madoguchi/storage/settings"
)

// day is before the warnings of 2027-04-01 begin.
func day() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }

func profile(name string) string {
	return filepath.Join("..", "..", "packaging", "deb", "kiosk", "profiles", name)
}

func TestConfigCheckOfTheShippedProfiles(t *testing.T) {
	for name, wants := range map[string][]string{
		"bank.toml": {
			"service account-opening: 口座開設の本人確認 / Identity check for a new account (account-opening, attended)",
			"keeps         identity: 7 years from the end of the relation", "keeps         live_images: not kept",
			"My Number     never collected", "under-15: clerk or supervisor, and a second person: supervisor or remote",
		},
		"telecom.toml": {
			"携帯音声通信役務の不正な利用の防止に関する法律施行規則3条1項1号イ)", "opened by     照合番号B\n",
			"warning: service telecom-contract: three years from the end of the contract is to be confirmed by counsel",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := configCommand([]string{"check", profile(name)}, day(), &b); err != nil {
				t.Fatal(err)
			}
			for _, want := range append(wants, "is not confirmed by counsel", "\nok\n") {
				if !strings.Contains(b.String(), want) {
					t.Errorf("%q is missing in\n%s", want, b.String())
				}
			}
			if strings.Contains(b.String(), "begins in") {
				t.Error("a warning 130 days ahead")
			}
		})
	}
}

func TestConfigCheckNamesTheRule(t *testing.T) {
	raw, err := os.ReadFile(profile("telecom.toml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.toml")
	text := strings.Replace(string(raw), "pin_route = false", "pin_route = true\npin_reads_face = true\npin_basis = \"番号法\"", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err = configCommand([]string{"check", path}, day(), &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), `x.toml: service "telecom-contract": rule pin-telecom`) {
		t.Fatalf("got %v", err)
	}
}

func TestMethodsCommand(t *testing.T) {
	say := func(args ...string) string {
		var b strings.Builder
		if err := methodsCommand(args, day(), &b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	got := say()
	for _, want := range []string{
		", in force on 2026-11-22 (Japan) marked *\n",
		"\n* aml      jpki-signature  2025-06-24..2027-03-31 6条1項1号カ\n    NOT CONFIRMED\n",
		"\n  aml      jpki-signature  2025-01-01..2025-06-23 6条1項1号ワ\n",
		"\n  aml      in-person-chip  2027-04-01.....        6条1項1号（号番号未確認）\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if got = say("--day", "2027-04-01"); !strings.Contains(got, "\n* aml      in-person-chip  2027-04-01..") {
		t.Errorf("got %s", got)
	}
	if err := methodsCommand([]string{"--day", "tomorrow"}, day(), &strings.Builder{}); !errors.Is(err, errUsage) {
		t.Errorf("got %v", err)
	}
}

// A bundle goes from HQ's root to the kiosk's disk; what is not HQ's, or not for this kiosk, does not.
func TestConfigInstall(t *testing.T) {
	hq := setup.Layout(t.TempDir())
	if err := setup.Init(setup.Options{Dir: string(hq), Kiosk: "branch-1", URL: "https://127.0.0.1:1", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "kiosk.toml")
	text := fmt.Sprintf("production = true\n[kiosk]\nlisten = \"127.0.0.1:1\"\nstaff_listen = \"127.0.0.1:2\"\nstate_dir = %q\nruntime_dir = %q\n"+
		"[devices]\nreader = \"pcsc\"\ncamera = \"v4l2\"\n[hq]\nbundle = %q\n[service]\nid = \"own\"\nchannel = \"attended\"\n", dir, dir, filepath.Join(string(hq), "kiosk"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	services, err := os.ReadFile(profile("bank.toml"))
	if err != nil {
		t.Fatal(err)
	}
	install := func(b *settings.Bundle) (string, error) {
		raw, err := setup.SignConfig(hq.Root(), b, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "bundle.json")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err = configCommand([]string{"install", "--config", path, file}, day(), &out)
		return out.String(), err
	}
	if _, err := install(&settings.Bundle{Production: true, Devices: []string{"branch-2"}, Services: services}); !errors.Is(err, service.ErrDevice) {
		t.Fatalf("for another kiosk: %v", err)
	}
	if _, err := install(&settings.Bundle{Services: services}); !errors.Is(err, service.ErrProduction) {
		t.Fatalf("not for production: %v", err)
	}
	said, err := install(&settings.Bundle{Production: true, Services: services, Confirms: []settings.Confirm{{
		Act: "aml", Code: "in-person-chip", Article: "6条1項1号イ", From: 20250101, By: "legal-1", On: 20261120, Source: "e-Gov",
	}}})
	if err != nil || !strings.Contains(said, "service account-opening: ") || !strings.Contains(said, "bundle 3 waits in ") {
		t.Fatal(said, err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "config", "staged.json")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatal(fi, err)
	}
	store, check, _, err := storeOf(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Take(check); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := methodsCommand([]string{"--config", path}, day(), &out); err != nil || !strings.Contains(out.String(), "confirmed by legal-1 on 2026-11-20 from e-Gov") {
		t.Fatal(out.String(), err)
	}
	if err := configCommand([]string{"install", "--config", path, path}, day(), &out); !errors.Is(err, settings.ErrBundle) {
		t.Fatalf("not a bundle: %v", err)
	}
}
