package queue_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

// writeLegacy writes a file of the older format by hand: some waiting, one of them spoiled, and one on the shelf.
func writeLegacy(t *testing.T, path string, waiting []*wire.Envelope, spoiled, shelved *wire.Envelope, seq uint64) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	number := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	now := number(uint64(storagetest.At().UnixMilli()))
	err = db.Update(func(tx *bolt.Tx) error {
		b := map[string]*bolt.Bucket{}
		for _, name := range []string{"index", "order", "body", "shelf", "state"} {
			if b[name], err = tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		for i, e := range waiting {
			id, body := []byte(e.Header.ID), append([]byte(nil), e.Bytes...)
			if e == spoiled {
				body[len(body)-7] ^= 1
			}
			order := number(uint64(i + 1))
			fact := append(append(append([]byte(nil), e.Digest[:]...), now...), id...)
			if err := errors.Join(b["index"].Put(order, fact), b["order"].Put(id, order), b["body"].Put(id, body)); err != nil {
				return err
			}
		}
		id := []byte(shelved.Header.ID)
		return errors.Join(b["body"].Put(id, shelved.Bytes), b["shelf"].Put(id, append(append([]byte(nil), now...), "hq-virtual"...)),
			b["state"].Put([]byte("seq"), number(seq)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestTakeOver: all that waits in a file of the older format, in its order, its shelf and the number.
func TestTakeOver(t *testing.T) {
	for _, inTheWay := range []bool{false, true} {
		t.Run(map[bool]string{false: "beside", true: "at-the-path"}[inTheWay], func(t *testing.T) {
			k := newKit(t, small())
			var all []*wire.Envelope
			for range 8 {
				all = append(all, k.envelope(t, 20000))
			}
			shelved := k.envelope(t, 5000)
			k.close(t)
			k.path = filepath.Join(t.TempDir(), "queue")
			opt := small()
			legacy := k.path
			if !inTheWay {
				legacy = k.path + ".db"
				opt.Legacy = legacy
			}
			writeLegacy(t, legacy, all, all[5], shelved, 4711)
			k.reopen(t, opt)
			if _, err := os.Stat(k.path + ".db"); !errors.Is(err, os.ErrNotExist) {
				t.Error("the older file is still there")
			}
			requireLevels(t, k.Queue, 7, 2)
			if n, err := k.NextSeq(); n != 4712 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			k.reopen(t, opt)
			first, _, err := k.Peek()
			if err != nil || first.ID != all[0].Header.ID || !first.Queued.Equal(storagetest.At()) {
				t.Errorf("got %s, %v", first.ID, err)
			}
			came, shelf := content(t, k.Queue)
			if shelf[shelved.Header.ID] != "hq-virtual" || shelf[all[5].Header.ID] != queue.CodeDamaged {
				t.Errorf("the shelf holds %v", shelf)
			}
			for i, e := range all {
				if i != 5 && came[e.Header.ID] != e.Digest {
					t.Errorf("number %d is gone", e.Header.Seq)
				}
			}
			if err := k.Unshelve(shelved.Header.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTakeOverBegunTwice: a power cut before the older file was removed.
func TestTakeOverBegunTwice(t *testing.T) {
	k := newKit(t, small())
	all := []*wire.Envelope{k.envelope(t, 2000), k.envelope(t, 2000)}
	shelved := k.envelope(t, 2000)
	k.close(t)
	opt := small()
	opt.Legacy = filepath.Join(t.TempDir(), "queue.db")
	for range 2 {
		writeLegacy(t, opt.Legacy, all, nil, shelved, 3)
		k.reopen(t, opt)
		requireLevels(t, k.Queue, 2, 1)
	}
}

// TestBrokenOlderFile: it is set aside, the numbers go on above those in it, and Salvage finds what is whole in it.
func TestBrokenOlderFile(t *testing.T) {
	k := newKit(t, small())
	k.seq = 40
	all := []*wire.Envelope{k.envelope(t, 20000), k.envelope(t, 20000), k.envelope(t, 20000)}
	shelved := k.envelope(t, 2000)
	k.close(t)
	opt := small()
	opt.Legacy = filepath.Join(t.TempDir(), "queue.db")
	writeLegacy(t, opt.Legacy, all, all[1], shelved, 44)
	raw, err := os.ReadFile(opt.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[:8192])
	if err := os.WriteFile(opt.Legacy, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, opt)
	aside := k.Stats().Quarantined
	if !strings.HasPrefix(aside, opt.Legacy+".broken-") {
		t.Fatalf("got %q", aside)
	}
	if n, err := k.NextSeq(); n != 45 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	for _, added := range []int{3, 0} {
		s, err := queue.Salvage(aside, dir)
		if err != nil || s.Found != 3 || s.Added != added || s.Spoiled != 1 || s.MaxSeq != 44 {
			t.Fatalf("got %+v, %v", s, err)
		}
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.envelope"))
	if err != nil || len(list) != 3 {
		t.Fatalf("got %v, %v", list, err)
	}
	for _, p := range list {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := wire.Parse(b); err != nil || !strings.HasPrefix(filepath.Base(p), e.Header.ID) {
			t.Fatal(p, err)
		}
	}
	if n, err := k.Salvage(aside); n != 3 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if n, err := k.Salvage(aside); n != 0 || err != nil {
		t.Fatalf("got %d, %v: salvaged twice", n, err)
	}
	requireLevels(t, k.Queue, 3, 0)
}

// TestRequeueJudges: what the caller does not accept stays out; segments and files of the shelf can be read too.
func TestRequeueJudges(t *testing.T) {
	k := newKit(t, small())
	a := k.put(t, 3000)
	b := k.put(t, 3000)
	if err := k.Shelve(b.Header.ID, "x"); err != nil {
		t.Fatal(err)
	}
	k.close(t)
	old := k.path
	k.path = filepath.Join(t.TempDir(), "other")
	k.reopen(t, small())
	stranger, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file           string
		keys           *storagetest.Keys
		added, refused int
	}{
		{"0000000000000001.seg", stranger, 0, 2},
		{"0000000000000001.seg", k.keys, 2, 0},
		{"shelf/" + b.Header.ID + ".rec", k.keys, 0, 0},
	} {
		s, err := k.Requeue(filepath.Join(old, c.file), func(e *wire.Envelope) error { return e.VerifyDevice(&c.keys.Device.PublicKey) })
		if err != nil || s.Added != c.added || s.Refused != c.refused {
			t.Fatalf("%s: got %+v, %v", c.file, s, err)
		}
	}
	came, _ := content(t, k.Queue)
	if came[a.Header.ID] != a.Digest || came[b.Header.ID] != b.Digest {
		t.Fatal("not all came")
	}
	if _, err := queue.Salvage(old, t.TempDir()); err == nil {
		t.Fatal("a directory is no file")
	}
}
