// Package service loads the services of a kiosk from configuration, strictly: rules that contradict each other, the duties
// or the law are refused by name, and what the configuration means can be printed in plain words. It turns [[service]]
// tables into policy.Profile and holds the names and texts that people read. It does no I/O. daemon/config imports it, and
// so may the wiring and the commands.
package service

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/daemon/policy"
)

// Table is one [[service]] table. docs/configuration.md is its manual.
type Table struct {
	ID               string   `toml:"id"`
	Kind             string   `toml:"kind"`
	NameJA           string   `toml:"name_ja"`
	NameEN           string   `toml:"name_en"`
	Act              *string  `toml:"act"`
	Channel          string   `toml:"channel"`
	Methods          []string `toml:"methods"`
	MachineMayDecide bool     `toml:"machine_may_decide"`

	Reads        []string `toml:"reads"`
	PINRoute     bool     `toml:"pin_route"`
	PINReadsFace bool     `toml:"pin_reads_face"`
	PINBasis     string   `toml:"pin_basis"`

	Face        string `toml:"face"`
	Liveness    *bool  `toml:"liveness"`
	Calibration string `toml:"calibration"`
	FaceTries   *int   `toml:"face_tries"`
	CardTries   *int   `toml:"card_tries"`
	MinorAge    *int   `toml:"minor_age"`
	Case        string `toml:"case"`
	Unconfirmed string `toml:"unconfirmed_methods"`

	MyNumber  *MyNumberTable    `toml:"my_number"`
	Consents  []ConsentTable    `toml:"consent"`
	Offline   *OfflineTable     `toml:"offline"`
	Retention map[string]string `toml:"retention"`
	LiveBasis string            `toml:"live_images_basis"`
	Overrides []OverrideTable   `toml:"override"`
	Times     map[string]int    `toml:"times"`
	Longer    map[string]int    `toml:"times_accessible"`
}

// MyNumberTable is [service.my_number].
type MyNumberTable struct {
	Basis     string `toml:"basis"`
	PurposeJA string `toml:"purpose_ja"`
	PurposeEN string `toml:"purpose_en"`
}

// ConsentTable is [[service.consent]]. The texts may be left out for consents that are built in.
type ConsentTable struct {
	ID       string `toml:"id"`
	Version  string `toml:"version"`
	Form     string `toml:"form"`
	Required bool   `toml:"required"`
	TitleJA  string `toml:"title_ja"`
	BodyJA   string `toml:"body_ja"`
	HashJA   string `toml:"sha256_ja"`
	TitleEN  string `toml:"title_en"`
	BodyEN   string `toml:"body_en"`
	HashEN   string `toml:"sha256_en"`
}

// OfflineTable is [service.offline].
type OfflineTable struct {
	Pending  bool `toml:"pending"`
	MaxHours int  `toml:"max_hours"`
	MaxCount int  `toml:"max_count"`
}

// OverrideTable is [[service.override]].
type OverrideTable struct {
	Reason string   `toml:"reason"`
	By     []string `toml:"by"`
	Second []string `toml:"second"`
}

// Service is a service as loaded: the rules, and what people read.
type Service struct {
	Profile              policy.Profile
	NameJA, NameEN       string
	PurposeJA, PurposeEN string // of the My Number; empty when none is collected
	Texts                []Text // of the consents, in the order of Profile.Consents
}

// Text is a consent in one version, in each language, with the hash of what is shown.
type Text struct {
	ID, Version string
	JA, EN      Shown
}

// Shown is a text in one language. SHA256 is the hex of the hash of title, line feed, body.
type Shown struct{ Title, Body, SHA256 string }

// In gives the text of a language tag; every tag but "en" is Japanese.
func (t Text) In(lang string) Shown {
	if lang == "en" {
		return t.EN
	}
	return t.JA
}

// Text finds the text of a consent.
func (s *Service) Text(id, version string) (Text, bool) {
	for _, t := range s.Texts {
		if t.ID == id && t.Version == version {
			return t, true
		}
	}
	return Text{}, false
}

// Name is the service's name in a language.
func (s *Service) Name(lang string) string {
	if lang == "en" {
		return s.NameEN
	}
	return s.NameJA
}

// MaxServices is how many services a kiosk may offer.
const MaxServices = 8

// RuleError is a rule that a configuration breaks.
type RuleError struct {
	Service string // id, or its number in the file when it has none
	Rule    string // the rule's name, see docs/configuration.md
	Say     string
}

// Error implements error.
func (e *RuleError) Error() string {
	return fmt.Sprintf("service %q: rule %s: %s", e.Service, e.Rule, e.Say)
}

// file is a file of nothing but services, as HQ signs it.
type file struct {
	Service []Table `toml:"service"`
}

// Parse reads a file that holds [[service]] tables and nothing else.
func Parse(b []byte) ([]Service, error) {
	var f file
	if err := Decode(b, &f); err != nil {
		return nil, err
	}
	return Load(f.Service)
}

// Decode is strict TOML: an unknown key is an error with its line.
func Decode(b []byte, into any) error {
	err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(into)
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) {
		var lines []string
		for i := range strict.Errors {
			line, _ := strict.Errors[i].Position()
			lines = append(lines, fmt.Sprintf("line %d: %s", line, strings.Join(strict.Errors[i].Key(), ".")))
		}
		return fmt.Errorf("unknown key: %s\n%s", strings.Join(lines, ", "), strict.String())
	}
	if at := (*toml.DecodeError)(nil); errors.As(err, &at) {
		line, _ := at.Position()
		return fmt.Errorf("line %d: %w", line, err)
	}
	return err
}

// Load makes the services of the tables, and checks them alone and together.
func Load(tables []Table) ([]Service, error) {
	if len(tables) == 0 || len(tables) > MaxServices {
		return nil, &RuleError{Rule: "count", Say: fmt.Sprintf("a kiosk offers 1 to %d services", MaxServices)}
	}
	var out []Service
	seen := map[string]bool{}
	for i := range tables {
		s, err := build(&tables[i])
		if err != nil {
			var rule *RuleError
			if errors.As(err, &rule) && rule.Service == "" {
				rule.Service = fmt.Sprintf("number %d", i+1)
			}
			return nil, err
		}
		if seen[s.Profile.ID] {
			return nil, &RuleError{s.Profile.ID, "unique", "two services have this id"}
		}
		seen[s.Profile.ID] = true
		out = append(out, s)
	}
	return out, nil
}
