package pcsc

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"madoguchi/hardware/reader"
)

// Options are the settings of a Reader; the zero value serves.
type Options struct {
	// Pin, when set, names the one reader to use; see also the choice made without it in usable.
	Pin *regexp.Regexp
	// TransmitLimit is how long one command may take; 0 means 15 s. A card may wait 2.5 s for each answer and the
	// face takes 2 s over the air.
	TransmitLimit time.Duration
	// BusyLimit is how long Open waits for another program to let go of the reader; 0 means 5 s.
	BusyLimit time.Duration
}

// Reader implements reader.Reader over PC/SC.
type Reader struct {
	opt     Options
	service service

	abandoned atomic.Int64
	watching  atomic.Bool

	mu      sync.Mutex
	current string // the reader in use
	seq     uint64 // of the last level reported
	doubt   doubt
}

// doubt is a card that was lost without pcscd having seen it go: a reader that is polled never tells of a card that
// was put back, or swapped, between two looks.
type doubt struct {
	since time.Time // zero when there is none
	seq   uint64    // the level at which the card was lost
}

var _ reader.Reader = (*Reader)(nil)

// New makes a Reader. It touches nothing until Watch or Open.
func New(opt Options) *Reader { return newReader(opt, library()) }

func newReader(opt Options, s service) *Reader {
	if opt.TransmitLimit == 0 {
		opt.TransmitLimit = 15 * time.Second
	}
	if opt.BusyLimit == 0 {
		opt.BusyLimit = 5 * time.Second
	}
	return &Reader{opt: opt, service: s}
}

// Info implements reader.Reader. The name is empty until a reader was seen.
func (r *Reader) Info() reader.Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return reader.Info{Name: r.current, Virtual: isVirtual(r.current)}
}

// Abandoned is the number of library calls that were given up and have not returned yet. While it is not zero a
// card that does not answer holds the reader: it must be taken away, or pcscd restarted.
func (r *Reader) Abandoned() int { return int(r.abandoned.Load()) }

func (r *Reader) use(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = name
}

// Open implements reader.Reader. It waits for another program to let go of the reader for up to
// Options.BusyLimit. Errors: ErrNoCard, ErrBusy, ErrTimeout (something that does not answer), ErrReaderLost,
// ErrService.
func (r *Reader) Open(ctx context.Context) (reader.Session, error) {
	pc, err := await(ctx, r, callLimit, r.service.establish, func(pc pcscContext, err error) {
		if err == nil {
			pc.release()
		}
	})
	if err != nil {
		return nil, connectError(err)
	}
	name, h, err := r.connect(ctx, pc)
	if err != nil {
		if late := (givenUp{}); !errors.As(err, &late) { // else the call releases the context when it ends
			pc.release()
		}
		return nil, err
	}
	r.use(name)
	return &session{reader: r, pc: pc, h: h, name: name, healthy: true}, nil
}

// level is the Seq of the last level reported.
func (r *Reader) level() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seq
}

// setDoubt notes that the card of the level seq was lost; settleDoubt that a card answers, which whoever opened it
// had to identify anew.
func (r *Reader) setDoubt(seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubt = doubt{since: time.Now(), seq: seq}
}

func (r *Reader) settleDoubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubt = doubt{}
}

// reported notes the Seq of a level. doubtful tells whether the card of the level seq was lost, long enough ago that
// pcscd would have said so if it knew.
func (r *Reader) reported(seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq = seq
}

func (r *Reader) doubtful(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.doubt.since.IsZero() && r.doubt.seq == seq && time.Since(r.doubt.since) >= settleTime
}

// callLimit is how long a call may take that should return at once.
const callLimit = 5 * time.Second

// candidates lists the usable readers, the one in use first.
func (r *Reader) candidates(pc pcscContext) ([]string, error) {
	names, err := pc.readers()
	if err != nil {
		return nil, err
	}
	names = usable(names, r.opt.Pin)
	current := r.Info().Name
	for i, name := range names {
		if name == current {
			copy(names[1:i+1], names[:i])
			names[0] = current
		}
	}
	if len(names) == 0 {
		return nil, codeNoReaders
	}
	return names, nil
}

// connected is a card on a reader.
type connected struct {
	name string
	h    handle
}

// connect takes the first card on a usable reader, with patience for other programs and for a reader that wakes up.
func (r *Reader) connect(ctx context.Context, pc pcscContext) (string, handle, error) {
	busy, cancel := context.WithTimeout(ctx, r.opt.BusyLimit)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		got, err := await(ctx, r, callLimit,
			func() (connected, error) { return r.connectOnce(pc) },
			func(got connected, err error) {
				if err == nil {
					_ = got.h.disconnect(false)
				}
				pc.release()
			})
		if err == nil {
			return got.name, got.h, nil
		}
		again := errors.Is(err, codeSharing) || errors.Is(err, codeUnpowered) || errors.Is(err, codeUnresponsive)
		if !again || pause(busy, wait) != nil {
			if again && ctx.Err() != nil {
				err = ctx.Err()
			}
			return "", nil, connectError(err)
		}
	}
}

// connectOnce tries the usable readers in turn.
func (r *Reader) connectOnce(pc pcscContext) (connected, error) {
	names, err := r.candidates(pc)
	if err != nil {
		return connected{}, err
	}
	for _, name := range names {
		var h handle
		if h, err = pc.connect(name); err == nil {
			return connected{name, h}, nil
		}
		if err != codeNoCard { //nolint:errorlint // comes from our own wrapper, never wrapped
			break
		}
	}
	return connected{}, err
}
