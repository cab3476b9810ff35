package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"madoguchi/storage/queue/segment"
	"madoguchi/storage/record"
	"madoguchi/storage/wire"
)

// The older format: one bbolt file with "index" (order -> digest, time, id), "order" (id -> order), "body" (id ->
// envelope, waiting or shelved), "shelf" (id -> time, code) and "state" ("seq" -> last sequence number).
const legacyHead = 32 + 8

// legacyBatch is how many bytes of bodies are taken over at a time.
const legacyBatch = 8 << 20

// takeOver moves everything from a file of the older format into the queue and then removes the file. When it is
// interrupted it begins again at the next Open; what the queue has already is passed over. A file that cannot be
// trusted is set aside for Salvage, and the sequence goes on above all numbers found in it.
func (q *Queue) takeOver() error {
	if q.opt.Legacy == "" {
		return nil
	}
	if _, err := os.Stat(q.opt.Legacy); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	err := guard(func() error {
		db, err := bolt.Open(q.opt.Legacy, 0o600, boltOptions(q.opt.Wait))
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return db.View(q.takeAll)
	})
	var panicked *panicError
	switch {
	case err == nil:
		return errors.Join(os.Remove(q.opt.Legacy), syncDir(filepath.Dir(q.opt.Legacy)))
	case errors.Is(err, berrors.ErrTimeout):
		return ErrInUse
	case errors.As(err, &panicked), errors.Is(err, errLegacy), !errors.As(err, new(syscall.Errno)) && !isNoSpace(err):
		return q.setLegacyAside()
	case isNoSpace(err):
		return ErrFull
	}
	return fmt.Errorf("queue: taking over the older file: %w", err)
}

var errLegacy = errors.New("queue: not a file of the older format")

func (q *Queue) setLegacyAside() error {
	aside, err := quarantine(q.opt.Legacy, q.opt.Now())
	if err != nil {
		return err
	}
	q.aside = aside
	var seq uint64
	if _, err := envelopes(aside, func(e *wire.Envelope) error {
		seq = max(seq, e.Header.Seq)
		return nil
	}); err != nil {
		return err
	}
	return q.update(func(t *tx) error {
		t.st.Seq = max(t.st.Seq, seq)
		return nil
	})
}

func (q *Queue) takeAll(old *bolt.Tx) error {
	index, body, shelf, st := old.Bucket([]byte("index")), old.Bucket([]byte("body")), old.Bucket([]byte("shelf")), old.Bucket([]byte("state"))
	if index == nil || body == nil || shelf == nil || st == nil {
		return errLegacy
	}
	if err := q.update(func(t *tx) error {
		if v := st.Get([]byte("seq")); len(v) == 8 {
			t.st.Seq = max(t.st.Seq, binary.BigEndian.Uint64(v))
		}
		return nil
	}); err != nil {
		return err
	}
	var list []incoming
	size := 0
	err := index.ForEach(func(_, fact []byte) error {
		if len(fact) <= legacyHead {
			return errLegacy
		}
		id, digest := string(fact[legacyHead:]), [32]byte(fact[:32])
		b := append([]byte(nil), body.Get([]byte(id))...)
		queued := millis(fact[32:legacyHead])
		if sum(b) != digest {
			return q.takeDamaged(id, b)
		}
		if known, err := q.knows(id, digest); known || err != nil {
			return err
		}
		r := incoming{id: id, queued: queued, digest: digest, body: b}
		if e, err := wire.Parse(b); err == nil {
			r.seq, r.device = e.Header.Seq, e.Header.Device
		}
		list = append(list, r)
		size += len(b)
		if size < legacyBatch {
			return nil
		}
		err := q.store(list)
		list, size = nil, 0
		return err
	})
	if err == nil && len(list) > 0 {
		err = q.store(list)
	}
	if err != nil {
		return err
	}
	return shelf.ForEach(func(id, n []byte) error { return q.takeShelved(string(id), n, body.Get(id)) })
}

// takeDamaged keeps what is left of a record that the older file spoiled.
func (q *Queue) takeDamaged(id string, b []byte) error {
	return q.toShelf(entry{ID: id, Queued: q.opt.Now().UnixMilli()}, segment.Damaged, b, note{Code: CodeDamaged, At: q.opt.Now().UnixMilli()})
}

func (q *Queue) takeShelved(id string, old, body []byte) error {
	if len(old) < 8 {
		return errLegacy
	}
	n := note{At: millis(old[:8]).UnixMilli(), Code: string(old[8:])}
	e, err := wire.Parse(append([]byte(nil), body...))
	if err != nil || e.Header.ID != id || n.Code == CodeDamaged {
		return q.toShelf(entry{ID: id, Queued: n.At}, segment.Damaged, body, n)
	}
	n.Digest = e.Digest
	return q.toShelf(entry{ID: id, Seq: e.Header.Seq, Queued: n.At, Digest: e.Digest}, segment.Record, body, n)
}

// toShelf puts something on the shelf that was never in a segment; what is there already stays.
func (q *Queue) toShelf(e entry, kind segment.Kind, body []byte, n note) error {
	if !record.ValidID(e.ID) {
		e.ID = fmt.Sprintf("legacy-%x", sum([]byte(e.ID)))[:39]
	}
	var err error
	if n.Bytes, err = q.writeShelf(e, kind, body, n.Code); err != nil {
		return err
	}
	return q.update(func(t *tx) error {
		if v, err := t.get(bucketShelf, []byte(e.ID)); v != nil || err != nil {
			return err
		}
		return t.shelve(e.ID, n)
	})
}
