package queue

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/storage/queue/segment"
)

// Names in the directory of a queue.
const (
	nameIndex   = "index.db"
	nameLock    = "lock"
	nameSpare   = "spare"   // blocks for the next segment
	nameReserve = "reserve" // blocks to give up when the disk is full, so that deleting still works
	nameShelf   = "shelf"
	suffixSeg   = ".seg"
	suffixNew   = ".new"
)

// writing is the segment that takes new records.
type writing struct {
	file   *os.File
	number uint64
	end    int64
	day    int64 // of its making, days of Unix time
	fresh  bool  // holds no record yet
}

// incoming is a record to be stored.
type incoming struct {
	id     string
	seq    uint64
	queued time.Time
	digest [32]byte
	body   []byte
	device string
}

func frameSize(length uint32) uint64 { return segment.HeaderSize + uint64(length) }

func (q *Queue) segmentPath(n uint64) string {
	return filepath.Join(q.dir, fmt.Sprintf("%016x", n)+suffixSeg)
}

// segmentNumbers lists the segment files, ascending.
func segmentNumbers(dir string) ([]uint64, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, d := range list {
		name, ok := strings.CutSuffix(d.Name(), suffixSeg)
		if n, err := strconv.ParseUint(name, 16, 64); ok && err == nil && len(name) == 16 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// write puts the bodies into segments, durably, and gives their entries. It commits nothing: until the index knows
// them, they are orphans, and rewind takes them off.
func (q *Queue) write(list []incoming) ([]entry, error) {
	var out []entry
	for _, r := range list {
		if err := q.makeRoom(r.device, int64(len(r.body))); err != nil {
			return nil, err
		}
		f := segment.Frame{
			Kind: segment.Record, Length: uint32(len(r.body)), Segment: q.w.number, Offset: uint64(q.w.end), //nolint:gosec // capped, positive
			Seq: r.seq, At: r.queued, Digest: r.digest, ID: r.id,
		}
		b := append(f.Append(make([]byte, 0, f.Size())), r.body...)
		if _, err := q.w.file.WriteAt(b, q.w.end); err != nil {
			return nil, err
		}
		q.w.end += f.Size()
		q.w.fresh = false
		out = append(out, entry{
			Segment: f.Segment, Offset: f.Offset, Length: f.Length, Seq: r.seq, Queued: r.queued.UnixMilli(), Digest: r.digest, ID: r.id,
		})
	}
	return out, q.syncWriting()
}

// syncWriting makes what was written durable. After a failed sync nobody knows what of the file is on the disk, and
// the kernel says so only once: the file takes no more records.
func (q *Queue) syncWriting() error {
	if q.w.file == nil {
		return nil
	}
	if err := unix.Fdatasync(int(q.w.file.Fd())); err != nil {
		q.w.day = -1
		return fmt.Errorf("queue: %w", err)
	}
	return nil
}

// makeRoom sees to it that there is a segment for a body of n bytes: another one when this is full or of another day.
func (q *Queue) makeRoom(device string, n int64) error {
	today := q.opt.Now().Unix() / 86400
	w := &q.w
	fits := w.fresh || w.day == today && w.end+segment.HeaderSize+n <= q.opt.SegmentSize
	idle := w.end > q.opt.SegmentSize/4 && q.segs[w.number].Live == 0 && w.number == q.st.Segment // all in it has gone: let it go
	if w.file != nil && w.day != -1 && fits && !idle {
		return nil
	}
	if w.file != nil && w.day != -1 {
		if err := q.syncWriting(); err != nil { // the notes too
			return err
		}
	}
	return q.nextSegment(device, today)
}

// nextSegment makes a segment behind all others.
func (q *Queue) nextSegment(device string, today int64) error {
	number := max(q.w.number, q.st.Segment) + 1
	path := q.segmentPath(number)
	if err := os.Rename(filepath.Join(q.dir, nameSpare), path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	head := segment.Header{Number: number, Floor: q.st.Seq, Made: q.opt.Now(), Device: device}
	_, err = f.WriteAt(head.Append(nil), 0)
	if info, e := f.Stat(); e == nil && info.Size() > segment.HeaderSize { // a spare is empty; what is left of a failed attempt is not
		err = errors.Join(err, f.Truncate(segment.HeaderSize))
	}
	if err == nil {
		_ = preallocate(f, q.opt.SegmentSize) // a smaller disk must do without
		err = errors.Join(f.Sync(), syncDir(q.dir))
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return err
	}
	q.closeWriting()
	q.w = writing{file: f, number: number, end: segment.HeaderSize, day: today, fresh: true}
	q.makeSpare()
	return nil
}

func (q *Queue) closeWriting() {
	if q.w.file != nil {
		_ = q.w.file.Close()
		q.w.file = nil
	}
}

// makeSpare takes blocks for the next segment beforehand. Without them the next segment has to find its own.
func (q *Queue) makeSpare() {
	q.takeBlocks(nameSpare, q.opt.SegmentSize)
}

// rewind takes back what was written behind a place: records that nobody acknowledged.
func (q *Queue) rewind(to writing) {
	if q.w.number == to.number {
		if q.w.file != nil {
			q.w.end, q.w.fresh = to.end, to.fresh
			_ = q.w.file.Truncate(to.end)
			_ = preallocate(q.w.file, q.opt.SegmentSize) // truncating gave the blocks back
		}
		return
	}
	for n := to.number + 1; n < q.w.number; n++ {
		_ = os.Remove(q.segmentPath(n))
	}
	_ = os.Truncate(q.segmentPath(to.number), to.end)
	if q.w.file != nil {
		q.w.end, q.w.fresh = segment.HeaderSize, true
		_ = q.w.file.Truncate(segment.HeaderSize)
	}
}

// note writes a hint for a rebuild behind the records. It is not waited for, and its failure harms nothing.
func (q *Queue) note(kind segment.Kind, id string) {
	if q.w.file == nil || q.w.day == -1 {
		return
	}
	f := segment.Frame{
		Kind: kind, Segment: q.w.number, Offset: uint64(q.w.end), Seq: q.st.Seq, At: q.opt.Now(), //nolint:gosec // positive
		Digest: sha256.Sum256(nil), ID: id,
	}
	if _, err := q.w.file.WriteAt(f.Append(nil), q.w.end); err == nil {
		q.w.end += segment.HeaderSize
	}
}

// body reads the body of an entry and checks its frame and its hash; whatever else is there is a *DamagedError.
func (q *Queue) body(e entry) ([]byte, error) {
	raw, err := q.raw(e)
	if err != nil {
		return nil, err
	}
	f, body, ok := segment.Whole(raw)
	if !ok || f.ID != e.ID || f.Digest != e.Digest || f.Segment != e.Segment || f.Offset != e.Offset {
		return nil, &DamagedError{ID: e.ID, raw: raw}
	}
	return body, nil
}

// raw reads the bytes of an entry's frame: fewer when the file is too short, none when it is not there.
func (q *Queue) raw(e entry) ([]byte, error) {
	f, err := q.reader(e.Segment)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	raw := make([]byte, frameSize(e.Length))
	n, err := f.ReadAt(raw, int64(e.Offset)) //nolint:gosec // guarded by a CRC
	if err == nil || errors.Is(err, io.EOF) {
		return raw[:n], nil
	}
	if errors.Is(err, unix.EIO) { // a bad block: what can still be read is kept
		b, _ := readTolerant(f, int64(e.Offset), int64(len(raw))) //nolint:gosec // see above
		return b, nil
	}
	return nil, err
}

// reader gives the file of a segment for reading; the last one used stays open.
func (q *Queue) reader(n uint64) (*os.File, error) {
	if n == q.w.number && q.w.file != nil {
		return q.w.file, nil
	}
	if q.readFile != nil && q.readNumber == n {
		return q.readFile, nil
	}
	f, err := os.Open(q.segmentPath(n))
	if err != nil {
		return nil, err
	}
	q.closeReader()
	q.readFile, q.readNumber = f, n
	return f, nil
}

func (q *Queue) closeReader() {
	if q.readFile != nil {
		_ = q.readFile.Close()
		q.readFile = nil
	}
}

// unlink drops segments whose last record has gone. One that cannot be dropped now is dropped at the next Open.
func (q *Queue) unlink(numbers []uint64) {
	for _, n := range numbers {
		if q.readFile != nil && q.readNumber == n {
			q.closeReader()
		}
		_ = os.Remove(q.segmentPath(n))
	}
	if len(numbers) > 0 {
		_ = syncDir(q.dir)
		q.takeBlocks(nameReserve, q.opt.Reserve) // should it have been given up
	}
}

// readTolerant reads a stretch of a file with bad blocks: what cannot be read is zero.
func readTolerant(f io.ReaderAt, from, n int64) ([]byte, error) {
	const step = 4096
	b := make([]byte, n)
	var bad error
	for at := int64(0); at < n; at += step {
		k, err := f.ReadAt(b[at:min(at+step, n)], from+at)
		if errors.Is(err, io.EOF) {
			return b[:at+int64(k)], bad
		}
		bad = errors.Join(bad, err)
	}
	return b, bad
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
