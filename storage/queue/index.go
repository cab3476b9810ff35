package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Buckets of the index. Every value ends with a CRC-32C over key and value, because bbolt has none over its data.
const (
	bucketOrder    = "order"    // order, 8 bytes big-endian -> entry
	bucketIDs      = "ids"      // id -> order
	bucketShelf    = "shelf"    // id -> note
	bucketSegments = "segments" // number -> extent
	bucketState    = "state"    // keyState -> state
	keyState       = "state"
)

func buckets() []string {
	return []string{bucketOrder, bucketIDs, bucketShelf, bucketSegments, bucketState}
}

// errIndex says that the index holds something that we did not write.
var errIndex = errors.New("queue: the index is damaged")

// state is what the index says about the whole.
type state struct {
	Seq        uint64 // last sequence number of the device
	Segment    uint64 // the one being written
	End        uint64 // of the last acknowledged frame in it
	Waiting    uint64
	Shelved    uint64
	ShelfBytes uint64
	Order      uint64 // last one given
}

// extent is what the index says about a segment that holds records.
type extent struct {
	Live uint64 // records in it that nobody has a receipt for
	Size uint64 // bytes
}

// entry is where a waiting record lies.
type entry struct {
	Segment, Offset uint64
	Length          uint32
	Seq             uint64
	Queued          int64 // Unix ms
	Digest          [32]byte
	ID              string
}

const entryHead = 8 + 8 + 4 + 8 + 8 + 32

func (e entry) queued() time.Time { return time.UnixMilli(e.Queued).UTC() }

func (e entry) encode() []byte {
	b := make([]byte, 0, entryHead+len(e.ID)+4)
	b = binary.BigEndian.AppendUint64(b, e.Segment)
	b = binary.BigEndian.AppendUint64(b, e.Offset)
	b = binary.BigEndian.AppendUint32(b, e.Length)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Queued)) //nolint:gosec // two's complement both ways
	b = append(b, e.Digest[:]...)
	return append(b, e.ID...)
}

func decodeEntry(b []byte) (entry, error) {
	if len(b) <= entryHead {
		return entry{}, errIndex
	}
	return entry{
		Segment: binary.BigEndian.Uint64(b), Offset: binary.BigEndian.Uint64(b[8:]), Length: binary.BigEndian.Uint32(b[16:]),
		Seq: binary.BigEndian.Uint64(b[20:]), Queued: int64(binary.BigEndian.Uint64(b[28:])), //nolint:gosec // see encode
		Digest: [32]byte(b[36:68]), ID: string(b[entryHead:]),
	}, nil
}

// numbers encodes and decodes a list of numbers.
func numbers(list ...uint64) []byte {
	var b []byte
	for _, n := range list {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func split(b []byte, into ...*uint64) error {
	if len(b) != 8*len(into) {
		return errIndex
	}
	for i, p := range into {
		*p = binary.BigEndian.Uint64(b[8*i:])
	}
	return nil
}

// tx is one transaction on the index with the state that it leads to.
type tx struct {
	*bolt.Tx
	st      state
	extents map[uint64]extent // touched
	base    map[uint64]extent // as committed
	gone    []uint64          // segments that hold nothing any more once this is committed
}

// put writes a value with its CRC.
func (t *tx) put(bucket string, key, value []byte) error {
	b := t.Bucket([]byte(bucket))
	if b == nil {
		return errIndex
	}
	if bucket != bucketShelf && bucket != bucketState {
		b.FillPercent = 0.9 // keys come in ascending order
	}
	return b.Put(key, binary.BigEndian.AppendUint32(value, seal(key, value)))
}

// get reads a value and checks its CRC; nil when the key is not there.
func (t *tx) get(bucket string, key []byte) ([]byte, error) {
	b := t.Bucket([]byte(bucket))
	if b == nil {
		return nil, errIndex
	}
	v := b.Get(key)
	if v == nil {
		return nil, nil
	}
	return open(key, v)
}

// open checks and takes off the CRC of a value.
func open(key, v []byte) ([]byte, error) {
	if len(v) < 4 {
		return nil, errIndex
	}
	value := v[:len(v)-4]
	if binary.BigEndian.Uint32(v[len(v)-4:]) != seal(key, value) {
		return nil, errIndex
	}
	return value, nil
}

func seal(key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, value)
}

func (t *tx) drop(bucket string, key []byte) error {
	b := t.Bucket([]byte(bucket))
	if b == nil {
		return errIndex
	}
	return b.Delete(key)
}

// load reads the state and the extents; for an index that was checked.
func (t *tx) load() error {
	v, err := t.get(bucketState, []byte(keyState))
	if err != nil || v == nil {
		return errors.Join(errIndex, err)
	}
	s := &t.st
	if err := split(v, &s.Seq, &s.Segment, &s.End, &s.Waiting, &s.Shelved, &s.ShelfBytes, &s.Order); err != nil {
		return err
	}
	t.base = map[uint64]extent{}
	b := t.Bucket([]byte(bucketSegments))
	if b == nil {
		return errIndex
	}
	return b.ForEach(func(k, v []byte) error {
		var n uint64
		var x extent
		value, err := open(k, v)
		if err := errors.Join(err, split(k, &n), split(value, &x.Live, &x.Size)); err != nil {
			return errIndex
		}
		t.base[n] = x
		return nil
	})
}

// save writes the state and the touched extents.
func (t *tx) save() error {
	for n, x := range t.extents {
		if x == (extent{}) {
			if err := t.drop(bucketSegments, numbers(n)); err != nil {
				return err
			}
		} else if err := t.put(bucketSegments, numbers(n), numbers(x.Live, x.Size)); err != nil {
			return err
		}
	}
	s := t.st
	return t.put(bucketState, []byte(keyState), numbers(s.Seq, s.Segment, s.End, s.Waiting, s.Shelved, s.ShelfBytes, s.Order))
}

func (t *tx) extent(n uint64) extent {
	if x, ok := t.extents[n]; ok {
		return x
	}
	return t.base[n]
}

// add enters a record that lies in a segment, at the end of the order.
func (t *tx) add(e entry) error {
	t.st.Order++
	t.st.Waiting++
	t.st.Seq = max(t.st.Seq, e.Seq)
	end := e.Offset + frameSize(e.Length)
	x := t.extent(e.Segment)
	t.extents[e.Segment] = extent{Live: x.Live + 1, Size: max(x.Size, end)}
	if e.Segment > t.st.Segment || e.Segment == t.st.Segment && end > t.st.End {
		if old, ok := t.base[t.st.Segment]; ok && e.Segment > t.st.Segment && t.extent(t.st.Segment).Live == 0 && old.Live == 0 {
			t.release(t.st.Segment)
		}
		t.st.Segment, t.st.End = e.Segment, end
	}
	order := numbers(t.st.Order)
	return errors.Join(t.put(bucketOrder, order, e.encode()), t.put(bucketIDs, []byte(e.ID), append([]byte(nil), order...)))
}

// find gives the entry of a waiting record; ErrUnknown when there is none.
func (t *tx) find(id string) (order []byte, e entry, err error) {
	order, err = t.get(bucketIDs, []byte(id))
	if err != nil {
		return nil, entry{}, err
	}
	if order == nil {
		return nil, entry{}, ErrUnknown
	}
	e, err = t.at(order)
	if err == nil && e.ID != id {
		err = errIndex
	}
	return order, e, err
}

func (t *tx) at(order []byte) (entry, error) {
	v, err := t.get(bucketOrder, order)
	if err != nil || v == nil {
		return entry{}, errIndex
	}
	return decodeEntry(v)
}

// remove takes a waiting record out. A segment that holds no other goes, but for the one being written.
func (t *tx) remove(order []byte, e entry) error {
	x := t.extent(e.Segment)
	if x.Live == 0 || t.st.Waiting == 0 {
		return errIndex
	}
	x.Live--
	t.extents[e.Segment] = x
	if x.Live == 0 && e.Segment != t.st.Segment {
		t.release(e.Segment)
	}
	t.st.Waiting--
	order = append([]byte(nil), order...)
	return errors.Join(t.drop(bucketOrder, order), t.drop(bucketIDs, []byte(e.ID)))
}

func (t *tx) release(n uint64) {
	t.extents[n] = extent{}
	t.gone = append(t.gone, n)
}

// first is the record that has waited longest; ok is false when none waits.
func (t *tx) first() (e entry, ok bool, err error) {
	b := t.Bucket([]byte(bucketOrder))
	if b == nil {
		return entry{}, false, errIndex
	}
	k, v := b.Cursor().First()
	if k == nil {
		return entry{}, false, nil
	}
	value, err := open(k, v)
	if err != nil {
		return entry{}, false, err
	}
	e, err = decodeEntry(value)
	return e, err == nil, err
}

// create makes the buckets and the state of a new index.
func create(db *bolt.DB, st state, fill func(*tx) error) error {
	return db.Update(func(b *bolt.Tx) error {
		for _, name := range buckets() {
			if _, err := b.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		t := &tx{Tx: b, st: st, extents: map[uint64]extent{}, base: map[uint64]extent{}}
		if err := fill(t); err != nil {
			return err
		}
		return t.save()
	})
}

// verify walks the whole index and compares everything in it with everything else.
func verify(b *bolt.Tx) error {
	t := &tx{Tx: b}
	if err := t.load(); err != nil {
		return err
	}
	live := map[uint64]uint64{}
	var waiting, shelved, shelf uint64
	err := each(b, bucketOrder, func(k, v []byte) error {
		e, err := decodeEntry(v)
		if err != nil {
			return err
		}
		back, err := t.get(bucketIDs, []byte(e.ID))
		x := t.base[e.Segment]
		if err != nil || string(back) != string(k) || e.Offset+frameSize(e.Length) > x.Size || e.Seq > t.st.Seq ||
			len(k) != 8 || binary.BigEndian.Uint64(k) > t.st.Order {
			return fmt.Errorf("%w: an entry", errIndex)
		}
		live[e.Segment]++
		waiting++
		return nil
	})
	if err != nil {
		return err
	}
	var ids uint64
	if err := each(b, bucketIDs, func([]byte, []byte) error { ids++; return nil }); err != nil {
		return err
	}
	if err := each(b, bucketShelf, func(_, v []byte) error {
		n, err := decodeNote(v)
		shelved++
		shelf += n.Bytes
		return err
	}); err != nil {
		return err
	}
	if waiting != t.st.Waiting || ids != waiting || shelved != t.st.Shelved || shelf != t.st.ShelfBytes {
		return fmt.Errorf("%w: its sums", errIndex)
	}
	for n, x := range t.base {
		if x.Live != live[n] || n > t.st.Segment {
			return fmt.Errorf("%w: a segment's sum", errIndex)
		}
	}
	return nil
}

func each(b *bolt.Tx, bucket string, f func(k, v []byte) error) error {
	bk := b.Bucket([]byte(bucket))
	if bk == nil {
		return errIndex
	}
	return bk.ForEach(func(k, v []byte) error {
		value, err := open(k, v)
		if err != nil {
			return err
		}
		return f(k, value)
	})
}

func millis(b []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC() //nolint:gosec // two's complement both ways
}
