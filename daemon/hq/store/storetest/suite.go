// Package storetest is the suite that every implementation of HQ's store passes. Only tests may import it.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"madoguchi/daemon/hq/store"
	"madoguchi/storage/record"
)

// Now is the time at which the suite lives.
func Now() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) }

// Kit makes stores for the suite.
type Kit struct {
	// New gives an empty store: one writer, one reader of the same rows, and what the writer logs. Its clock is Now.
	New func(t *testing.T, log *slog.Logger) (store.Writer, func(t *testing.T) store.Reader)
	// Second opens one more writer on the same rows, as another receiver has it.
	Second func(t *testing.T) store.Writer
	// Bodies says that envelopes lie outside the rows.
	Bodies bool
}

// ID makes a record id of a time.
func ID(at time.Time) string {
	u := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
	return u.String()
}

// Row makes a row of n bytes, received Now.
func Row(device, id string, seq uint64, n int) store.Row {
	body := bytes.Repeat([]byte(id), n/len(id)+1)[:n]
	return store.Row{
		Device: device, ID: id, Seq: seq, Created: Now().Add(-time.Hour), Received: Now(), Virtual: []string{"camera", "card"},
		Parts: []record.Part{record.PartIdentity, record.PartEvidence}, Digest: sha256.Sum256(body), Envelope: body, Receipt: []byte("receipt of " + id),
	}
}

func insert(t *testing.T, w store.Writer, r store.Row) {
	t.Helper()
	if _, fresh, err := w.Insert(t.Context(), r); err != nil || !fresh {
		t.Fatalf("insert: fresh %v, %v", fresh, err)
	}
}

// Run runs the suite.
func Run(t *testing.T, k Kit) {
	t.Helper()
	t.Run("what-is-put-is-given", func(t *testing.T) { given(t, k) })
	t.Run("a-row-of-two-mebibytes", func(t *testing.T) { large(t, k) })
	t.Run("again-gives-the-first", func(t *testing.T) { again(t, k) })
	t.Run("races-have-one-winner", func(t *testing.T) { races(t, k) })
	t.Run("list-and-gaps", func(t *testing.T) { lists(t, k) })
	t.Run("impossible-months-are-kept-and-told", func(t *testing.T) { impossible(t, k) })
	t.Run("edges-of-months", func(t *testing.T) { edges(t, k) })
	t.Run("audit-logs-alarms-heartbeats", func(t *testing.T) { remembers(t, k) })
	t.Run("audit-logs-are-put-aside", func(t *testing.T) { retires(t, k) })
	t.Run("audit-races-have-one-winner", func(t *testing.T) { auditRaces(t, k) })
	t.Run("shred", func(t *testing.T) { shred(t, k) })
	t.Run("shred-races-with-a-repeated-insert", func(t *testing.T) { shredRaces(t, k) })
	if !k.Bodies {
		t.Run("known-bodies", func(t *testing.T) { known(t, k) })
	}
	t.Run("a-malformed-id-is-refused", func(t *testing.T) {
		w, _ := k.New(t, slog.New(slog.DiscardHandler))
		r := Row("kiosk-1", "00000000-0000-4000-8000-000000000000", 1, 9)
		if _, fresh, err := w.Insert(t.Context(), r); err == nil || fresh {
			t.Fatal("taken")
		}
	})
	t.Run("closed-is-a-fault", func(t *testing.T) {
		w, _ := k.New(t, slog.New(slog.DiscardHandler))
		_ = w.Close()
		if _, fresh, err := w.Insert(t.Context(), Row("kiosk-1", ID(Now()), 1, 9)); err == nil || fresh || errors.Is(err, store.ErrNotFound) {
			t.Fatalf("fresh %v, %v", fresh, err)
		}
		if w.Ping(t.Context()) == nil {
			t.Fatal("a closed store says that it could store")
		}
	})
	t.Run("cancelled-is-a-fault", func(t *testing.T) {
		w, _ := k.New(t, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, fresh, err := w.Insert(ctx, Row("kiosk-1", ID(Now()), 1, 9)); err == nil || fresh {
			t.Fatalf("fresh %v, %v", fresh, err)
		}
	})
}

func given(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	want := Row("branch-012-kiosk-1", ID(Now()), 1<<62, 1000)
	want.Created = time.Date(1999, 12, 31, 23, 59, 59, 123_000_000, time.UTC)
	want.Received = Now().Add(789 * time.Millisecond)
	insert(t, w, want)
	plain := Row("branch-012-kiosk-1", ID(Now()), 2, 50)
	plain.Virtual, plain.Parts = nil, []record.Part{record.PartMyNumber}
	insert(t, w, plain)
	r := reader(t)
	for _, want := range []store.Row{want, plain} {
		got, err := r.Get(t.Context(), want.Device, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if k.Bodies == (got.Body == "") {
			t.Fatalf("the body is at %q", got.Body)
		}
		got.Body = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	found, err := w.Find(t.Context(), want.Device, want.ID)
	want.Envelope, found.Body = nil, ""
	if diff := cmp.Diff(want, found); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	for _, other := range [][2]string{{want.Device, ID(Now())}, {"kiosk-2", want.ID}, {want.Device, "x"}} {
		if _, err := r.Get(t.Context(), other[0], other[1]); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%v: %v", other, err)
		}
	}
	if err := errors.Join(r.Ping(t.Context()), w.Ping(t.Context()), w.Maintain(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func large(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	want := Row("kiosk-1", ID(Now()), 1, 2<<20)
	insert(t, w, want)
	got, err := reader(t).Get(t.Context(), want.Device, want.ID)
	if err != nil || !bytes.Equal(got.Envelope, want.Envelope) {
		t.Fatalf("%d bytes, %v", len(got.Envelope), err)
	}
}

func again(t *testing.T, k Kit) {
	t.Helper()
	w, _ := k.New(t, slog.New(slog.DiscardHandler))
	first := Row("kiosk-1", ID(Now()), 1, 100)
	insert(t, w, first)
	second := Row("kiosk-1", first.ID, 2, 99)
	second.Receipt, second.Received = []byte("another receipt"), Now().Add(time.Hour)
	got, fresh, err := w.Insert(t.Context(), second)
	first.Envelope, got.Body = nil, ""
	if diff := cmp.Diff(first, got); err != nil || fresh || diff != "" {
		t.Fatalf("fresh %v, %v\n%s", fresh, err, diff)
	}
	other := Row("kiosk-2", first.ID, 1, 100) // the same id of another kiosk is another record
	insert(t, w, other)
}

// races inserts the same records from many goroutines over two writers: one winner each, and everybody is told the same.
func races(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	writers := []store.Writer{w, k.Second(t)}
	const records, racers = 8, 12
	for n := range records {
		id := ID(Now().AddDate(0, -n, 0)) // months without a partition race too
		var wg sync.WaitGroup
		var mu sync.Mutex
		var wins int
		receipts := map[string]int{}
		for i := range racers {
			wg.Go(func() {
				r := Row("kiosk-1", id, uint64(n+1), 5000)
				r.Receipt = fmt.Appendf(nil, "receipt %d", i)
				got, fresh, err := writers[i%2].Insert(t.Context(), r)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				receipts[string(got.Receipt)]++
				if fresh {
					wins++
				}
			})
		}
		wg.Wait()
		if wins != 1 || len(receipts) != 1 {
			t.Fatalf("%d winners, receipts %v", wins, receipts)
		}
	}
	if list, err := reader(t).List(t.Context(), 100, 0); err != nil || len(list) != records {
		t.Fatalf("%d rows, %v", len(list), err)
	}
}

func lists(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	var want []store.Row
	for i := range 5 {
		r := Row(fmt.Sprintf("kiosk-%d", i%2), ID(Now().AddDate(0, -i, 0)), uint64(i+1), 10)
		r.Received = Now().Add(time.Duration(i/2) * time.Second) // some at the same time: then by device
		insert(t, w, r)
		r.Envelope, r.Receipt = nil, nil
		want = append(want, r)
	}
	r := reader(t)
	got, err := r.List(t.Context(), 10, 0)
	for i := range got {
		got[i].Body = ""
	}
	if diff := cmp.Diff([]store.Row{want[4], want[2], want[3], want[0], want[1]}, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if got, err := r.List(t.Context(), 2, 1); err != nil || len(got) != 2 || got[0].ID != want[2].ID || got[1].ID != want[3].ID {
		t.Fatal(got, err)
	}
	var after []string
	for at := (store.Place{}); ; { // two at a time, so that pages begin among records of one time
		some, err := r.After(t.Context(), at, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		at = store.PlaceOf(some[len(some)-1])
		for _, row := range some {
			after = append(after, row.ID)
		}
	}
	if diff := cmp.Diff([]string{want[1].ID, want[0].ID, want[3].ID, want[2].ID, want[4].ID}, after); diff != "" {
		t.Fatal(diff)
	}
	gaps, err := r.Gaps(t.Context())
	if diff := cmp.Diff([]store.Gap{{Device: "kiosk-0", Records: 3, Highest: 5, Missing: 2}, {Device: "kiosk-1", Records: 2, Highest: 4, Missing: 2}}, gaps); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
}

func impossible(t *testing.T, k Kit) {
	t.Helper()
	var log bytes.Buffer
	w, reader := k.New(t, slog.New(slog.NewJSONHandler(&log, nil)))
	insert(t, w, Row("kiosk-1", ID(Now()), 1, 10))
	h, err := w.Health(t.Context())
	if err != nil || h.Level != store.LevelOK || len(h.Findings) != 0 || h.Version == 0 {
		t.Fatalf("%+v, %v", h, err)
	}
	for i, at := range []time.Time{time.UnixMilli(0), Now().AddDate(0, 2, 0), time.Date(10889, 1, 1, 0, 0, 0, 0, time.UTC), Now().AddDate(0, -25, 0)} {
		r := Row("kiosk-1", ID(at), uint64(i+2), 10)
		insert(t, w, r)
		if _, fresh, err := w.Insert(t.Context(), r); fresh || err != nil {
			t.Fatal("not exactly once: ", err)
		}
		if got, err := reader(t).Get(t.Context(), r.Device, r.ID); err != nil || got.ID != r.ID {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), `"code":"store-impossible-month"`); n != 4 {
		t.Fatalf("%d log lines: %s", n, log.String())
	}
	if err := w.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err = w.Health(t.Context())
	want := []store.Finding{{Code: "store-impossible-month", Count: 4, Latest: Now()}}
	if diff := cmp.Diff(want, h.Findings); err != nil || h.Level != store.LevelAlarm || diff != "" {
		t.Fatalf("%+v, %v, %s", h, err, diff)
	}
}

func edges(t *testing.T, k Kit) {
	t.Helper()
	var log bytes.Buffer
	w, _ := k.New(t, slog.New(slog.NewJSONHandler(&log, nil)))
	for i, at := range []time.Time{
		time.Date(2026, 10, 31, 23, 59, 59, 999_000_000, time.UTC), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
	} {
		insert(t, w, Row("kiosk-1", ID(at), uint64(i+1), 10))
	}
	if log.Len() != 0 {
		t.Fatal(log.String())
	}
}

func known(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	r := Row("kiosk-1", ID(Now()), 1, 10)
	r.Envelope, r.Body = nil, "2026-11-20/aa.1"
	insert(t, w, r)
	insert(t, w, Row("kiosk-1", ID(Now()), 2, 10))
	got, err := w.Known(t.Context(), []string{"2026-11-20/aa.1", "2026-11-20/aa.2", ""})
	if diff := cmp.Diff(map[string]bool{"2026-11-20/aa.1": true}, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	back, err := reader(t).Get(t.Context(), r.Device, r.ID)
	if diff := cmp.Diff(r, back); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
}
