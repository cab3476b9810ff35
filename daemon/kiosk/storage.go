package kiosk

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/session"
	"madoguchi/storage/audit"
	"madoguchi/storage/outbox"
	"madoguchi/storage/queue"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
)

// openStorage opens the queue and the audit log, and brings the two together after a power cut.
func (k *kiosk) openStorage(b *sync.Bundle) (err error) {
	state := k.cfg.Kiosk.StateDir
	if k.queue, err = queue.Open(filepath.Join(state, "queue"), queue.Options{
		Now: time.Now, Check: queue.CheckInChild, Legacy: filepath.Join(state, "queue.db"),
	}); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	var ok bool
	if k.device, ok = b.Signer.Public().(*ecdsa.PublicKey); !ok {
		return errors.New("the device key is not an ECDSA key")
	}
	if k.audit, err = audit.Open(filepath.Join(state, "audit"), audit.Options{Device: b.Device, Signer: b.Signer, Now: time.Now}); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if aside := k.audit.Quarantined(); aside != "" {
		k.log.Error("the audit log was damaged and set aside; HQ must allow the new one", slog.String("file", aside))
	}
	next, err := k.queue.NextSeq()
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if err := outbox.Reconcile(k.audit, next); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	k.journal = newJournal(k.audit, time.Now, k.log)
	if k.queue.Stats().Quarantined != "" {
		if err := k.journal.write(audit.Leaf{Kind: audit.Quarantined, Word: "queue"}); err != nil {
			return err
		}
	}
	return k.journal.write(audit.Leaf{Kind: audit.Started, Hash: k.cfg.Hash, Word: versionWord(Version)})
}

// versionWord makes a version a word of the audit log.
func versionWord(v string) string {
	if w := "v" + v; audit.ValidWord(w) {
		return w
	}
	return "unnamed"
}

// store is the outbox while the kiosk may take customers: the audit log can be written, HQ accepts the kiosk and has
// keys for it, the clock agrees with HQ's, and what waits for HQ is not older than the policy allows.
type store struct {
	*outbox.Outbox
	journal *journal
	levels  *atomic.Pointer[sync.Levels]
	policy  config.Upload
}

// The reasons for taking no customers.
var (
	errAudit   = errors.New("the audit log cannot be written")
	errRevoked = errors.New("HQ does not accept this kiosk")
	errSkew    = errors.New("the clock is too far from HQ's")
	errSilent  = errors.New("records could not be delivered for too long")
)

// Ready implements session.Store.
func (s store) Ready(parts ...record.Part) error {
	if s.journal.failed.Load() {
		return &session.NotReady{Code: session.AuditLog, Err: errAudit}
	}
	if l := s.levels.Load(); l != nil {
		skew := time.Duration(s.policy.MaxSkewMinutes) * time.Minute
		freeze := time.Duration(s.policy.FreezeHours) * time.Hour
		switch {
		case l.Revoked:
			return &session.NotReady{Code: session.HQRevoked, Err: errRevoked}
		case skew > 0 && l.SkewKnown && l.Skew.Abs() > skew:
			return &session.NotReady{Code: session.ClockOff, Err: errSkew}
		case freeze > 0 && !l.Oldest.IsZero() && s.Now().Sub(l.Oldest) > freeze:
			return &session.NotReady{Code: session.HQSilent, Err: errSilent}
		}
	}
	err := s.Outbox.Ready(parts...)
	if errors.Is(err, seal.ErrNoKey) {
		return &session.NotReady{Code: session.HQKeys, Err: err}
	}
	return err
}
