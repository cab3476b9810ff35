package pcsc

import (
	"context"
	"sync"
	"time"

	"madoguchi/hardware/reader"
)

// result is what a call into the library returns.
type result[T any] struct {
	value T
	err   error
}

// call is one call into the library, which runs in a goroutine of its own because it may never return.
type call[T any] struct {
	done chan result[T]

	mu      sync.Mutex
	over    bool // the call returned, or nobody waits for it any more
	cleanup func(T, error)
}

// begin starts f.
func begin[T any](f func() (T, error)) *call[T] {
	c := &call[T]{done: make(chan result[T], 1)}
	go func() {
		value, err := f()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.over {
			c.cleanup(value, err)
			return
		}
		c.over = true
		c.done <- result[T]{value, err}
	}()
	return c
}

// abandon gives the call up: cleanup gets the result if it comes after all. It returns false when the result is
// already there, in done.
func (c *call[T]) abandon(cleanup func(T, error)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.over, c.cleanup = true, cleanup
	return true
}

// givenUp is the error of a call that was given up: the call goes on, and what it uses belongs to its cleanup.
type givenUp struct{ error }

// Unwrap gives the reason.
func (g givenUp) Unwrap() error { return g.error }

// await runs f and waits for it for at most limit and until ctx ends; then it gives f up with givenUp around
// ErrTimeout or ctx.Err(), and cleanup gets the late result.
func await[T any](ctx context.Context, r *Reader, limit time.Duration, f func() (T, error), cleanup func(T, error)) (T, error) {
	c := begin(f)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	select {
	case res := <-c.done:
		return res.value, res.err
	case <-timer.C:
		err = reader.ErrTimeout
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.abandoned.Add(1)
	if !c.abandon(func(value T, err error) { r.abandoned.Add(-1); cleanup(value, err) }) {
		r.abandoned.Add(-1)
		res := <-c.done
		return res.value, res.err
	}
	var zero T
	return zero, givenUp{err}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
