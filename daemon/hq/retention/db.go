package retention

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// schema of the database: events and the log of what was shredded. Both are only added to.
const schema = `
CREATE TABLE IF NOT EXISTS events (
  n      INTEGER PRIMARY KEY AUTOINCREMENT,
  kind   TEXT NOT NULL CHECK (kind IN ('relation-end', 'relation-resumed', 'my-number-end', 'hold', 'release')),
  device TEXT NOT NULL,
  record TEXT NOT NULL,
  day    TEXT NOT NULL,
  source TEXT NOT NULL,
  author TEXT NOT NULL,
  reason TEXT NOT NULL,
  at     TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_record ON events (device, record, n);
CREATE TABLE IF NOT EXISTS shredding (
  n       INTEGER PRIMARY KEY AUTOINCREMENT,
  device  TEXT NOT NULL,
  record  TEXT NOT NULL,
  rule    TEXT NOT NULL,
  due     TEXT NOT NULL,
  stage   TEXT NOT NULL CHECK (stage IN ('begun', 'done', 'failed')),
  parts   TEXT NOT NULL,
  entries INTEGER NOT NULL,
  author  TEXT NOT NULL,
  at      TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS shredding_record ON shredding (device, record, n);
CREATE TRIGGER IF NOT EXISTS events_never_change BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER IF NOT EXISTS events_never_vanish BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;
CREATE TRIGGER IF NOT EXISTS shredding_never_changes BEFORE UPDATE ON shredding BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER IF NOT EXISTS shredding_never_vanishes BEFORE DELETE ON shredding BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
PRAGMA user_version = 1;
`

// DB is the database of events and of the shredding log. It holds nothing personal: records by their ids.
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
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil || version > 1 {
		return nil, errors.Join(fmt.Errorf("retention: database of version %d: %w", version, err), db.Close())
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("retention: %w", err), db.Close())
	}
	return &DB{db}, nil
}

// Close closes the database.
func (d *DB) Close() error { return d.db.Close() }

// Post takes events, all or none.
func (d *DB) Post(ctx context.Context, events ...Event) error {
	for _, e := range events {
		if err := e.check(); err != nil {
			return err
		}
	}
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, e := range events {
		if _, err := tx.ExecContext(
			ctx, `INSERT INTO events (kind, device, record, day, source, author, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			string(e.Kind), e.Device, e.ID, e.Day, e.Source, e.Author, e.Reason, e.At.UTC().Format(timeLayout),
		); err != nil {
			return fmt.Errorf("retention: %w", err)
		}
	}
	return tx.Commit()
}

// Events lists those of a record, oldest first.
func (d *DB) Events(ctx context.Context, device, id string) ([]Event, error) {
	return d.events(ctx, `WHERE device = ? AND record = ? ORDER BY n`, device, id)
}

// Newest lists the newest events of all records.
func (d *DB) Newest(ctx context.Context, limit int) ([]Event, error) {
	return d.events(ctx, `ORDER BY n DESC LIMIT ?`, limit)
}

func (d *DB) events(ctx context.Context, which string, args ...any) ([]Event, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT kind, device, record, day, source, author, reason, at FROM events `+which, args...) //nolint:gosec // which is a constant of the callers
	if err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []Event
	for rows.Next() {
		var e Event
		var at string
		if err := rows.Scan(&e.Kind, &e.Device, &e.ID, &e.Day, &e.Source, &e.Author, &e.Reason, &at); err != nil {
			return nil, err
		}
		if e.At, err = time.Parse(timeLayout, at); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// open lists the records that have events and were not shredded to the end: device and id.
func (d *DB) open(ctx context.Context) ([][2]string, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT DISTINCT device, record FROM events e WHERE NOT EXISTS
		(SELECT 1 FROM shredding s WHERE s.device = e.device AND s.record = e.record AND s.stage = 'done') ORDER BY device, record`)
	if err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all [][2]string
	for rows.Next() {
		var r [2]string
		if err := rows.Scan(&r[0], &r[1]); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// Line is one line of the shredding log.
type Line struct {
	Device, ID, Rule, Due, Stage, Parts, Author string
	Entries                                     int // of HQ's that went with it
	At                                          time.Time
}

func (d *DB) log(ctx context.Context, l Line) error {
	_, err := d.db.ExecContext(
		ctx, `INSERT INTO shredding (device, record, rule, due, stage, parts, entries, author, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		l.Device, l.ID, l.Rule, l.Due, l.Stage, l.Parts, l.Entries, l.Author, l.At.UTC().Format(timeLayout),
	)
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return nil
}

// Log lists the newest lines of the shredding log.
func (d *DB) Log(ctx context.Context, limit int) ([]Line, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT device, record, rule, due, stage, parts, entries, author, at FROM shredding ORDER BY n DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []Line
	for rows.Next() {
		var l Line
		var at string
		if err := rows.Scan(&l.Device, &l.ID, &l.Rule, &l.Due, &l.Stage, &l.Parts, &l.Entries, &l.Author, &at); err != nil {
			return nil, err
		}
		if l.At, err = time.Parse(timeLayout, at); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}
