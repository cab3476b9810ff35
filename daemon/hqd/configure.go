package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/service"
	"madoguchi/storage/settings"
)

// draftFile is what "hqd config sign" reads: docs/configuration.md, "Signed bundles".
type draftFile struct {
	Version    int64    `toml:"version"` // 0: the next one
	Production bool     `toml:"production"`
	Devices    []string `toml:"devices"`
	Services   string   `toml:"services"` // a file of [[service]] tables, beside this one; empty: kiosks keep their own
	Row        []struct {
		Act     string `toml:"act"`
		Code    string `toml:"method"`
		Article string `toml:"article"`
		From    string `toml:"from"`
		To      string `toml:"to"`
		Note    string `toml:"note"`
		Source  string `toml:"source"`
	} `toml:"row"`
	Confirm []struct {
		Act     string `toml:"act"`
		Code    string `toml:"method"`
		Article string `toml:"article"`
		From    string `toml:"from"`
		By      string `toml:"by"`
		On      string `toml:"on"`
		Source  string `toml:"source"`
	} `toml:"confirm"`
}

// configSign checks a draft, signs it with the offline root, and says what it means.
func configSign(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd config sign", flag.ContinueOnError)
	root, path := f.String("root", "", "the root's directory"), f.String("out", "", "the signed bundle")
	in := f.String("in", "", "the draft (TOML); its services file lies beside it")
	if err := flagsOf(f, args, "root", "in", "out"); err != nil {
		return err
	}
	b, err := readDraft(*in)
	if err != nil {
		return err
	}
	probe := *b
	probe.Version = max(probe.Version, 1) // the signer gives the next one to a draft without
	if _, err := service.Contents(&probe); err != nil {
		return err
	}
	now := time.Now()
	raw, err := setup.SignConfig(*root, b, now)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*path, raw, 0o600); err != nil {
		return err
	}
	active, err := service.Contents(b)
	if err != nil {
		return err
	}
	if err := service.Describe(out, active.Services, active.Table, now); err != nil {
		return err
	}
	for _, w := range active.Table.Warnings(now) {
		if _, err := fmt.Fprintf(out, "warning: legal method %s\n", w); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "bundle %d, production %v, rules %s: %s\n", b.Version, b.Production, active.Table.Revision(), *path)
	return err
}

func readDraft(path string) (*settings.Bundle, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	var d draftFile
	if err := service.Decode(raw, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	b := &settings.Bundle{Version: d.Version, Production: d.Production, Devices: d.Devices}
	if d.Services != "" {
		if b.Services, err = os.ReadFile(filepath.Join(filepath.Dir(path), filepath.Clean("/"+d.Services))); err != nil {
			return nil, err
		}
		if len(b.Services) > settings.MaxServices {
			return nil, settings.ErrBundle
		}
	}
	var errs []error
	day := func(s string, open bool) int {
		if s == "" && open {
			return 0
		}
		d, err := methods.ParseDay(s)
		errs = append(errs, err)
		return int(d)
	}
	for _, r := range d.Row {
		b.Rows = append(b.Rows, settings.Row{
			Act: r.Act, Code: r.Code, Article: r.Article, From: day(r.From, false), To: day(r.To, true), Note: r.Note, Source: r.Source,
		})
	}
	for _, c := range d.Confirm {
		b.Confirms = append(b.Confirms, settings.Confirm{
			Act: c.Act, Code: c.Code, Article: c.Article, From: day(c.From, false), By: c.By, On: day(c.On, false), Source: c.Source,
		})
	}
	return b, errors.Join(errs...)
}
