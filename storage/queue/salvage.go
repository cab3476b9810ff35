package queue

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"madoguchi/storage/wire"
)

// Salvaged is what a search of a broken file came to.
type Salvaged struct {
	Found   int // whole envelopes, each counted once
	Added   int // of them written or queued: the others were there already
	Refused int // whole, but not accepted by the caller's judge
	Spoiled int // places where an envelope begins that is not whole
	MaxSeq  uint64
}

// Salvage reads a file that was set aside (an index, a segment, a file of the shelf, or a queue of the older format),
// finds every whole envelope in it by its own magic, lengths and hashes, and writes each to dir/<id>-<digest>.envelope.
// Files that are there already stay as they are. It reads the whole file, and changes nothing in it.
func Salvage(path, dir string) (Salvaged, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Salvaged{}, err
	}
	var out Salvaged
	seen := map[[32]byte]bool{}
	spoiled, err := envelopes(path, func(e *wire.Envelope) error {
		if seen[e.Digest] {
			return nil
		}
		seen[e.Digest] = true
		out.Found++
		out.MaxSeq = max(out.MaxSeq, e.Header.Seq)
		name := filepath.Join(dir, fmt.Sprintf("%s-%x.envelope", e.Header.ID, e.Digest[:8]))
		if _, err := os.Stat(name); err == nil {
			return nil
		}
		out.Added++
		return writeFile(name, e.Bytes)
	})
	out.Spoiled = spoiled
	return out, err
}

// Requeue is Salvage into the queue itself: every whole envelope of the file that judge accepts and that is neither
// waiting nor on the shelf is queued. HQ takes those that it has as duplicates. judge should verify the device's
// signature (wire.Envelope.VerifyDevice); nil accepts all. Another envelope under a known id is counted as refused.
func (q *Queue) Requeue(path string, judge func(*wire.Envelope) error) (Salvaged, error) {
	var out Salvaged
	seen := map[[32]byte]bool{}
	spoiled, err := envelopes(path, func(e *wire.Envelope) error {
		if seen[e.Digest] {
			return nil
		}
		seen[e.Digest] = true
		out.Found++
		out.MaxSeq = max(out.MaxSeq, e.Header.Seq)
		q.mu.Lock() // for one at a time: customers do not wait for a long file
		defer q.mu.Unlock()
		known, err := q.knows(e.Header.ID, e.Digest)
		switch {
		case errors.Is(err, ErrDuplicate), err == nil && judge != nil && judge(e) != nil:
			out.Refused++
		case err != nil:
			return err
		case !known:
			if err := q.storeParsed(e); err != nil {
				return err
			}
			out.Added++
		}
		return nil
	})
	out.Spoiled = spoiled
	if isNoSpace(err) {
		err = ErrFull
	}
	return out, err
}

// Salvage is Requeue for all that a file holds; it gives how many were queued.
func (q *Queue) Salvage(path string) (int, error) {
	s, err := q.Requeue(path, nil)
	return s.Added, err
}

func (q *Queue) storeParsed(e *wire.Envelope) error {
	return q.store([]incoming{{
		id: e.Header.ID, seq: e.Header.Seq, queued: q.opt.Now(), digest: e.Digest, body: bytes.Clone(e.Bytes), device: e.Header.Device,
	}})
}

// envelopes calls visit for every whole envelope in a file, in the order of their places; it counts the places where
// one begins and is not whole. It holds a few MiB at a time. Bad blocks read as zeros.
func envelopes(path string, visit func(*wire.Envelope) error) (spoiled int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("queue: %s is not a file", filepath.Base(path))
	}
	const window = 2 * wire.MaxEnvelope
	for at := int64(0); at < info.Size(); {
		b, err := readTolerant(f, at, min(window, info.Size()-at))
		if err != nil && !isBadBlock(err) {
			return spoiled, err
		}
		i := bytes.Index(b, wire.Magic())
		switch {
		case i < 0:
			at += int64(max(len(b)-len(wire.Magic())+1, 1))
			continue
		case i > len(b)-wire.MaxEnvelope && at+int64(len(b)) < info.Size():
			at += int64(i) // read on from here, so that a whole one fits
			continue
		}
		e, err := wire.ParsePrefix(b[i:])
		if err != nil {
			spoiled++
			at += int64(i) + 1
			continue
		}
		if err := visit(e); err != nil {
			return spoiled, err
		}
		at += int64(i + len(e.Bytes))
	}
	return spoiled, nil
}

func isBadBlock(err error) bool { return errors.Is(err, unix.EIO) }
