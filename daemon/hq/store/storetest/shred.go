package storetest

import (
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/store"
)

func shredder(t *testing.T, w store.Writer) store.Shredder {
	t.Helper()
	s, ok := w.(store.Shredder)
	if !ok {
		t.Fatal("the store cannot shred")
	}
	return s
}

// shred removes one of two records: its tombstone stays, and nothing of it comes back.
func shred(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	s := shredder(t, w)
	gone, stays := Row("kiosk-1", ID(Now()), 2, 3000), Row("kiosk-1", ID(Now().AddDate(0, -1, 0)), 1, 3000)
	insert(t, w, gone)
	insert(t, w, stays)
	at := Now().AddDate(7, 0, 1)
	want := store.Tombstone{Row: gone, Rule: "relation-end+7y"}
	want.Envelope, want.Shredded = nil, at
	for range 2 { // the second time it is as the first left it, whatever is said then
		got, err := s.Shred(t.Context(), gone.Device, gone.ID, at, "relation-end+7y")
		at = at.Add(time.Hour)
		if k.Bodies == (got.Body == "") {
			t.Fatalf("the body was at %q", got.Body)
		}
		got.Body = ""
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	}
	for _, other := range [][2]string{{"kiosk-2", gone.ID}, {gone.Device, ID(Now())}, {gone.Device, "x"}} {
		if _, err := s.Shred(t.Context(), other[0], other[1], at, "rule"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%v: %v", other, err)
		}
	}
	r := reader(t)
	if _, err := r.Get(t.Context(), gone.Device, gone.ID); !errors.Is(err, store.ErrShredded) {
		t.Fatal(err)
	}
	if got, err := r.Get(t.Context(), stays.Device, stays.ID); err != nil || len(got.Envelope) != 3000 {
		t.Fatal("another record went too: ", err)
	}
	if list, err := r.List(t.Context(), 9, 0); err != nil || len(list) != 1 || list[0].ID != stays.ID {
		t.Fatal(list, err)
	}
	gaps, err := r.Gaps(t.Context())
	if diff := cmp.Diff([]store.Gap{{Device: "kiosk-1", Records: 2, Highest: 2}}, gaps); err != nil || diff != "" {
		t.Fatal("a shredded record must not look like a lost one: ", err, diff)
	}
	again := gone
	again.Receipt = []byte("a second receipt")
	old, fresh, err := w.Insert(t.Context(), again) // the kiosk's repeated PUT
	if err != nil || fresh || string(old.Receipt) != string(gone.Receipt) || old.Digest != gone.Digest || old.Shredded.IsZero() {
		t.Fatalf("%+v, fresh %v, %v", old, fresh, err)
	}
	if _, err := r.Get(t.Context(), gone.Device, gone.ID); !errors.Is(err, store.ErrShredded) {
		t.Fatal("it came back: ", err)
	}
	list, err := s.Tombstones(t.Context(), 9, 0)
	if err != nil || len(list) != 1 || list[0].ID != gone.ID || list[0].Rule != "relation-end+7y" {
		t.Fatal(list, err)
	}
	if more, err := s.Tombstones(t.Context(), 9, 1); err != nil || len(more) != 0 {
		t.Fatal(more, err)
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// shredRaces repeats an insert while its record is shredded: whatever the order, it is gone at the end.
func shredRaces(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	s, second := shredder(t, w), k.Second(t)
	for n := range 20 {
		row := Row("kiosk-1", ID(Now()), uint64(n+1), 2000)
		insert(t, w, row)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, fresh, err := second.Insert(t.Context(), row); err != nil || fresh {
					t.Errorf("fresh %v, %v", fresh, err)
				}
			})
		}
		wg.Go(func() {
			if _, err := s.Shred(t.Context(), row.Device, row.ID, Now(), "rule"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if _, err := reader(t).Get(t.Context(), row.Device, row.ID); !errors.Is(err, store.ErrShredded) {
			t.Fatal("it came back: ", err)
		}
	}
}
