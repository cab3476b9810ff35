package queue

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"madoguchi/storage/queue/segment"
	"madoguchi/storage/record"
)

// Codes of the shelf that the queue gives itself.
const (
	CodeDamaged     = "damaged"     // what is on the disk is not what was stored; the bytes are kept
	CodeUnconfirmed = "unconfirmed" // found in a segment without proof that it was acknowledged; see rebuild
)

const suffixShelf = ".rec"

// note is what the index says about a shelved record.
type note struct {
	At     int64 // Unix ms
	Bytes  uint64
	Digest [32]byte // of the envelope; zero for damaged bytes
	Code   string
}

const noteHead = 8 + 8 + 32

func (n note) encode() []byte {
	b := numbers(uint64(n.At), n.Bytes) //nolint:gosec // two's complement both ways
	b = append(b, n.Digest[:]...)
	return append(b, n.Code...)
}

func decodeNote(b []byte) (note, error) {
	if len(b) < noteHead {
		return note{}, errIndex
	}
	return note{
		At: int64(binary.BigEndian.Uint64(b)), Bytes: binary.BigEndian.Uint64(b[8:]), //nolint:gosec // see encode
		Digest: [32]byte(b[16:48]), Code: string(b[noteHead:]),
	}, nil
}

// shelve and unshelve keep the notes in the index.
func (t *tx) shelve(id string, n note) error {
	t.st.Shelved++
	t.st.ShelfBytes += n.Bytes
	return t.put(bucketShelf, []byte(id), n.encode())
}

func (t *tx) unshelve(id string) (n note, err error) {
	v, err := t.get(bucketShelf, []byte(id))
	if err != nil {
		return note{}, err
	}
	if v == nil {
		return note{}, ErrUnknown
	}
	if n, err = decodeNote(v); err != nil {
		return note{}, err
	}
	t.st.Shelved--
	t.st.ShelfBytes -= n.Bytes
	return n, t.drop(bucketShelf, []byte(id))
}

// Shelve takes an envelope out of the way of the others and keeps it, with a code that says why, in a file of its own:
// its segment need not wait for it.
func (q *Queue) Shelve(id, code string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.entry(id)
	if err != nil {
		return err
	}
	body, err := q.body(e)
	if damaged, ok := errors.AsType[*DamagedError](err); ok {
		return q.shelve(e, segment.Damaged, damaged.raw, code)
	}
	if err != nil {
		return err
	}
	return q.shelve(e, segment.Record, body, code)
}

// ShelveDamaged does the same for what Peek could not read, under the code "damaged". The bytes that were found in its
// place are kept.
func (q *Queue) ShelveDamaged(d *DamagedError) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.entry(d.ID)
	if err != nil {
		return err
	}
	return q.shelve(e, segment.Damaged, d.raw, CodeDamaged)
}

func (q *Queue) entry(id string) (e entry, err error) {
	err = q.view(func(t *tx) error {
		_, e, err = t.find(id)
		return err
	})
	return e, err
}

// shelve moves a waiting record: the file first, then the index.
func (q *Queue) shelve(e entry, kind segment.Kind, body []byte, code string) error {
	size, err := q.writeShelf(e, kind, body, code)
	if isNoSpace(err) && q.giveUpReserve() {
		size, err = q.writeShelf(e, kind, body, code)
	}
	if err != nil {
		return err
	}
	n := note{At: q.opt.Now().UnixMilli(), Bytes: size, Digest: e.Digest, Code: code}
	err = q.commit(func(t *tx) error {
		order, now, err := t.find(e.ID)
		if err != nil {
			return err
		}
		return errors.Join(t.remove(order, now), t.shelve(e.ID, n))
	})
	if err == nil {
		q.note(segment.Moved, e.ID)
	}
	return err
}

func (q *Queue) shelfPath(id string) string {
	return filepath.Join(q.dir, nameShelf, id+suffixShelf)
}

// writeShelf writes the file of a shelved record, durably: a frame with the body and one with the code.
func (q *Queue) writeShelf(e entry, kind segment.Kind, body []byte, code string) (size uint64, err error) {
	now := q.opt.Now()
	f := segment.Frame{Kind: kind, Length: uint32(len(body)), Seq: e.Seq, At: e.queued(), Digest: sum(body), ID: e.ID} //nolint:gosec // capped
	b := append(f.Append(nil), body...)
	why := segment.Frame{
		Kind: segment.Reason, Length: uint32(len(code)), Offset: uint64(len(b)), Seq: e.Seq, At: now, Digest: sum([]byte(code)), ID: e.ID, //nolint:gosec // capped
	}
	b = append(why.Append(b), code...)
	return uint64(len(b)), writeFile(q.shelfPath(e.ID), b)
}

// writeFile writes a file durably and whole, or not at all.
func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path+suffixNew, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+suffixNew, path)
	}
	if err != nil {
		_ = os.Remove(path + suffixNew)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// shelfFile is what a file of the shelf says. A damaged one is taken as damaged bytes.
type shelfFile struct {
	frame segment.Frame
	body  []byte
	code  string
	at    time.Time
	size  int64
	whole bool // an envelope that is as it was stored
}

func readShelf(path string) (s shelfFile, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return shelfFile{}, err
	}
	s = shelfFile{size: int64(len(b)), code: CodeDamaged, body: b}
	id := strings.TrimSuffix(filepath.Base(path), suffixShelf)
	f, body, ok := segment.Whole(b)
	s.frame = segment.Frame{ID: id, Seq: f.Seq, At: f.At}
	if !ok || f.ID != id {
		return s, nil
	}
	s.frame, s.body, s.whole = f, body, f.Kind == segment.Record
	if why, code, ok := segment.Whole(b[f.Size():]); ok && why.Kind == segment.Reason {
		s.code, s.at = string(code), why.At
	}
	return s, nil
}

// Unshelve puts an envelope back at the end of the queue, after people removed the cause. One that is damaged stays:
// a *DamagedError.
func (q *Queue) Unshelve(id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.view(func(t *tx) error {
		v, err := t.get(bucketShelf, []byte(id))
		if err == nil && v == nil {
			err = ErrUnknown
		}
		return err
	})
	if err != nil {
		return err
	}
	s, err := readShelf(q.shelfPath(id))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !s.whole || !record.ValidID(id) {
		return &DamagedError{ID: id}
	}
	r := incoming{id: id, seq: s.frame.Seq, queued: q.opt.Now(), digest: s.frame.Digest, body: s.body}
	if err := q.enter([]incoming{r}, func(t *tx, entries []entry) error {
		if _, err := t.unshelve(id); err != nil {
			return err
		}
		return t.add(entries[0])
	}); err != nil {
		return err
	}
	q.dropShelf(id)
	return nil
}

func (q *Queue) dropShelf(id string) {
	_ = os.Remove(q.shelfPath(id))
	_ = syncDir(filepath.Join(q.dir, nameShelf))
}

// Shelf lists what is on the shelf, by id.
func (q *Queue) Shelf() (list []Shelved, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	err = q.view(func(t *tx) error {
		return each(t.Tx, bucketShelf, func(id, v []byte) error {
			n, err := decodeNote(v)
			if err == nil {
				list = append(list, Shelved{ID: string(id), Code: n.Code, At: time.UnixMilli(n.At).UTC()})
			}
			return err
		})
	})
	return list, err
}
