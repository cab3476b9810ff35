package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"madoguchi/daemon/hq/store"
)

// lockSchema is the advisory lock of whoever changes tables: migrations and partitions. Its number is arbitrary and
// never changes, because older and newer receivers must share it.
const lockSchema = 0x6d61646f67756368

// migrations in their order; version n is what the first n of them make. A migration that was shipped is never
// changed: a further one is added. They must let receivers of the version before go on, so that a fleet of them can be
// replaced one by one: columns and tables are added with defaults, never renamed or dropped.
func migrations() []string {
	return []string{schema1, schema2, schema3, schema4}
}

const schema1 = `
CREATE TABLE records (
  month    date NOT NULL,
  device   text COLLATE "C" NOT NULL,
  id       uuid NOT NULL,
  seq      bigint NOT NULL,
  created  timestamptz NOT NULL,
  received timestamptz NOT NULL,
  virtual  text NOT NULL,
  parts    text NOT NULL,
  digest   bytea NOT NULL CHECK (octet_length(digest) = 32),
  body     text COLLATE "C" NOT NULL,
  suspect  boolean NOT NULL,
  receipt  bytea NOT NULL,
  envelope bytea NOT NULL,
  PRIMARY KEY (month, device, id)
) PARTITION BY RANGE (month);
ALTER TABLE records ALTER envelope SET STORAGE EXTERNAL;
CREATE INDEX records_received ON records (received DESC);
CREATE INDEX records_seq ON records (device, seq);
CREATE TABLE records_default PARTITION OF records DEFAULT;
CREATE FUNCTION records_never_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'records are never changed'; END $$;
CREATE TRIGGER records_never_change BEFORE UPDATE ON records FOR EACH ROW EXECUTE FUNCTION records_never_change();
`

// schema2 finds the few rows of these kinds without reading all months.
const schema2 = `
CREATE INDEX records_body ON records (body) WHERE body <> '';
CREATE INDEX records_suspect ON records (received) WHERE suspect;
`

type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// version of the schema; 0 when there is none.
func version(ctx context.Context, q queryer) (v int, err error) {
	err = q.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM madoguchi_schema`).Scan(&v)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "42P01" { // no such table
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return v, nil
}

// migrate brings the schema to a version, all steps or none. Of several receivers that start at once one does it.
func migrate(ctx context.Context, db *pgxpool.Pool, to int) error {
	from, err := version(ctx, db)
	if err != nil || from == to {
		return err // the usual start takes no lock and needs no right to change tables
	}
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockSchema)); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS madoguchi_schema (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())`); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		from, err := version(ctx, tx)
		if err != nil {
			return err
		}
		if from > to {
			return fmt.Errorf("%w: %d is newer than %d", store.ErrVersion, from, to)
		}
		for v := from + 1; v <= to; v++ {
			if _, err := tx.Exec(ctx, migrations()[v-1]); err != nil {
				return fmt.Errorf("store: to schema version %d: %w", v, err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO madoguchi_schema (version) VALUES ($1)`, v); err != nil {
				return fmt.Errorf("store: %w", err)
			}
		}
		return nil
	})
}
