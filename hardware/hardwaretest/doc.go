// Package hardwaretest holds the conformance suites that every implementer of hardware/reader and hardware/camera
// must pass, virtual or real. Only tests may import it.
package hardwaretest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"madoguchi/hardware/reader"
)

// patience bounds every wait of the suites. Real readers and pcscd poll; nothing takes this long when all is well.
const patience = 15 * time.Second

// Hand is the hand that puts the card on the reader. All methods fail the test themselves when they cannot do
// what they say. The card is a My Number Card that is always the same one.
type Hand interface {
	// Insert puts the card on the reader, with all faults cleared.
	Insert()
	// Remove takes the card away.
	Remove()
	// RemoveAtAPDU lets the card leave at the n-th command from now, counted from 1; processed tells whether the
	// card still executes the command, so that only the answer is lost.
	RemoveAtAPDU(n int, processed bool)
	// MuteAtAPDU lets the card not answer from the n-th command from now on.
	MuteAtAPDU(n int)
	// PIN is the 4-digit PIN of 券面事項入力補助, NumberB is 照合番号B.
	PIN() []byte
	NumberB() []byte
}

// Factory makes a reader without a card on it and the hand that belongs to it. It cleans up by t.Cleanup.
type Factory func(t *testing.T) (reader.Reader, Hand)

// levels records what a Watch reports.
type levels struct {
	t    *testing.T
	ch   chan reader.Level
	last reader.Level
	end  func() error
}

// watch starts a Watch that ends with the test or with levels.end.
func watch(t *testing.T, r reader.Reader) *levels {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &levels{t: t, ch: make(chan reader.Level, 100)}
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(level reader.Level) { l.ch <- level })
	}()
	ended := false
	l.end = func() error {
		cancel()
		ended = true
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return errors.New("the watch does not end with its context")
		}
	}
	t.Cleanup(func() {
		if !ended {
			if err := l.end(); !errors.Is(err, context.Canceled) {
				t.Errorf("Watch ended with %v", err)
			}
		}
	})
	return l
}

// next waits for the next report.
func (l *levels) next() reader.Level {
	l.t.Helper()
	select {
	case level := <-l.ch:
		if level.Seq < l.last.Seq {
			l.t.Fatalf("Seq went back from %d to %d", l.last.Seq, level.Seq)
		}
		if (level.Presence == reader.Card) != (len(level.ATR) > 0) {
			l.t.Fatalf("%v with an ATR of %d bytes", level.Presence, len(level.ATR))
		}
		l.last = level
		return level
	case <-time.After(patience):
		l.t.Fatalf("no report within %v; the last one was %v", patience, l.last.Presence)
		panic("unreachable")
	}
}

// until waits for one of the presences.
func (l *levels) until(want ...reader.Presence) reader.Level {
	l.t.Helper()
	for {
		if level := l.next(); slices.Contains(want, level.Presence) {
			return level
		}
	}
}

// open opens the reader, with patience for a reader that powers the card up.
func open(t *testing.T, r reader.Reader) reader.Session {
	t.Helper()
	s, err := r.Open(t.Context())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// send transmits and wants an answer with a status word, which it gives.
func send(t *testing.T, s reader.Session, command []byte) (data []byte, sw uint16) {
	t.Helper()
	b, err := s.Transmit(t.Context(), command)
	if err != nil {
		t.Fatalf("Transmit: %v", err)
	}
	if len(b) < 2 {
		t.Fatalf("Transmit gave %d bytes without an error", len(b))
	}
	n := len(b) - 2
	return b[:n], uint16(b[n])<<8 | uint16(b[n+1])
}

// want transmits and wants this status word.
func want(t *testing.T, s reader.Session, command []byte, sw uint16) []byte {
	t.Helper()
	data, got := send(t, s, command)
	if got != sw {
		t.Fatalf("got status %04X, want %04X", got, sw)
	}
	return data
}

// The commands of the suite, by hand from ISO 7816-4.

func selectText() []byte {
	return []byte("\x00\xA4\x04\x0C\x0A\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x08")
}

func selectFace() []byte {
	return []byte("\x00\xA4\x04\x0C\x0A\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x02")
}

func queryPIN() []byte { return []byte("\x00\x20\x00\x91") }

func readAttributes() []byte { return []byte("\x00\xB0\x82\x00\x00") }

func readFaceExtended() []byte { return []byte("\x00\xB0\x82\x00\x00\x00\x00") }

func verify(p2 byte, value []byte) []byte {
	return append([]byte{0x00, 0x20, 0x00, p2, byte(len(value))}, value...)
}

// isLost tells the errors by which a reader may report a card that was taken away.
func isLost(err error) bool {
	return errors.Is(err, reader.ErrCardLost) || errors.Is(err, reader.ErrReaderLost) || errors.Is(err, reader.ErrNoCard)
}
