package finding

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/store"
	"madoguchi/storage/record"
)

// Worker works off the received records, one at a time: memory does not grow with their number. What it has found is
// kept before it goes on, and what it had not kept when it was killed it finds again.
type Worker struct {
	Opener *opener.Opener
	DB     *DB
	Parts  []record.Part // of the role
	Now    func() time.Time
	Log    *slog.Logger

	place  store.Place // all before it, less overlap, was looked at
	swept  time.Time   // when all were looked at last
	faults int         // passes that failed, in a row
}

// The pace of the worker.
const (
	passEvery  = 2 * time.Second
	sweepEvery = 6 * time.Hour
	// overlap is how far back each pass looks for records that were committed late or by a receiver whose clock is behind.
	overlap    = 10 * time.Minute
	page       = 256
	firstRetry = 10 * time.Second
	lastRetry  = 5 * time.Minute
	// inARow is how many waiting records are tried in vain before the rest is left for later: with the token away there
	// may be thousands.
	inARow = 8
)

// Run works until the context ends. A store or a database that does not answer is tried again.
func (w *Worker) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		pause := passEvery
		switch _, err := w.Pass(ctx); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrNotThere):
			w.Log.Info("opener: the store is not there yet")
		case err != nil:
			w.faults++
			pause = min(passEvery<<min(w.faults, 5), time.Minute)
			w.Log.Error("opener: working off", slog.Any("error", err), slog.Duration("pause", pause))
		default:
			w.faults = 0
		}
		timer.Reset(pause)
	}
}

// role names what this worker can open, so that a role with more keys looks again.
func (w *Worker) role() string {
	var names []string
	for _, p := range w.Parts {
		names = append(names, string(p))
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// Pass looks once at what is new and at what waits and is due, and gives how many records it worked on.
func (w *Worker) Pass(ctx context.Context) (worked int, err error) {
	now := w.Now()
	at, again := w.place, time.Time{}
	if at.Received = at.Received.Add(-overlap); w.place == (store.Place{}) || now.Sub(w.swept) >= sweepEvery || now.Before(w.swept) {
		at = store.Place{}
		w.swept, again = now, now
	}
	at.Device, at.ID = "", ""
	role := w.role()
	for {
		rows, err := w.Opener.Store.After(ctx, at, page)
		if err != nil {
			w.place = store.Place{} // what was swept is not known
			return worked, err
		}
		for _, r := range rows {
			done, err := w.DB.done(ctx, r.Device, r.ID, r.Digest, role, again)
			if err == nil && !done {
				worked++
				_, err = w.work(ctx, Finding{Device: r.Device, ID: r.ID, Digest: r.Digest}, role)
			}
			if err != nil {
				w.place = store.Place{}
				return worked, err
			}
		}
		if len(rows) > 0 {
			at = store.PlaceOf(rows[len(rows)-1])
		}
		if len(rows) < page {
			break
		}
	}
	if at.Received.After(w.place.Received) {
		w.place = at
	}
	n, err := w.retry(ctx, role)
	return worked + n, err
}

// retry works on what waits.
func (w *Worker) retry(ctx context.Context, role string) (worked int, err error) {
	vain := 0
	for {
		due, err := w.DB.due(ctx, w.Now(), page)
		if err != nil || len(due) == 0 {
			return worked, err
		}
		for _, f := range due {
			state, err := w.work(ctx, f, role)
			if err != nil {
				return worked, err
			}
			worked++
			if vain++; state != Waiting {
				vain = 0
			}
			if vain >= inARow {
				return worked, nil
			}
		}
	}
}

// work opens one record and keeps what it found in the place of before. A record that is gone does not wait any more.
func (w *Worker) work(ctx context.Context, before Finding, role string) (State, error) {
	f := Finding{Device: before.Device, ID: before.ID, Digest: before.Digest, State: Waiting, Code: CodeBody}
	o, err := w.Opener.Open(ctx, f.Device, f.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Closed, w.DB.forget(ctx, f.Device, f.ID)
	case err == nil:
		f = judge(o)
		o.Wipe()
	case !errors.Is(err, store.ErrBody):
		return "", err
	}
	f.At, f.Tries = w.Now(), before.Tries+1
	if f.State == Waiting {
		f.Next = f.At.Add(min(firstRetry<<min(before.Tries, 10), lastRetry))
	}
	if err := w.DB.Put(ctx, f, role); err != nil {
		return "", err
	}
	if f.State == Failed {
		w.Log.Error("opener: a record failed", slog.String("device", f.Device), slog.String("record", f.ID), slog.String("part", string(f.Part)), slog.String("code", f.Code))
	}
	return f.State, nil
}
