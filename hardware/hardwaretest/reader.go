package hardwaretest

import (
	"context"
	"errors"
	"testing"
	"time"

	"madoguchi/hardware/reader"
)

// Run runs the conformance suite of hardware/reader.
func Run(t *testing.T, ready Factory) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, reader.Reader, Hand)
	}{
		{"level-at-once", levelAtOnce},
		{"levels-follow-the-card", levelsFollow},
		{"reinsertion-bumps-seq", reinsertion},
		{"watch-ends-with-its-context", watchEnds},
		{"open-without-card", openWithoutCard},
		{"open-is-exclusive", openExclusive},
		{"open-with-cancelled-context", openCancelled},
		{"transmit", transmit},
		{"big-response", bigResponse},
		{"short-commands-are-refused", shortCommands},
		{"transmit-after-close", transmitAfterClose},
		{"transmit-with-cancelled-context", transmitCancelled},
		{"close-twice", closeTwice},
		{"close-forgets-the-pin", closeForgets},
		{"removed-between-commands", removedBetween},
		{"removed-in-mid-command", removedUnprocessed},
		{"removed-after-the-command-took-effect", removedProcessed},
		{"mute-card-ends-with-the-context", muteCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, h := ready(t)
			c.test(t, r, h)
		})
	}
}

func levelAtOnce(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	l := watch(t, r)
	if got := l.next(); got.Presence != reader.Empty {
		t.Fatalf("the first report is %v, want empty", got.Presence)
	}
	if r.Info().Name == "" {
		t.Fatal("the reader has no name")
	}
	h.Insert()
	l.until(reader.Card)
	if err := l.end(); !errors.Is(err, context.Canceled) {
		t.Fatalf("Watch ended with %v", err)
	}
	if got := watch(t, r).next(); got.Presence != reader.Card {
		t.Fatalf("with a card the first report is %v", got.Presence)
	}
}

func levelsFollow(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	l := watch(t, r)
	empty := l.until(reader.Empty)
	h.Insert()
	card := l.until(reader.Card)
	if card.Reader == "" || card.Seq <= empty.Seq {
		t.Fatalf("got reader %q, Seq %d after %d", card.Reader, card.Seq, empty.Seq)
	}
	h.Remove()
	if gone := l.until(reader.Empty); gone.Seq <= card.Seq {
		t.Fatalf("Seq %d after %d", gone.Seq, card.Seq)
	}
}

func reinsertion(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	l := watch(t, r)
	h.Insert()
	before := l.until(reader.Card)
	h.Remove()
	l.until(reader.Empty)
	h.Insert()
	if after := l.until(reader.Card); after.Seq <= before.Seq {
		t.Fatalf("Seq %d after %d: a new card looks like the old one", after.Seq, before.Seq)
	}
}

func watchEnds(t *testing.T, r reader.Reader, _ Hand) {
	t.Helper()
	l := watch(t, r)
	l.next()
	if err := l.end(); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if n := len(l.ch); n != 0 {
		t.Fatalf("%d reports without a change", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Watch(ctx, func(reader.Level) {}); !errors.Is(err, context.Canceled) {
		t.Fatalf("already cancelled: got %v", err)
	}
}

func openWithoutCard(t *testing.T, r reader.Reader, _ Hand) {
	t.Helper()
	if _, err := r.Open(t.Context()); !errors.Is(err, reader.ErrNoCard) {
		t.Fatalf("got %v, want ErrNoCard", err)
	}
}

// placed inserts the card and waits until the reader sees it.
func placed(t *testing.T, r reader.Reader, h Hand) *levels {
	t.Helper()
	l := watch(t, r)
	h.Insert()
	l.until(reader.Card)
	return l
}

func openExclusive(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	first := open(t, r)
	if _, err := r.Open(t.Context()); !errors.Is(err, reader.ErrBusy) {
		t.Fatalf("a second Open: got %v, want ErrBusy", err)
	}
	want(t, first, selectText(), 0x9000)
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	want(t, open(t, r), selectText(), 0x9000)
}

func openCancelled(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	want(t, open(t, r), selectText(), 0x9000)
}

func transmit(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	s := open(t, r)
	command := selectText()
	want(t, s, command, 0x9000)
	if string(command) != string(selectText()) {
		t.Fatal("Transmit changed the command")
	}
	if _, sw := send(t, s, queryPIN()); sw&0xFFF0 != 0x63C0 {
		t.Fatalf("a VERIFY without data gave %04X", sw)
	}
	want(t, s, readAttributes(), 0x6982)
}

func bigResponse(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	s := open(t, r)
	want(t, s, selectFace(), 0x9000)
	want(t, s, verify(0x92, h.NumberB()), 0x9000)
	file, sw := send(t, s, readFaceExtended())
	if sw == 0x6700 {
		t.Skip("this reader has no extended commands")
	}
	if sw != 0x9000 || len(file) <= 256 {
		t.Fatalf("got %d bytes and status %04X", len(file), sw)
	}
	if file[0] != 0xFF || file[1] != 0x20 {
		t.Fatal("this is not the file")
	}
}

func shortCommands(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	s := open(t, r)
	for _, command := range [][]byte{nil, {}, {0x00}, {0x00, 0xA4, 0x04}} {
		if b, err := s.Transmit(t.Context(), command); err == nil && len(b) < 2 {
			t.Fatalf("%d bytes: neither an error nor a status word", len(command))
		}
	}
	want(t, s, selectText(), 0x9000)
}

func transmitAfterClose(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	s := open(t, r)
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := s.Transmit(t.Context(), selectText()); !errors.Is(err, reader.ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}

func transmitCancelled(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	s := open(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Transmit(ctx, selectText()); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
}

func closeTwice(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	s := open(t, r)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

func closeForgets(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	placed(t, r, h)
	s := open(t, r)
	want(t, s, selectText(), 0x9000)
	want(t, s, verify(0x91, h.PIN()), 0x9000)
	want(t, s, readAttributes(), 0x9000)
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	s = open(t, r)
	// without power the card has forgotten even which application was selected
	if _, sw := send(t, s, readAttributes()); sw == 0x9000 {
		t.Fatal("the next session goes on where the last one stopped")
	}
	want(t, s, selectText(), 0x9000)
	want(t, s, readAttributes(), 0x6982)
}

func removedBetween(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	l := placed(t, r, h)
	s := open(t, r)
	want(t, s, selectText(), 0x9000)
	h.Remove()
	for range 3 {
		if b, err := s.Transmit(t.Context(), queryPIN()); !isLost(err) {
			t.Fatalf("got %d bytes, %v; want an error that the card is gone", len(b), err)
		}
	}
	_ = s.Close()
	l.until(reader.Empty)
	comesBack(t, r, h, l)
}

func removedUnprocessed(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	removedMid(t, r, h, false)
}

func removedProcessed(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	removedMid(t, r, h, true)
}

func removedMid(t *testing.T, r reader.Reader, h Hand, processed bool) {
	t.Helper()
	l := placed(t, r, h)
	s := open(t, r)
	want(t, s, selectText(), 0x9000)
	_, before := send(t, s, queryPIN())
	wrong := []byte("0000")
	if string(h.PIN()) == "0000" {
		wrong = []byte("1111")
	}
	h.RemoveAtAPDU(1, processed)
	if b, err := s.Transmit(t.Context(), verify(0x91, wrong)); !isLost(err) {
		t.Fatalf("got %d bytes, %v; want an error that the card is gone", len(b), err)
	}
	_ = s.Close()
	l.until(reader.Empty)
	s = comesBack(t, r, h, l)
	want(t, s, selectText(), 0x9000)
	_, after := send(t, s, queryPIN())
	if spent := before != after; spent != processed {
		t.Fatalf("the counter went from %04X to %04X", before, after)
	}
	want(t, s, verify(0x91, h.PIN()), 0x9000) // and the counter is full again
}

// comesBack puts the card back and wants a usable session.
func comesBack(t *testing.T, r reader.Reader, h Hand, l *levels) reader.Session {
	t.Helper()
	h.Insert()
	l.until(reader.Card)
	s := open(t, r)
	want(t, s, selectText(), 0x9000)
	return s
}

func muteCard(t *testing.T, r reader.Reader, h Hand) {
	t.Helper()
	l := placed(t, r, h)
	s := open(t, r)
	want(t, s, selectText(), 0x9000)
	h.MuteAtAPDU(1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if b, err := s.Transmit(ctx, queryPIN()); !errors.Is(err, reader.ErrTimeout) {
		t.Fatalf("got %d bytes, %v; want ErrTimeout", len(b), err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Fatalf("Transmit outlived its context by %v", took)
	}
	_ = s.Close()
	h.Remove()
	l.until(reader.Empty)
	comesBack(t, r, h, l)
}
