// Package sqlitestore is HQ's store in SQLite: embedded, for one receiver on one machine. Only daemon/hqd and tests
// may import it.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite" // the driver "sqlite"

	"madoguchi/daemon/hq/store"
)

// timeLayout sorts as text.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Writer is the receiver's side of the store.
type Writer struct {
	db  *sql.DB
	opt Options
}

// Reader is the opener's side: it cannot write.
type Reader struct{ db *sql.DB }

// Options of Open; a zero field means no log, or the system's clock.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
}

// Open opens or makes the database for the receiver and brings its schema up to date. Every insert is durable when it
// returns (WAL, synchronous FULL).
func Open(ctx context.Context, path string, o Options) (*Writer, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := private(path); err != nil {
		return nil, err
	}
	db, err := open(path, url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)"}, "_txlock": {"immediate"}})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // SQLite has one writer; waiting here is fairer than SQLITE_BUSY
	if err := keepFiles(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := migrate(ctx, db, len(migrations())); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Writer{db, o}, nil
}

// keepFiles leaves the -wal and -shm files when the receiver ends. The opener may not write in their directory and so not
// make them either; with them there it reads also while the receiver is down.
func keepFiles(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = c.Close() }() // back to the pool, which has this one connection
	return c.Raw(func(driver any) error {
		f, ok := driver.(sqlite.FileControl)
		if !ok {
			return errors.New("store: the driver has no file control")
		}
		_, err := f.FileControlPersistWAL("main", 1)
		return err
	})
}

// OpenReader opens the database for the opener. It must exist, with the schema of this program.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	db, err := open(path, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)", "query_only(1)"}})
	if err != nil {
		return nil, err
	}
	v, err := version(ctx, db)
	if err == nil && v != len(migrations()) {
		err = fmt.Errorf("%w: %d, not %d; the receiver upgrades it", store.ErrVersion, v, len(migrations()))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
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

// Maintain has nothing to do here.
func (w *Writer) Maintain(context.Context) error { return nil }

// Insert implements store.Writer.
func (w *Writer) Insert(ctx context.Context, r store.Row) (stored store.Row, fresh bool, err error) {
	month, err := store.Month(r.ID)
	if err != nil {
		return store.Row{}, false, err
	}
	possible := store.Possible(month, r.Received)
	res, err := w.db.ExecContext(
		ctx,
		`INSERT INTO records (device, id, seq, created, received, virtual, parts, digest, envelope, receipt, body, suspect)
		 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, id) DO NOTHING`,
		r.Device, r.ID, int64(r.Seq), r.Created.UTC().Format(timeLayout), r.Received.UTC().Format(timeLayout), //nolint:gosec // the header's seq is at most 2^63-1
		strings.Join(r.Virtual, ","), store.JoinParts(r.Parts), r.Digest[:], append([]byte{}, r.Envelope...), r.Receipt, r.Body, !possible,
	)
	if err != nil {
		return store.Row{}, false, fmt.Errorf("store: insert: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return store.Row{}, false, err
	}
	if n == 0 {
		stored, err = w.Find(ctx, r.Device, r.ID)
		return stored, false, err
	}
	if !possible {
		store.Alarm(w.opt.Log, r, month)
	}
	r.Envelope = nil
	return r, true, nil
}

// Find implements store.Writer.
func (w *Writer) Find(ctx context.Context, device, id string) (store.Row, error) {
	return get(ctx, w.db, device, id, "x''")
}

// Known implements store.Writer.
func (w *Writer) Known(ctx context.Context, bodies []string) (map[string]bool, error) {
	known := map[string]bool{}
	for _, b := range bodies {
		var n int
		if err := w.db.QueryRowContext(ctx, `SELECT count(*) FROM records WHERE body = ? AND body <> ''`, b).Scan(&n); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if n > 0 {
			known[b] = true
		}
	}
	return known, nil
}

// Health implements store.Writer.
func (w *Writer) Health(ctx context.Context) (store.Health, error) {
	var n int
	var text sql.NullString
	if err := w.db.QueryRowContext(ctx, `SELECT count(*), max(received) FROM records WHERE suspect = 1`).Scan(&n, &text); err != nil {
		return store.Health{}, fmt.Errorf("store: %w", err)
	}
	var latest time.Time
	if text.Valid {
		var err error
		if latest, err = time.Parse(timeLayout, text.String); err != nil {
			return store.Health{}, fmt.Errorf("store: a malformed row: %w", err)
		}
	}
	return store.Judge(len(migrations()), n, latest, 0, w.opt.Now()), nil
}

// Get implements store.Reader.
func (r *Reader) Get(ctx context.Context, device, id string) (store.Row, error) {
	return get(ctx, r.db, device, id, "envelope")
}

const columns = `device, id, seq, created, received, virtual, parts, digest, body`

func get(ctx context.Context, db *sql.DB, device, id, envelope string) (store.Row, error) {
	var r store.Row
	row := db.QueryRowContext(ctx, `SELECT `+columns+`, `+envelope+`, receipt FROM records WHERE device = ? AND id = ?`, device, id) //nolint:gosec // both are constants
	err := scan(&r, row.Scan, &r.Envelope, &r.Receipt)
	if errors.Is(err, sql.ErrNoRows) {
		t, err := tombstone(ctx, db, device, id)
		if err == nil && envelope == "envelope" {
			return store.Row{}, store.ErrShredded
		}
		return t.Row, err
	}
	if len(r.Envelope) == 0 {
		r.Envelope = nil
	}
	return r, err
}

// List implements store.Reader.
func (r *Reader) List(ctx context.Context, limit, skip int) ([]store.Row, error) {
	return list(ctx, r.db, `ORDER BY received DESC, device, id LIMIT ? OFFSET ?`, limit, skip)
}

// After implements store.Reader; the order is the one of List, backwards, for which there is an index.
func (r *Reader) After(ctx context.Context, p store.Place, limit int) ([]store.Row, error) {
	at := p.Received.UTC().Format(timeLayout)
	return list(
		ctx, r.db, `WHERE received >= ? AND (received > ? OR (device, id) < (?, ?)) ORDER BY received, device DESC, id DESC LIMIT ?`,
		at, at, p.Device, p.ID, limit,
	)
}

func list(ctx context.Context, db *sql.DB, which string, args ...any) ([]store.Row, error) {
	rows, err := db.QueryContext(ctx, `SELECT `+columns+` FROM records `+which, args...) //nolint:gosec // which is a constant of the callers
	if err != nil {
		return nil, fmt.Errorf("store: list: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []store.Row
	for rows.Next() {
		var row store.Row
		if err := scan(&row, rows.Scan); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// Gaps implements store.Reader.
func (r *Reader) Gaps(ctx context.Context) ([]store.Gap, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT device, COUNT(*), MAX(seq), MAX(seq) - COUNT(DISTINCT seq) FROM (SELECT device, seq FROM records UNION ALL SELECT device, seq FROM tombstones) GROUP BY device ORDER BY device`)
	if err != nil {
		return nil, fmt.Errorf("store: gaps: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []store.Gap
	for rows.Next() {
		var g store.Gap
		if err := rows.Scan(&g.Device, &g.Records, &g.Highest, &g.Missing); err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, rows.Err()
}

// scan reads one row; more are the destinations of further columns.
func scan(r *store.Row, scan func(...any) error, more ...any) error {
	var created, received, virtual, parts string
	var seq int64
	var digest []byte
	if err := scan(append([]any{&r.Device, &r.ID, &seq, &created, &received, &virtual, &parts, &digest, &r.Body}, more...)...); err != nil {
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
	r.Virtual, r.Parts = store.SplitWords(virtual), store.SplitParts(parts)
	return nil
}
