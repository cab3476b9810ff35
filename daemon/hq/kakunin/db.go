package kakunin

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"madoguchi/internal/secret"
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// ErrShredded says that the record was shredded: nothing can be added to it.
var ErrShredded = errors.New("kakunin: the record was shredded")

// schema of HQ's additions. Entries are append-only for everybody who uses it as a database; they go only with a record
// that was shredded, whose row in shredded stays.
const schema = `
CREATE TABLE IF NOT EXISTS entries (
  n      INTEGER PRIMARY KEY AUTOINCREMENT,
  device TEXT NOT NULL,
  record TEXT NOT NULL,
  item   INTEGER NOT NULL CHECK (item BETWEEN 1 AND 30),
  fields BLOB NOT NULL,
  dna    INTEGER NOT NULL,
  author TEXT NOT NULL,
  at     TEXT NOT NULL,
  reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_record ON entries (device, record, n);
CREATE TABLE IF NOT EXISTS keys (
  key    BLOB NOT NULL,
  device TEXT NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (key, device, record)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shredded (
  device TEXT NOT NULL,
  record TEXT NOT NULL,
  at     TEXT NOT NULL,
  rule   TEXT NOT NULL,
  PRIMARY KEY (device, record)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS entries_never_change BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are only added'); END;
CREATE TRIGGER IF NOT EXISTS entries_never_vanish BEFORE DELETE ON entries
WHEN NOT EXISTS (SELECT 1 FROM shredded s WHERE s.device = OLD.device AND s.record = OLD.record)
BEGIN SELECT RAISE(ABORT, 'entries are only added'); END;
CREATE TRIGGER IF NOT EXISTS entries_not_of_shredded BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM shredded s WHERE s.device = NEW.device AND s.record = NEW.record)
BEGIN SELECT RAISE(ABORT, 'the record was shredded'); END;
CREATE TRIGGER IF NOT EXISTS shredded_never_changes BEFORE UPDATE ON shredded
BEGIN SELECT RAISE(ABORT, 'what was shredded stays shredded'); END;
CREATE TRIGGER IF NOT EXISTS shredded_never_vanishes BEFORE DELETE ON shredded
BEGIN SELECT RAISE(ABORT, 'what was shredded stays shredded'); END;
PRAGMA user_version = 1;
`

// DB is HQ's additions to the records: the opener's private database. It is kept in clear with mode 0600, because its
// key would have to lie beside it; deleted rows are overwritten (secure_delete).
type DB struct{ db *sql.DB }

// Open opens or makes the database.
func Open(ctx context.Context, path string) (*DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it with wider rights
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil || version > 1 {
		return nil, errors.Join(fmt.Errorf("kakunin: database of version %d: %w", version, err), db.Close())
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("kakunin: %w", err), db.Close())
	}
	return &DB{db}, nil
}

// Close closes the database.
func (d *DB) Close() error { return d.db.Close() }

// Add adds an entry durably after Check against the levels of the record's method and day.
func (d *DB) Add(ctx context.Context, device, record string, levels [Items]Level, e *Entry) error {
	if err := e.Check(levels); err != nil {
		return err
	}
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("kakunin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var gone int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM shredded WHERE device = ? AND record = ?`, device, record).Scan(&gone); err != nil {
		return fmt.Errorf("kakunin: %w", err)
	}
	if gone > 0 {
		return ErrShredded
	}
	fields := pack(e.Values)
	defer clear(fields)
	if _, err := tx.ExecContext(
		ctx, `INSERT INTO entries (device, record, item, fields, dna, author, at, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		device, record, e.Item, fields, e.DoesNotApply, e.Author, e.At.UTC().Format(timeLayout), e.Reason,
	); err != nil {
		return fmt.Errorf("kakunin: %w", err)
	}
	if item, _ := ItemOf(e.Item); item.ID == "search-key" && !e.DoesNotApply {
		if err := remember(ctx, tx, device, record, e.Values[0].Text); err != nil {
			return err
		}
	}
	return tx.Commit()
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func remember(ctx context.Context, x execer, device, record string, key *secret.Bytes) error {
	if _, err := x.ExecContext(ctx, `INSERT OR IGNORE INTO keys (key, device, record) VALUES (?, ?, ?)`, key.Reveal(), device, record); err != nil {
		return fmt.Errorf("kakunin: %w", err)
	}
	return nil
}

// Remember keeps a key by which the operator's systems know the relation (a case reference): Find gives the record back.
func (d *DB) Remember(ctx context.Context, device, record string, key *secret.Bytes) error {
	if key.Len() == 0 {
		return nil
	}
	return remember(ctx, d.db, device, record, key)
}

// Ref names a record.
type Ref struct{ Device, ID string }

// Find lists the records of a key: an account number entered as item 27, or a case reference.
func (d *DB) Find(ctx context.Context, key *secret.Bytes) ([]Ref, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT device, record FROM keys WHERE key = ? ORDER BY device, record`, key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("kakunin: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []Ref
	for rows.Next() {
		var r Ref
		if err := rows.Scan(&r.Device, &r.ID); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// Entries lists HQ's entries of a record, oldest first. The caller wipes them.
func (d *DB) Entries(ctx context.Context, device, record string) ([]Entry, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT n, item, fields, dna, author, at, reason FROM entries WHERE device = ? AND record = ? ORDER BY n`, device, record)
	if err != nil {
		return nil, fmt.Errorf("kakunin: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []Entry
	for rows.Next() {
		var e Entry
		var fields []byte
		var at string
		if err := rows.Scan(&e.N, &e.Item, &fields, &e.DoesNotApply, &e.Author, &at, &e.Reason); err != nil {
			return nil, err
		}
		if e.At, err = time.Parse(timeLayout, at); err != nil {
			return nil, err
		}
		if e.Values, err = unpack(fields); err != nil {
			return nil, err
		}
		clear(fields)
		all = append(all, e)
	}
	return all, rows.Err()
}

// Shred deletes HQ's entries and keys of a record and remembers that it was shredded, and by which rule. It gives how
// many entries went; a second time it does nothing.
func (d *DB) Shred(ctx context.Context, device, record string, at time.Time, rule string) (int, error) {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("kakunin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO shredded (device, record, at, rule) VALUES (?, ?, ?, ?)`, device, record, at.UTC().Format(timeLayout), rule); err != nil {
		return 0, fmt.Errorf("kakunin: %w", err)
	}
	res, err := tx.ExecContext(ctx, `DELETE FROM entries WHERE device = ? AND record = ?`, device, record)
	if err != nil {
		return 0, fmt.Errorf("kakunin: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM keys WHERE device = ? AND record = ?`, device, record); err != nil {
		return 0, fmt.Errorf("kakunin: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	// What was deleted must not stay readable in the log beside the database.
	_, err = d.db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return int(n), err
}

// pack writes values as length-framed fields, so that their text never becomes a string.
func pack(values []Value) []byte {
	b := []byte{} // never NULL
	for _, v := range values {
		for _, part := range [][]byte{[]byte(v.Field), v.Text.Reveal()} {
			b = binary.BigEndian.AppendUint32(b, uint32(len(part))) //nolint:gosec // capped by Check
			b = append(b, part...)
		}
	}
	return b
}

func unpack(b []byte) ([]Value, error) {
	var out []Value
	for len(b) > 0 {
		var part [2][]byte
		for i := range part {
			if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
				return nil, errors.New("kakunin: a malformed row")
			}
			n := binary.BigEndian.Uint32(b)
			part[i], b = b[4:4+n], b[4+n:]
		}
		out = append(out, Value{string(part[0]), secret.Copy(part[1])})
	}
	return out, nil
}
