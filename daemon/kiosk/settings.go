package kiosk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/service"
	"madoguchi/storage/audit"
	"madoguchi/storage/settings"
	"madoguchi/storage/sync"
)

// rules are what is in force at this kiosk: the services and legal methods that HQ signed, or its own.
type rules struct {
	store  settings.Store
	active service.Active
}

// openRules takes HQ's bundle: one that waits comes into force here, before any customer; one that does not load gives
// way to the one before. With none that loads the kiosk does not start: its own file may be older than what HQ wants.
func (k *kiosk) openRules(b *sync.Bundle) error {
	k.rules.store = settings.Store{Dir: k.cfg.SettingsDir(), Root: b.Root}
	check := func(v *settings.Bundle) error { _, err := service.Open(v, k.cfg.For(b.Device)); return err }
	out, err := k.rules.store.Take(check)
	if out.Refused != nil {
		k.log.Error("a configuration bundle of HQ does not load and is set aside", slog.Any("error", out.Refused), slog.Bool("rolled_back", out.RolledBack))
		if err := k.journal.write(audit.Leaf{Kind: audit.Alarmed, Reason: "config-refused"}); err != nil {
			return err
		}
	}
	switch {
	case errors.Is(err, settings.ErrNone):
		k.rules.active = service.Active{Services: k.cfg.Services, Table: methods.Builtin()}
		return nil
	case err != nil:
		return fmt.Errorf("configuration of HQ: %w", err)
	}
	if k.rules.active, err = service.Open(out.Bundle, k.cfg.For(b.Device)); err != nil {
		return err
	}
	k.log.Info("configuration of HQ", slog.Int64("version", out.Bundle.Version), slog.Bool("new", out.Switched), slog.String("rules", k.rules.active.Table.Revision()))
	if !out.Switched && !out.RolledBack {
		return nil
	}
	return k.journal.write(audit.Leaf{Kind: audit.Configured, Hash: out.Bundle.Hash(), Count: out.Bundle.Version})
}

// How often a waiting bundle is looked for, and how often unconfirmed legal methods are told again.
const (
	rulesEvery = 5 * time.Second
	warnEvery  = 24 * time.Hour
)

// errSwitch ends the daemon so that the next start takes a waiting bundle.
var errSwitch = errors.New("kiosk: a new configuration is taken at the next start")

// watchRules waits for a bundle and ends the kiosk where no customer is; the service manager starts it again.
// Maintenance is the machine's own way to make sure that nobody can begin meanwhile. It also tells, loudly and in the
// audit log, what is not confirmed about the legal methods.
func (k *kiosk) watchRules(ctx context.Context) error {
	every := time.NewTicker(rulesEvery)
	defer every.Stop()
	var told time.Time
	for {
		if now := time.Now(); now.Sub(told) >= warnEvery {
			k.tellRules(now)
			told = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
		if k.rules.store.Staged() && k.pause(ctx) {
			return errSwitch
		}
	}
}

// pause takes the kiosk out of service unless a customer or somebody in maintenance is there.
func (k *kiosk) pause(ctx context.Context) bool {
	if !k.working.CompareAndSwap(false, true) {
		return false
	}
	wait, cancel := context.WithTimeout(ctx, maintenanceWait)
	defer cancel()
	if err := k.session.Maintain(wait, "hq-config", true); err != nil {
		k.working.Store(false)
		return false
	}
	return true
}

func (k *kiosk) tellRules(now time.Time) {
	list := service.Warnings(k.rules.active.Services, k.rules.active.Table, now, k.cfg.Calibrated())
	for _, w := range list {
		k.log.Warn("rules", slog.String("warning", w))
	}
	if n := len(k.rules.active.Table.Warnings(now)); n > 0 {
		k.journal.note(audit.Leaf{Kind: audit.Alarmed, Reason: "methods-unconfirmed", Count: int64(n)})
	}
}

// fitCalibration drops a calibration that is not the one a service names: its thresholds mean something else. Faces are
// then not checked, and people decide.
func (k *kiosk) fitCalibration() {
	for i := range k.rules.active.Services {
		p := &k.rules.active.Services[i].Profile
		if c := k.devices.calibration; c != nil && p.Calibration != "" && p.Calibration != c.ID {
			k.log.Error("a service names another calibration than the one that is loaded: faces are not checked",
				slog.String("service", p.ID), slog.String("wants", p.Calibration), slog.String("loaded", c.ID))
			k.devices.calibration = nil
		}
	}
}
