package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/config"
	"madoguchi/daemon/policy"
	"madoguchi/daemon/service"
)

// several is the good configuration with the shipped services of a bank instead of the one table.
func several(t *testing.T) string {
	t.Helper()
	bank, err := os.ReadFile(filepath.Join("..", "..", "packaging", "deb", "kiosk", "profiles", "bank.toml"))
	if err != nil {
		t.Fatal(err)
	}
	const one = "[service]\nid = \"account-opening\"\nchannel = \"attended\"\n"
	if !strings.Contains(good, one) {
		t.Fatal("the test changes nothing")
	}
	return strings.Replace(good, one, "", 1) + string(bank)
}

func TestSeveralServices(t *testing.T) {
	c, err := config.Parse([]byte(several(t)))
	if err != nil {
		t.Fatal(err)
	}
	list := c.Profiles()
	if c.OneTable || len(list) != 4 || list[0] != c.Profile() || list[3].Kind != policy.StatusOnly || len(c.Staff) != 1 || c.Upload.FreezeHours != 720 {
		t.Fatalf("got %+v", c)
	}
	if c.SettingsDir() != "s/config" || !c.Calibrated() || c.For("k").Device != "k" || len(c.For("k").Own) != 4 {
		t.Fatal("what bundles are checked against")
	}
}

// The one table of before means what it meant.
func TestOneService(t *testing.T) {
	c, err := config.Parse([]byte(strings.Replace(good, `channel = "attended"`, "channel = \"attended\"\npin_route = true\nmachine_may_decide = true", 1)))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Profile()
	if !c.OneTable || len(c.Services) != 1 || !p.PINRoute || p.FaceByPIN || !p.MachineMayDecide || p.Face != policy.FaceOffered ||
		p.Case != policy.CaseOptional || p.Channel != policy.Attended || p.Kind != policy.AccountOpening || c.Services[0].NameEN == "" {
		t.Fatalf("got %+v", p)
	}
}

func TestRefusedServices(t *testing.T) {
	text := several(t)
	for name, tt := range map[string]struct{ from, to, want string }{
		"none":        {text[strings.Index(text, "[[service]]"):], "", "1 to 8 services"},
		"unknown-key": {"kind = \"status-only\"", "kinds = \"status-only\"", "kinds"},
		"same-id":     {`id = "card-status"`, `id = "address-change"`, "two services"},
		"not-built-in": {
			"channel = \"attended\"\nmethods = [\"in-person-chip\", \"jpki-signature\"]\nmachine_may_decide = false",
			"channel = \"unattended\"\nmethods = [\"jpki-signature\"]\nmachine_may_decide = true", "built into",
		},
		"a-duty": {`face = "none"`, "face = \"none\"\nlive_images_basis = \"x\"", "retention-live-images"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(text, tt.from, tt.to, 1)
			if broken == text {
				t.Fatal("the test changes nothing")
			}
			if _, err := config.Parse([]byte(broken)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want something about %q", err, tt.want)
			}
		})
	}
	if _, err := config.Parse([]byte(strings.Replace(good, `id = "account-opening"`, `id = ""`, 1))); err == nil || err.Error() != "service.id is missing" {
		t.Fatalf("as shipped: got %v", err)
	}
	var rule *service.RuleError
	if _, err := config.Parse([]byte(strings.Replace(good, `id = "account-opening"`, `id = "A"`, 1))); !errors.As(err, &rule) || rule.Rule != "id" {
		t.Fatalf("got %v", err)
	}
}
