// Package pgstore is HQ's store in PostgreSQL (15 or newer), for fleets: any number of receivers and openers share one
// database. Rows lie in one partition per month of their ids; what belongs to no partition goes to a default one, and
// nothing is ever refused for its month. Only daemon/hqd and tests may import it.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"madoguchi/daemon/hq/store"
)

// ErrPassword is given for a database address with a password in it: configuration is read by many.
var ErrPassword = errors.New("store: the database's address must hold no password; use passfile=, service= or a client certificate")

// maxConns is how many connections one process holds, unless the address says pool_max_conns.
const maxConns = 16

// Options of Open and OpenReader. A zero field means no log, the system's clock, or what the address and libpq's
// defaults say.
type Options struct {
	Log      *slog.Logger
	Now      func() time.Time
	PassFile string // a file in the form of ~/.pgpass
}

func (o *Options) defaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Writer is the receiver's side of the store.
type Writer struct {
	db  *pgxpool.Pool
	opt Options

	mu     sync.Mutex
	months map[time.Time]bool // that have a partition of their own
}

// Reader is the opener's side: its sessions are read-only.
type Reader struct{ db *pgxpool.Pool }

// Open connects to the database ("postgres://..." as libpq reads it), brings its schema up to date and makes the
// partitions ahead. Every insert is durable when it returns; a database with fsync off is ErrNotDurable.
func Open(ctx context.Context, address string, o Options) (*Writer, error) {
	o.defaults()
	db, err := connect(ctx, address, o, nil)
	if err != nil {
		return nil, err
	}
	w := &Writer{db: db, opt: o, months: map[time.Time]bool{}}
	err = w.durable(ctx)
	if err == nil {
		err = migrate(ctx, db, len(migrations()))
	}
	if err == nil {
		err = w.Maintain(ctx)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return w, nil
}

// OpenReader connects for reading. The schema must be that of this program.
func OpenReader(ctx context.Context, address string, o Options) (*Reader, error) {
	o.defaults()
	db, err := connect(ctx, address, o, map[string]string{"default_transaction_read_only": "on"})
	if err != nil {
		return nil, err
	}
	v, err := version(ctx, db)
	if err == nil && v != len(migrations()) {
		err = fmt.Errorf("%w: %d, not %d; the receiver upgrades it", store.ErrVersion, v, len(migrations()))
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return &Reader{db}, nil
}

func connect(ctx context.Context, address string, o Options, params map[string]string) (*pgxpool.Pool, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("store: the database's address is no postgres:// URL") // the parser's error would quote it
	}
	q := u.Query()
	if _, has := u.User.Password(); has || q.Has("password") || q.Has("sslpassword") {
		return nil, ErrPassword
	}
	if o.PassFile != "" && !q.Has("passfile") {
		q.Set("passfile", o.PassFile)
	}
	many := !q.Has("pool_max_conns")
	u.RawQuery = q.Encode()
	c, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New("store: the database's address is malformed")
	}
	if many {
		c.MaxConns = maxConns
	}
	p := c.ConnConfig.RuntimeParams
	p["application_name"], p["timezone"] = "hqd", "UTC"
	maps.Copy(p, params)
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// What a database or a role may have relaxed: a receipt is a promise, so the commit is waited for.
		_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	}
	db, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := db.Ping(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	return db, nil
}

// durable refuses a database that acknowledges before it has written.
func (w *Writer) durable(ctx context.Context) error {
	var fsync string
	if err := w.db.QueryRow(ctx, `SELECT current_setting('fsync')`).Scan(&fsync); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if fsync != "on" {
		return store.ErrNotDurable
	}
	return nil
}

// Ping implements store.Writer: a primary answers, and it takes writes.
func (w *Writer) Ping(ctx context.Context) error {
	var standby bool
	if err := w.db.QueryRow(ctx, `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'`).Scan(&standby); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if standby {
		return errors.New("store: the database takes no writes")
	}
	return nil
}

// Ping implements store.Reader.
func (r *Reader) Ping(ctx context.Context) error {
	var n int
	return r.db.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM records LIMIT 1) x`).Scan(&n)
}

// Close ends the connections.
func (w *Writer) Close() error {
	w.db.Close()
	return nil
}

// Close ends the connections.
func (r *Reader) Close() error {
	r.db.Close()
	return nil
}

// Passing says whether an error of Open or OpenReader may pass by waiting: the server does not answer yet, or the
// receiver has not upgraded the schema yet.
func Passing(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "57P03" // it is starting up
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	return refused || errors.Is(err, store.ErrVersion)
}
