// Package outbox is what the daemon calls at the end of a session: one record in, and when Put returns, the record is
// sealed, signed and durable. It joins storage/wire and storage/queue. Only daemon/... may import it.
package outbox

import (
	"crypto"
	"fmt"
	"time"

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
}

// Put seals, signs and durably queues the record. Every plain text made on the way is wiped; the record stays with
// the caller, who wipes it. The errors are those of record.Validate, seal and queue (queue.ErrFull above all).
func (o *Outbox) Put(r *record.Record) error {
	if r.Device != o.Device {
		return fmt.Errorf("outbox: the record is of device %q, this is %q", r.Device, o.Device)
	}
	return o.Queue.PutNext(func(seq uint64) (*wire.Envelope, error) {
		return wire.Build(r, o.Keys, o.Signer, seq, o.Now())
	})
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
