package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/daemon/config"
	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/service"
	"madoguchi/storage/seal"
	"madoguchi/storage/settings"
	"madoguchi/storage/sync"
)

// configCommand is config check and config install.
func configCommand(args []string, now time.Time, out io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "check":
		return configCheck(args[1], now, out)
	case len(args) >= 1 && args[0] == "install":
		return configInstall(args[1:], now, out)
	}
	return errUsage
}

// configCheck checks a kiosk's configuration, or a file of nothing but services, and says what it means.
func configCheck(path string, now time.Time, out io.Writer) error {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	if onlyServices(raw) {
		list, err := service.Parse(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		return explain(out, list, methods.Builtin(), now, true)
	}
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	if c.OneTable {
		if _, err := fmt.Fprintln(out, "note: one [service] table is still read; [[service]] says more, see docs/configuration.md"); err != nil {
			return err
		}
	}
	return explain(out, c.Services, methods.Builtin(), now, c.Calibrated())
}

func onlyServices(raw []byte) bool {
	var probe map[string]any
	if toml.Unmarshal(raw, &probe) != nil {
		return false
	}
	_, list := probe["service"].([]any)
	return list && len(probe) == 1
}

// explain ends with "ok": warnings are no errors.
func explain(out io.Writer, list []service.Service, table methods.Table, now time.Time, calibrated bool) error {
	if err := service.Describe(out, list, table, now); err != nil {
		return err
	}
	var b strings.Builder
	for _, w := range service.Warnings(list, table, now, calibrated) {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	_, err := fmt.Fprintf(out, "%srules %s\nok\n", b.String(), table.Revision())
	return err
}

// methodsCommand prints the dated table, of today or of another day, as shipped or with a bundle of HQ.
func methodsCommand(args []string, now time.Time, out io.Writer) error {
	f := flags("methods")
	day, path := f.String("day", "", ""), f.String("config", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	table, err := tableOf(*path)
	if err != nil {
		return err
	}
	if *day != "" {
		d, err := methods.ParseDay(*day)
		if err != nil {
			return errors.Join(errUsage, err)
		}
		now = d.Start()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rules %s, in force on %s (Japan) marked *\n", table.Revision(), methods.DayOf(now))
	for _, r := range table.Rows() {
		mark, to, word := " ", "...", "NOT CONFIRMED"
		if r.Covers(methods.DayOf(now)) {
			mark = "*"
		}
		if r.To != 0 {
			to = r.To.String()
		}
		if c := r.Confirmed; c.Done() {
			word = "confirmed by " + c.By + " on " + c.On.String() + " from " + c.From
		}
		fmt.Fprintf(&b, "%s %-8s %-15s %s..%-10s %s\n    %s\n    %s\n    source: %s\n", mark, r.Act, r.Code, r.From, to, r.Article, word, r.Note, r.Source)
	}
	for _, w := range table.Warnings(now) {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	_, err = io.WriteString(out, b.String())
	return err
}

// storeOf is the place of HQ's bundles at the kiosk with this configuration, and what bundles are checked against there.
func storeOf(path string) (settings.Store, settings.Check, *config.Config, error) {
	var none settings.Store
	c, err := config.Load(path)
	if err != nil {
		return none, nil, nil, err
	}
	raw, err := os.ReadFile(filepath.Join(c.HQ.Bundle, sync.FileRoot))
	if err != nil {
		return none, nil, nil, err
	}
	root, err := seal.ParseRoot(raw)
	if err != nil {
		return none, nil, nil, err
	}
	if raw, err = os.ReadFile(filepath.Join(c.HQ.Bundle, sync.FileConfig)); err != nil {
		return none, nil, nil, err
	}
	var b sync.BundleConfig
	if err := toml.Unmarshal(raw, &b); err != nil {
		return none, nil, nil, err
	}
	check := func(b2 *settings.Bundle) error { _, err := service.Open(b2, c.For(b.Device)); return err }
	return settings.Store{Dir: c.SettingsDir(), Root: root}, check, c, nil
}

// configInstall stages a bundle of HQ. The kiosk takes it when no customer is there.
func configInstall(args []string, now time.Time, out io.Writer) error {
	f := flags("config install")
	path := f.String("config", "/etc/madoguchi/kiosk.toml", "")
	if err := f.Parse(args); err != nil || f.NArg() != 1 {
		return errUsage
	}
	raw, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return err
	}
	store, check, c, err := storeOf(*path)
	if err != nil {
		return err
	}
	b, err := store.Stage(raw, check)
	if err != nil {
		return err
	}
	active, err := service.Contents(b)
	if err != nil {
		return err
	}
	if active.Services == nil {
		active.Services = c.Services
	}
	if err := explain(out, active.Services, active.Table, now, c.Calibrated()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "bundle %d waits in %s: the kiosk takes it when no customer is there\n", b.Version, store.Dir)
	return err
}

// tableOf is the table as shipped, or as it is in force at the kiosk with a configuration.
func tableOf(path string) (methods.Table, error) {
	if path == "" {
		return methods.Builtin(), nil
	}
	store, _, _, err := storeOf(path)
	if err != nil {
		return methods.Table{}, err
	}
	b, err := store.Current()
	if errors.Is(err, settings.ErrNone) {
		return methods.Builtin(), nil
	}
	if err != nil {
		return methods.Table{}, err
	}
	active, err := service.Contents(b)
	return active.Table, err
}
