package queue

import (
	"testing"

	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

// Sicken makes the queue believe that a commit failed with err.
func Sicken(q *Queue, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sick = err
}

// Fill queues many records, which are no real envelopes, a thousand at a time.
func Fill(tb testing.TB, q *Queue, n, size int) []*wire.Envelope {
	tb.Helper()
	var all []*wire.Envelope
	for len(all) < n {
		var list []incoming
		for range min(1000, n-len(all)) {
			e := &wire.Envelope{Bytes: make([]byte, size)}
			e.Header.ID, e.Header.Seq, e.Header.Device = storagetest.NewID(), uint64(len(all)+1), storagetest.Device
			copy(e.Bytes, e.Header.ID)
			e.Digest = sum(e.Bytes)
			all = append(all, e)
			list = append(list, incoming{
				id: e.Header.ID, seq: e.Header.Seq, queued: q.opt.Now(), digest: e.Digest, body: e.Bytes, device: e.Header.Device,
			})
		}
		q.mu.Lock()
		err := q.store(list)
		q.mu.Unlock()
		if err != nil {
			tb.Fatal(err)
		}
	}
	return all
}

// Drain removes records a thousand at a time, as verified receipts would.
func Drain(tb testing.TB, q *Queue, list []*wire.Envelope) {
	tb.Helper()
	for len(list) > 0 {
		n := min(1000, len(list))
		q.mu.Lock()
		err := q.commit(func(t *tx) error {
			for _, e := range list[:n] {
				order, en, err := t.find(e.Header.ID)
				if err != nil {
					return err
				}
				if err := t.remove(order, en); err != nil {
					return err
				}
			}
			return nil
		})
		q.mu.Unlock()
		if err != nil {
			tb.Fatal(err)
		}
		list = list[n:]
	}
}
