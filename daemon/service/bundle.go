package service

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"madoguchi/daemon/policy/methods"
	"madoguchi/storage/settings"
)

// Active is what is in force at a kiosk.
type Active struct {
	Services []Service
	Table    methods.Table
	Version  int64 // of HQ's bundle; 0: the kiosk's own configuration and the table as shipped
}

// Kiosk is what a bundle is checked against.
type Kiosk struct {
	Device     string
	Production bool
	Own        []Service // of the kiosk's configuration, which stand where the bundle names none
}

// Why a bundle is not for this kiosk.
var (
	ErrDevice     = errors.New("service: the bundle is for other kiosks")
	ErrProduction = errors.New("service: a kiosk in production takes bundles for production only (duty 11)")
	ErrVirtual    = errors.New("service: a bundle for production names something virtual or of a test (duty 11)")
)

// Open checks what a verified bundle says and gives what is in force with it.
func Open(b *settings.Bundle, k Kiosk) (Active, error) {
	switch {
	case !b.For(k.Device):
		return Active{}, ErrDevice
	case k.Production && !b.Production:
		return Active{}, ErrProduction
	}
	out, err := Contents(b)
	if err != nil {
		return Active{}, err
	}
	if out.Services == nil {
		out.Services = k.Own
	}
	for i := range out.Services {
		if err := Supported(&out.Services[i]); err != nil {
			return Active{}, err
		}
	}
	return out, nil
}

// Contents checks what a bundle says, for HQ before it signs and for kiosks.
func Contents(b *settings.Bundle) (Active, error) {
	out := Active{Version: b.Version}
	if b.Version < 1 {
		return Active{}, settings.ErrBundle
	}
	var rows []methods.Row
	for _, r := range b.Rows {
		rows = append(rows, methods.Row{
			Act: methods.Act(r.Act), Code: methods.Code(r.Code), Article: r.Article, From: dayOf(r.From), To: dayOf(r.To), Note: r.Note, Source: r.Source,
		})
	}
	var confirms []methods.Confirm
	for _, c := range b.Confirms {
		confirms = append(confirms, methods.Confirm{
			Act: methods.Act(c.Act), Code: methods.Code(c.Code), From: dayOf(c.From), Article: c.Article,
			Confirmation: methods.Confirmation{By: c.By, On: dayOf(c.On), From: c.Source},
		})
	}
	var err error
	if out.Table, err = methods.Builtin().With(rows, confirms); err != nil {
		return Active{}, err
	}
	if len(b.Services) > 0 {
		if out.Services, err = Parse(b.Services); err != nil {
			return Active{}, fmt.Errorf("services of the bundle: %w", err)
		}
	}
	if b.Production {
		err = onlyReal(b, out.Services)
	}
	return out, err
}

func dayOf(n int) methods.Day { return methods.Day(min(max(n, 0), 99991231)) } //nolint:gosec // bounded here

// onlyReal refuses words of test worlds in a bundle for production: a calibration, or a confirmation by a test.
func onlyReal(b *settings.Bundle, list []Service) error {
	words := slices.Clone(b.Devices)
	for i := range list {
		words = append(words, list[i].Profile.Calibration)
	}
	for _, c := range b.Confirms {
		words = append(words, c.By, c.Source)
	}
	for _, r := range b.Rows {
		words = append(words, r.Source)
	}
	for _, w := range words {
		for _, bad := range []string{"virtual", "test", "demo"} {
			if slices.Contains(strings.FieldsFunc(strings.ToLower(w), func(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' && r < 0x80 }), bad) {
				return fmt.Errorf("%w: %q", ErrVirtual, w)
			}
		}
	}
	return nil
}
