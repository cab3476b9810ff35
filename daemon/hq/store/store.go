// Package store is HQ's store of received envelopes, in SQLite: one row per record, its envelope as it came, and the
// receipt that was given for it. The clear columns are routing data; nothing personal is in them. Rows are never
// changed. Only daemon/hq/... and daemon/hqd may import it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"madoguchi/storage/record"
	"madoguchi/storage/wire"
)

// ErrNotFound says that there is no such record.
var ErrNotFound = errors.New("store: no such record")

// timeLayout sorts as text.
const timeLayout = "2006-01-02T15:04:05.000Z"

// schema of the database. The trigger keeps rows as they were received.
const schema = `
CREATE TABLE IF NOT EXISTS records (
  device   TEXT NOT NULL,
  id       TEXT NOT NULL,
  seq      INTEGER NOT NULL,
  created  TEXT NOT NULL,
  received TEXT NOT NULL,
  virtual  TEXT NOT NULL,
  parts    TEXT NOT NULL,
  digest   BLOB NOT NULL CHECK (length(digest) = 32),
  envelope BLOB NOT NULL,
  receipt  BLOB NOT NULL,
  PRIMARY KEY (device, id)
);
CREATE INDEX IF NOT EXISTS records_received ON records (received DESC, device, id);
CREATE INDEX IF NOT EXISTS records_seq ON records (device, seq);
CREATE TRIGGER IF NOT EXISTS records_never_change BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
PRAGMA user_version = 1;
`

// Row is one stored record. List leaves Envelope and Receipt empty.
type Row struct {
	Device, ID string
	Seq        uint64
	Created    time.Time
	Received   time.Time
	Virtual    []string
	Parts      []record.Part
	Digest     [32]byte
	Envelope   []byte
	Receipt    []byte
}

// Virtually says whether any part of the record was virtual.
func (r Row) Virtually() bool { return len(r.Virtual) > 0 }

// NewRow makes the row of an envelope.
func NewRow(e *wire.Envelope, receipt []byte, received time.Time) Row {
	r := Row{
		Device: e.Header.Device, ID: e.Header.ID, Seq: e.Header.Seq, Created: e.Header.Created, Received: received.UTC(),
		Virtual: e.Header.Virtual, Digest: e.Digest, Envelope: e.Bytes, Receipt: receipt,
	}
	for _, p := range e.Header.Parts {
		r.Parts = append(r.Parts, p.Name)
	}
	return r
}

// Writer is the receiver's side of the store.
type Writer struct{ db *sql.DB }

// Reader is the opener's side: it cannot write.
type Reader struct{ db *sql.DB }

// Open opens or makes the database for the receiver. Every insert is durable when it returns (WAL, synchronous FULL).
func Open(ctx context.Context, path string) (*Writer, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	db, err := open(path, url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // SQLite has one writer; waiting here is fairer than SQLITE_BUSY
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), db.Close())
	}
	return &Writer{db}, nil
}

// OpenReader opens the database for the opener. It must exist.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	db, err := open(path, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}})
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), db.Close())
	}
	return &Reader{db}, nil
}

// private makes the file before SQLite would make it with wider rights: its owner writes; whether its group (the
// opener's, in the packages) reads is the umask's matter.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	return f.Close()
}

func open(path string, q url.Values) (*sql.DB, error) {
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
}

// Ping takes the writer's lock and gives it back: an error or a wait means that nothing could be stored now.
func (w *Writer) Ping(ctx context.Context) error {
	tx, err := w.db.BeginTx(ctx, nil) // immediate, by _txlock
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return tx.Rollback()
}

// Ping reads something that is always there.
func (r *Reader) Ping(ctx context.Context) error {
	var n int
	return r.db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM records LIMIT 1)").Scan(&n)
}

// Close closes the database.
func (w *Writer) Close() error { return w.db.Close() }

// Close closes the database.
func (r *Reader) Close() error { return r.db.Close() }

// Insert stores the row, unless one of the same device and id is there already; then that one is given and fresh is
// false. It is up to the caller to compare the digests.
func (w *Writer) Insert(ctx context.Context, r Row) (stored Row, fresh bool, err error) {
	res, err := w.db.ExecContext(
		ctx,
		`INSERT INTO records (device, id, seq, created, received, virtual, parts, digest, envelope, receipt)
		 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, id) DO NOTHING`,
		r.Device, r.ID, int64(r.Seq), r.Created.UTC().Format(timeLayout), r.Received.UTC().Format(timeLayout), //nolint:gosec // the header's seq is at most 2^63-1
		strings.Join(r.Virtual, ","), joinParts(r.Parts), r.Digest[:], r.Envelope, r.Receipt,
	)
	if err != nil {
		return Row{}, false, fmt.Errorf("store: insert: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return r, true, err
	}
	stored, err = get(ctx, w.db, r.Device, r.ID)
	return stored, false, err
}

// Get reads one record whole.
func (r *Reader) Get(ctx context.Context, device, id string) (Row, error) {
	return get(ctx, r.db, device, id)
}

const columns = `device, id, seq, created, received, virtual, parts, digest`

func get(ctx context.Context, db *sql.DB, device, id string) (Row, error) {
	var r Row
	row := db.QueryRowContext(ctx, `SELECT `+columns+`, envelope, receipt FROM records WHERE device = ? AND id = ?`, device, id)
	err := r.scan(row.Scan, &r.Envelope, &r.Receipt)
	if errors.Is(err, sql.ErrNoRows) {
		return Row{}, ErrNotFound
	}
	return r, err
}

// List lists records without their envelopes, newest received first, at most limit after skipping skip.
func (r *Reader) List(ctx context.Context, limit, skip int) ([]Row, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+columns+` FROM records ORDER BY received DESC, device, id LIMIT ? OFFSET ?`, limit, skip)
	if err != nil {
		return nil, fmt.Errorf("store: list: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []Row
	for rows.Next() {
		var row Row
		if err := row.scan(rows.Scan); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// Gap is what a device's sequence numbers say: how many numbers up to its highest have not come in.
type Gap struct {
	Device  string
	Records int
	Highest uint64
	Missing int
}

// Gaps counts per device. A number missing for long means a record lost or held back at the kiosk.
func (r *Reader) Gaps(ctx context.Context) ([]Gap, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT device, COUNT(*), MAX(seq), MAX(seq) - COUNT(DISTINCT seq) FROM records GROUP BY device ORDER BY device`)
	if err != nil {
		return nil, fmt.Errorf("store: gaps: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []Gap
	for rows.Next() {
		var g Gap
		if err := rows.Scan(&g.Device, &g.Records, &g.Highest, &g.Missing); err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, rows.Err()
}

// scan reads one row; more are the destinations of further columns.
func (r *Row) scan(scan func(...any) error, more ...any) error {
	var created, received, virtual, parts string
	var seq int64
	var digest []byte
	if err := scan(append([]any{&r.Device, &r.ID, &seq, &created, &received, &virtual, &parts, &digest}, more...)...); err != nil {
		return err
	}
	var err1, err2 error
	r.Created, err1 = time.Parse(timeLayout, created)
	r.Received, err2 = time.Parse(timeLayout, received)
	if err := errors.Join(err1, err2); err != nil || len(digest) != 32 {
		return fmt.Errorf("store: a malformed row: %w", err)
	}
	r.Seq = uint64(seq) //nolint:gosec // written by Insert
	r.Digest = [32]byte(digest)
	if virtual != "" {
		r.Virtual = strings.Split(virtual, ",")
	}
	for p := range strings.SplitSeq(parts, ",") {
		r.Parts = append(r.Parts, record.Part(p))
	}
	return nil
}

func joinParts(parts []record.Part) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = string(p)
	}
	return strings.Join(words, ",")
}
