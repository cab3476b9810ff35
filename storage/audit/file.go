package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// The file of a log: magic, the origin with its length before it, SHA-256 of all this, then one frame per leaf: length, leaf hash (RFC
// 6962), leaf. Numbers are big-endian and 32 bits long. Nothing is ever changed; a frame torn by a power cut, which
// was never acknowledged, is cut off.
const (
	magic     = "MDGAUD\x00\x01"
	frameHead = 4 + tlog.HashSize
	maxOrigin = 128
)

// ErrDamaged is a file whose inside is not what was written.
var ErrDamaged = errors.New("audit: damaged file")

func header(origin string) []byte {
	b := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(origin))) //nolint:gosec // a short name
	b = append(b, origin...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func frame(leaf []byte) []byte {
	h := tlog.RecordHash(leaf)
	b := binary.BigEndian.AppendUint32(make([]byte, 0, frameHead+len(leaf)), uint32(len(leaf))) //nolint:gosec // capped
	return append(append(b, h[:]...), leaf...)
}

// reader reads a log's file from its beginning.
type reader struct {
	in  *bufio.Reader
	end int64 // offset behind the last good frame
}

// newReader reads the header. An origin that is longer than any of ours is damage.
func newReader(in io.Reader) (*reader, string, error) {
	r := &reader{in: bufio.NewReaderSize(in, 1<<16)}
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r.in, head); err != nil || string(head[:len(magic)]) != magic {
		return nil, "", ErrDamaged
	}
	n := binary.BigEndian.Uint32(head[len(magic):])
	if n > maxOrigin {
		return nil, "", ErrDamaged
	}
	rest := make([]byte, n+sha256.Size)
	if _, err := io.ReadFull(r.in, rest); err != nil {
		return nil, "", ErrDamaged
	}
	origin := string(rest[:n])
	whole := header(origin)
	if !bytes.Equal(whole[len(head):], rest) {
		return nil, "", ErrDamaged
	}
	r.end = int64(len(whole))
	return r, origin, nil
}

// errTorn is a frame that is not whole.
var errTorn = errors.New("audit: torn frame")

// next gives the next leaf, io.EOF at the end, errTorn where no good frame begins.
func (r *reader) next() ([]byte, error) {
	head := make([]byte, frameHead)
	switch n, err := io.ReadFull(r.in, head); {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	n := binary.BigEndian.Uint32(head)
	if n == 0 || n > MaxLeaf {
		return nil, errTorn
	}
	leaf := make([]byte, n)
	switch _, err := io.ReadFull(r.in, leaf); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	if tlog.RecordHash(leaf) != tlog.Hash(head[4:]) {
		return nil, errTorn
	}
	r.end += int64(frameHead) + int64(n)
	return leaf, nil
}

// mark is a place in the file from which reading can go on.
type mark struct {
	offset int64
	tree   Tree
}

// markEvery is the distance of marks, in leaves.
const markEvery = 1024

// scan reads a whole file and gives its marks, the last one at the end. A torn last frame is left behind the end;
// anything else that is wrong is ErrDamaged.
func scan(f *os.File) (origin string, marks []mark, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", nil, err
	}
	r, origin, err := newReader(f)
	if err != nil {
		return "", nil, err
	}
	var tree Tree
	marks = []mark{{offset: r.end}}
	for {
		leaf, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
		case errors.Is(err, errTorn):
			if err := torn(f, r.end, info.Size()); err != nil {
				return "", nil, err
			}
		case err != nil:
			return "", nil, err
		default:
			tree.Append(leaf)
			if tree.Size()%markEvery == 0 {
				marks = append(marks, mark{r.end, tree.Clone()})
			}
			continue
		}
		return origin, append(marks, mark{r.end, tree}), nil
	}
}

// torn tells whether what lies behind the last good frame can be the tail of one write that was never acknowledged: it
// is no longer than a frame, and no good frame begins in it, for that one would have been written after this.
func torn(f io.ReaderAt, from, size int64) error {
	if size-from > frameHead+MaxLeaf {
		return ErrDamaged
	}
	rest := make([]byte, size-from)
	if _, err := f.ReadAt(rest, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for i := 1; i+frameHead < len(rest); i++ {
		n := int(binary.BigEndian.Uint32(rest[i:]))
		if n < 1 || n > MaxLeaf || i+frameHead+n > len(rest) {
			continue
		}
		if tlog.RecordHash(rest[i+frameHead:i+frameHead+n]) == tlog.Hash(rest[i+4:i+frameHead]) {
			return ErrDamaged
		}
	}
	return nil
}

// create makes a new file with its first leaf, durable and whole or not at all.
func create(path, origin string, first []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(slices.Concat(header(origin), frame(first)))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// syncDir makes names durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}
