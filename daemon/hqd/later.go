package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
)

// later is the receiver's embedded database for a role that may start first: on a new installation, or while the
// receiver is down, it may not be there, or not be readable yet. It is looked for at every use, once a second at most;
// until then everything is store.ErrNotThere.
type later struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	r      store.Reader
	closed bool
	next   time.Time
	err    error
}

func (l *later) get(ctx context.Context) (store.Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case l.r != nil:
		return l.r, nil
	case l.closed:
		return nil, fs.ErrClosed
	case now.Before(l.next):
		return nil, l.err
	}
	r, err := l.open(ctx)
	if err != nil {
		if l.err == nil {
			l.log.Warn("the receiver's database is not there yet", slog.Any("error", err))
		}
		l.next, l.err = now.Add(pollEvery), fmt.Errorf("%w: %w", store.ErrNotThere, err)
		return nil, l.err
	}
	if l.err != nil {
		l.log.Info("the receiver's database is there")
	}
	l.r = r
	return r, nil
}

func (l *later) open(ctx context.Context) (store.Reader, error) {
	if _, err := os.Stat(l.path); err != nil {
		return nil, err
	}
	return sqlitestore.OpenReader(ctx, l.path)
}

// through calls f with the reader once it is there.
func through[T any](ctx context.Context, l *later, f func(store.Reader) (T, error)) (T, error) {
	r, err := l.get(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return f(r)
}

func (l *later) Get(ctx context.Context, device, id string) (store.Row, error) {
	return through(ctx, l, func(r store.Reader) (store.Row, error) { return r.Get(ctx, device, id) })
}

func (l *later) List(ctx context.Context, limit, skip int) ([]store.Row, error) {
	return through(ctx, l, func(r store.Reader) ([]store.Row, error) { return r.List(ctx, limit, skip) })
}

func (l *later) After(ctx context.Context, p store.Place, limit int) ([]store.Row, error) {
	return through(ctx, l, func(r store.Reader) ([]store.Row, error) { return r.After(ctx, p, limit) })
}

func (l *later) Gaps(ctx context.Context) ([]store.Gap, error) {
	return through(ctx, l, func(r store.Reader) ([]store.Gap, error) { return r.Gaps(ctx) })
}

func (l *later) Alarms(ctx context.Context) ([]store.DeviceAlarm, error) {
	return through(ctx, l, func(r store.Reader) ([]store.DeviceAlarm, error) { return r.Alarms(ctx) })
}

func (l *later) Heartbeats(ctx context.Context) ([]store.Beat, error) {
	return through(ctx, l, func(r store.Reader) ([]store.Beat, error) { return r.Heartbeats(ctx) })
}

func (l *later) AuditLogs(ctx context.Context) ([]store.AuditLog, error) {
	return through(ctx, l, func(r store.Reader) ([]store.AuditLog, error) { return r.AuditLogs(ctx) })
}

func (l *later) AuditLeaves(ctx context.Context, device string, from int64, limit int) ([][]byte, error) {
	return through(ctx, l, func(r store.Reader) ([][]byte, error) { return r.AuditLeaves(ctx, device, from, limit) })
}

func (l *later) Ping(ctx context.Context) error {
	_, err := through(ctx, l, func(r store.Reader) (struct{}, error) { return struct{}{}, r.Ping(ctx) })
	return err
}

func (l *later) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.r == nil {
		return nil
	}
	return l.r.Close()
}
