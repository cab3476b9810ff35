package pcsc

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/reader"
)

func TestSessionEnds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answer  []byte
		err     error
		want    error
		unpower int
	}{
		{"healthy", []byte{0x90, 0}, nil, nil, 1},
		{"status-word-of-failure", []byte{0x69, 0x84}, nil, nil, 1},
		{"empty-answer", nil, nil, reader.ErrCardLost, 0},
		{"one-byte", []byte{0x90}, nil, reader.ErrCardLost, 0},
		{"transport-error", nil, codeNotTransacted, reader.ErrCardLost, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake("Reader")
			var seen []byte
			f.answer = func(c []byte) ([]byte, error) { seen = c; return tc.answer, tc.err }
			_, s := openFake(t, f)
			command := []byte{0, 0x20, 0, 0x91, 4, '1', '2', '3', '4'}
			if _, err := s.Transmit(t.Context(), command); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if !bytes.Equal(seen, make([]byte, len(seen))) || &seen[0] == &command[0] {
				t.Fatal("our copy of the PIN was not wiped")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if f.unpowered != tc.unpower || f.disconnected != 1 || f.released != 1 {
				t.Fatalf("unpowered %d, disconnected %d, released %d", f.unpowered, f.disconnected, f.released)
			}
			if _, err := s.Transmit(t.Context(), command); !errors.Is(err, reader.ErrClosed) {
				t.Fatalf("after Close: got %v", err)
			}
		})
	}
}

func TestOneErrorEndsHealth(t *testing.T) {
	f := newFake("Reader")
	answers := []error{codeNotTransacted, nil}
	f.answer = func([]byte) ([]byte, error) {
		err := answers[0]
		answers = answers[1:]
		return []byte{0x90, 0}, err
	}
	_, s := openFake(t, f)
	if _, err := s.Transmit(t.Context(), make([]byte, 4)); !errors.Is(err, reader.ErrCardLost) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Transmit(t.Context(), make([]byte, 4)); err != nil {
		t.Fatalf("the next command: %v", err)
	}
	f.disposed = nil
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// left alone, then taken anew and powered off: a PIN may have been verified after the error
	if d := cmp.Diff(f.disposed, []bool{false, true}); d != "" || f.released != 1 {
		t.Fatalf("unpower was asked for in this order: %v, released %d", f.disposed, f.released)
	}
}

// TestErrorAtTheEndLeavesTheCard wants no second connection when the last command failed, whatever worked before.
func TestErrorAtTheEndLeavesTheCard(t *testing.T) {
	f := newFake("Reader")
	answers := []error{codeNotTransacted, nil, codeNotTransacted}
	f.answer = func([]byte) ([]byte, error) {
		err := answers[0]
		answers = answers[1:]
		return []byte{0x90, 0}, err
	}
	_, s := openFake(t, f)
	for range 3 {
		_, _ = s.Transmit(t.Context(), make([]byte, 4))
	}
	if err := s.Close(); err != nil || cmp.Diff(f.disposed, []bool{false}) != "" {
		t.Fatalf("%v, unpower was asked for in this order: %v", err, f.disposed)
	}
}

// TestT0Form is what a T=0 card is sent: by hand from ISO/IEC 7816-3, 12.2.
func TestT0Form(t *testing.T) {
	for _, tc := range []struct {
		name          string
		proto         protocol
		command, want []byte
	}{
		{"case-1", protocolT0, []byte{0, 0x20, 0, 0x91}, []byte{0, 0x20, 0, 0x91, 0}},
		{"case-2", protocolT0, []byte{0, 0xB0, 0x82, 0, 0}, []byte{0, 0xB0, 0x82, 0, 0}},
		{"case-3", protocolT0, []byte{0, 0xA4, 2, 0x0C, 2, 0, 1}, []byte{0, 0xA4, 2, 0x0C, 2, 0, 1}},
		{"case-4", protocolT0, []byte{0x80, 0x2A, 2, 0x9A, 2, 7, 8, 0}, []byte{0x80, 0x2A, 2, 0x9A, 2, 7, 8}},
		{"t1-case-1", protocolT1, []byte{0, 0x20, 0, 0x91}, []byte{0, 0x20, 0, 0x91}},
		{"t1-case-4", protocolT1, []byte{0x80, 0x2A, 2, 0x9A, 2, 7, 8, 0}, []byte{0x80, 0x2A, 2, 0x9A, 2, 7, 8, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake("Reader")
			f.proto = tc.proto
			var sent []byte
			f.answer = func(c []byte) ([]byte, error) { sent = bytes.Clone(c); return []byte{0x90, 0}, nil }
			_, s := openFake(t, f)
			if _, err := s.Transmit(t.Context(), tc.command); err != nil || !bytes.Equal(sent, tc.want) {
				t.Fatalf("sent %X %v, want %X", sent, err, tc.want)
			}
		})
	}
}

// TestListBesideAWatch: the library cannot wait twice at a time.
func TestListBesideAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("Reader 00 00")
		r := newReader(Options{}, f)
		for range 2 { // and it leaves the place free
			if all, err := r.List(t.Context()); err != nil || len(all) != 1 || all[0].Presence != reader.Empty {
				t.Fatalf("got %v %v", all, err)
			}
		}
		got := reports(t, r)
		got()
		if _, err := r.List(t.Context()); !errors.Is(err, ErrWatching) {
			t.Fatalf("got %v, want ErrWatching", err)
		}
	})
}

func TestT0HasNoExtendedCommands(t *testing.T) {
	f := newFake("Reader")
	f.proto = protocolT0
	f.answer = func([]byte) ([]byte, error) { t.Error("it was sent"); return nil, nil }
	_, s := openFake(t, f)
	got, err := s.Transmit(t.Context(), []byte{0, 0xB0, 0x82, 0, 0, 0, 0})
	if err != nil || !bytes.Equal(got, []byte{0x67, 0}) {
		t.Fatalf("got %X %v, want 6700", got, err)
	}
}

func TestUnknownProtocolIsRefused(t *testing.T) {
	f := newFake("Reader")
	f.proto = protocolNone
	_, s := openFake(t, f)
	if _, err := s.Transmit(t.Context(), make([]byte, 5)); !errors.Is(err, reader.ErrTimeout) {
		t.Fatalf("got %v", err)
	}
}
