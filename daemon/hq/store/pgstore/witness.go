package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"madoguchi/daemon/hq/store"
	"madoguchi/storage/audit"
)

// schema3 is the witness's: audit logs with their leaves, alarms, heartbeats.
const schema3 = `
CREATE TABLE audit_logs (
  device     text COLLATE "C" PRIMARY KEY,
  origin     text NOT NULL,
  size       bigint NOT NULL,
  edge       bytea NOT NULL,
  checkpoint bytea NOT NULL,
  at         timestamptz NOT NULL
);
CREATE TABLE audit_leaves (
  device text COLLATE "C" NOT NULL,
  n      bigint NOT NULL,
  leaf   bytea NOT NULL,
  PRIMARY KEY (device, n)
);
CREATE TABLE alarms (
  device text COLLATE "C" NOT NULL,
  code   text NOT NULL,
  at     timestamptz NOT NULL,
  origin text NOT NULL,
  size   bigint NOT NULL,
  PRIMARY KEY (device, code)
);
CREATE TABLE heartbeats (
  device text COLLATE "C" PRIMARY KEY,
  at     timestamptz NOT NULL,
  beat   bytea NOT NULL
);
`

// AuditSeen implements store.Witness.
func (w *Writer) AuditSeen(ctx context.Context, device string) (audit.Seen, error) {
	return auditSeen(ctx, w.db, device, "")
}

func auditSeen(ctx context.Context, q queryer, device, lock string) (audit.Seen, error) {
	var origin string
	var size int64
	var edge []byte
	err := q.QueryRow(ctx, `SELECT origin, size, edge FROM audit_logs WHERE device = $1`+lock, device).Scan(&origin, &size, &edge)
	if errors.Is(err, pgx.ErrNoRows) {
		return audit.Seen{}, nil
	}
	if err != nil {
		return audit.Seen{}, fmt.Errorf("store: %w", err)
	}
	return store.UnpackEdge(origin, size, edge)
}

// AuditAdvance implements store.Witness. Of two receivers that advance one log at once the second waits, and then finds
// that it came second: by the row, or, where there was none, by the leaves' key.
func (w *Writer) AuditAdvance(ctx context.Context, device string, before, now audit.Seen, leaves [][]byte, checkpoint []byte, at time.Time) error {
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('madoguchi audit ' || $1, 0))`, device); err != nil {
			return err
		}
		stored, err := auditSeen(ctx, tx, device, ` FOR UPDATE`)
		if err != nil {
			return err
		}
		if stored.Origin != before.Origin || stored.Tree.Size() != before.Tree.Size() {
			return store.ErrRace
		}
		if _, err := tx.Exec(ctx, `INSERT INTO audit_logs (device, origin, size, edge, checkpoint, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (device) DO UPDATE SET origin = excluded.origin, size = excluded.size, edge = excluded.edge,
			checkpoint = excluded.checkpoint, at = excluded.at`,
			device, now.Origin, now.Tree.Size(), store.PackEdge(now.Tree.Edge()), checkpoint, at); err != nil {
			return err
		}
		rows := make([][]any, len(leaves))
		for i, leaf := range leaves {
			rows[i] = []any{device, before.Tree.Size() + int64(i), leaf}
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"audit_leaves"}, []string{"device", "n", "leaf"}, pgx.CopyFromRows(rows))
		return err
	})
	return wrap(err)
}

// AuditRetire implements store.Witness.
func (w *Writer) AuditRetire(ctx context.Context, device string) error {
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		stored, err := auditSeen(ctx, tx, device, ` FOR UPDATE`)
		if err != nil {
			return err
		}
		if stored.Origin == "" {
			return store.ErrNotFound
		}
		for _, table := range []string{"audit_logs", "audit_leaves", "alarms"} {
			if _, err := tx.Exec(ctx, `UPDATE `+table+` SET device = $1 WHERE device = $2`, store.RetiredName(device, stored.Origin), device); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return err
	}
	return wrap(err)
}

// AuditAlarm implements store.Witness.
func (w *Writer) AuditAlarm(ctx context.Context, a store.DeviceAlarm) error {
	_, err := w.db.Exec(ctx, `INSERT INTO alarms (device, code, at, origin, size) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (device, code) DO UPDATE SET at = excluded.at, origin = excluded.origin, size = excluded.size`,
		a.Device, a.Code, a.At, a.Origin, a.Size)
	return wrap(err)
}

// Heartbeat implements store.Witness.
func (w *Writer) Heartbeat(ctx context.Context, b store.Beat) error {
	_, err := w.db.Exec(ctx, `INSERT INTO heartbeats (device, at, beat) VALUES ($1, $2, $3)
		ON CONFLICT (device) DO UPDATE SET at = excluded.at, beat = excluded.beat`, b.Device, b.At, b.JSON)
	return wrap(err)
}

func wrap(err error) error {
	if err == nil || errors.Is(err, store.ErrRace) {
		return err
	}
	return fmt.Errorf("store: %w", err)
}

// Alarms implements store.WitnessReader.
func (r *Reader) Alarms(ctx context.Context) ([]store.DeviceAlarm, error) {
	rows, err := r.db.Query(ctx, `SELECT device, code, at, origin, size FROM alarms ORDER BY at DESC, device, code`)
	if err != nil {
		return nil, wrap(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.DeviceAlarm])
	for i := range list {
		list[i].At = list[i].At.UTC()
	}
	return list, wrap(err)
}

// Heartbeats implements store.WitnessReader.
func (r *Reader) Heartbeats(ctx context.Context) ([]store.Beat, error) {
	rows, err := r.db.Query(ctx, `SELECT device, at, beat FROM heartbeats ORDER BY device`)
	if err != nil {
		return nil, wrap(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.Beat])
	for i := range list {
		list[i].At = list[i].At.UTC()
	}
	return list, wrap(err)
}

// AuditLogs implements store.WitnessReader.
func (r *Reader) AuditLogs(ctx context.Context) ([]store.AuditLog, error) {
	rows, err := r.db.Query(ctx, `SELECT device, origin, size, at FROM audit_logs ORDER BY device`)
	if err != nil {
		return nil, wrap(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.AuditLog])
	for i := range list {
		list[i].At = list[i].At.UTC()
	}
	return list, wrap(err)
}

// AuditLeaves implements store.WitnessReader.
func (r *Reader) AuditLeaves(ctx context.Context, device string, from int64, limit int) ([][]byte, error) {
	rows, err := r.db.Query(ctx, `SELECT leaf FROM audit_leaves WHERE device = $1 AND n >= $2 ORDER BY n LIMIT $3`, device, from, limit)
	if err != nil {
		return nil, wrap(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	return list, wrap(err)
}
