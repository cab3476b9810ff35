package pcsc

import (
	"context"
	"errors"
	"slices"
	"time"

	"madoguchi/hardware/reader"
)

// The times of the watcher. pollLimit bounds one wait, so that a notification that was lost costs a second at most.
// settleTime is how long a card that was lost without a notice is left alone: pcscd looks every 400 ms, and takes
// the power from an idle card within 800 ms, without which a card that was put back never gets power.
const (
	pollLimit   = time.Second
	settleTime  = time.Second
	backoffMin  = 100 * time.Millisecond
	backoffMax  = 2 * time.Second
	cancelEvery = 10 * time.Millisecond
	cancelGrace = 2 * time.Second
	spinGuard   = 20 * time.Millisecond
)

// Watch implements reader.Reader. It uses a context of its own, which it makes again, with growing pauses, when
// the service is lost. A second Watch beside a running one is ErrWatching.
func (r *Reader) Watch(ctx context.Context, report func(reader.Level)) error {
	if !r.watching.CompareAndSwap(false, true) {
		return ErrWatching
	}
	w := &watcher{r: r, report: report}
	defer func() {
		if !w.stuck { // else when the call returns: two waits at a time upset the library
			r.watching.Store(false)
		}
	}()
	for backoff := backoffMin; ; {
		lived := w.serve(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if lived {
			backoff = backoffMin
		}
		w.lost()
		if err := pause(ctx, backoff); err != nil {
			return err
		}
		backoff = min(2*backoff, backoffMax)
	}
}

// watcher turns states into levels.
type watcher struct {
	r        *Reader
	report   func(reader.Level)
	last     reader.Level
	reported bool
	states   []readerState
	counter  uint16 // the event counter of the reader in use
	stuck    bool   // a call was given up and holds the context
}

// serve watches on one context until it fails or ctx ends. lived tells whether the service answered at all.
func (w *watcher) serve(ctx context.Context) (lived bool) {
	pc, err := await(ctx, w.r, callLimit, w.r.service.establish, func(pc pcscContext, err error) {
		if err == nil {
			pc.release()
		}
	})
	if err != nil {
		return false
	}
	w.states = nil
	for {
		next, err := w.wait(ctx, pc)
		if err != nil {
			if !w.stuck {
				pc.release()
			}
			return lived
		}
		lived = true
		w.states = next
		if !w.look() { // often only the sharing mode changed; a driver that repeats itself must not spin us
			if pause(ctx, spinGuard) != nil {
				pc.release()
				return lived
			}
		}
	}
}

// wait lists the readers and waits for a change of any of them, or of the list itself.
func (w *watcher) wait(ctx context.Context, pc pcscContext) ([]readerState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	known := slices.Clone(w.states)
	sent := begin(func() ([]readerState, error) { return w.poll(pc, known) })
	hung := time.NewTimer(pollLimit + callLimit)
	defer hung.Stop()
	for waiting := true; waiting; {
		select {
		case res := <-sent.done:
			return res.value, res.err
		case <-hung.C: // the service does not answer; there is nothing to do but say so and wait on
			w.lost()
		case <-ctx.Done():
			waiting = false
		}
	}
	return nil, w.stop(ctx, pc, sent)
}

// stop ends a call that blocks, or gives it up.
func (w *watcher) stop(ctx context.Context, pc pcscContext, sent *call[[]readerState]) error {
	// a cancel that comes before the call blocks is lost, so it is repeated
	tick, end := time.NewTicker(cancelEvery), time.NewTimer(cancelGrace)
	defer tick.Stop()
	defer end.Stop()
	for {
		pc.cancel()
		select {
		case <-sent.done:
			return ctx.Err()
		case <-tick.C:
		case <-end.C:
			r := w.r
			r.abandoned.Add(1)
			w.stuck = sent.abandon(func([]readerState, error) {
				pc.release()
				r.abandoned.Add(-1)
				r.watching.Store(false)
			})
			if !w.stuck {
				r.abandoned.Add(-1)
			}
			return ctx.Err()
		}
	}
}

// poll does one round in the library: list, then wait. It returns at once when a reader is gone, or when there is
// none and that is news.
func (w *watcher) poll(pc pcscContext, known []readerState) ([]readerState, error) {
	names, err := pc.readers()
	if err != nil && !errors.Is(err, codeNoReaders) {
		return nil, err
	}
	names = usable(names, w.r.opt.Pin)
	states := make([]readerState, 0, len(names)+1)
	for _, name := range names {
		i := slices.IndexFunc(known, func(s readerState) bool { return s.name == name })
		if i < 0 {
			states = append(states, readerState{name: name})
			continue
		}
		states = append(states, readerState{name: name, current: known[i].event &^ flagChanged, event: known[i].event, atr: known[i].atr})
	}
	gone := slices.ContainsFunc(known, func(s readerState) bool { return !slices.Contains(names, s.name) })
	if gone || known == nil && len(names) == 0 {
		return states, nil
	}
	states = append(states, readerState{name: pnpReader})
	err = pc.wait(states, pollLimit)
	if err != nil && !errors.Is(err, codeTimeout) && !errors.Is(err, codeUnknownReader) { // unplugged in between
		return nil, err
	}
	return states[:len(states)-1], nil
}

// look chooses the reader in use and reports its level when it changed, which it tells.
func (w *watcher) look() bool {
	if len(w.states) == 0 {
		w.r.use("")
		return w.tell(reader.Level{Presence: reader.NoReader}, 0)
	}
	s := w.choose()
	w.r.use(s.name)
	level := reader.Level{Presence: presence(s.event), Reader: s.name}
	if level.Presence == reader.Card {
		level.ATR = slices.Clone(s.atr)
	}
	return w.tell(level, uint16(s.event>>16))
}

// choose keeps the reader in use while a card lies on it, else takes one with a card, else the best one.
func (w *watcher) choose() readerState {
	occupied := func(s readerState) bool { return presence(s.event) >= reader.MuteCard }
	current := w.r.Info().Name
	if i := slices.IndexFunc(w.states, func(s readerState) bool { return s.name == current && occupied(s) }); i >= 0 {
		return w.states[i]
	}
	if i := slices.IndexFunc(w.states, occupied); i >= 0 {
		return w.states[i]
	}
	return w.states[0]
}

// presence reads the flags; the high half of event is a counter.
func presence(event uint32) reader.Presence {
	switch flags := event & flagMask; {
	case flags == 0, flags&(flagUnknown|flagUnavailable) != 0:
		return reader.NoReader
	case flags&flagPresent != 0 && flags&flagMute != 0:
		return reader.MuteCard
	case flags&flagPresent != 0:
		return reader.Card
	}
	return reader.Empty
}

// tell reports a level when it differs from the last one, and tells whether it did. The counter of pcscd notices a card that was lifted
// and put back between two looks.
func (w *watcher) tell(level reader.Level, counter uint16) bool {
	level.Seq = w.last.Seq
	same := w.reported && level.Reader == w.last.Reader
	if same && level.Reader != "" {
		level.Seq += uint64(counter - w.counter)
	}
	was, is := w.last.Presence >= reader.MuteCard, level.Presence >= reader.MuteCard
	if level.Seq == w.last.Seq && (was != is || !same && is || is && w.r.doubtful(w.last.Seq)) {
		level.Seq++
	}
	w.counter = counter
	if w.reported && level.Presence == w.last.Presence && level.Seq == w.last.Seq && same {
		return false
	}
	w.last, w.reported = level, true
	w.r.reported(level.Seq)
	w.report(level)
	return true
}

// lost reports that the service is gone. Whatever lay on the reader may have been changed unseen, so the next card
// is a new one.
func (w *watcher) lost() {
	w.r.use("")
	w.tell(reader.Level{Presence: reader.NoService}, 0)
}
