// Package audit is the kiosk's audit log: an append-only Merkle log (RFC 6962) in one flat file, with checkpoints
// signed by the device key (C2SP tlog-checkpoint), and the witness that HQ keeps against it. A leaf cannot hold
// personal data, by its form. Removing, changing or reordering entries, and rolling the disk back, show at HQ.
// Only storage/... and daemon/... may import it.
package audit

import (
	"bufio"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/storage/record"
)

// Options of a log. All are required.
type Options struct {
	Device string
	Signer crypto.Signer // the device key, ECDSA P-256
	Now    func() time.Time
}

// Log is an open log. It may be used from any goroutine.
type Log struct {
	opt    Options
	origin string
	aside  string

	mu     sync.Mutex
	file   *os.File
	marks  []mark // places to go on from, in order; the end is not among them
	end    mark
	failed error // an fsync that failed: what is on disk is not known until the file is opened again
}

const (
	prefix = "audit-"
	suffix = ".log"
)

// Open opens the log in a directory, or begins one. A file whose inside is damaged is set aside, not deleted, and a
// new log begins under a new origin; Quarantined then says where it is, and that is an alarm, which HQ will raise too.
func Open(dir string, o Options) (*Log, error) {
	if !record.ValidDevice(o.Device) || o.Signer == nil || o.Now == nil {
		return nil, errors.New("audit: Device, Signer and Now are required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(dir)); err != nil { // a directory made just now must survive a power cut
		return nil, err
	}
	path, err := find(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{opt: o}
	if path != "" {
		err := l.open(path)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, ErrDamaged) {
			return nil, err
		}
		l.aside = fmt.Sprintf("%s.broken-%s", path, o.Now().UTC().Format("20060102T150405Z"))
		if err := os.Rename(path, l.aside); err != nil {
			return nil, fmt.Errorf("audit: setting a damaged file aside: %w", err)
		}
	}
	if path, err = begin(dir, o); err != nil {
		return nil, err
	}
	if err := l.open(path); err != nil {
		return nil, err
	}
	if l.aside != "" {
		if _, err := l.Append(Leaf{Kind: Quarantined, Word: "audit-log"}); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// find gives the one log in the directory, or nothing.
func find(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, prefix+"*"+suffix))
	if err != nil || len(names) == 0 {
		return "", err
	}
	if len(names) > 1 {
		return "", fmt.Errorf("audit: %s holds %d logs, and only one can be the right one", dir, len(names))
	}
	return names[0], nil
}

// begin makes a new log's file.
func begin(dir string, o Options) (string, error) {
	raw := make([]byte, epochLen/2)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	epoch := hex.EncodeToString(raw)
	first, err := Leaf{At: o.Now(), Kind: LogBegins}.Bytes()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, prefix+epoch+suffix)
	if err := create(path, Origin(o.Device, epoch), first); err != nil {
		return "", err
	}
	return path, syncDir(dir)
}

func (l *Log) open(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := l.take(f, path); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

func (l *Log) take(f *os.File, path string) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("audit: another process has the log open: %w", err)
	}
	origin, marks, err := scan(f)
	if err != nil {
		return err
	}
	device, epoch, ok := SplitOrigin(origin)
	if !ok || filepath.Base(path) != prefix+epoch+suffix {
		return ErrDamaged
	}
	if device != l.opt.Device {
		return fmt.Errorf("audit: the log in %s is of device %q, this is %q", filepath.Dir(path), device, l.opt.Device)
	}
	last := len(marks) - 1
	if err := f.Truncate(marks[last].offset); err != nil { // a torn frame was never acknowledged
		return err
	}
	l.file, l.origin, l.end, l.marks = f, origin, marks[last], marks[:last]
	return nil
}

// Quarantined is the path of a damaged log that Open set aside, or empty.
func (l *Log) Quarantined() string { return l.aside }

// Origin names the log.
func (l *Log) Origin() string { return l.origin }

// Size is the number of leaves.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end.tree.Size()
}

// Append adds a leaf and returns its index once it is durable. At is filled in when it is zero. After an error of the
// disk the log takes nothing more until it is opened again, except when there was no room, which may pass.
func (l *Log) Append(leaf Leaf) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return 0, l.failed
	}
	if leaf.At.IsZero() {
		leaf.At = l.opt.Now()
	}
	b, err := leaf.Bytes()
	if err != nil {
		return 0, err
	}
	fr := frame(b)
	if _, err := l.file.WriteAt(fr, l.end.offset); err != nil {
		if undo := l.file.Truncate(l.end.offset); undo != nil {
			l.failed = undo
		}
		return 0, fmt.Errorf("audit: %w", err)
	}
	if err := unix.Fdatasync(int(l.file.Fd())); err != nil {
		l.failed = fmt.Errorf("audit: the log could not be made durable: %w", err)
		return 0, l.failed
	}
	index := l.end.tree.Size()
	l.end.tree.Append(b)
	l.end.offset += int64(len(fr))
	if l.end.tree.Size()%markEvery == 0 {
		l.marks = append(l.marks, mark{l.end.offset, l.end.tree.Clone()})
	}
	return index, nil
}

// Batch is a run of leaves with the signed checkpoint of the log at its end: what HQ's witness takes.
type Batch struct {
	From       int64
	Leaves     [][]byte
	Checkpoint []byte
}

// MaxBatch is the most leaves of a batch.
const MaxBatch = 1000

// ErrRange is a beginning beyond the log's end: HQ has seen more than there is, so this log was shrunk.
var ErrRange = errors.New("audit: no such place in the log")

// Batch gives up to MaxBatch leaves from a place on. At the end of the log it has no leaves, only the checkpoint.
func (l *Log) Batch(from int64) (Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from < 0 || from > l.end.tree.Size() {
		return Batch{}, ErrRange
	}
	b := Batch{From: from}
	tree := l.end.tree.Clone()
	if from < tree.Size() {
		tree = Tree{}
		err := l.each(from, func(index int64, before Tree, leaf []byte) bool {
			if index == from {
				tree = before
			}
			tree.Append(leaf)
			b.Leaves = append(b.Leaves, leaf)
			return len(b.Leaves) < MaxBatch
		})
		if err != nil {
			return Batch{}, err
		}
	}
	var err error
	b.Checkpoint, err = Checkpoint{Origin: l.origin, Size: tree.Size(), Root: tree.Root(), At: l.opt.Now()}.Sign(l.opt.Signer)
	return b, err
}

// Checkpoint signs the log as it is now.
func (l *Log) Checkpoint() ([]byte, error) {
	b, _, err := l.CheckpointSize()
	return b, err
}

// CheckpointSize is Checkpoint with the size that it states.
func (l *Log) CheckpointSize() ([]byte, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.end.tree
	b, err := Checkpoint{Origin: l.origin, Size: t.Size(), Root: t.Root(), At: l.opt.Now()}.Sign(l.opt.Signer)
	return b, t.Size(), err
}

// Each reads the log's leaves from a place on, from the disk, with their hashes checked. The log is not written
// meanwhile.
func (l *Log) Each(from int64, visit func(index int64, leaf []byte) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from < 0 || from > l.end.tree.Size() {
		return ErrRange
	}
	return l.each(from, func(index int64, _ Tree, leaf []byte) bool { return visit(index, leaf) })
}

// each reads from the last mark before from; before is the tree before the leaf, for the first leaf visited only.
func (l *Log) each(from int64, visit func(index int64, before Tree, leaf []byte) bool) error {
	if l.file == nil {
		return os.ErrClosed
	}
	at := 0
	for i, m := range slices.Backward(l.marks) {
		if m.tree.Size() <= from {
			at = i
			break
		}
	}
	start := l.marks[at]
	tree := start.tree.Clone()
	r := &reader{end: start.offset}
	r.in = bufio.NewReaderSize(io.NewSectionReader(l.file, start.offset, l.end.offset-start.offset), 1<<16)
	for tree.Size() < l.end.tree.Size() {
		leaf, err := r.next()
		if err != nil {
			return fmt.Errorf("%w: leaf %d", ErrDamaged, tree.Size())
		}
		index := tree.Size()
		var before Tree
		if index == from {
			before = tree.Clone()
		}
		tree.Append(leaf)
		if index >= from && !visit(index, before, leaf) {
			return nil
		}
	}
	if tree.Root() != l.end.tree.Root() {
		return ErrDamaged
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file, l.failed = nil, os.ErrClosed
	return err
}
