package service_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/service"
	"madoguchi/storage/settings"
)

func bundle() *settings.Bundle {
	return &settings.Bundle{
		Version: 7, Production: true, Services: []byte(good),
		Rows: []settings.Row{{Act: "aml", Code: "in-person-chip", Article: "6条1項1号イ", From: 20270401, Source: "kanpo 2026-12-01"}},
		Confirms: []settings.Confirm{
			{Act: "aml", Code: "in-person-chip", Article: "6条1項1号イ", From: 20270401, By: "legal-1", On: 20261215, Source: "kanpo 2026-12-01"},
			{Act: "aml", Code: "in-person-chip", Article: "6条1項1号イ", From: 20250101, By: "legal-1", On: 20261215, Source: "e-Gov"},
		},
	}
}

func TestOpenABundle(t *testing.T) {
	own, err := service.Parse([]byte(strings.Replace(good, "opening", "own", 1)))
	if err != nil {
		t.Fatal(err)
	}
	kiosk := service.Kiosk{Device: "branch-1", Production: true, Own: own}
	day := time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	a, err := service.Open(bundle(), kiosk)
	if err != nil || a.Version != 7 || a.Services[0].Profile.ID != "opening" {
		t.Fatal(a, err)
	}
	if r, err := a.Table.Use("aml", "in-person-chip", day, true); err != nil || r.Article != "6条1項1号イ" || r.Confirmed.By != "legal-1" {
		t.Fatal(r, err)
	}
	if a.Table.Revision() == methods.Builtin().Revision() {
		t.Fatal("HQ's table has the revision of the shipped one")
	}
	if w := service.Warnings(a.Services, a.Table, day, true); len(w) != 0 {
		t.Fatalf("all is confirmed: %q", w)
	}
	alone := bundle()
	alone.Services = nil
	if a, err := service.Open(alone, kiosk); err != nil || a.Services[0].Profile.ID != "own" {
		t.Fatal(a, err)
	}
}

func TestRefusedBundles(t *testing.T) {
	var rule *service.RuleError
	for _, tt := range []struct {
		name  string
		spoil func(*settings.Bundle)
		want  error
	}{
		{"other-kiosks", func(b *settings.Bundle) { b.Devices = []string{"branch-2"} }, service.ErrDevice},
		{"not-for-production", func(b *settings.Bundle) { b.Production = false }, service.ErrProduction},
		{"virtual-calibration", func(b *settings.Bundle) { b.Services = []byte(good + "calibration = \"virtual\"\n") }, service.ErrVirtual},
		{"test-kiosk", func(b *settings.Bundle) { b.Devices = []string{"branch-1", "test-kiosk"} }, service.ErrVirtual},
		{"confirmed-by-a-test", func(b *settings.Bundle) { b.Confirms[0].By = "Test lawyer" }, service.ErrVirtual},
		{"confirmed-from-a-demo", func(b *settings.Bundle) { b.Confirms[0].Source = "demo" }, service.ErrVirtual},
		{"another-article", func(b *settings.Bundle) { b.Confirms[0].Article = "6条1項1号ロ" }, methods.ErrTable},
		{"no-such-row", func(b *settings.Bundle) { b.Confirms[0].From = 20270402 }, methods.ErrTable},
		{"odd-day", func(b *settings.Bundle) { b.Rows[0].From = 20270431 }, methods.ErrTable},
		{"huge-day", func(b *settings.Bundle) { b.Rows[0].From = 1 << 40 }, methods.ErrTable},
		{"no-version", func(b *settings.Bundle) { b.Version = 0 }, settings.ErrBundle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bundle()
			tt.spoil(b)
			if _, err := service.Open(b, service.Kiosk{Device: "branch-1", Production: true}); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
	for name, text := range map[string]string{
		"duty":     strings.Replace(good, `"attended"`, `"unattended"`, 1),
		"built-in": strings.Replace(good, `"attended"`, `"unattended"`, 1) + "methods = [\"jpki-signature\"]\nmachine_may_decide = true\n",
	} {
		b := bundle()
		b.Services = []byte(text)
		if _, err := service.Open(b, service.Kiosk{Device: "branch-1", Production: true}); !errors.As(err, &rule) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	b := bundle()
	b.Services = []byte(good + "colour = 1\n")
	if _, err := service.Open(b, service.Kiosk{}); err == nil || !strings.Contains(err.Error(), "line 8") {
		t.Errorf("got %v", err)
	}
}

// What is printed is written by hand.
func TestPlainWords(t *testing.T) {
	list, err := service.Parse([]byte(good + "methods = [\"in-person-chip\", \"jpki-signature\"]\nmachine_may_decide = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	var b strings.Builder
	if err := service.Describe(&b, list, methods.Builtin(), now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"service opening: 口座開設 / New account (account-opening, attended)\n",
		"  method        in-person-chip (犯罪による収益の移転防止に関する法律施行規則6条1項1号イ)\n",
		"  or            jpki-signature (犯罪による収益の移転防止に関する法律施行規則6条1項1号カ)\n",
		"  reads         name, address, birth, sex, expiry, photo\n",
		"  opened by     照合番号B\n",
		"  My Number     never collected\n",
		"  consent       face version 1, ticked, may be refused; staff then do the same by hand\n",
		"  may approve   face-mismatch: clerk or supervisor or remote, and a second person: supervisor or remote\n",
		"  keeps         identity: 7 years from the end of the relation\n",
		"  keeps         live_images: not kept\n",
		"  keeps         certificate: until the platform answers, 24 hours at most\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "card-not-genuine") {
		t.Error("somebody may approve a forged card")
	}
	want := []string{
		"service opening: the machine may decide, but no calibration is configured: faces are not checked and people decide",
		"legal method aml/in-person-chip/20250101 6条1項1号イ is in force since 2025-01-01 and is not confirmed by counsel",
		"legal method aml/in-person-chip/20270401 6条1項1号（号番号未確認） begins in 90 days (2027-04-01) and is not confirmed by counsel",
		"legal method aml/jpki-signature/20250624 6条1項1号カ is in force since 2025-06-24 and is not confirmed by counsel",
		"legal method aml/jpki-signature/20270401 6条1項1号ヌ（号番号未確認） begins in 90 days (2027-04-01) and is not confirmed by counsel",
	}
	got := service.Warnings(list, methods.Builtin(), now, false)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("got %s", strings.Join(got, "\n"))
	}
}
