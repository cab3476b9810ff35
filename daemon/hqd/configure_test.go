package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/service"
	"madoguchi/storage/seal"
	"madoguchi/storage/settings"
)

const draftText = `
production = true
services = "services.toml"
[[row]]
act = "aml"
method = "in-person-chip"
article = "6条1項1号イ"
from = "2027-04-01"
source = "kanpo 2026-12-01"
[[confirm]]
act = "aml"
method = "in-person-chip"
article = "6条1項1号イ"
from = "2027-04-01"
by = "legal-1"
on = "2026-12-15"
source = "kanpo 2026-12-01"
`

func TestConfigSign(t *testing.T) {
	hq, dir := t.TempDir(), t.TempDir()
	must(t, "init", "-dir", hq)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bank, err := os.ReadFile(filepath.Join("..", "..", "packaging", "deb", "kiosk", "profiles", "bank.toml"))
	if err != nil {
		t.Fatal(err)
	}
	write("services.toml", string(bank))
	root, out := setup.Layout(hq).Root(), filepath.Join(dir, "bundle.json")
	sign := func(draft string) (string, error) {
		return operate(t, "config", "sign", "-root", root, "-in", write("draft.toml", draft), "-out", out)
	}
	said, err := sign(draftText)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"service account-opening: 口座開設の本人確認", "bundle 1, production true, rules 2026-11-22-"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in %s", want, said)
		}
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(hq, "kiosk", "root.pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := seal.ParseRoot(pem)
	if err != nil {
		t.Fatal(err)
	}
	b, err := settings.Verify(raw, public)
	if err != nil || b.Version != 1 || string(b.Services) != string(bank) || b.Confirms[0].On != 20261215 || b.Issued.IsZero() {
		t.Fatal(b, err)
	}
	if said, err = sign(draftText); err != nil || !strings.Contains(said, "bundle 2,") {
		t.Fatal(said, err)
	}
	if _, err = sign("version = 2\n" + draftText); !errors.Is(err, setup.ErrVersion) {
		t.Fatalf("one version twice: %v", err)
	}
	for name, tt := range map[string]struct{ draft, want string }{
		"unknown-key":     {draftText + "colour = 1\n", "line "},
		"odd-day":         {strings.Replace(draftText, "2027-04-01", "2027-04-31", 1), "not a day"},
		"no-services":     {strings.Replace(draftText, "services.toml", "none.toml", 1), "none.toml"},
		"outside":         {strings.Replace(draftText, "services.toml", "../../etc/hostname", 1), "no such file"},
		"confirmed-wrong": {strings.Replace(draftText, `article = "6条1項1号イ"`, `article = "6条1項1号ロ"`, 1), "names"},
		"test-in-it":      {strings.Replace(draftText, `"legal-1"`, `"test"`, 1), service.ErrVirtual.Error()},
	} {
		if _, err := sign(tt.draft); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
	if said, err := sign(draftText); err != nil || !strings.Contains(said, "bundle 3,") {
		t.Fatalf("a refused draft took a version: %s %v", said, err)
	}
	for _, bad := range [][]string{{"config"}, {"config", "sign"}, {"config", "show"}} {
		if _, err := operate(t, bad...); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
