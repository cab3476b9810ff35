// Package queue is the kiosk's outbox: sealed envelopes wait here, durably, until HQ's receipt is verified. It holds
// ciphertext and routing data only. Nothing is ever dropped: an envelope leaves by a verified receipt, or goes to the
// shelf, where people see it.
//
// Every Put is one bbolt transaction with its two fdatasyncs. bbolt has no checksums over its data, so the SHA-256 of
// an envelope is kept beside it and checked at every read. Only storage/... and daemon/... may import it.
package queue

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"madoguchi/storage/record"
	"madoguchi/storage/wire"
)

// Errors of the queue.
var (
	ErrFull      = errors.New("queue: no room for another record") // refuse new customers
	ErrDuplicate = errors.New("queue: another envelope of this id is waiting")
	ErrUnknown   = errors.New("queue: no such record")
	ErrReceipt   = errors.New("queue: the receipt does not prove that HQ has this envelope")
	ErrInUse     = errors.New("queue: the file is in use by another process")
)

// DamagedError says that what was read is not what was stored. The envelope is still there; shelve it.
type DamagedError struct {
	ID    string
	order []byte // the entry, should the id itself be what is damaged
}

// Error implements error.
func (e *DamagedError) Error() string { return "queue: record " + e.ID + " is damaged on disk" }

// Item is one envelope waiting.
type Item struct {
	ID       string
	Digest   [32]byte
	Queued   time.Time
	Envelope []byte // a copy; its hash was checked
}

// Shelved is an envelope that HQ will not take as it is, or that cannot be read.
type Shelved struct {
	ID   string
	Code string // why: a stable code
	At   time.Time
}

// Stats are the levels of the queue.
type Stats struct {
	Waiting     int
	Shelved     int
	Oldest      time.Time // when the oldest one waiting was queued; zero when none waits
	Bytes       int64     // of the file in use: without its free pages
	Quarantined string    // path of a broken file that Open had to set aside; empty when all is well
}

// Queue is an open outbox. It is safe for concurrent use.
type Queue struct {
	db    *bolt.DB
	path  string
	opt   Options
	wake  chan struct{}
	aside string

	mu    sync.Mutex
	stats Stats
}

// Buckets. "index" keeps order and facts apart from the bodies, so that counting touches no body.
const (
	bucketIndex = "index" // order, 8 bytes big-endian -> digest, time, id
	bucketOrder = "order" // id -> order
	bucketBody  = "body"  // id -> envelope, waiting or shelved
	bucketShelf = "shelf" // id -> time, code
	bucketState = "state" // "seq" -> last sequence number of the device
	keySeq      = "seq"
	indexHead   = 32 + 8 // digest and time before the id
)

// Put stores an envelope durably: when it returns nil, the envelope survives a power cut. The same envelope twice
// is stored once.
func (q *Queue) Put(e *wire.Envelope) error {
	return q.PutNext(func(uint64) (*wire.Envelope, error) { return e, nil })
}

// PutNext allots the device's next sequence number, lets build make the envelope with it, and stores both in one
// transaction: a number is used exactly when its envelope is stored.
func (q *Queue) PutNext(build func(seq uint64) (*wire.Envelope, error)) error {
	if q.Room().Level == Full {
		return ErrFull
	}
	err := q.update(func(tx *bolt.Tx) error {
		state := tx.Bucket([]byte(bucketState))
		seq := number(state.Get([]byte(keySeq))) + 1
		e, err := build(seq)
		if err != nil {
			return err
		}
		if e.Header.Seq >= seq {
			if err := state.Put([]byte(keySeq), binary.BigEndian.AppendUint64(nil, e.Header.Seq)); err != nil {
				return err
			}
		}
		return q.insert(tx, e)
	})
	if isNoSpace(err) {
		return ErrFull
	}
	if err == nil {
		q.signal()
	}
	return err
}

func (q *Queue) insert(tx *bolt.Tx, e *wire.Envelope) error {
	id := []byte(e.Header.ID)
	if old := tx.Bucket([]byte(bucketBody)).Get(id); old != nil {
		if sha256.Sum256(old) == e.Digest {
			return nil
		}
		return ErrDuplicate
	}
	if err := tx.Bucket([]byte(bucketBody)).Put(id, e.Bytes); err != nil {
		return err
	}
	return q.enqueue(tx, e.Header.ID, e.Digest)
}

// enqueue makes the entry of a body that is in the file already.
func (q *Queue) enqueue(tx *bolt.Tx, id string, digest [32]byte) error {
	index := tx.Bucket([]byte(bucketIndex))
	n, err := index.NextSequence()
	if err != nil {
		return err
	}
	order := binary.BigEndian.AppendUint64(nil, n)
	fact := append([]byte(nil), digest[:]...)
	fact = binary.BigEndian.AppendUint64(fact, uint64(q.opt.Now().UnixMilli())) //nolint:gosec // after 1970
	return errors.Join(
		index.Put(order, append(fact, id...)),
		tx.Bucket([]byte(bucketOrder)).Put([]byte(id), order),
	)
}

// NextSeq is the sequence number that the next PutNext will use.
func (q *Queue) NextSeq() (seq uint64, err error) {
	err = q.guard(func() error {
		return q.db.View(func(tx *bolt.Tx) error {
			seq = number(tx.Bucket([]byte(bucketState)).Get([]byte(keySeq))) + 1
			return nil
		})
	})
	return seq, err
}

// Peek gives the envelope that has waited longest; ok is false when none waits. A *DamagedError names a record whose
// bytes are not those that were stored.
func (q *Queue) Peek() (item Item, ok bool, err error) {
	err = q.guard(func() error {
		return q.db.View(func(tx *bolt.Tx) error {
			order, fact := tx.Bucket([]byte(bucketIndex)).Cursor().First()
			if order == nil {
				return nil
			}
			order = append([]byte(nil), order...)
			if len(fact) <= indexHead {
				return &DamagedError{order: order}
			}
			ok = true
			item.ID = string(fact[indexHead:])
			item.Queued = millis(fact[32:indexHead])
			copy(item.Digest[:], fact)
			body := tx.Bucket([]byte(bucketBody)).Get([]byte(item.ID))
			if sha256.Sum256(body) != item.Digest {
				return &DamagedError{ID: item.ID, order: order}
			}
			item.Envelope = append([]byte(nil), body...)
			return nil
		})
	})
	return item, ok, err
}

// Delete removes an envelope. It takes nothing but a verified receipt for exactly the bytes stored.
func (q *Queue) Delete(r wire.VerifiedReceipt) error {
	if !r.Valid() {
		return ErrReceipt
	}
	id := []byte(r.Receipt().ID)
	return q.update(func(tx *bolt.Tx) error {
		order := tx.Bucket([]byte(bucketOrder)).Get(id)
		fact := tx.Bucket([]byte(bucketIndex)).Get(order)
		if order == nil || len(fact) <= indexHead {
			return ErrUnknown
		}
		if [32]byte(fact[:32]) != r.Receipt().Digest {
			return ErrReceipt
		}
		return errors.Join(
			tx.Bucket([]byte(bucketIndex)).Delete(order),
			tx.Bucket([]byte(bucketOrder)).Delete(id),
			tx.Bucket([]byte(bucketBody)).Delete(id),
		)
	})
}

// Shelve takes an envelope out of the way of the others and keeps it, with a code that says why.
func (q *Queue) Shelve(id, code string) error {
	return q.update(func(tx *bolt.Tx) error {
		order := tx.Bucket([]byte(bucketOrder)).Get([]byte(id))
		if order == nil {
			return ErrUnknown
		}
		return q.shelve(tx, id, code, order)
	})
}

// ShelveDamaged does the same for what Peek could not read, under the code "damaged". Whatever is left of the body
// stays in the file.
func (q *Queue) ShelveDamaged(e *DamagedError) error {
	id := e.ID
	if !record.ValidID(id) {
		id = fmt.Sprintf("entry-%d", number(e.order))
	}
	return q.update(func(tx *bolt.Tx) error { return q.shelve(tx, id, "damaged", e.order) })
}

func (q *Queue) shelve(tx *bolt.Tx, id, code string, order []byte) error {
	note := binary.BigEndian.AppendUint64(nil, uint64(q.opt.Now().UnixMilli())) //nolint:gosec // after 1970
	return errors.Join(
		tx.Bucket([]byte(bucketShelf)).Put([]byte(id), append(note, code...)),
		tx.Bucket([]byte(bucketIndex)).Delete(order),
		tx.Bucket([]byte(bucketOrder)).Delete([]byte(id)),
	)
}

// Unshelve puts an envelope back at the end of the queue, after people removed the cause.
func (q *Queue) Unshelve(id string) error {
	err := q.update(func(tx *bolt.Tx) error {
		body := tx.Bucket([]byte(bucketBody)).Get([]byte(id))
		if body == nil || tx.Bucket([]byte(bucketShelf)).Get([]byte(id)) == nil {
			return ErrUnknown
		}
		if err := tx.Bucket([]byte(bucketShelf)).Delete([]byte(id)); err != nil {
			return err
		}
		return q.enqueue(tx, id, sha256.Sum256(body))
	})
	if err == nil {
		q.signal()
	}
	return err
}

// Shelf lists what is on the shelf, by id.
func (q *Queue) Shelf() (list []Shelved, err error) {
	err = q.guard(func() error {
		return q.db.View(func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(bucketShelf)).ForEach(func(id, note []byte) error {
				if len(note) >= 8 {
					list = append(list, Shelved{ID: string(id), At: millis(note[:8]), Code: string(note[8:])})
				}
				return nil
			})
		})
	})
	return list, err
}

// Stats gives the levels; it reads no disk.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}

// Wake is readable after a Put. It never holds more than one signal.
func (q *Queue) Wake() <-chan struct{} { return q.wake }

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // one is pending, which is enough
	}
}

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func millis(b []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC() //nolint:gosec // written by insert
}
