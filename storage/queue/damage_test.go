package queue_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/storage/queue"
	"madoguchi/storage/queue/segment"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

// small are options under which a few records fill several segments, with the check that a kiosk has.
func small() queue.Options {
	o := options()
	o.SegmentSize = 64 << 10
	o.Check = queue.CheckInChild
	return o
}

// seg is the path of a segment.
func (k *kit) seg(n int) string {
	return filepath.Join(k.path, "000000000000000"+string(rune('0'+n))+".seg")
}

func (k *kit) index() string { return filepath.Join(k.path, "index.db") }

// close closes the queue for a test that works on its files.
func (k *kit) close(t *testing.T) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k.Queue = nil
}

func flip(t *testing.T, path string, at int64, bit byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bit
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// content takes everything out of a queue: the envelopes that come through right, and the shelf before it.
func content(t *testing.T, q *queue.Queue) (came map[string][32]byte, shelf map[string]string) {
	t.Helper()
	came, shelf = map[string][32]byte{}, map[string]string{}
	list, err := q.Shelf()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		shelf[s.ID] = s.Code
	}
	for {
		item, ok, err := q.Peek()
		if damaged, ok := errors.AsType[*queue.DamagedError](err); ok {
			shelf[damaged.ID] = queue.CodeDamaged
			if err := q.ShelveDamaged(damaged); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return came, shelf
		}
		if _, twice := came[item.ID]; twice {
			t.Fatalf("%s came twice", item.ID)
		}
		if sha256.Sum256(item.Envelope) != item.Digest {
			t.Fatalf("%s came with a wrong hash", item.ID)
		}
		came[item.ID] = item.Digest
		if err := q.Shelve(item.ID, "seen"); err != nil {
			t.Fatal(err)
		}
	}
}

// busy fills a queue: waiting ones in several segments, one on the shelf, one receipted.
func busy(t *testing.T) (k *kit, waiting []*wire.Envelope, shelved *wire.Envelope) {
	t.Helper()
	k = newKit(t, small())
	for range 12 {
		waiting = append(waiting, k.put(t, 15000))
	}
	shelved = waiting[3]
	if err := k.Shelve(shelved.Header.ID, "hq-test"); err != nil {
		t.Fatal(err)
	}
	k.drop(t, waiting[7].Header.ID, waiting[7].Digest)
	waiting = append(append(append([]*wire.Envelope{}, waiting[:3]...), waiting[4:7]...), waiting[8:]...)
	return k, waiting, shelved
}

// copyDir copies a queue, so that each trial begins with the same.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(p, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFlippedBitInTheIndex: whatever bit of the index flips, everything that waited comes through unchanged, the shelf
// stays, the numbers do not go back, and the process lives.
func TestFlippedBitInTheIndex(t *testing.T) {
	k, waiting, shelved := busy(t)
	master := k.path
	k.close(t)
	const used = 48 << 10 // the rest of the file holds nothing yet
	k.path = filepath.Join(t.TempDir(), "trial")
	rnd := rand.New(rand.NewPCG(1, 2))
	asides := 0
	for trial := range 80 {
		copyDir(t, master, k.path)
		at := rnd.Int64N(used)
		if trial%2 == 0 { // heads of pages, where the structure is
			at = rnd.Int64N(used/4096)*4096 + rnd.Int64N(80)
		}
		flip(t, k.index(), at, 1<<rnd.IntN(8))
		k.reopen(t, small())
		if k.Stats().Quarantined != "" {
			asides++
			if _, err := os.Stat(k.Stats().Quarantined); err != nil {
				t.Fatal("the broken index was not kept")
			}
		}
		if n, err := k.NextSeq(); n < 13 || err != nil {
			t.Fatalf("trial %d at %d: the number went back to %d, %v", trial, at, n, err)
		}
		came, shelf := content(t, k.Queue)
		for _, e := range waiting {
			if came[e.Header.ID] != e.Digest && shelf[e.Header.ID] == "" {
				t.Fatalf("trial %d at %d: %s is gone or wrong", trial, at, e.Header.ID)
			}
		}
		if shelf[shelved.Header.ID] != "hq-test" {
			t.Fatalf("trial %d at %d: the shelf says %q", trial, at, shelf[shelved.Header.ID])
		}
		k.close(t)
	}
	if asides < 12 {
		t.Fatalf("only %d of 80 flips were noticed: the test shows nothing", asides)
	}
}

// TestBrokenIndexIsSetAside: the whole file is spoiled.
func TestBrokenIndexIsSetAside(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"both-metas": func(b []byte) []byte { clear(b[:16384]); return b },
		"one-meta":   func(b []byte) []byte { b[4096+16+56] ^= 1; return b },
		"text":       func([]byte) []byte { return bytes.Repeat([]byte("no database\n"), 2000) },
		"cut-short":  func(b []byte) []byte { return b[:4096] },
		"empty":      func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			k, waiting, shelved := busy(t)
			k.close(t)
			raw, err := os.ReadFile(k.index())
			if err != nil {
				t.Fatal(err)
			}
			raw = spoil(raw)
			if err := os.WriteFile(k.index(), raw, 0o600); err != nil {
				t.Fatal(err)
			}
			k.reopen(t, small())
			kept, err := os.ReadFile(k.Stats().Quarantined)
			if err != nil || !bytes.Equal(kept, raw) {
				t.Fatalf("the broken file must be kept: %q, %v", k.Stats().Quarantined, err)
			}
			late := k.put(t, 2000)
			if n, err := k.NextSeq(); n != 14 || err != nil {
				t.Fatalf("got %d, %v", n, err)
			}
			came, shelf := content(t, k.Queue)
			for _, e := range append(waiting, late) {
				if came[e.Header.ID] != e.Digest {
					t.Errorf("number %d is gone", e.Header.Seq)
				}
			}
			if len(shelf) != 1 || shelf[shelved.Header.ID] != "hq-test" {
				t.Errorf("the shelf holds %v", shelf)
			}
		})
	}
}

// TestLostIndex: with no index at all everything is found again, and on a queue long empty the numbers go on.
func TestLostIndex(t *testing.T) {
	k := newKit(t, small())
	for range 30 {
		e := k.put(t, 15000)
		k.drop(t, e.Header.ID, e.Digest)
	}
	if list, err := filepath.Glob(filepath.Join(k.path, "*.seg")); err != nil || len(list) != 1 {
		t.Fatalf("%v: segments whose records have receipts must go", list)
	}
	k.close(t)
	if err := os.Remove(k.index()); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, small())
	requireLevels(t, k.Queue, 0, 0)
	if n, err := k.NextSeq(); n != 31 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
}

// place finds the frame of an envelope in the segments.
func place(t *testing.T, k *kit, e *wire.Envelope) (path string, at int64) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(k.path, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(b, e.Bytes); i >= 0 {
			return p, int64(i) - segment.HeaderSize
		}
	}
	t.Fatal("the envelope is in no segment")
	return "", 0
}

// TestFlippedBitInASegment: one record is found damaged and kept on the shelf with its bytes; all others come through;
// with the index lost beside, too.
func TestFlippedBitInASegment(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for name, where := range map[string]int64{"magic": 3, "frame-length": 13, "frame-id": 90, "frame-crc": 126, "body": 128 + 9000, "last-byte": -1} {
			t.Run(map[bool]string{false: "index-whole-", true: "index-lost-"}[lost]+name, func(t *testing.T) {
				k, waiting, _ := busy(t)
				hit := waiting[4]
				path, at := place(t, k, hit)
				k.close(t)
				if where < 0 {
					where = 128 + int64(len(hit.Bytes)) - 1
				}
				flip(t, path, at+where, 4)
				if lost {
					if err := os.Remove(k.index()); err != nil {
						t.Fatal(err)
					}
				}
				k.reopen(t, small())
				came, shelf := content(t, k.Queue)
				if _, ok := came[hit.Header.ID]; ok || len(shelf) != 2 {
					t.Fatalf("the damaged one came through, or the shelf is wrong: %v", shelf)
				}
				for _, e := range waiting {
					if e != hit && came[e.Header.ID] != e.Digest {
						t.Errorf("number %d is gone", e.Header.Seq)
					}
				}
				for id, code := range shelf {
					if code != queue.CodeDamaged {
						continue
					}
					b, err := os.ReadFile(filepath.Join(k.path, "shelf", id+".rec"))
					if err != nil || !bytes.Contains(b, hit.Bytes[:4000]) {
						t.Errorf("its bytes were not kept: %v", err)
					}
					var damaged *queue.DamagedError
					if err := k.Unshelve(id); !errors.As(err, &damaged) {
						t.Errorf("got %v: what is damaged must not go back", err)
					}
				}
				if n, err := k.NextSeq(); n < 13 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
			})
		}
	}
}

// TestDamagedSegmentHeader: the records behind it come through, and nothing more is written there.
func TestDamagedSegmentHeader(t *testing.T) {
	k := newKit(t, small())
	a := k.put(t, 2000)
	k.close(t)
	flip(t, k.seg(1), 20, 1)
	k.reopen(t, small())
	b := k.put(t, 2000)
	if path, _ := place(t, k, b); path != k.seg(2) {
		t.Errorf("written to %s", path)
	}
	if came, _ := content(t, k.Queue); came[a.Header.ID] != a.Digest || came[b.Header.ID] != b.Digest {
		t.Error("a record is gone")
	}
}

// TestMissingSegment: the records in it go to the shelf, and the others come through.
func TestMissingSegment(t *testing.T) {
	k, waiting, _ := busy(t)
	path, _ := place(t, k, waiting[0])
	k.close(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, small())
	came, shelf := content(t, k.Queue)
	if len(came)+len(shelf) != len(waiting)+1 || shelf[waiting[0].Header.ID] != queue.CodeDamaged || len(came) < 6 {
		t.Fatalf("%d came, shelf %v", len(came), shelf)
	}
}

// orphan appends a whole frame that no index knows, as a kill between the two writes leaves it.
func orphan(t *testing.T, k *kit, cut int) *wire.Envelope {
	t.Helper()
	e := k.envelope(t, 3000)
	b, err := os.ReadFile(k.seg(1))
	if err != nil {
		t.Fatal(err)
	}
	f := segment.Frame{
		Kind: segment.Record, Length: uint32(len(e.Bytes)), Segment: 1, Offset: uint64(len(b)), Seq: e.Header.Seq,
		At: storagetest.At(), Digest: e.Digest, ID: e.Header.ID,
	}
	b = append(f.Append(b), e.Bytes...)
	if err := os.WriteFile(k.seg(1), b[:len(b)-cut], 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestTornTail: what was never acknowledged is not sent, and its number is used again; without an index it goes to the
// shelf, for nobody knows.
func TestTornTail(t *testing.T) {
	for name, cut := range map[string]int{"whole": 0, "half-a-body": 1500, "half-a-header": 3300} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, small())
			a := k.put(t, 3000)
			k.close(t)
			lost := orphan(t, k, cut)
			k.reopen(t, small())
			if n, err := k.NextSeq(); n != 2 || err != nil || k.Stats().Quarantined != "" {
				t.Fatalf("got %d, %v, %q", n, err, k.Stats().Quarantined)
			}
			k.seq = 1
			b := k.put(t, 100)
			k.close(t)
			if err := os.Remove(k.index()); err != nil { // a rebuild finds nothing of it either
				t.Fatal(err)
			}
			k.reopen(t, small())
			came, shelf := content(t, k.Queue)
			if len(came) != 2 || came[a.Header.ID] != a.Digest || came[b.Header.ID] != b.Digest || len(shelf) != 0 {
				t.Fatalf("%d came, shelf %v, orphan %s", len(came), shelf, lost.Header.ID)
			}
		})
	}
	t.Run("index-lost", func(t *testing.T) {
		k := newKit(t, small())
		a := k.put(t, 3000)
		k.close(t)
		lost := orphan(t, k, 0)
		if err := os.Remove(k.index()); err != nil {
			t.Fatal(err)
		}
		k.reopen(t, small())
		came, shelf := content(t, k.Queue)
		if len(came) != 1 || came[a.Header.ID] != a.Digest || len(shelf) != 1 || shelf[lost.Header.ID] != queue.CodeUnconfirmed {
			t.Fatalf("%d came, shelf %v", len(came), shelf)
		}
		if err := k.Unshelve(lost.Header.ID); err != nil {
			t.Fatal(err)
		}
		if item, ok, err := k.Peek(); !ok || err != nil || item.Digest != lost.Digest {
			t.Fatal("people may send it", err)
		}
		if n, err := k.NextSeq(); n != 3 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	})
}

// TestForgottenCommit: an index that is older than the segments is not believed.
func TestForgottenCommit(t *testing.T) {
	k := newKit(t, small())
	a := k.put(t, 3000)
	k.close(t)
	older, err := os.ReadFile(k.index())
	if err != nil {
		t.Fatal(err)
	}
	k.reopen(t, small())
	b := k.put(t, 3000)
	k.close(t)
	if err := os.WriteFile(k.index(), older, 0o600); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, small())
	came, _ := content(t, k.Queue)
	if !strings.Contains(k.Stats().Quarantined, "broken") || came[a.Header.ID] != a.Digest || came[b.Header.ID] != b.Digest {
		t.Fatalf("%d came, aside %q", len(came), k.Stats().Quarantined)
	}
}
