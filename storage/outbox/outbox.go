// Package outbox is what the daemon calls at the end of a session: one record in, and when Put returns, the record is
// sealed, signed and durable. It joins storage/wire and storage/queue. Only daemon/... may import it.
package outbox

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"madoguchi/storage/audit"
	"madoguchi/storage/queue"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/wire"
)

// Outbox seals and queues. All fields are required.
type Outbox struct {
	Queue  *queue.Queue
	Keys   *seal.PublicKeys
	Signer crypto.Signer // the device key
	Device string
	Now    func() time.Time
	Audit  Audit
}

// Audit is the audit log (storage/audit).
type Audit interface {
	Append(leaf audit.Leaf) (int64, error)
}

// Put seals, signs and durably queues the record. Every plain text made on the way is wiped; the record stays with
// the caller, who wipes it. The errors are those of record.Validate, seal and queue (queue.ErrFull above all).
func (o *Outbox) Put(r *record.Record) error {
	if r.Device != o.Device {
		return fmt.Errorf("outbox: the record is of device %q, this is %q", r.Device, o.Device)
	}
	noted := false
	err := o.Queue.PutNext(func(seq uint64) (*wire.Envelope, error) {
		e, err := wire.Build(r, o.Keys, o.Signer, seq, o.Now())
		if err != nil {
			return nil, err
		}
		if _, err := o.Audit.Append(leaf(r, e)); err != nil {
			return nil, fmt.Errorf("outbox: a record without its audit entry is not stored: %w", err)
		}
		noted = true
		return e, nil
	})
	if err != nil && noted {
		_, note := o.Audit.Append(audit.Leaf{Kind: audit.RecordFailed, ID: r.ID})
		err = errors.Join(err, note)
	}
	return err
}

// leaf is the audit entry of an envelope. It comes before the envelope is durable: a power cut between the two leaves
// an entry too many, which Reconcile finds, and never a record without its entry.
func leaf(r *record.Record, e *wire.Envelope) audit.Leaf {
	d := &r.Evidence.Decision
	l := audit.Leaf{
		Kind: audit.Recorded, ID: r.ID, Hash: hex.EncodeToString(e.Digest[:]), Word: d.Outcome, Reason: d.Reason,
		Count: int64(e.Header.Seq), //nolint:gosec // the header's seq is at most 2^63-1
	}
	if d.By == "staff" {
		l.Staff = d.Staff
	}
	return l
}

// Reconcile compares the audit log's newest record entry with the queue after a start: an entry whose envelope never
// became durable (nobody was told that it had) is followed by one that says so.
func Reconcile(log *audit.Log, next uint64) error {
	var last, failed audit.Leaf
	err := log.Each(0, func(_ int64, b []byte) bool {
		l, err := audit.ParseLeaf(b)
		switch {
		case err != nil:
		case l.Kind == audit.Recorded:
			last = l
		case l.Kind == audit.RecordFailed:
			failed = l
		}
		return true
	})
	if err != nil || last.ID == "" || last.ID == failed.ID || uint64(last.Count) < next { //nolint:gosec // ours, not negative
		return err
	}
	_, err = log.Append(audit.Leaf{Kind: audit.RecordFailed, ID: last.ID})
	return err
}

// Ready says whether a record could be taken now: there is room, and HQ gave valid keys for the parts. The daemon
// asks before it takes a customer.
func (o *Outbox) Ready(parts ...record.Part) error {
	for _, p := range parts {
		if _, err := o.Keys.Choose(p, o.Now()); err != nil {
			return err
		}
	}
	return o.Queue.EnsureRoom()
}
