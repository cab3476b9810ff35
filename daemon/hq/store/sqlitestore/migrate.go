package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"madoguchi/daemon/hq/store"
)

// migration brings the schema from one version to the next. A migration that was shipped is never changed: a further
// one is added.
type migration func(ctx context.Context, tx *sql.Tx) error

// migrations in their order; version n is what the first n of them make.
func migrations() []migration {
	return []migration{statements(schema1), toVersion2, statements(schema3), statements(schema4)}
}

func statements(text string) migration {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	}
}

const neverChange = `CREATE TRIGGER IF NOT EXISTS records_never_change BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;`

// schema1 is the schema as first shipped. The trigger keeps rows as they were received.
const schema1 = `
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
` + neverChange

// toVersion2 lets a body lie elsewhere and marks ids of an impossible month. Rows get marks here for the last time.
func toVersion2(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `DROP TRIGGER records_never_change;
ALTER TABLE records ADD COLUMN body TEXT NOT NULL DEFAULT '';
ALTER TABLE records ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;
CREATE INDEX records_body ON records (body) WHERE body <> '';
CREATE INDEX records_suspect ON records (received) WHERE suspect = 1;`); err != nil {
		return err
	}
	suspects, err := suspects(ctx, tx)
	if err != nil {
		return err
	}
	for _, key := range suspects {
		if _, err := tx.ExecContext(ctx, `UPDATE records SET suspect = 1 WHERE device = ? AND id = ?`, key[0], key[1]); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, neverChange)
	return err
}

// suspects finds the rows whose id has an impossible month.
func suspects(ctx context.Context, tx *sql.Tx) ([][2]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT device, id, received FROM records`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out [][2]string
	for rows.Next() {
		var device, id, received string
		if err := rows.Scan(&device, &id, &received); err != nil {
			return nil, err
		}
		at, err1 := time.Parse(timeLayout, received)
		month, err2 := store.Month(id)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if !store.Possible(month, at) {
			out = append(out, [2]string{device, id})
		}
	}
	return out, rows.Err()
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func version(ctx context.Context, q queryer) (v int, err error) {
	if err := q.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&v); err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return v, nil
}

// migrate brings the schema to a version, all steps or none.
func migrate(ctx context.Context, db *sql.DB, to int) error {
	tx, err := db.BeginTx(ctx, nil) // immediate: of two processes the second waits and finds it done
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	from, err := version(ctx, tx)
	if err != nil {
		return err
	}
	if from > to {
		return fmt.Errorf("%w: %d is newer than %d", store.ErrVersion, from, to)
	}
	for v, step := range migrations()[from:to] {
		if err := step(ctx, tx); err != nil {
			return fmt.Errorf("store: to schema version %d: %w", from+v+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, to)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return tx.Commit()
}
