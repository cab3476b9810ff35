package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"madoguchi/daemon/hq/store"
	"madoguchi/storage/audit"
)

// schema3 is the witness's: audit logs with their leaves, alarms, heartbeats.
const schema3 = `
CREATE TABLE audit_logs (
  device     TEXT PRIMARY KEY,
  origin     TEXT NOT NULL,
  size       INTEGER NOT NULL,
  edge       BLOB NOT NULL,
  checkpoint BLOB NOT NULL,
  at         TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit_leaves (
  device TEXT NOT NULL,
  n      INTEGER NOT NULL,
  leaf   BLOB NOT NULL,
  PRIMARY KEY (device, n)
) WITHOUT ROWID;
CREATE TABLE alarms (
  device TEXT NOT NULL,
  code   TEXT NOT NULL,
  at     TEXT NOT NULL,
  origin TEXT NOT NULL,
  size   INTEGER NOT NULL,
  PRIMARY KEY (device, code)
) WITHOUT ROWID;
CREATE TABLE heartbeats (
  device TEXT PRIMARY KEY,
  at     TEXT NOT NULL,
  beat   BLOB NOT NULL
) WITHOUT ROWID;
`

// AuditSeen implements store.Witness.
func (w *Writer) AuditSeen(ctx context.Context, device string) (audit.Seen, error) {
	return auditSeen(ctx, w.db, device)
}

func auditSeen(ctx context.Context, q queryer, device string) (audit.Seen, error) {
	var origin string
	var size int64
	var edge []byte
	err := q.QueryRowContext(ctx, `SELECT origin, size, edge FROM audit_logs WHERE device = ?`, device).Scan(&origin, &size, &edge)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Seen{}, nil
	}
	if err != nil {
		return audit.Seen{}, fmt.Errorf("store: %w", err)
	}
	return store.UnpackEdge(origin, size, edge)
}

// AuditAdvance implements store.Witness.
func (w *Writer) AuditAdvance(ctx context.Context, device string, before, now audit.Seen, leaves [][]byte, checkpoint []byte, at time.Time) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	stored, err := auditSeen(ctx, tx, device)
	if err != nil {
		return err
	}
	if stored.Origin != before.Origin || stored.Tree.Size() != before.Tree.Size() {
		return store.ErrRace
	}
	if _, err := tx.ExecContext(
		ctx, `INSERT INTO audit_logs (device, origin, size, edge, checkpoint, at) VALUES (?, ?, ?, ?, ?, ?)
		 ON CONFLICT (device) DO UPDATE SET origin = excluded.origin, size = excluded.size, edge = excluded.edge,
		 checkpoint = excluded.checkpoint, at = excluded.at`,
		device, now.Origin, now.Tree.Size(), store.PackEdge(now.Tree.Edge()), checkpoint, at.UTC().Format(timeLayout),
	); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for i, leaf := range leaves {
		if _, err := tx.ExecContext(ctx, `INSERT INTO audit_leaves (device, n, leaf) VALUES (?, ?, ?)`,
			device, before.Tree.Size()+int64(i), leaf); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return tx.Commit()
}

// AuditRetire implements store.Witness.
func (w *Writer) AuditRetire(ctx context.Context, device string) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return wrap(err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	stored, err := auditSeen(ctx, tx, device)
	if err != nil {
		return err
	}
	if stored.Origin == "" {
		return store.ErrNotFound
	}
	for _, table := range []string{"audit_logs", "audit_leaves", "alarms"} {
		if _, err := tx.ExecContext(ctx, `UPDATE `+table+` SET device = ? WHERE device = ?`, store.RetiredName(device, stored.Origin), device); err != nil { //nolint:gosec // our own names
			return wrap(err)
		}
	}
	return tx.Commit()
}

// AuditAlarm implements store.Witness.
func (w *Writer) AuditAlarm(ctx context.Context, a store.DeviceAlarm) error {
	_, err := w.db.ExecContext(
		ctx, `INSERT INTO alarms (device, code, at, origin, size) VALUES (?, ?, ?, ?, ?)
		 ON CONFLICT (device, code) DO UPDATE SET at = excluded.at, origin = excluded.origin, size = excluded.size`,
		a.Device, a.Code, a.At.UTC().Format(timeLayout), a.Origin, a.Size,
	)
	return wrap(err)
}

// Heartbeat implements store.Witness.
func (w *Writer) Heartbeat(ctx context.Context, b store.Beat) error {
	_, err := w.db.ExecContext(
		ctx, `INSERT INTO heartbeats (device, at, beat) VALUES (?, ?, ?)
		 ON CONFLICT (device) DO UPDATE SET at = excluded.at, beat = excluded.beat`,
		b.Device, b.At.UTC().Format(timeLayout), b.JSON,
	)
	return wrap(err)
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, db *sql.DB, scan func(func(...any) error, *T) error, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer func() { _ = rows.Close() }()
	var list []T
	for rows.Next() {
		var v T
		if err := scan(rows.Scan, &v); err != nil {
			return nil, wrap(err)
		}
		list = append(list, v)
	}
	return list, wrap(rows.Err())
}

// Alarms implements store.WitnessReader.
func (r *Reader) Alarms(ctx context.Context) ([]store.DeviceAlarm, error) {
	return collect(ctx, r.db, func(scan func(...any) error, a *store.DeviceAlarm) (err error) {
		var at string
		if err := scan(&a.Device, &a.Code, &at, &a.Origin, &a.Size); err != nil {
			return err
		}
		a.At, err = time.Parse(timeLayout, at)
		return err
	}, `SELECT device, code, at, origin, size FROM alarms ORDER BY at DESC, device, code`)
}

// Heartbeats implements store.WitnessReader.
func (r *Reader) Heartbeats(ctx context.Context) ([]store.Beat, error) {
	return collect(ctx, r.db, func(scan func(...any) error, b *store.Beat) (err error) {
		var at string
		if err := scan(&b.Device, &at, &b.JSON); err != nil {
			return err
		}
		b.At, err = time.Parse(timeLayout, at)
		return err
	}, `SELECT device, at, beat FROM heartbeats ORDER BY device`)
}

// AuditLogs implements store.WitnessReader.
func (r *Reader) AuditLogs(ctx context.Context) ([]store.AuditLog, error) {
	return collect(ctx, r.db, func(scan func(...any) error, l *store.AuditLog) (err error) {
		var at string
		if err := scan(&l.Device, &l.Origin, &l.Size, &at); err != nil {
			return err
		}
		l.At, err = time.Parse(timeLayout, at)
		return err
	}, `SELECT device, origin, size, at FROM audit_logs ORDER BY device`)
}

// AuditLeaves implements store.WitnessReader.
func (r *Reader) AuditLeaves(ctx context.Context, device string, from int64, limit int) ([][]byte, error) {
	return collect(ctx, r.db, func(scan func(...any) error, b *[]byte) error { return scan(b) },
		`SELECT leaf FROM audit_leaves WHERE device = ? AND n >= ? ORDER BY n LIMIT ?`, device, from, limit)
}
