package virtual

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual/chip"
)

// ReaderName is the name of the virtual reader.
const ReaderName = "Madoguchi Virtual Reader"

// MuteTimeout is how long the virtual reader waits for a card that never answers.
const MuteTimeout = 5 * time.Second

var _ reader.Reader = (*Reader)(nil)

// Reader is a reader in this process. Its hand is Insert and Remove; all methods may be called from anywhere.
type Reader struct {
	mu       sync.Mutex
	card     *Card
	trouble  reader.Presence // Card when all is well, else NoService or NoReader
	seq      uint64
	changed  chan struct{} // closed and replaced at each change
	open     *session
	watching bool
}

// NewReader makes an empty reader.
func NewReader() *Reader {
	return &Reader{trouble: reader.Card, changed: make(chan struct{})}
}

// Info implements reader.Reader.
func (*Reader) Info() reader.Info { return reader.Info{Name: ReaderName, Virtual: true} }

// Insert puts a card on the reader; one that lies there is taken away first. The error is always nil: it is there
// so that this hand and that of package vpcd are alike.
func (r *Reader) Insert(c *Card) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take(reader.ErrCardLost)
	r.card = c
	r.seq++
	r.notify()
	return nil
}

// Remove takes the card away, which takes its power away too. Removing nothing is no error.
func (r *Reader) Remove() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.take(reader.ErrCardLost) {
		r.notify()
	}
	return nil
}

// Card is the card on the reader, or nil.
func (r *Reader) Card() *Card {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.card
}

// Fail makes the reader or its service disappear (reader.NoReader, reader.NoService); an open session is lost, the
// card loses power. Any other presence brings it back, with the card still lying there.
func (r *Reader) Fail(p reader.Presence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p != reader.NoReader && p != reader.NoService {
		p = reader.Card
	}
	if c := r.card; p != reader.Card && c != nil {
		r.take(troubleError(p))
		r.card = c
	}
	r.trouble = p
	r.seq++
	r.notify()
}

func troubleError(p reader.Presence) error {
	if p == reader.NoService {
		return reader.ErrService
	}
	return reader.ErrReaderLost
}

// take ends the session with a reason and takes the card away.
func (r *Reader) take(why error) bool {
	if r.card == nil {
		return false
	}
	r.card.PowerOff()
	r.card = nil
	r.seq++
	if r.open != nil {
		r.open.lose(why)
		r.open = nil
	}
	return true
}

func (r *Reader) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Reader) level() reader.Level {
	l := reader.Level{Presence: reader.Empty, Seq: r.seq, Reader: ReaderName}
	switch {
	case r.trouble != reader.Card:
		l.Presence, l.Reader = r.trouble, ""
	case r.card == nil:
	case r.card.ATR() == nil:
		l.Presence = reader.MuteCard
	default:
		l.Presence, l.ATR = reader.Card, r.card.ATR()
	}
	return l
}

// Watch implements reader.Reader.
func (r *Reader) Watch(ctx context.Context, report func(reader.Level)) error {
	r.mu.Lock()
	if r.watching {
		r.mu.Unlock()
		return errors.New("virtual: the reader is already watched")
	}
	r.watching = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.watching = false
		r.mu.Unlock()
	}()
	for {
		r.mu.Lock()
		level, changed := r.level(), r.changed
		r.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		report(level)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Open implements reader.Reader.
func (r *Reader) Open(ctx context.Context) (reader.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.trouble != reader.Card:
		return nil, troubleError(r.trouble)
	case r.card == nil:
		return nil, reader.ErrNoCard
	case r.open != nil:
		return nil, reader.ErrBusy
	case r.card.PowerOn() == nil:
		return nil, reader.ErrTimeout
	}
	r.open = &session{reader: r, card: r.card, lost: make(chan struct{})}
	return r.open, nil
}

// session is one exclusive connection.
type session struct {
	reader *Reader
	card   *Card
	lost   chan struct{} // closed when the card is gone
	why    error         // set before lost is closed
	dirty  bool          // an exchange failed: Close leaves the card as it is
	closed bool
}

// lose is called with the reader locked, and once.
func (s *session) lose(why error) {
	s.why = why
	close(s.lost)
}

// Transmit implements reader.Session.
func (s *session) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if s.closed {
		return nil, reader.ErrClosed
	}
	out, err := s.transmit(ctx, command)
	if err != nil {
		s.dirty = true
	}
	return out, err
}

func (s *session) transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a, err := s.exchange(command)
	if err != nil {
		return nil, err
	}
	if a.Gone {
		s.reader.flyOff(s.card)
		return nil, reader.ErrCardLost
	}
	wait := a.Delay
	switch {
	case a.Mute:
		wait, err = MuteTimeout, reader.ErrTimeout
	case a.Broken: // as PC/SC says it: 0x80100016 stands for a lost card and for a refused command alike
		err = reader.ErrCardLost
	}
	if wait <= 0 {
		return a.Data, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-s.lost:
		return nil, s.why
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", reader.ErrTimeout, ctx.Err())
	case <-timer.C:
		if err != nil {
			return nil, err
		}
		return a.Data, nil
	}
}

// exchange lets the card work with the reader locked, so that a session that was lost can never reach a card that was
// placed anew.
func (s *session) exchange(command []byte) (chip.Answer, error) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	select {
	case <-s.lost:
		return chip.Answer{}, s.why
	default:
	}
	if out, own := s.card.ReaderCommand(command); own {
		return chip.Answer{Data: out}, nil
	}
	return s.card.Exchange(command), nil
}

// flyOff is a removal that the card's faults ordered.
func (r *Reader) flyOff(c *Card) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.card == c && r.take(reader.ErrCardLost) {
		r.notify()
	}
}

// Close implements reader.Session.
func (s *session) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	if s.reader.open != s {
		return nil
	}
	s.reader.open = nil
	if !s.dirty {
		s.card.PowerOff()
	}
	return nil
}
