package pcsc

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/hardware/reader"
)

// The faults that a real pcscd cannot be made to show on demand; the others are in hardware/hardwaretest.

// TestFaultLostUnseen is a reader that never tells that the card was put back, or swapped.
func TestFaultLostUnseen(t *testing.T) {
	const name = "Reader 00 00"
	card := func(seq uint64) reader.Level {
		return reader.Level{Presence: reader.Card, Seq: seq, Reader: name}
	}
	for _, tc := range []struct {
		name    string
		then    func(t *testing.T, f *fake, r *Reader, s reader.Session)
		reports []reader.Level
	}{
		{"is-a-new-card", func(t *testing.T, _ *fake, _ *Reader, s reader.Session) { t.Helper(); _ = s.Close() }, []reader.Level{card(2)}},
		{"while-open-nothing", func(*testing.T, *fake, *Reader, reader.Session) {}, nil},
		{"the-next-command-works", func(t *testing.T, f *fake, _ *Reader, s reader.Session) {
			t.Helper()
			f.answer = func([]byte) ([]byte, error) { return []byte{0x90, 0}, nil }
			if _, err := s.Transmit(t.Context(), make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			_ = s.Close()
		}, nil},
		{"the-next-session-works", func(t *testing.T, f *fake, r *Reader, s reader.Session) {
			t.Helper()
			_ = s.Close()
			f.answer = func([]byte) ([]byte, error) { return []byte{0x90, 0}, nil }
			next, err := r.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := next.Transmit(t.Context(), make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			_ = next.Close()
		}, nil},
		{"and-pcscd-saw-it", func(t *testing.T, f *fake, _ *Reader, s reader.Session) {
			t.Helper()
			f.set(name, flagPresent, 2)
			time.Sleep(100 * time.Millisecond)
			_ = s.Close()
		}, []reader.Level{card(3)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(name)
				f.events[name] = flagPresent
				f.answer = func([]byte) ([]byte, error) { return nil, codeNotTransacted }
				r := newReader(Options{}, f)
				got := reports(t, r)
				want(t, got(), card(1))
				s, err := r.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Transmit(t.Context(), make([]byte, 4)); !errors.Is(err, reader.ErrCardLost) {
					t.Fatalf("got %v, want ErrCardLost", err)
				}
				tc.then(t, f, r, s)
				time.Sleep(2 * (settleTime + pollLimit))
				want(t, got(), tc.reports...)
				time.Sleep(time.Minute) // and it is told once
				want(t, got())
			})
		})
	}
}

// TestFaultResetDuringASession is what pcscd says when somebody reset the card under a session. Ours are exclusive,
// so a real one is not known to do it.
func TestFaultResetDuringASession(t *testing.T) {
	f := newFake("Reader")
	f.answer = func([]byte) ([]byte, error) { return nil, codeReset }
	_, s := openFake(t, f)
	for range 2 { // and no silent reconnect, which would go on with another card
		if _, err := s.Transmit(t.Context(), make([]byte, 4)); !errors.Is(err, reader.ErrCardLost) {
			t.Fatalf("got %v, want ErrCardLost", err)
		}
	}
	if err := s.Close(); err != nil || f.unpowered != 0 || f.disconnected != 1 {
		t.Fatalf("%v; unpowered %d, disconnected %d", err, f.unpowered, f.disconnected)
	}
}

// TestFaultSAMSlot is a reader that shows its security module as a slot with a card that never leaves.
func TestFaultSAMSlot(t *testing.T) {
	const (
		sam  = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 00 01"
		picc = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 00 00"
	)
	synctest.Test(t, func(t *testing.T) {
		f := newFake(sam)
		f.events[sam] = flagPresent
		r := newReader(Options{}, f)
		got := reports(t, r)
		want(t, got(), reader.Level{Presence: reader.NoReader})
		if _, err := r.Open(t.Context()); !errors.Is(err, reader.ErrReaderLost) {
			t.Fatalf("a SAM alone: got %v, want ErrReaderLost", err)
		}
		f.change(func() { f.names = []string{sam, picc}; f.events[picc] = flagEmpty })
		time.Sleep(2 * pollLimit)
		want(t, got(), reader.Level{Presence: reader.Empty, Reader: picc})
		f.set(sam, flagPresent|0x100, 5)
		time.Sleep(2 * pollLimit)
		want(t, got())
		f.set(picc, flagPresent, 1)
		want(t, got(), reader.Level{Presence: reader.Card, Seq: 1, Reader: picc})
	})
}
