package service_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/service"
)

const good = `
[[service]]
id = "opening"
kind = "account-opening"
name_ja = "口座開設"
name_en = "New account"
channel = "attended"
`

// Every rule is broken once, by lines added to a good service or by an edit of it, and is named.
func TestEveryRuleRefuses(t *testing.T) {
	const jpki = "methods = [\"jpki-signature\"]\n"
	for _, tt := range []struct{ name, from, to, add, rule string }{
		{"no-id", `id = "opening"`, ``, "", "id"},
		{"odd-id", `"opening"`, `"Opening!"`, "", "id"},
		{"no-kind", `kind = "account-opening"`, ``, "", "kind"},
		{"odd-kind", `"account-opening"`, `"loan"`, "", "kind"},
		{"no-english-name", `name_en = "New account"`, ``, "", "names"},
		{"odd-act", "", "", `act = "tax"`, "act"},
		{"opening-under-telecom", "", "", `act = "telecom"`, "act"},
		{"opening-under-no-act", "", "", `act = "none"`, "act"},
		{"telecom-under-aml", `"account-opening"`, `"telecom-contract"`, `act = "aml"`, "act"},
		{"odd-channel", `"attended"`, `"robot"`, "", "channel"},
		{"no-method", "", "", `methods = []`, "methods"},
		{"odd-method", "", "", `methods = ["selfie"]`, "methods"},
		{"same-method-twice", "", "", `methods = ["in-person-chip", "in-person-chip"]`, "methods"},
		{"unattended-in-person", `"attended"`, `"unattended"`, "", "unattended-in-person"},
		{"unattended-both", `"attended"`, `"unattended"`, `methods = ["jpki-signature", "in-person-chip"]`, "unattended-in-person"},
		{"unattended-nobody-decides", `"attended"`, `"unattended"`, jpki, "unattended-decision"},
		{"odd-unconfirmed", "", "", `unconfirmed_methods = "maybe"`, "unconfirmed-methods"},
		{"odd-field", "", "", `reads = ["my-number"]`, "reads"},
		{"no-address", "", "", `reads = ["name", "birth", "expiry"]`, "reads-identity"},
		{"no-expiry", "", "", `reads = ["name", "address", "birth", "photo"]`, "reads-expiry"},
		{"pin-face-without-pin", "", "", "pin_reads_face = true\npin_basis = \"番号法\"", "pin-face"},
		{"pin-face-without-basis", "", "", "pin_route = true\npin_reads_face = true", "pin-basis"},
		{"pin-face-blank-basis", "", "", "pin_route = true\npin_reads_face = true\npin_basis = \" \"", "pin-basis"},
		{"basis-for-nothing", "", "", "pin_route = true\npin_basis = \"番号法\"", "pin-basis"},
		{"pin-face-telecom", `"account-opening"`, `"telecom-contract"`, "pin_route = true\npin_reads_face = true\npin_basis = \"番号法\"", "pin-telecom"},
		{"odd-face", "", "", `face = "maybe"`, "face"},
		{"face-without-photo", "", "", `reads = ["name", "address", "birth", "expiry"]`, "face-photo"},
		{"liveness-without-face", "", "", "face = \"none\"\nliveness = true", "face-liveness"},
		{"calibration-without-face", "", "", "face = \"none\"\ncalibration = \"a\"", "face-calibration"},
		{"machine-without-face", "", "", "face = \"none\"\nmachine_may_decide = true", "machine-face"},
		{"machine-without-liveness", "", "", "liveness = false\nmachine_may_decide = true", "machine-liveness"},
		{"no-face-tries", "", "", "face_tries = 0", "face_tries"},
		{"six-card-tries", "", "", "card_tries = 6", "card_tries"},
		{"minor-of-14", "", "", "minor_age = 14", "minor_age"},
		{"odd-case", "", "", `case = "often"`, "case"},
		{"status-with-case", `"account-opening"`, `"status-only"`, "act = \"none\"\ncase = \"required\"", "case-status"},
		{"my-number-aside", "", "", "[service.my_number]\nbasis = \"b\"\npurpose_ja = \"p\"\npurpose_en = \"p\"", "my-number-own-journey"},
		{"my-number-missing", `"account-opening"`, `"my-number"`, "", "my-number-own-journey"},
		{"my-number-telecom", `"account-opening"`, `"telecom-contract"`, "[service.my_number]\nbasis = \"b\"\npurpose_ja = \"p\"\npurpose_en = \"p\"", "my-number-telecom"},
		{"my-number-no-basis", `"account-opening"`, `"my-number"`, "[service.my_number]\npurpose_ja = \"p\"\npurpose_en = \"p\"", "my-number-basis"},
		{"my-number-no-purpose", `"account-opening"`, `"my-number"`, "[service.my_number]\nbasis = \"b\"\npurpose_ja = \"p\"", "my-number-purpose"},
		{"my-number-not-kept", `"account-opening"`, `"my-number"`, "[service.my_number]\nbasis = \"b\"\npurpose_ja = \"p\"\npurpose_en = \"p\"\n[service.retention]\nmy_number = \"none\"", "retention-my-number"},
		{"my-number-kept-aside", "", "", "[service.retention]\nmy_number = \"7y\"", "retention-my-number"},
		{"no-consents", "", "", "consent = []", "consent-identity"},
		{"identity-optional", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"", "consent-identity"},
		{"face-not-asked", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"\nrequired = true", "consent-face"},
		{"face-forced", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"\nrequired = true\n[[service.consent]]\nid = \"face\"\nversion = \"1\"\nrequired = true", "consent-face"},
		{"consent-twice", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"\n[[service.consent]]\nid = \"identity\"\nversion = \"1\"", "consents"},
		{"consent-without-version", "", "", "[[service.consent]]\nid = \"identity\"", "consents"},
		{"consent-odd-form", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"\nform = \"nodded\"", "consents"},
		{"consent-signed-without-key", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"\nform = \"signed\"", "consent-signed"},
		{"consent-without-text", "", "", "[[service.consent]]\nid = \"news\"\nversion = \"1\"", "consent-text"},
		{"consent-half-text", "", "", "[[service.consent]]\nid = \"news\"\nversion = \"1\"\ntitle_ja = \"a\"", "consent-text"},
		{"consent-other-text", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"\ntitle_ja = \"a\"\nbody_ja = \"b\"", "consent-text"},
		{"consent-not-pinned", "", "", "[[service.consent]]\nid = \"news\"\nversion = \"1\"\ntitle_ja = \"a\"\nbody_ja = \"b\"", "consent-hash"},
		{"consent-changed", "", "", "[[service.consent]]\nid = \"news\"\nversion = \"1\"\ntitle_ja = \"a\"\nbody_ja = \"b\"\nsha256_ja = \"00\"", "consent-hash"},
		{"built-in-changed", "", "", "[[service.consent]]\nid = \"identity\"\nversion = \"1\"\nsha256_ja = \"00\"", "consent-hash"},
		{"offline-without-bounds", "", "", jpki + "[service.offline]\npending = true", "offline"},
		{"offline-without-count", "", "", jpki + "[service.offline]\npending = true\nmax_hours = 24", "offline"},
		{"offline-bounds-alone", "", "", jpki + "[service.offline]\nmax_hours = 24", "offline"},
		{"offline-in-person", "", "", "[service.offline]\npending = true\nmax_hours = 24\nmax_count = 9", "offline-method"},
		{"odd-class", "", "", "[service.retention]\nface_template = \"7y\"", "retention"},
		{"odd-time", "", "", "[service.retention]\nidentity = \"forever\"", "retention"},
		{"zero-years", "", "", "[service.retention]\nidentity = \"0y\"", "retention"},
		{"hours-of-identity", "", "", "[service.retention]\nimages = \"24h\"", "retention"},
		{"six-years", "", "", "[service.retention]\nidentity = \"6y\"", "retention-act"},
		{"no-evidence", "", "", "[service.retention]\nevidence = \"none\"", "retention-act"},
		{"two-years-telecom", `"account-opening"`, `"telecom-contract"`, "[service.retention]\nidentity = \"2y\"", "retention-act"},
		{"certificate-for-years", "", "", jpki + "[service.retention]\ncertificate = \"7y\"", "retention-certificate"},
		{"certificate-for-weeks", "", "", jpki + "[service.retention]\ncertificate = \"200h\"", "retention-certificate"},
		{"live-images-kept", "", "", "[service.retention]\nlive_images = \"7y\"", "retention-live-images"},
		{"basis-without-live-images", "", "", "live_images_basis = \"x\"", "retention-live-images"},
		{"odd-reason", "", "", "[[service.override]]\nreason = \"friend\"\nby = [\"clerk\"]", "override"},
		{"odd-role", "", "", "[[service.override]]\nreason = \"under-15\"\nby = [\"friend\"]", "override"},
		{"reason-twice", "", "", "[[service.override]]\nreason = \"under-15\"\n[[service.override]]\nreason = \"under-15\"", "override"},
		{"second-alone", "", "", "[[service.override]]\nreason = \"under-15\"\nsecond = [\"clerk\"]", "override"},
		{"forged-card", "", "", "[[service.override]]\nreason = \"card-not-genuine\"\nby = [\"supervisor\"]\nsecond = [\"remote\"]", "override-never"},
		{"wrong-data", "", "", "[[service.override]]\nreason = \"wrong-data\"\nby = [\"supervisor\"]", "override-never"},
		{"revoked", "", "", "[[service.override]]\nreason = \"certificate-revoked\"\nby = [\"remote\"]", "override-never"},
		{"mismatch-alone", "", "", "[[service.override]]\nreason = \"face-mismatch\"\nby = [\"supervisor\"]", "override-second"},
		{"attack-alone", "", "", "[[service.override]]\nreason = \"face-attack\"\nby = [\"supervisor\"]", "override-second"},
		{"expired-alone", "", "", "[[service.override]]\nreason = \"card-expired\"\nby = [\"supervisor\"]", "override-second"},
		{"odd-wait", "", "", "[service.times]\nlunch = 60", "times"},
		{"too-short", "", "", "[service.times]\nconsent = 4", "times"},
		{"too-long", "", "", "[service.times]\nconsent = 1801", "times"},
		{"not-doubled", "", "", "[service.times]\nconsent = 100\n[service.times_accessible]\nconsent = 199", "times-accessible"},
		{"not-doubled-default", "", "", "[service.times_accessible]\nconsent = 239", "times-accessible"},
		{"same-id", "", "", good, "unique"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.from, tt.to, 1) + tt.add + "\n"
			_, err := service.Parse([]byte(text))
			var rule *service.RuleError
			if !errors.As(err, &rule) || rule.Rule != tt.rule {
				t.Fatalf("got %v, want rule %s", err, tt.rule)
			}
		})
	}
}

func TestUnknownKeysHaveTheirLine(t *testing.T) {
	for add, want := range map[string]string{
		"colour = 1":                        "line 8: service.colour",
		"[service.offline]\nallow = true":   "line 9: service.offline.allow",
		"[kiosk]\nlisten = \"127.0.0.1:1\"": "line 8: kiosk",
		"minor_age = \"15\"":                "line 8",
		"[[service.consent]]\nid = 3":       "line 9",
		"retention = { identity = 7 }":      "line 8",
		"production = true":                 "line 8: service.production",
	} {
		_, err := service.Parse([]byte(good + add + "\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", add, err, want)
		}
	}
	for _, text := range []string{"", "\n", strings.Repeat(good, 9)} {
		var rule *service.RuleError
		if _, err := service.Parse([]byte(text)); !errors.As(err, &rule) || rule.Rule != "count" {
			t.Errorf("%d bytes: got %v", len(text), err)
		}
	}
}

// What is not said is the careful thing.
func TestDefaults(t *testing.T) {
	list, err := service.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	p := list[0].Profile
	none := policy.Keep{}
	for name, ok := range map[string]bool{
		"aml": p.Act == methods.AML, "in-person": p.Methods == [policy.MaxMethods]methods.Code{"in-person-chip"},
		"people-decide": !p.MachineMayDecide, "number-b-only": !p.PINRoute && !p.FaceByPIN, "offered": p.Face == policy.FaceOffered,
		"lively": p.Liveness == policy.LivenessRequired, "tries": p.FaceTries == 2 && p.CardTries == 3, "minor": p.MinorAge == 15,
		"no-my-number": !p.MyNumber.Collect, "refuses-offline": p.Offline == policy.Offline{}, "case": p.Case == policy.CaseOptional,
		"identity-7y": p.Retention[policy.ClassIdentity] == policy.Keep{Years: 7}, "no-live-images": p.Retention[policy.ClassLiveImages] == none,
		"no-certificate": p.Retention[policy.ClassCertificate] == none, "no-number": p.Retention[policy.ClassMyNumber] == none,
		"second":   p.NeedsSecond(policy.ReasonMismatch) && p.NeedsSecond(policy.ReasonAttack) && p.NeedsSecond(policy.ReasonExpired) && p.NeedsSecond(policy.ReasonPending),
		"warns":    !p.RefuseUnconfirmed,
		"60s-2min": p.Wait(policy.WaitLanguage, false) == time.Minute && p.Wait(policy.WaitLanguage, true) == 2*time.Minute,
	} {
		if !ok {
			t.Errorf("%s: got %+v", name, p)
		}
	}
	want := [policy.MaxConsents]policy.Consent{{ID: "identity", Version: "1", Required: true}, {ID: "face", Version: "1"}}
	if diff := cmp.Diff(want, p.Consents); diff != "" {
		t.Fatal(diff)
	}
	if tx, ok := list[0].Text("face", "1"); !ok || tx.In("en").Title != "Checking your face with the camera" || len(tx.In("ja").SHA256) != 64 {
		t.Fatalf("got %+v", tx)
	}
}

// A consent of the operator's own, pinned by its hash: printf 'a\nb' | sha256sum.
func TestOwnConsent(t *testing.T) {
	const sum = "7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78"
	text := good + `
methods = ["in-person-chip", "jpki-signature"]
[[service.consent]]
id = "identity"
version = "1"
required = true
[[service.consent]]
id = "face"
version = "1"
[[service.consent]]
id = "latest-attributes"
version = "2026-11"
form = "signed"
title_ja = "a"
body_ja = "b"
sha256_ja = "SUM"
title_en = "a"
body_en = "b"
sha256_en = "SUM"
`
	list, err := service.Parse([]byte(strings.ReplaceAll(text, "SUM", sum)))
	if err != nil {
		t.Fatal(err)
	}
	c, ok := list[0].Profile.Consent("latest-attributes")
	if !ok || c.Form != policy.Signed || c.Required {
		t.Fatalf("got %+v", c)
	}
	if _, err := service.Parse([]byte(strings.ReplaceAll(text, "SUM", strings.Repeat("0", 64)))); err == nil {
		t.Fatal("another hash was accepted")
	}
}

// The profiles that are shipped load, and say what they should; the telecom one reads no My Number on any way.
func TestShippedProfiles(t *testing.T) {
	load := func(name string) []service.Service {
		raw, err := os.ReadFile(filepath.Join("..", "..", "packaging", "deb", "kiosk", "profiles", name))
		if err != nil {
			t.Fatal(err)
		}
		list, err := service.Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return list
	}
	ids := func(list []service.Service) (out []string) {
		for i := range list {
			out = append(out, list[i].Profile.ID)
		}
		return out
	}
	bank, telecom := load("bank.toml"), load("telecom.toml")
	if diff := cmp.Diff([]string{"account-opening", "address-change", "returning-customer", "card-status"}, ids(bank)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"telecom-contract", "telecom-returning"}, ids(telecom)); diff != "" {
		t.Error(diff)
	}
	for _, s := range append(bank, telecom...) {
		p := s.Profile
		if p.MachineMayDecide || p.FaceByPIN || p.MyNumber.Collect || !p.Retention[policy.ClassLiveImages].None() || p.Channel != policy.Attended {
			t.Errorf("%s: %+v", p.ID, p)
		}
	}
	for _, s := range telecom {
		if s.Profile.PINRoute || s.Profile.Act != methods.Telecom {
			t.Errorf("%+v", s.Profile)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(good + "[service.retention]\nidentity = \"y\"\n[[service.override]]\nreason = \"\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := service.Parse(b)
		if err != nil {
			return
		}
		for i := range list {
			p := list[i].Profile
			if p.Channel == policy.Unattended && p.Uses(methods.InPersonChip) || p.Act == methods.Telecom && (p.FaceByPIN || p.MyNumber.Collect) ||
				p.MyNumber.Collect && p.MyNumber.Basis == "" || p.FaceByPIN && p.PINBasis == "" {
				t.Fatalf("a duty is broken: %+v", p)
			}
		}
	})
}
