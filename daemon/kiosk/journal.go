package kiosk

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"madoguchi/storage/audit"
)

// journal appends to the audit log, in order, without keeping the machine's owner waiting for the disk. When the log
// cannot be written the kiosk takes no more customers.
type journal struct {
	log    *audit.Log
	say    *slog.Logger
	now    func() time.Time
	in     chan audit.Leaf
	failed atomic.Bool
}

// A queue this long is never filled by people; when a broken disk fills it, the owner waits, and the watchdog sees.
const journalLength = 256

func newJournal(log *audit.Log, now func() time.Time, say *slog.Logger) *journal {
	return &journal{log: log, say: say, now: now, in: make(chan audit.Leaf, journalLength)}
}

// note takes an entry with the time of now.
func (j *journal) note(l audit.Leaf) {
	l.At = j.now()
	j.in <- l
}

// write appends at once and durably.
func (j *journal) write(l audit.Leaf) error {
	_, err := j.log.Append(l)
	if err != nil {
		j.failed.Store(true)
		j.say.Error("the audit log cannot be written", slog.String("kind", string(l.Kind)), slog.Any("error", err))
	}
	return err
}

const (
	clockEvery = 5 * time.Second
	clockJump  = 3 * time.Second // more than time synchronisation slews in clockEvery
)

// run writes what comes in and watches the clock, until ctx ends.
func (j *journal) run(ctx context.Context) error {
	every := time.NewTicker(clockEvery)
	defer every.Stop()
	last := j.now()
	for {
		select {
		case l := <-j.in:
			_ = j.write(l)
		case <-every.C:
			now := j.now()
			d := jump(now.Round(0).Sub(last.Round(0)), now.Sub(last)) // Round(0) takes the monotonic reading away
			if d != 0 {
				j.say.Warn("the clock jumped", slog.Duration("by", d))
				_ = j.write(audit.Leaf{Kind: audit.ClockJumped, Count: int64(d / time.Second)})
			}
			last = now
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// jump is how far the wall clock went beyond the monotonic one; 0 when they went together.
func jump(wall, monotonic time.Duration) time.Duration {
	if d := wall - monotonic; d <= -clockJump || d >= clockJump {
		return d
	}
	return 0
}

// finish writes what is left: called when nobody notes any more.
func (j *journal) finish() {
	for {
		select {
		case l := <-j.in:
			_ = j.write(l)
		default:
			_ = j.write(audit.Leaf{Kind: audit.Stopped})
			return
		}
	}
}
