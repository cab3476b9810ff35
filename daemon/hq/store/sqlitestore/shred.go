package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"madoguchi/daemon/hq/store"
)

// schema4 keeps tombstones: what stays of a shredded record. No row can be deleted without its tombstone, and none comes
// in again behind it: an insert of one is ignored, as that of a record that is there.
const schema4 = `
CREATE TABLE tombstones (
  device   TEXT NOT NULL,
  id       TEXT NOT NULL,
  seq      INTEGER NOT NULL,
  created  TEXT NOT NULL,
  received TEXT NOT NULL,
  virtual  TEXT NOT NULL,
  parts    TEXT NOT NULL,
  digest   BLOB NOT NULL CHECK (length(digest) = 32),
  body     TEXT NOT NULL,
  receipt  BLOB NOT NULL,
  at       TEXT NOT NULL,
  rule     TEXT NOT NULL,
  PRIMARY KEY (device, id)
);
CREATE INDEX tombstones_at ON tombstones (at DESC, device, id);
CREATE TRIGGER tombstones_never_change BEFORE UPDATE ON tombstones
BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;
CREATE TRIGGER tombstones_never_vanish BEFORE DELETE ON tombstones
BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;
CREATE TRIGGER records_never_vanish BEFORE DELETE ON records
WHEN NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.device = OLD.device AND t.id = OLD.id AND t.digest = OLD.digest)
BEGIN SELECT RAISE(ABORT, 'a record goes only behind its tombstone'); END;
CREATE TRIGGER records_not_again BEFORE INSERT ON records
WHEN EXISTS (SELECT 1 FROM tombstones t WHERE t.device = NEW.device AND t.id = NEW.id)
BEGIN SELECT RAISE(IGNORE); END;
`

// Shred implements store.Shredder. The database overwrites what it deletes (secure_delete); Settle empties its log.
func (w *Writer) Shred(ctx context.Context, device, id string, at time.Time, rule string) (store.Tombstone, error) {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return store.Tombstone{}, fmt.Errorf("store: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(
		ctx, `INSERT INTO tombstones (device, id, seq, created, received, virtual, parts, digest, body, receipt, at, rule)
		 SELECT device, id, seq, created, received, virtual, parts, digest, body, receipt, ?, ? FROM records WHERE device = ? AND id = ?`,
		at.UTC().Format(timeLayout), rule, device, id,
	); err != nil {
		return store.Tombstone{}, fmt.Errorf("store: shred: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM records WHERE device = ? AND id = ?`, device, id); err != nil {
		return store.Tombstone{}, fmt.Errorf("store: shred: %w", err)
	}
	t, err := tombstone(ctx, tx, device, id)
	if err != nil {
		return store.Tombstone{}, err
	}
	return t, tx.Commit()
}

// tombstone of a record, or ErrNotFound.
func tombstone(ctx context.Context, q queryer, device, id string) (store.Tombstone, error) {
	row := q.QueryRowContext(ctx, `SELECT `+columns+`, receipt, at, rule FROM tombstones WHERE device = ? AND id = ?`, device, id)
	t, err := scanTombstone(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Tombstone{}, store.ErrNotFound
	}
	return t, err
}

func scanTombstone(scanRow func(...any) error) (t store.Tombstone, err error) {
	var at string
	if err := scan(&t.Row, scanRow, &t.Receipt, &at, &t.Rule); err != nil {
		return store.Tombstone{}, err
	}
	if t.Shredded, err = time.Parse(timeLayout, at); err != nil {
		return store.Tombstone{}, fmt.Errorf("store: a malformed row: %w", err)
	}
	return t, nil
}

// Tombstones implements store.Shredder.
func (w *Writer) Tombstones(ctx context.Context, limit, skip int) ([]store.Tombstone, error) {
	rows, err := w.db.QueryContext(ctx, `SELECT `+columns+`, receipt, at, rule FROM tombstones ORDER BY at DESC, device, id LIMIT ? OFFSET ?`, limit, skip)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []store.Tombstone
	for rows.Next() {
		t, err := scanTombstone(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// Settle implements store.Shredder: deleted pages leave the write-ahead log too.
func (w *Writer) Settle(ctx context.Context) error {
	var busy, log, done int
	if err := w.db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if busy != 0 {
		return errors.New("store: a reader holds the write-ahead log; settle again later")
	}
	return nil
}
