package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"madoguchi/daemon/hq/store"
)

// codeShredded is our SQLSTATE for an insert behind a tombstone.
const codeShredded = "MD410"

// schema4 keeps tombstones: what stays of a shredded record. An insert behind one is ignored, as that of a record that is
// there; one that waited for the very row that was being shredded sees the tombstone only after it, and is refused.
const schema4 = `
CREATE TABLE tombstones (
  device   text COLLATE "C" NOT NULL,
  id       uuid NOT NULL,
  seq      bigint NOT NULL,
  created  timestamptz NOT NULL,
  received timestamptz NOT NULL,
  virtual  text NOT NULL,
  parts    text NOT NULL,
  digest   bytea NOT NULL CHECK (octet_length(digest) = 32),
  body     text COLLATE "C" NOT NULL,
  receipt  bytea NOT NULL,
  at       timestamptz NOT NULL,
  rule     text NOT NULL,
  PRIMARY KEY (device, id)
);
CREATE INDEX tombstones_at ON tombstones (at DESC, device, id);
CREATE FUNCTION tombstones_never_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'tombstones are never changed'; END $$;
CREATE TRIGGER tombstones_never_change BEFORE UPDATE OR DELETE ON tombstones FOR EACH ROW EXECUTE FUNCTION tombstones_never_change();
CREATE FUNCTION records_not_again() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF EXISTS (SELECT 1 FROM tombstones t WHERE t.device = NEW.device AND t.id = NEW.id) THEN
    IF TG_WHEN = 'BEFORE' THEN RETURN NULL; END IF;
    RAISE EXCEPTION 'the record was shredded' USING ERRCODE = 'MD410';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER records_not_again BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION records_not_again();
CREATE TRIGGER records_not_again_after AFTER INSERT ON records FOR EACH ROW EXECUTE FUNCTION records_not_again();
`

// Shred implements store.Shredder. What it deletes stays in the table's files until PostgreSQL uses the space again, and
// in its log and backups for as long as those are kept: docs/verification-record.md says what the operator does.
func (w *Writer) Shred(ctx context.Context, device, id string, at time.Time, rule string) (t store.Tombstone, err error) {
	month, err := store.Month(id)
	if err != nil {
		return t, store.ErrNotFound
	}
	err = pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(
			ctx, `INSERT INTO tombstones (device, id, seq, created, received, virtual, parts, digest, body, receipt, at, rule)
			 SELECT device, id, seq, created, received, virtual, parts, digest, body, receipt, $4, $5 FROM records
			 WHERE month = $1 AND device = $2 AND id = $3 FOR UPDATE ON CONFLICT DO NOTHING`,
			month, device, pgID(id), at.UTC().Truncate(time.Millisecond), rule,
		); err != nil {
			return fmt.Errorf("store: shred: %w", err)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM records WHERE month = $1 AND device = $2 AND id = $3`, month, device, pgID(id)); err != nil {
			return fmt.Errorf("store: shred: %w", err)
		}
		t, err = tombstone(ctx, tx, device, id)
		return err
	})
	if err != nil {
		return store.Tombstone{}, err
	}
	return t, nil
}

// tombstone of a record, or ErrNotFound.
func tombstone(ctx context.Context, q queryer, device, id string) (store.Tombstone, error) {
	t, err := scanTombstone(q.QueryRow(ctx, `SELECT `+columns+`, receipt, at, rule FROM tombstones WHERE device = $1 AND id = $2`, device, pgID(id)))
	if errors.Is(err, pgx.ErrNoRows) {
		return store.Tombstone{}, store.ErrNotFound
	}
	return t, err
}

func scanTombstone(row pgx.Row) (t store.Tombstone, err error) {
	if err := scan(&t.Row, row, &t.Receipt, &t.Shredded, &t.Rule); err != nil {
		return store.Tombstone{}, err
	}
	t.Shredded = t.Shredded.UTC()
	return t, nil
}

// Tombstones implements store.Shredder.
func (w *Writer) Tombstones(ctx context.Context, limit, skip int) ([]store.Tombstone, error) {
	rows, err := w.db.Query(ctx, `SELECT `+columns+`, receipt, at, rule FROM tombstones ORDER BY at DESC, device, id LIMIT $1 OFFSET $2`, limit, skip)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	var all []store.Tombstone
	for rows.Next() {
		t, err := scanTombstone(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// Settle implements store.Shredder: the space of deleted rows is given free, to be used again.
func (w *Writer) Settle(ctx context.Context) error {
	if _, err := w.db.Exec(ctx, `VACUUM records`); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
