package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/store"
	"madoguchi/storage/audit"
)

// grow gives what is seen after n more leaves, and the leaves.
func grow(before audit.Seen, n int) (audit.Seen, [][]byte) {
	now := audit.Seen{Origin: "madoguchi/audit/kiosk-1/0123456789abcdef", Tree: before.Tree.Clone()}
	var leaves [][]byte
	for range n {
		leaf := fmt.Appendf(nil, "leaf %d", now.Tree.Size())
		leaves = append(leaves, leaf)
		now.Tree.Append(leaf)
	}
	return now, leaves
}

func requireSeen(t *testing.T, w store.Witness, want audit.Seen) {
	t.Helper()
	got, err := w.AuditSeen(t.Context(), "kiosk-1")
	if err != nil || got.Origin != want.Origin || got.Tree.Size() != want.Tree.Size() || got.Tree.Root() != want.Tree.Root() {
		t.Fatalf("got %d leaves of %q, %v; want %d of %q", got.Tree.Size(), got.Origin, err, want.Tree.Size(), want.Origin)
	}
}

// remembers: logs grow from what was seen and from nothing else, alarms and heartbeats are replaced.
func remembers(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	requireSeen(t, w, audit.Seen{})
	one, leaves := grow(audit.Seen{}, 1000)
	if err := w.AuditAdvance(t.Context(), "kiosk-1", audit.Seen{}, one, leaves, []byte("c1"), Now()); err != nil {
		t.Fatal(err)
	}
	two, more := grow(one, 7)
	if err := w.AuditAdvance(t.Context(), "kiosk-1", one, two, more, []byte("c2"), Now()); err != nil {
		t.Fatal(err)
	}
	requireSeen(t, w, two)
	for name, before := range map[string]audit.Seen{"from-the-beginning": {}, "from-the-middle": one} {
		now, again := grow(before, 9)
		if err := w.AuditAdvance(t.Context(), "kiosk-1", before, now, again, nil, Now()); !errors.Is(err, store.ErrRace) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	requireSeen(t, w, two)
	r := reader(t)
	all := append(leaves, more...)
	got, err := r.AuditLeaves(t.Context(), "kiosk-1", 995, 10)
	if err != nil || !cmp.Equal(got, all[995:1005]) {
		t.Fatalf("%d leaves, %v", len(got), err)
	}
	if got, err = r.AuditLeaves(t.Context(), "kiosk-2", 0, 10); err != nil || len(got) != 0 {
		t.Fatalf("another kiosk's: %d, %v", len(got), err)
	}
	for i, code := range []string{"forked", "clock", "forked"} {
		a := store.DeviceAlarm{Device: "kiosk-1", Code: code, At: Now().Add(time.Duration(i) * time.Minute), Origin: "o", Size: int64(i)}
		if err := w.AuditAlarm(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	want := []store.DeviceAlarm{
		{Device: "kiosk-1", Code: "forked", At: Now().Add(2 * time.Minute), Origin: "o", Size: 2},
		{Device: "kiosk-1", Code: "clock", At: Now().Add(time.Minute), Origin: "o", Size: 1},
	}
	if alarms, err := r.Alarms(t.Context()); err != nil || !cmp.Equal(alarms, want) {
		t.Fatalf("%s, %v", cmp.Diff(want, alarms), err)
	}
	for _, b := range []store.Beat{
		{Device: "kiosk-2", At: Now(), JSON: []byte(`{"n":1}`)},
		{Device: "kiosk-1", At: Now(), JSON: []byte(`{}`)},
		{Device: "kiosk-2", At: Now().Add(time.Minute), JSON: []byte(`{"n":2}`)},
	} {
		if err := w.Heartbeat(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	beats, err := r.Heartbeats(t.Context())
	if err != nil || len(beats) != 2 || beats[1].Device != "kiosk-2" || !beats[1].At.Equal(Now().Add(time.Minute)) || !bytes.Contains(beats[1].JSON, []byte(`2`)) {
		t.Fatalf("%+v, %v", beats, err)
	}
}

// retires: a log is put aside with all it has, and another one begins.
func retires(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	if err := w.AuditRetire(t.Context(), "kiosk-1"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	one, leaves := grow(audit.Seen{}, 5)
	if err := w.AuditAdvance(t.Context(), "kiosk-1", audit.Seen{}, one, leaves, []byte("c"), Now()); err != nil {
		t.Fatal(err)
	}
	if err := w.AuditAlarm(t.Context(), store.DeviceAlarm{Device: "kiosk-1", Code: "another-log", At: Now()}); err != nil {
		t.Fatal(err)
	}
	if err := w.AuditRetire(t.Context(), "kiosk-1"); err != nil {
		t.Fatal(err)
	}
	requireSeen(t, w, audit.Seen{})
	two, more := grow(audit.Seen{}, 2)
	if err := w.AuditAdvance(t.Context(), "kiosk-1", audit.Seen{}, two, more, []byte("c"), Now()); err != nil {
		t.Fatal(err)
	}
	const aside = "kiosk-1@0123456789abcdef"
	r := reader(t)
	want := []store.AuditLog{{Device: "kiosk-1", Origin: one.Origin, Size: 2, At: Now()}, {Device: aside, Origin: one.Origin, Size: 5, At: Now()}}
	if logs, err := r.AuditLogs(t.Context()); err != nil || !cmp.Equal(logs, want) {
		t.Fatalf("%s, %v", cmp.Diff(want, logs), err)
	}
	if got, err := r.AuditLeaves(t.Context(), aside, 0, 9); err != nil || len(got) != 5 {
		t.Fatalf("%d leaves, %v", len(got), err)
	}
	if alarms, err := r.Alarms(t.Context()); err != nil || len(alarms) != 1 || alarms[0].Device != aside {
		t.Fatalf("%+v, %v", alarms, err)
	}
}

// auditRaces: of many that advance one log at once exactly one does, and nothing is lost or doubled.
func auditRaces(t *testing.T, k Kit) {
	t.Helper()
	w, reader := k.New(t, slog.New(slog.DiscardHandler))
	writers := []store.Writer{w}
	if k.Second != nil {
		writers = append(writers, k.Second(t))
	}
	seen := audit.Seen{}
	for round := range 5 {
		now, leaves := grow(seen, 20)
		var all sync.WaitGroup
		var mu sync.Mutex
		won, lost := 0, 0
		for i := range 8 {
			all.Go(func() {
				err := writers[i%len(writers)].AuditAdvance(t.Context(), "kiosk-1", seen, now, leaves, []byte("c"), Now())
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, store.ErrRace):
					lost++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won != 1 || lost != 7 {
			t.Fatalf("round %d: %d won, %d lost", round, won, lost)
		}
		seen = now
	}
	requireSeen(t, w, seen)
	if got, err := reader(t).AuditLeaves(t.Context(), "kiosk-1", 0, 1000); err != nil || len(got) != 100 {
		t.Fatalf("%d leaves, %v", len(got), err)
	}
}
