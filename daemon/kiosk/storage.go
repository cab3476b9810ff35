package kiosk

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"madoguchi/storage/audit"
	"madoguchi/storage/outbox"
	"madoguchi/storage/queue"
	"madoguchi/storage/record"
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

// store is the outbox while the audit log can be written.
type store struct {
	*outbox.Outbox
	journal *journal
}

var errAudit = errors.New("the audit log cannot be written")

// Ready implements session.Store.
func (s store) Ready(parts ...record.Part) error {
	if s.journal.failed.Load() {
		return errAudit
	}
	return s.Outbox.Ready(parts...)
}
