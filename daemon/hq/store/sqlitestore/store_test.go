package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/store/storetest"
)

func open(t *testing.T, path string, log *slog.Logger) *sqlitestore.Writer {
	t.Helper()
	w, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Log: log, Now: storetest.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func reader(t *testing.T, path string) store.Reader {
	t.Helper()
	r, err := sqlitestore.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestSuite(t *testing.T) {
	var path string
	storetest.Run(t, storetest.Kit{
		New: func(t *testing.T, log *slog.Logger) (store.Writer, func(*testing.T) store.Reader) {
			path = filepath.Join(t.TempDir(), "records.sqlite")
			here := path
			return open(t, here, log), func(t *testing.T) store.Reader { return reader(t, here) }
		},
		Second: func(t *testing.T) store.Writer { return open(t, path, slog.New(slog.DiscardHandler)) },
	})
}

// version1 is the schema that was shipped as version 1, with two rows: one ordinary, one with an id of 1970.
const version1 = `
CREATE TABLE records (
  device TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, created TEXT NOT NULL, received TEXT NOT NULL, virtual TEXT NOT NULL,
  parts TEXT NOT NULL, digest BLOB NOT NULL CHECK (length(digest) = 32), envelope BLOB NOT NULL, receipt BLOB NOT NULL,
  PRIMARY KEY (device, id)
);
CREATE INDEX records_received ON records (received DESC, device, id);
CREATE INDEX records_seq ON records (device, seq);
CREATE TRIGGER records_never_change BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
INSERT INTO records VALUES ('kiosk-1', '019a9f00-0000-7000-8000-000000000001', 7, '2026-11-20T01:02:03.456Z', '2026-11-20T01:02:04.000Z',
  'card', 'identity,evidence', zeroblob(32), x'0102ff', x'7b7d');
INSERT INTO records VALUES ('kiosk-1', '00000000-0000-7000-8000-000000000002', 8, '2026-11-20T01:02:03.456Z', '2026-11-20T01:02:05.000Z',
  '', 'evidence', zeroblob(32), x'03', x'7b7d');
PRAGMA user_version = 1;`

func write(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

func TestUpgradeFromVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.sqlite")
	write(t, path, version1)
	if _, err := sqlitestore.OpenReader(t.Context(), path); !errors.Is(err, store.ErrVersion) {
		t.Fatalf("a reader must not guess at another version: %v", err)
	}
	w := open(t, path, slog.New(slog.DiscardHandler))
	r := reader(t, path)
	got, err := r.Get(t.Context(), "kiosk-1", "019a9f00-0000-7000-8000-000000000001")
	if err != nil || got.Seq != 7 || string(got.Envelope) != "\x01\x02\xff" || string(got.Receipt) != "{}" || got.Body != "" || len(got.Parts) != 2 || got.Received.Second() != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	h, err := w.Health(t.Context())
	if err != nil || h.Version != 4 || h.Level != store.LevelAlarm || len(h.Findings) != 1 || h.Findings[0].Count != 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	again := storetest.Row("kiosk-1", got.ID, 7, 10)
	if old, fresh, err := w.Insert(t.Context(), again); err != nil || fresh || string(old.Receipt) != "{}" {
		t.Fatal("an old record was taken twice: ", err)
	}
	if _, fresh, err := w.Insert(t.Context(), storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 9, 10)); err != nil || !fresh {
		t.Fatal(err)
	}
	if list, err := r.List(t.Context(), 9, 0); err != nil || len(list) != 3 {
		t.Fatal(len(list), err)
	}
	stillNeverChange(t, path)
}

// version2 is the schema as it was before HQ was a witness, written by hand.
const version2 = `
CREATE TABLE records (
  device TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, created TEXT NOT NULL, received TEXT NOT NULL,
  virtual TEXT NOT NULL, parts TEXT NOT NULL, digest BLOB NOT NULL CHECK (length(digest) = 32), envelope BLOB NOT NULL,
  receipt BLOB NOT NULL, body TEXT NOT NULL DEFAULT '', suspect INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (device, id)
);
CREATE INDEX records_received ON records (received DESC, device, id);
CREATE INDEX records_seq ON records (device, seq);
CREATE INDEX records_body ON records (body) WHERE body <> '';
CREATE INDEX records_suspect ON records (received) WHERE suspect = 1;
INSERT INTO records VALUES ('kiosk-1', '019a9f00-0000-7000-8000-000000000001', 7, '2026-11-20T01:02:03.456Z', '2026-11-20T01:02:04.000Z',
  'card', 'identity,evidence', zeroblob(32), x'0102ff', x'7b7d', '', 0);
CREATE TRIGGER records_never_change BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
PRAGMA user_version = 2;`

func TestUpgradeFromVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.sqlite")
	write(t, path, version2)
	w := open(t, path, slog.New(slog.DiscardHandler))
	got, err := reader(t, path).Get(t.Context(), "kiosk-1", "019a9f00-0000-7000-8000-000000000001")
	if err != nil || got.Seq != 7 || string(got.Envelope) != "\x01\x02\xff" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := w.Heartbeat(t.Context(), store.Beat{Device: "kiosk-1", At: storetest.Now(), JSON: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	stillNeverChange(t, path)
}

func stillNeverChange(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "UPDATE records SET seq = 9"); err == nil || !strings.Contains(err.Error(), "never changed") {
		t.Fatalf("got %v", err)
	}
}

func TestOtherVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.sqlite")
	write(t, path, fmt.Sprintf("PRAGMA user_version = %d", 99))
	if _, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{}); !errors.Is(err, store.ErrVersion) {
		t.Fatalf("a newer database must be refused: %v", err)
	}
}

func TestFailedUpgradeChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.sqlite")
	write(t, path, version1+`INSERT INTO records VALUES ('kiosk-1', 'no-uuid', 8, 'x', 'x', '', 'evidence', zeroblob(32), x'03', x'7b7d')`)
	if _, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{}); err == nil {
		t.Fatal("upgraded over a malformed row")
	}
	stillNeverChange(t, path)
	write(t, path, `DELETE FROM records WHERE id = 'no-uuid'`)
	open(t, path, slog.New(slog.DiscardHandler))
}
