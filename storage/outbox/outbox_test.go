package outbox_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

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
	path := filepath.Join(t.TempDir(), "outbox.bbolt")
	q, err := queue.Open(path, queue.Options{Now: storagetest.At, Room: room})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return &outbox.Outbox{Queue: q, Keys: keys.Public, Signer: keys.Device, Device: storagetest.Device, Now: storagetest.At}, keys, path
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
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
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
