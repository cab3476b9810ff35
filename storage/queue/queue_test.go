package queue_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

// kit is a queue with all that fills and empties it.
type kit struct {
	*queue.Queue
	path     string
	keys     *storagetest.Keys
	receipts *storagetest.Receipts
	seq      uint64
}

func options() queue.Options {
	return queue.Options{Now: storagetest.At, Room: queue.RoomOptions{Enough: 1}, Wait: 50 * time.Millisecond}
}

func newKit(tb testing.TB, opt queue.Options) *kit {
	tb.Helper()
	k := &kit{path: filepath.Join(tb.TempDir(), "queue")}
	var err error
	if k.keys, err = storagetest.NewKeys(); err != nil {
		tb.Fatal(err)
	}
	if k.receipts, err = storagetest.NewReceipts(); err != nil {
		tb.Fatal(err)
	}
	k.reopen(tb, opt)
	tb.Cleanup(func() {
		if k.Queue != nil {
			_ = k.Close()
		}
	})
	return k
}

func (k *kit) reopen(tb testing.TB, opt queue.Options) {
	tb.Helper()
	if k.Queue != nil {
		if err := k.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	q, err := queue.Open(k.path, opt)
	if err != nil {
		tb.Fatal(err)
	}
	k.Queue = q
}

func (k *kit) envelope(tb testing.TB, size int) *wire.Envelope {
	tb.Helper()
	k.seq++
	e, err := k.keys.Envelope(storagetest.NewID(), k.seq, size)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func (k *kit) put(tb testing.TB, size int) *wire.Envelope {
	tb.Helper()
	e := k.envelope(tb, size)
	if err := k.Put(e); err != nil {
		tb.Fatal(err)
	}
	return e
}

func (k *kit) drop(tb testing.TB, id string, digest [32]byte) {
	tb.Helper()
	r, err := k.receipts.Verified(id, digest)
	if err != nil {
		tb.Fatal(err)
	}
	if err := k.Delete(r); err != nil {
		tb.Fatal(err)
	}
}

func requireLevels(t *testing.T, q *queue.Queue, waiting, shelved int) {
	t.Helper()
	if s := q.Stats(); s.Waiting != waiting || s.Shelved != shelved || (waiting > 0) != s.Oldest.Equal(storagetest.At()) {
		t.Fatalf("got %+v, want %d waiting and %d shelved", s, waiting, shelved)
	}
}

func TestOrderAndReceipts(t *testing.T) {
	k := newKit(t, options())
	if _, ok, err := k.Peek(); ok || err != nil {
		t.Fatal("a new queue is not empty", err)
	}
	a, b := k.put(t, 3000), k.put(t, 3000)
	select {
	case <-k.Wake():
	default:
		t.Fatal("Put did not wake")
	}
	k.reopen(t, options())
	requireLevels(t, k.Queue, 2, 0)
	got, ok, err := k.Peek()
	if err != nil || !ok || got.ID != a.Header.ID || !bytes.Equal(got.Envelope, a.Bytes) || !got.Queued.Equal(storagetest.At()) {
		t.Fatalf("got %s, %v", got.ID, err)
	}
	k.drop(t, a.Header.ID, a.Digest)
	if got, _, err := k.Peek(); err != nil || got.ID != b.Header.ID {
		t.Fatalf("got %s, %v", got.ID, err)
	}
	requireLevels(t, k.Queue, 1, 0)
}

func TestDeleteWantsTheRightReceipt(t *testing.T) {
	k := newKit(t, options())
	a, b := k.put(t, 3000), k.envelope(t, 3000)
	if err := k.Delete(wire.VerifiedReceipt{}); !errors.Is(err, queue.ErrReceipt) {
		t.Fatalf("got %v", err)
	}
	wrong, err := k.receipts.Verified(a.Header.ID, b.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Delete(wrong); !errors.Is(err, queue.ErrReceipt) {
		t.Fatalf("got %v", err)
	}
	unknown, err := k.receipts.Verified(b.Header.ID, b.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Delete(unknown); !errors.Is(err, queue.ErrUnknown) {
		t.Fatalf("got %v", err)
	}
	requireLevels(t, k.Queue, 1, 0)
}

func TestPutTwice(t *testing.T) {
	k := newKit(t, options())
	e := k.put(t, 3000)
	if err := k.Put(e); err != nil {
		t.Fatal(err)
	}
	requireLevels(t, k.Queue, 1, 0)
	other, err := k.keys.Envelope(e.Header.ID, 9, 4000)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Put(other); !errors.Is(err, queue.ErrDuplicate) {
		t.Fatalf("got %v", err)
	}
}

func TestSequenceNumbers(t *testing.T) {
	k := newKit(t, options())
	var used []uint64
	build := func(fail error) func(uint64) (*wire.Envelope, error) {
		return func(seq uint64) (*wire.Envelope, error) {
			if fail != nil {
				return nil, fail
			}
			used = append(used, seq)
			return k.keys.Envelope(storagetest.NewID(), seq, 2000)
		}
	}
	failed := errors.New("failed")
	for _, fail := range []error{nil, failed, nil} {
		if err := k.PutNext(build(fail)); !errors.Is(err, fail) {
			t.Fatal(err)
		}
	}
	k.reopen(t, options())
	if err := k.PutNext(build(nil)); err != nil {
		t.Fatal(err)
	}
	if len(used) != 3 || used[0] != 1 || used[1] != 2 || used[2] != 3 {
		t.Fatalf("got %v: a number was lost or used twice", used)
	}
	if n, err := k.NextSeq(); n != 4 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
}

func TestShelf(t *testing.T) {
	k := newKit(t, options())
	a, b := k.put(t, 2000), k.put(t, 2000)
	if err := k.Shelve(a.Header.ID, "hq-virtual"); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, options())
	requireLevels(t, k.Queue, 1, 1)
	shelf, err := k.Shelf()
	if err != nil || len(shelf) != 1 || shelf[0] != (queue.Shelved{ID: a.Header.ID, Code: "hq-virtual", At: storagetest.At()}) {
		t.Fatalf("got %+v, %v", shelf, err)
	}
	if err := k.Shelve(a.Header.ID, "x"); !errors.Is(err, queue.ErrUnknown) {
		t.Fatalf("got %v", err)
	}
	if err := k.Unshelve(a.Header.ID); err != nil {
		t.Fatal(err)
	}
	requireLevels(t, k.Queue, 2, 0)
	k.drop(t, b.Header.ID, b.Digest)
	if got, _, err := k.Peek(); err != nil || got.ID != a.Header.ID || !bytes.Equal(got.Envelope, a.Bytes) {
		t.Fatalf("got %s, %v", got.ID, err)
	}
}

func TestRoom(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		name        string
		total, free uint64
		err         error
		want        queue.Level
	}{
		{"empty-disk", 100 * gib, 90 * gib, nil, queue.Roomy},
		{"large-disk-mostly-used", 1000 * gib, 100 * gib, nil, queue.Roomy},
		{"seventy-percent", 20 * gib, 6 * gib, nil, queue.Warn},
		{"eighty-five-percent", 20 * gib, 3 * gib, nil, queue.Full},
		{"full", 20 * gib, 0, nil, queue.Full},
		{"not-measurable", 0, 0, errors.New("io"), queue.Full},
		{"nonsense", 1, 2, nil, queue.Full},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := options()
			opt.Room = queue.RoomOptions{Disk: func(string) (uint64, uint64, error) { return c.total, c.free, c.err }}
			k := newKit(t, opt)
			if got := k.Room().Level; got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if err := k.EnsureRoom(); errors.Is(err, queue.ErrFull) != (c.want == queue.Full) {
				t.Fatalf("got %v", err)
			}
			if err := k.Put(k.envelope(t, 2000)); errors.Is(err, queue.ErrFull) != (c.want == queue.Full) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestFullFileAndAgain(t *testing.T) {
	opt := options()
	opt.MaxSize = 8 << 20
	k := newKit(t, opt)
	var all []*wire.Envelope
	for {
		e := k.envelope(t, 200<<10)
		err := k.Put(e)
		if errors.Is(err, queue.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if len(all) < 10 {
		t.Fatalf("only %d records fitted", len(all))
	}
	for _, e := range all {
		got, ok, err := k.Peek()
		if !ok || err != nil || got.ID != e.Header.ID {
			t.Fatalf("got %s, %v", got.ID, err)
		}
		k.drop(t, e.Header.ID, e.Digest)
	}
	k.put(t, 200<<10) // the pages of what HQ has are used again
}

// The index of a queue that was long and is short again is written anew at Open.
func TestCompaction(t *testing.T) {
	k := newKit(t, options())
	all := queue.Fill(t, k.Queue, 40000, 200)
	queue.Drain(t, k.Queue, all[:39999])
	path := filepath.Join(k.path, "index.db")
	before := size(t, path)
	if err := os.WriteFile(path+".new", []byte("left behind by a power cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, options())
	if after := size(t, path); before <= 8<<20 || after != 4<<20 {
		t.Fatalf("%d bytes before and %d after", before, after)
	}
	requireLevels(t, k.Queue, 1, 0)
	if got, _, err := k.Peek(); err != nil || got.ID != all[39999].Header.ID || !bytes.Equal(got.Envelope, all[39999].Bytes) {
		t.Fatalf("got %s, %v", got.ID, err)
	}
	if n, err := k.NextSeq(); n != 40001 || err != nil {
		t.Fatalf("got %d, %v: the device's number was lost", n, err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestReserveAndLock(t *testing.T) {
	opt := options()
	opt.Reserve = 4 << 20
	k := newKit(t, opt)
	k.put(t, 2000)
	if _, err := queue.Open(k.path, options()); !errors.Is(err, queue.ErrInUse) {
		t.Fatalf("got %v", err)
	}
	for _, name := range []string{"index.db", "reserve", "spare", "0000000000000001.seg"} {
		info, err := os.Stat(filepath.Join(k.path, name))
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 4<<20 {
			t.Fatalf("%s: got %v, %v", name, info, err)
		}
	}
	if got := blocks(t, filepath.Join(k.path, "reserve")); got < 4<<20 {
		t.Fatalf("%d bytes are reserved", got)
	}
}

// blocks is how many bytes of disk a file takes.
func blocks(t *testing.T, path string) int64 {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		t.Fatal(err)
	}
	return s.Blocks * 512
}

func TestOpenWantsAClock(t *testing.T) {
	if _, err := queue.Open(filepath.Join(t.TempDir(), "q"), queue.Options{}); err == nil {
		t.Fatal("opened without a clock")
	}
}
