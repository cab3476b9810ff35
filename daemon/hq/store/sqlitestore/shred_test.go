package sqlitestore_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/store/storetest"
)

// version3 is the schema as it was before records could be shredded, written by hand.
func version3() string {
	return strings.Replace(version2, "PRAGMA user_version = 2;", `
CREATE TABLE audit_logs (device TEXT NOT NULL PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL, edge BLOB NOT NULL, checkpoint BLOB NOT NULL, at TEXT NOT NULL);
CREATE TABLE audit_leaves (device TEXT NOT NULL, n INTEGER NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY (device, n));
CREATE TABLE alarms (device TEXT NOT NULL, code TEXT NOT NULL, at TEXT NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (device, code));
CREATE TABLE heartbeats (device TEXT NOT NULL PRIMARY KEY, at TEXT NOT NULL, beat BLOB NOT NULL);
PRAGMA user_version = 3;`, 1)
}

func TestUpgradeFromVersion3(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.sqlite")
	write(t, path, version3())
	w := open(t, path, slog.New(slog.DiscardHandler))
	h, err := w.Health(t.Context())
	if err != nil || h.Version != 4 {
		t.Fatalf("%+v, %v", h, err)
	}
	const id = "019a9f00-0000-7000-8000-000000000001"
	tomb, err := w.Shred(t.Context(), "kiosk-1", id, storetest.Now(), "rule")
	if err != nil || tomb.Seq != 7 || string(tomb.Receipt) != "{}" {
		t.Fatalf("%+v, %v", tomb, err)
	}
	if _, fresh, err := w.Insert(t.Context(), storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 9, 10)); err != nil || !fresh {
		t.Fatal(err)
	}
	stillNeverChange(t, path)
}

// The bytes of a shredded record are in none of the database's files.
func TestShreddedBytesAreGone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "records.sqlite")
	w, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Now: storetest.Now})
	if err != nil {
		t.Fatal(err)
	}
	gone, stays := storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 0), storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 2, 0)
	gone.Envelope, stays.Envelope = bytes.Repeat([]byte("canary-gone."), 4000), bytes.Repeat([]byte("canary-stays."), 4000)
	for _, r := range []*[]byte{&gone.Envelope, &stays.Envelope} {
		row := gone
		if r == &stays.Envelope {
			row = stays
		}
		if _, _, err := w.Insert(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Shred(t.Context(), "kiosk-1", gone.ID, storetest.Now(), "rule"); err != nil {
		t.Fatal(err)
	}
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := func(what string) (n int) {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(b, []byte(what))
		}
		return n
	}
	if n := count("canary-gone"); n != 0 {
		t.Fatalf("%d pieces are left", n)
	}
	if count("canary-stays") < 3900 { // pages cut some
		t.Fatal("the search finds nothing: this test proves nothing")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// No row can go but behind its tombstone, and no tombstone goes or changes.
func TestNothingGoesBesideShred(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.sqlite")
	w := open(t, path, slog.New(slog.DiscardHandler))
	a, b := storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 10), storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 2, 10)
	for _, r := range []string{a.ID, b.ID} {
		row := a
		if r == b.ID {
			row = b
		}
		if _, _, err := w.Insert(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Shred(t.Context(), "kiosk-1", a.ID, storetest.Now(), "rule"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, q := range []string{"DELETE FROM records", "DELETE FROM tombstones", "UPDATE tombstones SET rule = 'x'"} {
		if _, err := db.ExecContext(t.Context(), q); err == nil {
			t.Errorf("%s was let through", q)
		}
	}
}
