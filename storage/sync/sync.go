// Package sync brings envelopes from the kiosk's queue to HQ: one at a time, PUT over mutual TLS 1.3, again and again
// with full-jitter back-off until HQ's signed receipt verifies; only then is the local copy deleted. It never drops:
// what HQ refuses for good goes to the shelf, and the report says so. Only daemon/... may import it.
package sync

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"madoguchi/storage/queue"
	"madoguchi/storage/wire"
)

// Back-off and time-outs.
const (
	backoffBase    = time.Second
	backoffCap     = 15 * time.Minute
	retryAfterCap  = time.Hour
	attemptTimeout = 2 * time.Minute // a 2 MiB envelope over a poor line
)

// Options of an uploader. Queue, Client, URL, Device, Receipts and Now are required.
type Options struct {
	Queue    *queue.Queue
	Client   *http.Client // Bundle.Client makes one
	URL      string       // of HQ, e.g. "https://hq.example:8443"
	Device   string
	Receipts wire.ReceiptKeys
	Now      func() time.Time        // wall clock, for levels only; back-off runs on the monotonic clock
	Report   func(Levels)            // called from Run's goroutine after every change; nil: nobody wants to know
	Newer    func() wire.ReceiptKeys // HQ's receipt keys as they are now; nil: Receipts for ever
	Audit    AuditLog                // nil: no audit log is sent
	Beat     func() Beat             // what the kiosk says of itself; nil: no heartbeat
	Rate     int                     // most bytes a second on the way to HQ; 0: no cap
	// Jitter picks a duration in 0..most; nil: at random. Tests fix it.
	Jitter func(most time.Duration) time.Duration
}

// Levels are what the staff page and the health check show. They are levels, not events.
type Levels struct {
	Waiting     int
	Shelved     int       // an alarm when not 0
	Oldest      time.Time // when the oldest one waiting was queued; zero when none waits
	LastSuccess time.Time // the last verified receipt since the start
	LastError   string    // stable code of the last attempt's failure; empty after a success
	NextTry     time.Time // zero when not backing off
	Skew        time.Duration
	SkewKnown   bool      // Skew is HQ's clock less ours, as of the last receipt
	LastContact time.Time // the last answer to a heartbeat
	Revoked     bool      // HQ does not accept this kiosk any more
	AuditSeen   int64     // audit entries that HQ has
	AuditAlarm  string    // AuditShrunken, AuditForked, AuditOther or empty
	Quarantined bool      // the queue's file was broken and set aside: an alarm
	Room        queue.Level
}

// Uploader uploads. Make it with New.
type Uploader struct {
	opt    Options
	levels Levels
	failed int // attempts in a row

	pace       *rate.Limiter
	sideDue    time.Time
	sideFailed int
	auditFrom  int64 // where HQ stands, once known
	auditKnown bool
}

// New checks the options.
func New(o Options) (*Uploader, error) {
	switch {
	case o.Queue == nil || o.Client == nil || o.Now == nil:
		return nil, errors.New("sync: Queue, Client and Now are required")
	case !strings.HasPrefix(o.URL, "https://"):
		return nil, errors.New("sync: HQ's URL must begin with https://")
	case o.Device == "" || len(o.Receipts) == 0:
		return nil, errors.New("sync: the device name or HQ's receipt keys are missing")
	}
	if o.Report == nil {
		o.Report = func(Levels) {}
	}
	if o.Jitter == nil {
		o.Jitter = func(most time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(most) + 1)) } //nolint:gosec // spreads load, guards nothing
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	client := *o.Client // HQ's answer never sends us elsewhere, whatever client was given
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.Client = &client
	return &Uploader{opt: o, pace: newPace(o.Rate)}, nil
}

// receipts are the keys that a receipt may be signed with now.
func (u *Uploader) receipts() wire.ReceiptKeys {
	if u.opt.Newer != nil {
		return u.opt.Newer()
	}
	return u.opt.Receipts
}

// Run uploads until the context ends, and returns its error. It starts no goroutines.
func (u *Uploader) Run(ctx context.Context) error {
	u.report()
	for ctx.Err() == nil {
		u.side(ctx)
		item, ok, err := u.opt.Queue.Peek()
		var damaged *queue.DamagedError
		switch {
		case errors.As(err, &damaged):
			u.levels.LastError = "damaged"
			if err := u.opt.Queue.ShelveDamaged(damaged); err != nil {
				u.pause(ctx, CodeQueue, 0)
			}
			u.report()
		case err != nil:
			u.pause(ctx, CodeQueue, 0)
		case !ok:
			u.idle(ctx)
		default:
			u.deal(ctx, u.attempt(ctx, item))
		}
	}
	return ctx.Err()
}

// deal acts on the result of one attempt.
func (u *Uploader) deal(ctx context.Context, r result) {
	switch {
	case r.receipt.Valid():
		if err := u.opt.Queue.Delete(r.receipt); err != nil {
			u.pause(ctx, CodeQueue, 0) // HQ has it; sending it again is harmless
			return
		}
		u.failed = 0
		u.levels.LastSuccess = u.opt.Now()
		u.levels.LastError = ""
		u.levels.Skew = r.receipt.Receipt().Received.Sub(u.levels.LastSuccess)
		u.levels.SkewKnown = true
		if soon := u.opt.Now().Add(sideAfter); u.sideDue.After(soon) {
			u.sideDue = soon // its audit entries follow a record soon
		}
		u.report()
	case r.shelve:
		u.levels.LastError = r.code
		if err := u.opt.Queue.Shelve(r.id, r.code); err != nil {
			u.pause(ctx, CodeQueue, 0)
			return
		}
		u.failed = 0 // HQ answered: the next record is not to wait for this one
		u.report()
	default:
		u.pause(ctx, r.code, r.after)
	}
}

// pause waits: full jitter over a doubling span, at least as long as HQ asked for.
func (u *Uploader) pause(ctx context.Context, code string, atLeast time.Duration) {
	if ctx.Err() != nil {
		return // shutting down is no failure
	}
	span := backoffCap
	if u.failed < 10 {
		span = min(backoffBase<<u.failed, backoffCap)
	}
	u.failed++
	wait := max(u.opt.Jitter(span), min(atLeast, retryAfterCap))
	u.levels.LastError = code
	u.levels.NextTry = u.opt.Now().Add(wait)
	u.report()
	u.wait(ctx, wait)
	u.levels.NextTry = time.Time{}
}

// wait waits out a back-off. A record that is queued meanwhile shows in the levels, but does not end it.
func (u *Uploader) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case <-u.opt.Queue.Wake():
			u.report()
		}
	}
}

// idle waits for a record.
func (u *Uploader) idle(ctx context.Context) {
	u.report()
	wait := time.Hour // with nothing to send beside records, no harm and no use
	if u.hasSide() {
		wait = max(0, u.sideDue.Sub(u.opt.Now()))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-u.opt.Queue.Wake():
	}
}

func (u *Uploader) report() {
	s := u.opt.Queue.Stats()
	u.levels.Waiting, u.levels.Shelved, u.levels.Oldest = s.Waiting, s.Shelved, s.Oldest
	u.levels.Quarantined = s.Quarantined != ""
	u.levels.Room = u.opt.Queue.Room().Level
	u.opt.Report(u.levels)
}
