package kiosk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"madoguchi/storage/audit"
	"madoguchi/storage/enroll"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
)

// enrolEvery is how often HQ is asked for newer keys, and the certificate's age is looked at.
const enrolEvery = time.Hour

// openEnrolment opens what HQ gave this kiosk and may change: its keys and the kiosk's certificate.
func (k *kiosk) openEnrolment(b *sync.Bundle) (err error) {
	state := k.cfg.Kiosk.StateDir
	k.tpm = b.TPM
	if k.keys, err = b.OpenKeys(filepath.Join(state, "keys.json")); err != nil {
		return fmt.Errorf("HQ's keys: %w", err)
	}
	if k.keys.Damaged() {
		k.log.Error("the stored list of HQ's keys was damaged; the bundle's is used until HQ gives a newer one")
	}
	if k.renewer, err = enroll.NewRenewer(b, k.keys, state, time.Now); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	k.client = b.Client()
	return nil
}

// keepEnrolled keeps keys and certificate new. What cannot be done now is tried again; what must not be is an alarm.
func (k *kiosk) keepEnrolled(ctx context.Context) error {
	if k.keys.Damaged() {
		k.journal.note(audit.Leaf{Kind: audit.Quarantined, Word: "key-list"})
	}
	every := time.NewTicker(enrolEvery)
	defer every.Stop()
	for {
		k.fetchKeys(ctx)
		k.renew(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
	}
}

func (k *kiosk) fetchKeys(ctx context.Context) {
	changed, err := k.renewer.FetchKeys(ctx)
	switch {
	case err != nil:
		k.enrolTrouble(ctx, "HQ's keys were not renewed", err)
	case changed:
		sum := sha256.Sum256(k.keys.Raw())
		k.journal.note(audit.Leaf{Kind: audit.KeysChanged, Hash: hex.EncodeToString(sum[:]), Count: k.keys.List().Version})
		k.log.Info("HQ's keys", slog.Int64("version", k.keys.List().Version))
	}
}

func (k *kiosk) renew(ctx context.Context) {
	renewed, err := k.renewer.RenewIfDue(ctx, time.Now())
	switch {
	case err != nil:
		k.enrolTrouble(ctx, "the certificate was not renewed", err)
	case renewed:
		k.client.CloseIdleConnections() // connections made from now on use the new one
		sum := sha256.Sum256(k.renewer.Leaf().Raw)
		k.journal.note(audit.Leaf{Kind: audit.Enrolled, Hash: hex.EncodeToString(sum[:])})
		k.log.Info("certificate renewed", slog.Time("until", k.renewer.Leaf().NotAfter))
	}
}

// enrolTrouble tells an HQ that is away from one that is not what it should be.
func (k *kiosk) enrolTrouble(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	code := alarmCode(err)
	if code == "" {
		k.log.Warn("enrolment", slog.String("what", what), slog.Any("error", err))
		return
	}
	k.log.Error("enrolment", slog.String("what", what), slog.String("alarm", code), slog.Any("error", err))
	k.journal.note(audit.Leaf{Kind: audit.Alarmed, Reason: code})
}

// alarmCode names what a person must look at; empty for what passes by itself.
func alarmCode(err error) string {
	for _, a := range []struct {
		err  error
		code string
	}{
		{seal.ErrForged, "keys-forged"},
		{seal.ErrOlder, "keys-older"},
		{seal.ErrFork, "keys-forked"},
		{enroll.ErrExpired, "certificate-expired"},
		{enroll.ErrRevoked, "kiosk-revoked"},
		{enroll.ErrServer, "server-unknown"},
		{enroll.ErrAnswer, "answer-false"},
	} {
		if errors.Is(err, a.err) {
			return a.code
		}
	}
	return ""
}
