// Package viewlog is the append-only list of who looked at which record at HQ. An entry is written before anything is
// shown; when it cannot be written, nothing is shown. Only daemon/hq/... and daemon/hqd may import it.
package viewlog

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

// schema of the log. The triggers keep it append-only for everybody who uses it as a database.
const schema = `
CREATE TABLE IF NOT EXISTS views (
  n      INTEGER PRIMARY KEY AUTOINCREMENT,
  at     TEXT NOT NULL,
  viewer TEXT NOT NULL,
  device TEXT NOT NULL,
  record TEXT NOT NULL,
  what   TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS views_never_change BEFORE UPDATE ON views
BEGIN SELECT RAISE(ABORT, 'the view log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS views_never_vanish BEFORE DELETE ON views
BEGIN SELECT RAISE(ABORT, 'the view log is append-only'); END;
`

// View is one entry.
type View struct {
	At     time.Time
	Viewer string // who, as far as the page knows
	Device string
	Record string
	What   string // "record", "json" or the name of an image
}

// Log is an open view log.
type Log struct{ db *sql.DB }

// Open opens or makes the log.
func Open(ctx context.Context, path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it with wider rights
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("viewlog: %w", err), db.Close())
	}
	return &Log{db}, nil
}

// Close closes the log.
func (l *Log) Close() error { return l.db.Close() }

// Append adds an entry, durably.
func (l *Log) Append(ctx context.Context, v View) error {
	_, err := l.db.ExecContext(
		ctx, `INSERT INTO views (at, viewer, device, record, what) VALUES (?, ?, ?, ?, ?)`,
		v.At.UTC().Format(timeLayout), v.Viewer, v.Device, v.Record, v.What,
	)
	if err != nil {
		return fmt.Errorf("viewlog: %w", err)
	}
	return nil
}

// Newest lists at most limit entries, newest first.
func (l *Log) Newest(ctx context.Context, limit int) ([]View, error) {
	return l.query(ctx, `SELECT at, viewer, device, record, what FROM views ORDER BY n DESC LIMIT ?`, limit)
}

// Of lists the entries of one record, newest first.
func (l *Log) Of(ctx context.Context, device, record string, limit int) ([]View, error) {
	return l.query(ctx, `SELECT at, viewer, device, record, what FROM views WHERE device = ? AND record = ? ORDER BY n DESC LIMIT ?`, device, record, limit)
}

func (l *Log) query(ctx context.Context, q string, args ...any) ([]View, error) {
	rows, err := l.db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("viewlog: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []View
	for rows.Next() {
		var v View
		var at string
		if err := rows.Scan(&at, &v.Viewer, &v.Device, &v.Record, &v.What); err != nil {
			return nil, err
		}
		if v.At, err = time.Parse(timeLayout, at); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
