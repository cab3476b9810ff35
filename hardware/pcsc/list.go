package pcsc

import (
	"context"
	"errors"
	"slices"

	"madoguchi/hardware/reader"
)

// Listed is one reader as the service lists it, for a diagnosis.
type Listed struct {
	Name     string
	SAM      bool // a slot for a security module, which never holds a customer's card
	Virtual  bool // vpcd
	Used     bool // this Reader would use it
	Presence reader.Presence
}

// List asks the service for all its readers once, also those that are never used. It disturbs no session. The
// library cannot wait twice at a time, so beside a Watch it is ErrWatching. Other errors: reader.ErrService; no reader
// at all is none.
func (r *Reader) List(ctx context.Context) ([]Listed, error) {
	if !r.watching.CompareAndSwap(false, true) {
		return nil, ErrWatching
	}
	states, err := r.listed(ctx)
	if err != nil {
		return nil, connectError(err)
	}
	out := make([]Listed, 0, len(states))
	names := make([]string, 0, len(states))
	for _, s := range states {
		names = append(names, s.name)
	}
	used := usable(names, r.opt.Pin)
	for _, s := range states {
		out = append(out, Listed{
			Name: s.name, SAM: hasWord(s.name, "SAM"), Virtual: isVirtual(s.name),
			Used: slices.Contains(used, s.name), Presence: presence(s.event),
		})
	}
	return out, nil
}

// listed makes a snapshot on a context of its own, and lets Watch and List in again when that is done.
func (r *Reader) listed(ctx context.Context) ([]readerState, error) {
	late := func(pc pcscContext, err error) {
		if err == nil {
			pc.release()
		}
	}
	pc, err := await(ctx, r, callLimit, r.service.establish, late)
	if err != nil {
		r.watching.Store(false)
		return nil, err
	}
	done := func([]readerState, error) {
		pc.release()
		r.watching.Store(false)
	}
	states, err := await(ctx, r, callLimit, func() ([]readerState, error) { return snapshot(pc) }, done)
	if late := (givenUp{}); !errors.As(err, &late) { // else the call does it when it ends
		done(nil, nil)
	}
	return states, err
}

// snapshot lists all readers with their states now.
func snapshot(pc pcscContext) ([]readerState, error) {
	names, err := pc.readers()
	if errors.Is(err, codeNoReaders) || err == nil && len(names) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	states := make([]readerState, 0, len(names))
	for _, name := range names {
		states = append(states, readerState{name: name})
	}
	if err := pc.wait(states, 0); err != nil && !errors.Is(err, codeTimeout) {
		return nil, err
	}
	return states, nil
}
