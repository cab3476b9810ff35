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
)

// TestIndexSpoiledWhileOpen: a value of the index turns bad under a running queue. It is noticed at its next use, the
// index is made anew, and the kiosk goes on.
func TestIndexSpoiledWhileOpen(t *testing.T) {
	k, waiting, _ := busy(t)
	raw, err := os.ReadFile(k.index())
	if err != nil {
		t.Fatal(err)
	}
	key, n := []byte(waiting[0].Header.ID), 0
	for i := 0; ; {
		j := bytes.Index(raw[i:], key)
		if j < 0 {
			break
		}
		i += j + 1
		flip(t, k.index(), int64(i+len(key)+1), 1) // in the CRC behind the entry, in every copy of it
		n++
	}
	if n == 0 {
		t.Fatal("the entry is not in the index")
	}
	item, ok, err := k.Peek()
	if !ok || err != nil || item.ID != waiting[0].Header.ID || !bytes.Equal(item.Envelope, waiting[0].Bytes) {
		t.Fatalf("got %s, %v", item.ID, err)
	}
	if k.Stats().Quarantined == "" {
		t.Error("nobody is told")
	}
	late := k.put(t, 3000)
	came, _ := content(t, k.Queue)
	for _, e := range append(waiting, late) {
		if came[e.Header.ID] != e.Digest {
			t.Errorf("number %d is gone", e.Header.Seq)
		}
	}
}

// TestAfterAFailedCommit: the index is read and written anew before its next use, and nothing is lost by that.
func TestAfterAFailedCommit(t *testing.T) {
	for _, cause := range []error{unix.EIO, unix.ENOSPC, unix.EROFS} {
		t.Run(cause.Error(), func(t *testing.T) {
			k, waiting, shelved := busy(t)
			queue.Sicken(k.Queue, cause)
			waiting = append(waiting, k.put(t, 3000))
			queue.Sicken(k.Queue, cause)
			k.drop(t, waiting[0].Header.ID, waiting[0].Digest)
			k.reopen(t, small())
			if k.Stats().Quarantined != "" {
				t.Error("nothing was broken")
			}
			came, shelf := content(t, k.Queue)
			for _, e := range waiting[1:] {
				if came[e.Header.ID] != e.Digest {
					t.Errorf("number %d is gone", e.Header.Seq)
				}
			}
			if len(came) != len(waiting)-1 || shelf[shelved.Header.ID] != "hq-test" {
				t.Errorf("%d came, shelf %v", len(came), shelf)
			}
		})
	}
}

// TestFaultInTheCheck: a check that cannot be made is no verdict; a child that dies is.
func TestFaultInTheCheck(t *testing.T) {
	k := newKit(t, small())
	k.put(t, 3000)
	k.close(t)
	opt := small()
	opt.Check = func(*os.File) error { return unix.EIO }
	if _, err := queue.Open(k.path, opt); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v", err)
	}
	opt.Check = func(f *os.File) error {
		if filepath.Base(f.Name()) != "index.db" {
			t.Error("another file was checked")
		}
		return queue.ErrBroken
	}
	k.reopen(t, opt)
	requireLevels(t, k.Queue, 1, 0)
}

// TestOtherDay: a segment of yesterday takes no more, so that it can go when its last receipt comes.
func TestOtherDay(t *testing.T) {
	k := newKit(t, options())
	k.close(t)
	day := 0
	opt := small()
	opt.Now = func() time.Time { return storagetest.At().AddDate(0, 0, day) }
	k.reopen(t, opt)
	a := k.put(t, 2000)
	for day = 1; day < 4; day++ {
		k.reopen(t, opt)
		e := k.put(t, 2000)
		if path, _ := place(t, k, e); path != k.seg(day+1) {
			t.Errorf("day %d: written to %s", day, path)
		}
	}
	k.drop(t, a.Header.ID, a.Digest)
	if _, err := os.Stat(k.seg(1)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the first day is still there")
	}
}

// TestNumbersSurviveDamage: with the index lost and nothing readable in the last segment but its header, the numbers go
// on above all that may have been used in it.
func TestNumbersSurviveDamage(t *testing.T) {
	k, _, _ := busy(t) // numbers 1 to 12, four to a segment
	k.close(t)
	raw, err := os.ReadFile(k.seg(3))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw[128:] {
		raw[128+i] = 0xff
	}
	if err := errors.Join(os.Remove(k.index()), os.Remove(k.seg(1)), os.Remove(k.seg(2)), os.WriteFile(k.seg(3), raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, small())
	want := 8 + uint64(len(raw)-128)/512 + 2
	if n, err := k.NextSeq(); n != want || err != nil {
		t.Fatalf("got %d, %v, want %d", n, err, want)
	}
}
