package outbox_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/storage/audit"
	"madoguchi/storage/outbox"
	"madoguchi/storage/queue"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

func newOutbox(t *testing.T, room queue.RoomOptions) (*outbox.Outbox, *storagetest.Keys, string) {
	t.Helper()
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queue")
	q, err := queue.Open(path, queue.Options{Now: storagetest.At, Room: room})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	log := openLog(t, t.TempDir(), keys)
	return &outbox.Outbox{Queue: q, Keys: keys.Public, Signer: keys.Device, Device: storagetest.Device, Now: storagetest.At, Audit: log}, keys, path
}

func openLog(t *testing.T, dir string, keys *storagetest.Keys) *audit.Log {
	t.Helper()
	log, err := audit.Open(dir, audit.Options{Device: storagetest.Device, Signer: keys.Device, Now: storagetest.At})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// leaves reads the log.
func leaves(t *testing.T, log *audit.Log) []audit.Leaf {
	t.Helper()
	var list []audit.Leaf
	if err := log.Each(0, func(_ int64, b []byte) bool {
		l, err := audit.ParseLeaf(b)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// brokenLog takes nothing, or nothing more after some entries.
type brokenLog struct{ takes int }

func (b *brokenLog) Append(audit.Leaf) (int64, error) {
	if b.takes--; b.takes < 0 {
		return 0, os.ErrInvalid
	}
	return 0, nil
}

// Each record has its entry, with the envelope's digest and number; a record without one is not stored.
func TestAudit(t *testing.T) {
	o, _, _ := newOutbox(t, queue.RoomOptions{Enough: 1})
	r := storagetest.Record(storagetest.NewID(), 5000)
	r.Evidence.Decision.By, r.Evidence.Decision.Staff, r.Evidence.Decision.Reason = "staff", "tanuki", "photo-same-person"
	if err := o.Put(r); err != nil {
		t.Fatal(err)
	}
	item, _, err := o.Queue.Peek()
	if err != nil {
		t.Fatal(err)
	}
	list := leaves(t, o.Audit.(*audit.Log))
	want := audit.Leaf{
		At: storagetest.At(), Kind: audit.Recorded, ID: r.ID, Hash: hex.EncodeToString(item.Digest[:]), Word: "verified",
		Staff: "tanuki", Reason: "photo-same-person", Count: 1,
	}
	if got := list[len(list)-1]; len(list) != 2 || got != want {
		t.Fatalf("got %+v", list)
	}
	o.Audit = &brokenLog{}
	if err := o.Put(storagetest.Record(storagetest.NewID(), 10)); !errors.Is(err, os.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	if st := o.Queue.Stats(); st.Waiting != 1 {
		t.Fatalf("%d waiting", st.Waiting)
	}
}

// An entry whose record never became durable is followed by one that says so: at once, or after a power cut.
func TestEntryWithoutRecord(t *testing.T) {
	o, keys, _ := newOutbox(t, queue.RoomOptions{Enough: 1})
	log := o.Audit.(*audit.Log)
	if err := o.Put(storagetest.Record(storagetest.NewID(), 10)); err != nil {
		t.Fatal(err)
	}
	next, err := o.Queue.NextSeq()
	if err != nil {
		t.Fatal(err)
	}
	if err := outbox.Reconcile(log, next); err != nil || log.Size() != 2 {
		t.Fatalf("all is well, and yet: %v, %d entries", err, log.Size())
	}
	if err := o.Queue.Close(); err != nil {
		t.Fatal(err)
	}
	r := storagetest.Record(storagetest.NewID(), 10)
	if err := o.Put(r); err == nil {
		t.Fatal("a closed queue took a record")
	}
	lost := storagetest.NewID()
	for range 2 { // once is enough, however often the kiosk starts
		if log.Size() < 3 {
			if _, err := log.Append(audit.Leaf{Kind: audit.Recorded, ID: lost, Word: "verified", Count: int64(next)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := outbox.Reconcile(log, next); err != nil {
			t.Fatal(err)
		}
	}
	list := leaves(t, log)
	if got := list[len(list)-1]; got.Kind != audit.RecordFailed || got.ID != lost || len(list) != 4 {
		t.Fatalf("got %+v", list)
	}
	_ = keys
}

func TestPut(t *testing.T) {
	o, keys, path := newOutbox(t, queue.RoomOptions{Enough: 1})
	if err := o.Ready(record.PartIdentity, record.PartImages, record.PartEvidence); err != nil {
		t.Fatal(err)
	}
	for want := range uint64(3) {
		r := storagetest.Record(storagetest.NewID(), 5000)
		if err := o.Put(r); err != nil {
			t.Fatal(err)
		}
		if string(r.Identity.Name.Reveal()) != storagetest.Name {
			t.Fatal("the record is the caller's to wipe")
		}
		item, _, err := o.Queue.Peek()
		if err != nil {
			t.Fatal(err)
		}
		e, err := wire.Parse(item.Envelope)
		if err != nil || e.Header.Seq != want+1 || e.Header.ID != r.ID {
			t.Fatalf("got %+v, %v", e.Header, err)
		}
		if err := e.VerifyDevice(&keys.Device.PublicKey); err != nil {
			t.Fatal(err)
		}
		if err := o.Queue.Shelve(item.ID, "seen"); err != nil {
			t.Fatal(err)
		}
	}
	var raw []byte
	if err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		raw = append(raw, b...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(raw) < 15000 {
		t.Fatal("the records are not on the disk")
	}
	for _, c := range storagetest.Canaries() {
		if bytes.Contains(raw, c) {
			t.Errorf("%q is readable on disk", c)
		}
	}
}

func TestRefusals(t *testing.T) {
	o, _, _ := newOutbox(t, queue.RoomOptions{Enough: 1})
	r := storagetest.Record(storagetest.NewID(), 10)
	r.Device = "another"
	if err := o.Put(r); err == nil {
		t.Error("a record of another device")
	}
	r = storagetest.Record(storagetest.NewID(), 10)
	r.Evidence.Decision.Outcome = ""
	if err := o.Put(r); !errors.Is(err, &record.Error{Code: record.CodeDecision}) {
		t.Errorf("got %v", err)
	}
	if n, err := o.Queue.NextSeq(); n != 1 || err != nil {
		t.Errorf("a refused record used up number %d", n-1)
	}
	full, _, _ := newOutbox(t, queue.RoomOptions{Disk: func(string) (uint64, uint64, error) { return 100, 1, nil }})
	if err := full.Ready(); !errors.Is(err, queue.ErrFull) {
		t.Errorf("got %v", err)
	}
	if err := full.Put(storagetest.Record(storagetest.NewID(), 10)); !errors.Is(err, queue.ErrFull) {
		t.Errorf("got %v", err)
	}
	none, err := seal.NewPublicKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	o.Keys = none
	if err := o.Ready(record.PartIdentity); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("got %v", err)
	}
}
