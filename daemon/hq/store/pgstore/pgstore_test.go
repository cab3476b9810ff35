package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/pgstore"
	"madoguchi/daemon/hq/store/pgtest"
	"madoguchi/daemon/hq/store/storetest"
)

func open(t *testing.T, address string, log *slog.Logger, now func() time.Time) *pgstore.Writer {
	t.Helper()
	w, err := pgstore.Open(t.Context(), address, pgstore.Options{Log: log, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func reader(t *testing.T, address string) store.Reader {
	t.Helper()
	r, err := pgstore.OpenReader(t.Context(), address, pgstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func insert(t *testing.T, w store.Writer, r store.Row) {
	t.Helper()
	if _, fresh, err := w.Insert(t.Context(), r); err != nil || !fresh {
		t.Fatalf("insert: fresh %v, %v", fresh, err)
	}
}

// one reads one value of one row.
func one[T any](t *testing.T, address, sql string, args ...any) (v T) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
	if err := c.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestPostgres runs everything against one real server, each test in a database of its own.
func TestPostgres(t *testing.T) {
	s := pgtest.Start(t)
	t.Run("suite", func(t *testing.T) {
		var address string
		storetest.Run(t, storetest.Kit{
			New: func(t *testing.T, log *slog.Logger) (store.Writer, func(*testing.T) store.Reader) {
				address = s.Database(t)
				here := address
				return open(t, here, log, storetest.Now), func(t *testing.T) store.Reader { return reader(t, here) }
			},
			Second: func(t *testing.T) store.Writer { return open(t, address, quiet(), storetest.Now) },
		})
	})
	t.Run("many-start-at-once", func(t *testing.T) { manyStart(t, s) })
	t.Run("upgrade-from-every-version", func(t *testing.T) { upgrades(t, s) })
	t.Run("a-newer-database-is-refused", func(t *testing.T) {
		a := s.Database(t)
		open(t, a, quiet(), storetest.Now)
		s.Exec(t, a, "INSERT INTO madoguchi_schema (version) VALUES (99)")
		if _, err := pgstore.Open(t.Context(), a, pgstore.Options{}); !errors.Is(err, store.ErrVersion) {
			t.Fatal(err)
		}
		if _, err := pgstore.OpenReader(t.Context(), a, pgstore.Options{}); !errors.Is(err, store.ErrVersion) {
			t.Fatal(err)
		}
	})
	t.Run("months-have-partitions", func(t *testing.T) { months(t, s) })
	t.Run("what-waits-in-the-default-moves", func(t *testing.T) { moves(t, s) })
	t.Run("partitions-appear-under-load", func(t *testing.T) { underLoad(t, s) })
	t.Run("a-long-reader-holds-up-no-record", func(t *testing.T) { longReader(t, s) })
	t.Run("rows-never-change", func(t *testing.T) {
		a := s.Database(t)
		insert(t, open(t, a, quiet(), storetest.Now), storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 10))
		c, err := pgx.Connect(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
		if _, err := c.Exec(t.Context(), "UPDATE records SET seq = 9"); err == nil || !strings.Contains(err.Error(), "never changed") {
			t.Fatal(err)
		}
	})
	t.Run("commits-are-waited-for", func(t *testing.T) {
		a := s.Database(t)
		s.Exec(t, a, "ALTER ROLE hq SET synchronous_commit = off")
		defer s.Exec(t, a, "ALTER ROLE hq RESET synchronous_commit")
		if got := open(t, a, quiet(), storetest.Now).Setting(t.Context(), "synchronous_commit"); got != "on" {
			t.Fatal(got)
		}
	})
	t.Run("a-restart-loses-nothing", func(t *testing.T) { restart(t, s) })
}

func TestNoPasswordInAddress(t *testing.T) {
	for _, a := range []string{"postgres://hq:secret@db/hq", "postgres://db/hq?password=secret", "postgresql://db/hq?sslpassword=secret"} {
		_, err := pgstore.Open(t.Context(), a, pgstore.Options{})
		if !errors.Is(err, pgstore.ErrPassword) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{"", "sqlite:x", "postgres://%zz", "host=db password=secret"} {
		if _, err := pgstore.Open(t.Context(), a, pgstore.Options{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestPassFile(t *testing.T) {
	s := pgtest.Start(t)
	a := s.Database(t)
	s.Exec(t, a, "ALTER ROLE hq PASSWORD 'kitsune-7'")
	s.Passwords(t)
	if _, err := pgstore.Open(t.Context(), a, pgstore.Options{}); err == nil {
		t.Fatal("no password was asked for")
	}
	file := filepath.Join(t.TempDir(), "pgpass")
	if err := os.WriteFile(file, []byte("*:*:*:hq:kitsune-7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := pgstore.Open(t.Context(), a, pgstore.Options{PassFile: file})
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
}

func TestFsyncOff(t *testing.T) {
	s := pgtest.Start(t, "fsync=off")
	if _, err := pgstore.Open(t.Context(), s.Database(t), pgstore.Options{}); !errors.Is(err, store.ErrNotDurable) {
		t.Fatal(err)
	}
}

func manyStart(t *testing.T, s *pgtest.Server) {
	a := s.Database(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			w, err := pgstore.Open(t.Context(), a+"&pool_max_conns=2", pgstore.Options{Now: storetest.Now})
			if err != nil {
				t.Error(err)
				return
			}
			_ = w.Close()
		})
	}
	wg.Wait()
	if n := one[int](t, a, "SELECT count(*) FROM madoguchi_schema"); n != pgstore.Versions() {
		t.Fatalf("%d versions", n)
	}
	if n := one[int](t, a, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'records'::regclass"); n != 6 {
		t.Fatalf("%d partitions, want the default and five months", n)
	}
}

// upgrades makes a database of every older version, with a row, and opens it.
func upgrades(t *testing.T, s *pgtest.Server) {
	for v := range pgstore.Versions() {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			a := s.Database(t)
			if err := pgstore.MigrateTo(t.Context(), a, v); err != nil {
				t.Fatal(err)
			}
			id := storetest.ID(storetest.Now())
			if v > 0 {
				s.Exec(t, a, `INSERT INTO records (month, device, id, seq, created, received, virtual, parts, digest, body, suspect, receipt, envelope)
					VALUES ('2026-11-01', 'kiosk-1', '`+id+`', 7, '2026-11-20 01:02:03.456Z', '2026-11-20 01:02:04Z', 'card', 'identity', decode(repeat('00', 32), 'hex'), '', false, 'receipt', 'body')`)
				if _, err := pgstore.OpenReader(t.Context(), a, pgstore.Options{}); !errors.Is(err, store.ErrVersion) {
					t.Fatal(err)
				}
			}
			w := open(t, a, quiet(), storetest.Now)
			h, err := w.Health(t.Context())
			if err != nil || h.Version != pgstore.Versions() || h.Level != store.LevelOK {
				t.Fatalf("%+v, %v", h, err)
			}
			row := storetest.Row("kiosk-1", id, 7, 10)
			old, fresh, err := w.Insert(t.Context(), row)
			if err != nil || fresh != (v == 0) || v > 0 && string(old.Receipt) != "receipt" {
				t.Fatalf("%+v %v %v", old, fresh, err)
			}
			got, err := reader(t, a).Get(t.Context(), "kiosk-1", id)
			if err != nil || got.Seq != 7 || v > 0 && (string(got.Envelope) != "body" || got.Created.Nanosecond() != 456_000_000) {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
}

func months(t *testing.T, s *pgtest.Server) {
	a := s.Database(t)
	w := open(t, a, quiet(), storetest.Now)
	insert(t, w, storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 10))
	insert(t, w, storetest.Row("kiosk-1", storetest.ID(time.Date(2025, 2, 28, 23, 0, 0, 0, time.UTC)), 2, 10)) // long offline
	insert(t, w, storetest.Row("kiosk-1", storetest.ID(time.Date(2031, 2, 1, 0, 0, 0, 0, time.UTC)), 3, 10))   // impossible
	for table, want := range map[string]int{"records_2026_11": 1, "records_2025_02": 1, "records_default": 1, "records_2027_02": 0} {
		if n := one[int](t, a, "SELECT count(*) FROM "+table); n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
	if c := one[string](t, a, "SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'records_2025_02'::regclass AND attname = 'envelope'"); c != "e" {
		t.Errorf("the envelopes of a month are stored %q, want e: cipher text does not shrink", c)
	}
}

// moves lets a future month arrive: what waits in the default partition must not stop its partition.
func moves(t *testing.T, s *pgtest.Server) {
	a := s.Database(t)
	w := open(t, a, quiet(), storetest.Now)
	future := storetest.Row("kiosk-1", storetest.ID(time.Date(2027, 6, 2, 0, 0, 0, 0, time.UTC)), 1, 10)
	insert(t, w, future)
	later := open(t, a, quiet(), func() time.Time { return time.Date(2027, 5, 30, 0, 0, 0, 0, time.UTC) })
	if n := one[int](t, a, "SELECT count(*) FROM records_2027_06"); n != 1 {
		t.Fatalf("%d rows moved, want 1", n)
	}
	if _, fresh, err := later.Insert(t.Context(), future); fresh || err != nil {
		t.Fatal("not exactly once over the move: ", err)
	}
	if _, fresh, err := w.Insert(t.Context(), future); fresh || err != nil { // which does not know the new partition
		t.Fatal(err)
	}
}

func underLoad(t *testing.T, s *pgtest.Server) {
	a := s.Database(t)
	writers := []*pgstore.Writer{open(t, a, quiet(), storetest.Now), open(t, a, quiet(), storetest.Now)}
	var wg sync.WaitGroup
	const each = 40
	for g := range 6 {
		wg.Go(func() {
			for i := range each {
				r := storetest.Row(fmt.Sprintf("kiosk-%d", g), storetest.ID(storetest.Now().AddDate(0, -(i%20), 0)), uint64(i+1), 500)
				if _, fresh, err := writers[g%2].Insert(t.Context(), r); err != nil || !fresh {
					t.Error(fresh, err)
				}
			}
		})
	}
	wg.Wait()
	if n := one[int](t, a, "SELECT count(*) FROM records"); n != 6*each {
		t.Fatalf("%d rows, want %d", n, 6*each)
	}
	if n := one[int](t, a, "SELECT count(*) FROM records_default"); n != 0 {
		t.Fatalf("%d rows in the default partition", n)
	}
}

// longReader holds the default partition, as a backup does: the row is taken into it, the alarm is up, and the next
// maintenance puts the row where it belongs.
func longReader(t *testing.T, s *pgtest.Server) {
	a := s.Database(t)
	var log bytes.Buffer
	w := open(t, a, slog.New(slog.NewJSONHandler(&log, nil)), storetest.Now)
	c, err := pgx.Connect(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE records_default IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	insert(t, w, storetest.Row("kiosk-1", storetest.ID(time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)), 1, 10))
	h, err := w.Health(t.Context())
	if err != nil || h.Level != store.LevelAlarm || h.Findings[0].Code != "store-partition-missing" || !strings.Contains(log.String(), `"code":"store-partition-missing"`) {
		t.Fatalf("%+v, %v, %s", h, err, log.String())
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h, err = w.Health(t.Context()); err != nil || h.Level != store.LevelOK {
		t.Fatalf("%+v, %v", h, err)
	}
	if n := one[int](t, a, "SELECT count(*) FROM records_2025_03"); n != 1 {
		t.Fatal(n)
	}
}

// restart kills the server's processes under load: what was acknowledged is there, once.
func restart(t *testing.T, s *pgtest.Server) {
	a := s.Database(t)
	w := open(t, a, quiet(), storetest.Now)
	var mu sync.Mutex
	var acked []store.Row
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	enough := make(chan struct{}, 1)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := uint64(1); ctx.Err() == nil; i++ {
				r := storetest.Row(fmt.Sprintf("kiosk-%d", g), storetest.ID(storetest.Now()), i, 60<<10)
				if _, _, err := w.Insert(ctx, r); err != nil {
					return
				}
				mu.Lock()
				acked = append(acked, r)
				if len(acked) == 100 {
					enough <- struct{}{}
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Fatal("no progress")
	}
	s.Kill(t)
	wg.Wait()
	s.Run(t)
	for _, r := range acked {
		if _, fresh, err := w.Insert(t.Context(), r); err != nil || fresh { // the old pool finds the new server
			t.Fatalf("an acknowledged row was lost: %v %v", fresh, err)
		}
	}
}
