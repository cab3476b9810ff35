// Package queue is the kiosk's outbox: sealed envelopes wait here, durably, until HQ's receipt is verified. It holds
// ciphertext and routing data only. Nothing is ever dropped: an envelope leaves by a verified receipt, or goes to the
// shelf, where people see it.
//
// A queue is a directory. The bodies lie in flat segment files (package segment), which are dropped whole once every
// record in them has its receipt; a small bbolt file is the index. A record is stored when its body is on the disk and
// then the index has it, in this order: a body that the index does not know was never acknowledged, and is cut off.
// bbolt has no checksums over its data and trusts its pages, so every value of the index carries a CRC, every body its
// SHA-256, and the index is checked before it is used; one that fails is set aside, and a new one is made from the
// segments, which describe themselves. Only storage/... and daemon/... may import it.
package queue

import (
	"crypto/sha256"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"madoguchi/storage/queue/segment"
	"madoguchi/storage/wire"
)

// Errors of the queue.
var (
	ErrFull      = errors.New("queue: no room for another record") // refuse new customers
	ErrDuplicate = errors.New("queue: another envelope of this id is waiting")
	ErrUnknown   = errors.New("queue: no such record")
	ErrReceipt   = errors.New("queue: the receipt does not prove that HQ has this envelope")
	ErrInUse     = errors.New("queue: the directory is in use by another process")
)

// DamagedError says that what was read is not what was stored. What is left of it is still there; shelve it.
type DamagedError struct {
	ID  string
	raw []byte // what was read
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
	Bytes       int64     // on disk: segments that hold waiting records, and the shelf
	Quarantined string    // path of a broken file that had to be set aside; empty when all is well
}

// Queue is an open outbox. It is safe for concurrent use.
type Queue struct {
	dir  string
	opt  Options
	lock *os.File
	wake chan struct{}

	mu         sync.Mutex // guards all that follows, and the files
	db         *bolt.DB
	st         state             // as committed
	segs       map[uint64]extent // as committed
	w          writing
	readFile   *os.File
	readNumber uint64
	sick       error    // why the index must be opened anew before its next use
	unwanted   []string // records whose Put failed, though the index may have them
	aside      string
	generation int // counts the rebuilds: places in segments remembered from before mean nothing after one

	failing atomic.Bool // the last attempt to write failed
	levels  atomic.Pointer[Stats]
}

// Put stores an envelope durably: when it returns nil, the envelope survives a power cut. The same envelope twice
// is stored once.
func (q *Queue) Put(e *wire.Envelope) error {
	return q.PutNext(func(uint64) (*wire.Envelope, error) { return e, nil })
}

// PutNext allots the device's next sequence number, lets build make the envelope with it, and stores both: a number is
// used exactly when its envelope is stored.
func (q *Queue) PutNext(build func(seq uint64) (*wire.Envelope, error)) error {
	if err := q.EnsureRoom(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.ready(); err != nil {
		return err
	}
	e, err := build(q.st.Seq + 1)
	if err != nil {
		return err
	}
	known, err := q.knows(e.Header.ID, e.Digest)
	if err != nil || known {
		return err
	}
	err = q.store([]incoming{{
		id: e.Header.ID, seq: e.Header.Seq, queued: q.opt.Now(), digest: e.Digest, body: e.Bytes, device: e.Header.Device,
	}})
	if isNoSpace(err) {
		return ErrFull
	}
	return err
}

// store writes records and enters them in the index, all or none.
func (q *Queue) store(list []incoming) error {
	err := q.enter(list, func(t *tx, entries []entry) error {
		for _, e := range entries {
			if err := t.add(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && q.sick != nil {
		for _, r := range list {
			q.unwanted = append(q.unwanted, r.id)
		}
	}
	return err
}

// enter writes bodies and then commits; what the index does not have in the end is taken off again.
func (q *Queue) enter(list []incoming, change func(*tx, []entry) error) error {
	before, generation := q.w, q.generation
	entries, err := q.write(list)
	if err == nil {
		if err = q.ready(); err == nil { // the emergency blocks are for those who leave, not for those who come
			err = q.update(func(t *tx) error { return change(t, entries) })
		}
		if err != nil && q.sick != nil && q.ready() == nil && q.holds(entries) {
			err = nil // the commit reported a failure, and yet the index, made durable anew, has it
		}
	}
	q.failing.Store(err != nil && !errors.Is(err, ErrUnknown))
	switch {
	case err == nil:
		for _, e := range entries {
			q.note(segment.Committed, e.ID)
		}
		q.signal()
	case q.sick != nil:
		q.w.day = -1 // the index may have them or not: nothing may be written over them
	case q.generation == generation:
		q.rewind(before)
	}
	return err
}

// holds says whether the index has all of these.
func (q *Queue) holds(entries []entry) bool {
	return q.view(func(t *tx) error {
		for _, want := range entries {
			if _, got, err := t.find(want.ID); err != nil || got != want {
				return errors.Join(ErrUnknown, err)
			}
		}
		return nil
	}) == nil
}

// knows says whether this envelope is in the queue already; another one of its id is ErrDuplicate.
func (q *Queue) knows(id string, digest [32]byte) (known bool, err error) {
	err = q.view(func(t *tx) error {
		_, e, err := t.find(id)
		if err == nil {
			known = true
			if e.Digest != digest {
				return ErrDuplicate
			}
			return nil
		}
		if !errors.Is(err, ErrUnknown) {
			return err
		}
		v, err := t.get(bucketShelf, []byte(id))
		if v == nil || err != nil {
			return err
		}
		known = true
		if n, err := decodeNote(v); err != nil || n.Digest != digest {
			return errors.Join(ErrDuplicate, err)
		}
		return nil
	})
	return known && err == nil, err
}

// NextSeq is the sequence number that the next PutNext will use.
func (q *Queue) NextSeq() (uint64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.ready(); err != nil {
		return 0, err
	}
	return q.st.Seq + 1, nil
}

// Peek gives the envelope that has waited longest; ok is false when none waits. A *DamagedError names a record whose
// bytes are not those that were stored.
func (q *Queue) Peek() (item Item, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var e entry
	for range 2 { // an index that turns out to be damaged is made anew, once
		err = q.view(func(t *tx) error {
			e, ok, err = t.first()
			return err
		})
		if err == nil {
			break
		}
	}
	if err != nil || !ok {
		return Item{}, false, err
	}
	item = Item{ID: e.ID, Digest: e.Digest, Queued: e.queued()}
	item.Envelope, err = q.body(e)
	return item, true, err
}

// Delete removes an envelope. It takes nothing but a verified receipt for exactly the bytes stored.
func (q *Queue) Delete(r wire.VerifiedReceipt) error {
	if !r.Valid() {
		return ErrReceipt
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	id := r.Receipt().ID
	err := q.commit(func(t *tx) error {
		order, e, err := t.find(id)
		if err != nil {
			return err
		}
		if e.Digest != r.Receipt().Digest {
			return ErrReceipt
		}
		return t.remove(order, e)
	})
	if err == nil {
		q.note(segment.Receipted, id)
		if q.st.Waiting%slimEvery == 0 && q.sparse() {
			if err := q.renew(); err != nil && q.db == nil {
				q.sick = err
			}
		}
	}
	return err
}

// slimEvery is after how many receipts the size of the index is looked at.
const slimEvery = 256

// Stats gives the levels; it reads no disk and waits for nobody.
func (q *Queue) Stats() Stats { return *q.levels.Load() }

// Wake is readable after a Put. It never holds more than one signal.
func (q *Queue) Wake() <-chan struct{} { return q.wake }

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // one is pending, which is enough
	}
}

// view reads the index. Damage makes the index sick: the next use begins with another one.
func (q *Queue) view(f func(*tx) error) error {
	if err := q.ready(); err != nil {
		return err
	}
	err := guard(func() error {
		return q.db.View(func(b *bolt.Tx) error { return f(&tx{Tx: b, st: q.st, base: q.segs}) })
	})
	q.diagnose(err)
	return err
}

// commit makes a durable change of the index and brings the levels up to date. On a full disk the emergency blocks are
// given up first.
func (q *Queue) commit(f func(*tx) error) error {
	if err := q.ready(); err != nil {
		return err
	}
	err := q.update(f)
	if isNoSpace(err) && q.giveUpReserve() && q.ready() == nil {
		err = q.update(f)
	}
	return err
}

func (q *Queue) update(f func(*tx) error) error {
	var t *tx
	var refused error
	err := guard(func() error {
		return q.db.Update(func(b *bolt.Tx) error {
			t = &tx{Tx: b, st: q.st, extents: map[uint64]extent{}, base: q.segs}
			if refused = f(t); refused == nil {
				refused = t.save()
			}
			return refused
		})
	})
	if err != nil {
		if refused == nil {
			q.sick = err // a commit that failed in the middle: only the file knows what came of it
			q.failing.Store(true)
		}
		q.diagnose(err)
		return err
	}
	q.st = t.st
	for n, x := range t.extents {
		if x == (extent{}) {
			delete(q.segs, n)
		} else {
			q.segs[n] = x
		}
	}
	q.unlink(t.gone)
	q.publish()
	return nil
}

// diagnose notes damage of the index.
func (q *Queue) diagnose(err error) {
	var panicked *panicError
	if errors.Is(err, errIndex) || errors.As(err, &panicked) {
		q.sick = err
	}
}

// publish sets the levels, after a commit or at Open.
func (q *Queue) publish() {
	s := Stats{
		Waiting: int(q.st.Waiting), Shelved: int(q.st.Shelved), Bytes: int64(q.st.ShelfBytes), Quarantined: q.aside, //nolint:gosec // counts
	}
	for _, x := range q.segs {
		if x.Live > 0 {
			s.Bytes += int64(x.Size) //nolint:gosec // sizes of files
		}
	}
	if s.Waiting > 0 {
		err := guard(func() error {
			return q.db.View(func(b *bolt.Tx) error {
				e, ok, err := (&tx{Tx: b}).first()
				if ok {
					s.Oldest = e.queued()
				}
				return err
			})
		})
		q.diagnose(err)
	}
	q.levels.Store(&s)
}

// sum is the digest of a body.
func sum(b []byte) [32]byte { return sha256.Sum256(b) }
