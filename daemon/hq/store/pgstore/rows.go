package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"madoguchi/daemon/hq/store"
)

const insert = `INSERT INTO records (month, device, id, seq, created, received, virtual, parts, digest, body, suspect, receipt, envelope)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`

// tries bounds how often an insert is made anew: it may be, because it is idempotent.
const tries = 3

// Insert implements store.Writer. An insert whose fate is unknown (a broken connection) is made again: the key makes
// it one row.
func (w *Writer) Insert(ctx context.Context, r store.Row) (stored store.Row, fresh bool, err error) {
	month, err := store.Month(r.ID)
	if err != nil {
		return store.Row{}, false, err
	}
	possible := store.Possible(month, r.Received)
	if possible {
		w.ensure(ctx, month)
	}
	args := []any{
		month, r.Device, pgID(r.ID), int64(r.Seq), r.Created.UTC().Truncate(time.Millisecond), r.Received.UTC().Truncate(time.Millisecond), //nolint:gosec // the header's seq is at most 2^63-1
		strings.Join(r.Virtual, ","), store.JoinParts(r.Parts), r.Digest[:], r.Body, !possible, notNull(r.Receipt), notNull(r.Envelope),
	}
	for n := 1; ; n++ {
		tag, err := w.db.Exec(ctx, insert, args...)
		if err != nil && n < tries && ctx.Err() == nil && again(err) {
			continue
		}
		if err != nil {
			return store.Row{}, false, fmt.Errorf("store: insert: %w", err)
		}
		if tag.RowsAffected() == 1 {
			if !possible {
				store.Alarm(w.opt.Log, r, month)
			}
			r.Envelope = nil
			return r, true, nil
		}
		stored, err = w.Find(ctx, r.Device, r.ID)
		return stored, false, err
	}
}

// again says whether an error passes: the server went away or was restarted, or the row's partition was being attached.
func again(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return true // the connection
	}
	switch pg.Code {
	case "23514", // the default partition just lost this month
		"40001", "40P01", // serialisation, deadlock
		codeShredded,     // the record was shredded while this insert waited for it
		"57P01", "57P02": // the server is being stopped
		return true
	}
	return false
}

// notNull makes empty bytes of none.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func pgID(id string) pgtype.UUID {
	u, err := uuid.Parse(id)
	return pgtype.UUID{Bytes: u, Valid: err == nil}
}

// Find implements store.Writer.
func (w *Writer) Find(ctx context.Context, device, id string) (store.Row, error) {
	return get(ctx, w.db, device, id, `''::bytea`)
}

// Get implements store.Reader.
func (r *Reader) Get(ctx context.Context, device, id string) (store.Row, error) {
	return get(ctx, r.db, device, id, "envelope")
}

const columns = `device, id, seq, created, received, virtual, parts, digest, body`

func get(ctx context.Context, q queryer, device, id, envelope string) (store.Row, error) {
	month, err := store.Month(id)
	if err != nil {
		return store.Row{}, store.ErrNotFound
	}
	var r store.Row
	row := q.QueryRow(ctx, `SELECT `+columns+`, `+envelope+`, receipt FROM records WHERE month = $1 AND device = $2 AND id = $3`, month, device, pgID(id))
	err = scan(&r, row, &r.Envelope, &r.Receipt)
	if errors.Is(err, pgx.ErrNoRows) {
		t, err := tombstone(ctx, q, device, id)
		if err == nil && envelope == "envelope" {
			return store.Row{}, store.ErrShredded
		}
		return t.Row, err
	}
	if err != nil {
		return store.Row{}, fmt.Errorf("store: %w", err)
	}
	if len(r.Envelope) == 0 {
		r.Envelope = nil
	}
	return r, nil
}

// Known implements store.Writer.
func (w *Writer) Known(ctx context.Context, bodies []string) (map[string]bool, error) {
	rows, err := w.db.Query(ctx, `SELECT body FROM records WHERE body = ANY($1) AND body <> ''`, bodies)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	known := map[string]bool{}
	for _, b := range list {
		known[b] = true
	}
	return known, nil
}

// List implements store.Reader.
func (r *Reader) List(ctx context.Context, limit, skip int) ([]store.Row, error) {
	return list(ctx, r.db, `ORDER BY received DESC, device, id LIMIT $1 OFFSET $2`, limit, skip)
}

// After implements store.Reader; the order is the one of List, backwards, for which there is an index.
func (r *Reader) After(ctx context.Context, p store.Place, limit int) ([]store.Row, error) {
	id := p.ID
	if id == "" {
		id = "00000000-0000-0000-0000-000000000000"
	}
	return list(
		ctx, r.db, `WHERE received >= $1 AND (received > $1 OR (device, id) < ($2, $3)) ORDER BY received, device DESC, id DESC LIMIT $4`,
		p.Received.UTC(), p.Device, pgID(id), limit,
	)
}

func list(ctx context.Context, db *pgxpool.Pool, which string, args ...any) ([]store.Row, error) {
	rows, err := db.Query(ctx, `SELECT `+columns+` FROM records `+which, args...) //nolint:gosec // which is a constant of the callers
	if err != nil {
		return nil, fmt.Errorf("store: list: %w", err)
	}
	defer rows.Close()
	var list []store.Row
	for rows.Next() {
		var row store.Row
		if err := scan(&row, rows); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// Gaps implements store.Reader.
func (r *Reader) Gaps(ctx context.Context) ([]store.Gap, error) {
	rows, err := r.db.Query(ctx, `SELECT device, count(*), max(seq), max(seq) - count(DISTINCT seq) FROM (SELECT device, seq FROM records UNION ALL SELECT device, seq FROM tombstones) r GROUP BY device ORDER BY device`)
	if err != nil {
		return nil, fmt.Errorf("store: gaps: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.Gap])
	if err != nil {
		return nil, fmt.Errorf("store: gaps: %w", err)
	}
	return list, nil
}

// scan reads one row; more are the destinations of further columns.
func scan(r *store.Row, row pgx.Row, more ...any) error {
	var virtual, parts string
	var id pgtype.UUID
	var seq int64
	var digest []byte
	if err := row.Scan(append([]any{&r.Device, &id, &seq, &r.Created, &r.Received, &virtual, &parts, &digest, &r.Body}, more...)...); err != nil {
		return err
	}
	if len(digest) != 32 {
		return errors.New("a malformed row")
	}
	r.ID, r.Seq, r.Digest = uuid.UUID(id.Bytes).String(), uint64(seq), [32]byte(digest) //nolint:gosec // written by Insert
	r.Created, r.Received = r.Created.UTC(), r.Received.UTC()
	r.Virtual, r.Parts = store.SplitWords(virtual), store.SplitParts(parts)
	return nil
}
