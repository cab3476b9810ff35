package pgstore

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"madoguchi/daemon/hq/store"
)

// lockTimeout bounds how long a partition's making waits behind a long reader (a backup, say): whoever comes after it
// would wait too. The rows then go to the default partition, and the next hour tries again.
const lockTimeout = "3s"

// Maintain implements store.Writer: it makes the partitions of the coming months, and that of any month whose rows had
// to go to the default one but could have been kept apart.
func (w *Writer) Maintain(ctx context.Context) error {
	if err := w.loadMonths(ctx); err != nil {
		return err
	}
	wanted := store.MonthsAround(w.opt.Now())
	strays, err := w.strays(ctx)
	if err != nil {
		return err
	}
	for _, m := range append(wanted, strays...) {
		if w.has(m) {
			continue
		}
		if err := w.makePartition(ctx, m); err != nil {
			w.opt.Log.Error("a month has no partition of its own", slog.String("code", store.CodePartition),
				slog.String("month", m.Format("2006-01")), slog.Any("error", err))
		}
	}
	return nil
}

func (w *Writer) has(m time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.months[m]
}

func (w *Writer) know(months ...time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range months {
		w.months[m] = true
	}
}

// loadMonths reads which partitions there are, by their names.
func (w *Writer) loadMonths(ctx context.Context) error {
	rows, err := w.db.Query(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'records'::regclass`)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, n := range names {
		if m, err := time.Parse(nameLayout, n); err == nil {
			w.know(m)
		}
	}
	return nil
}

// strays are the months of possible rows in the default partition.
func (w *Writer) strays(ctx context.Context) ([]time.Time, error) {
	rows, err := w.db.Query(ctx, `SELECT DISTINCT month FROM records_default WHERE NOT suspect`)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	months, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return months, nil
}

// nameLayout of a partition.
const nameLayout = "records_2006_01"

// makePartition makes the partition of a month and moves what the default partition has of it. It attaches a table
// made apart, because that lets inserts into other months go on.
func (w *Writer) makePartition(ctx context.Context, month time.Time) error {
	name, from, to := month.Format(nameLayout), month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly)
	err := pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		var done bool
		for _, s := range []string{
			`SET LOCAL lock_timeout = '` + lockTimeout + `'`,
			fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, int64(lockSchema)),
		} {
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&done); err != nil || done {
			return err // another receiver was quicker
		}
		for _, s := range []string{
			`LOCK TABLE records IN SHARE UPDATE EXCLUSIVE MODE`,
			`LOCK TABLE records_default IN ACCESS EXCLUSIVE MODE`,
			`CREATE TABLE ` + name + ` (LIKE records INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)`,
			`WITH moved AS (DELETE FROM records_default WHERE month >= '` + from + `' AND month < '` + to + `' RETURNING *)
			 INSERT INTO ` + name + ` SELECT * FROM moved`,
			`ALTER TABLE records ATTACH PARTITION ` + name + ` FOR VALUES FROM ('` + from + `') TO ('` + to + `')`,
		} {
			if _, err := tx.Exec(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: partition %s: %w", name, err)
	}
	w.know(month)
	return nil
}

// ensure makes the partition of a possible month that has none. Without it the row is taken all the same.
func (w *Writer) ensure(ctx context.Context, month time.Time) {
	if w.has(month) {
		return
	}
	if err := w.makePartition(ctx, month); err != nil {
		w.opt.Log.Error("a month has no partition of its own", slog.String("code", store.CodePartition),
			slog.String("month", month.Format("2006-01")), slog.Any("error", err))
	}
}

// Health implements store.Writer.
func (w *Writer) Health(ctx context.Context) (store.Health, error) {
	var n int
	var latest *time.Time
	if err := w.db.QueryRow(ctx, `SELECT count(*), max(received) FROM records WHERE suspect`).Scan(&n, &latest); err != nil {
		return store.Health{}, fmt.Errorf("store: %w", err)
	}
	v, err := version(ctx, w.db)
	if err != nil {
		return store.Health{}, err
	}
	if err := w.loadMonths(ctx); err != nil {
		return store.Health{}, err
	}
	strays, err := w.strays(ctx)
	if err != nil {
		return store.Health{}, err
	}
	missing := len(strays)
	for _, m := range store.MonthsAround(w.opt.Now())[1:3] { // this month and the next
		if !w.has(m) {
			missing++
		}
	}
	if latest == nil {
		latest = &time.Time{}
	}
	return store.Judge(v, n, latest.UTC(), missing, w.opt.Now()), nil
}
