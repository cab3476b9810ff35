package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"madoguchi/storage/queue/segment"
	"madoguchi/storage/record"
)

// smallest is fewer bytes than any envelope takes with its frame: so many records at most lie in a damaged stretch.
const smallest = 512

// rebuilding is an index being made from the segments and the shelf.
type rebuilding struct {
	q       *Queue
	waiting map[string]placed
	shelf   map[string]note
	damage  []damage
	sizes   map[uint64]uint64
	seq     uint64
	blind   uint64 // numbers that may have been used in stretches that cannot be read
	last    string // id of a record with nothing behind it, as yet
	n       int    // place of the next record
}

type placed struct {
	entry
	n int
}

// damage is a stretch of a segment that is not what was written.
type damage struct {
	segment  uint64
	from, to int64
	frame    segment.Frame
}

// rebuild makes the index from the segments and the shelf, and puts it in its place. A record that is the last thing in
// its segment may never have been acknowledged, for a note or another record follows those that were: it goes to the
// shelf as CodeUnconfirmed. Damaged stretches go to the shelf too, with their bytes.
func (q *Queue) rebuild() error {
	r := &rebuilding{q: q, waiting: map[string]placed{}, shelf: map[string]note{}, sizes: map[uint64]uint64{}}
	if err := r.readShelves(); err != nil {
		return err
	}
	list, err := segmentNumbers(q.dir)
	if err != nil {
		return err
	}
	for _, n := range list {
		if err := r.read(n); err != nil {
			return err
		}
	}
	if err := r.keepDamage(); err != nil {
		return err
	}
	q.generation++
	q.closeWriting()
	q.w = writing{}
	if len(list) > 0 {
		q.w.number = list[len(list)-1]
	}
	st, extents, err := r.write()
	if err != nil {
		return err
	}
	for _, n := range list {
		if extents[n].Live == 0 && n != st.Segment {
			q.unlink([]uint64{n})
		}
	}
	return nil
}

func (r *rebuilding) readShelves() error {
	list, err := os.ReadDir(filepath.Join(r.q.dir, nameShelf))
	if err != nil {
		return err
	}
	for _, d := range list {
		id, ok := strings.CutSuffix(d.Name(), suffixShelf)
		if !ok {
			continue
		}
		s, err := readShelf(r.q.shelfPath(id))
		if err != nil {
			return err
		}
		n := note{At: s.at.UnixMilli(), Bytes: uint64(s.size), Code: s.code} //nolint:gosec // a size
		if s.whole {
			n.Digest = s.frame.Digest
		}
		r.shelf[id] = n
		r.seq = max(r.seq, s.frame.Seq)
	}
	return nil
}

// readSegment reads a whole segment; bad blocks are zeros.
func readSegment(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b, bad := readTolerant(f, 0, info.Size())
	if bad != nil && !errors.Is(bad, unix.EIO) {
		return nil, bad
	}
	return b, nil
}

func (r *rebuilding) read(n uint64) error {
	b, err := readSegment(r.q.segmentPath(n))
	if err != nil {
		return err
	}
	if h, ok := segment.ParseHeader(b); ok {
		r.used(h.Floor)
	} else if len(b) > 0 {
		r.blind++
	}
	r.last = ""
	err = segment.Scan(b, 0, n, func(p segment.Piece) error {
		r.visit(n, p)
		return nil
	})
	r.sizes[n] = uint64(len(b))
	if r.last == "" || err != nil {
		return err
	}
	p := r.waiting[r.last]
	body := b[p.Offset+segment.HeaderSize : p.Offset+frameSize(p.Length)]
	delete(r.waiting, r.last)
	return r.shelve(p.entry, segment.Record, body, CodeUnconfirmed)
}

// used notes a sequence number that was used, and that all before it are accounted for.
func (r *rebuilding) used(seq uint64) {
	if seq > r.seq {
		r.seq, r.blind = seq, 0
	}
}

func (r *rebuilding) visit(n uint64, p segment.Piece) {
	f := p.Frame
	if !p.Whole {
		r.damage = append(r.damage, damage{segment: n, from: p.From, to: p.To, frame: f})
		r.blind += uint64(p.To-p.From)/smallest + 1 //nolint:gosec // positive
		return
	}
	r.used(f.Seq)
	r.last = ""
	switch f.Kind {
	case segment.Record:
		if s, ok := r.shelf[f.ID]; ok && s.Digest == f.Digest {
			return // moved there
		}
		r.n++
		r.last = f.ID
		r.waiting[f.ID] = placed{n: r.n, entry: entry{
			Segment: n, Offset: f.Offset, Length: f.Length, Seq: f.Seq, Queued: f.At.UnixMilli(), Digest: f.Digest, ID: f.ID,
		}}
	case segment.Receipted:
		delete(r.waiting, f.ID)
	case segment.Committed, segment.Moved, segment.Damaged, segment.Reason:
	}
}

// keepDamage puts the damaged stretches on the shelf. One whose record is whole elsewhere is dropped.
func (r *rebuilding) keepDamage() error {
	for _, d := range r.damage {
		id := d.frame.ID
		if !record.ValidID(id) {
			id = fmt.Sprintf("piece-%x-%x", d.segment, d.from)
		}
		_, waits := r.waiting[id]
		if _, ok := r.shelf[id]; ok || waits {
			continue
		}
		b, err := readSegment(r.q.segmentPath(d.segment))
		if err != nil {
			return err
		}
		e := entry{ID: id, Seq: d.frame.Seq, Queued: r.q.opt.Now().UnixMilli()}
		if err := r.shelve(e, segment.Damaged, b[d.from:d.to], CodeDamaged); err != nil {
			return err
		}
	}
	return nil
}

func (r *rebuilding) shelve(e entry, kind segment.Kind, body []byte, code string) error {
	size, err := r.q.writeShelf(e, kind, body, code)
	if isNoSpace(err) && r.q.giveUpReserve() {
		size, err = r.q.writeShelf(e, kind, body, code)
	}
	r.shelf[e.ID] = note{At: r.q.opt.Now().UnixMilli(), Bytes: size, Digest: e.Digest, Code: code}
	return err
}

// write makes the file of the index and puts it in its place.
func (r *rebuilding) write() (state, map[uint64]extent, error) {
	path := r.q.path() + suffixNew
	_ = os.Remove(path)
	all := make([]placed, 0, len(r.waiting))
	for _, p := range r.waiting {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b placed) int { return a.n - b.n })
	var st state
	var extents map[uint64]extent
	err := guard(func() error {
		db, err := bolt.Open(path, 0o600, boltOptions(r.q.opt.Wait))
		if err != nil {
			return err
		}
		err = create(db, state{Seq: r.seq + r.blind}, func(t *tx) error {
			err := r.fill(t, all)
			st, extents = t.st, t.extents
			return err
		})
		return errors.Join(err, db.Close(), pad(path))
	})
	if err == nil {
		err = errors.Join(os.Rename(path, r.q.path()), syncDir(r.q.dir))
	}
	if err != nil {
		_ = os.Remove(path)
		return state{}, nil, fmt.Errorf("queue: making the index: %w", err)
	}
	return st, extents, nil
}

func (r *rebuilding) fill(t *tx, all []placed) error {
	for _, p := range all {
		if err := t.add(p.entry); err != nil {
			return err
		}
	}
	for id, n := range r.shelf {
		if err := t.shelve(id, n); err != nil {
			return err
		}
	}
	if last := r.q.w.number; last > 0 { // it stays even when it holds nothing: the numbers used are told in it
		t.st.Segment, t.st.End = last, r.sizes[last]
		x := t.extent(last)
		t.extents[last] = extent{Live: x.Live, Size: r.sizes[last]}
	}
	return nil
}
