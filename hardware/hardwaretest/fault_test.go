//go:build linux && cgo

package hardwaretest_test

import (
	"context"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"madoguchi/hardware/hardwaretest/pcscd"
	"madoguchi/hardware/pcsc"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual/vpcd"
)

// The rows of the fault table, one test each, on a real pcscd: what the levels say, which typed error the session
// gives, and that the driver comes back by itself.

// bench is a reader with its hand, watched.
type bench struct {
	t      *testing.T
	daemon *pcscd.Daemon
	reader *pcsc.Reader
	levels <-chan reader.Level
	hand   *hand
	last   reader.Level
}

// newBench watches a reader of d with a hand at its first slot.
func newBench(t *testing.T, d *pcscd.Daemon, opt pcsc.Options) *bench {
	t.Helper()
	slot := vpcd.NewSlot(pcscd.Addr)
	t.Cleanup(func() { _ = slot.Remove() })
	if opt.BusyLimit == 0 {
		opt.BusyLimit = 300 * time.Millisecond
	}
	r := pcsc.New(opt)
	return &bench{t: t, daemon: d, reader: r, levels: levelsOf(t, r), hand: newHand(t, slot)}
}

// until waits for a presence, which must not go back in Seq.
func (b *bench) until(want reader.Presence) reader.Level {
	b.t.Helper()
	l := await(b.t, b.levels, want)
	if l.Seq < b.last.Seq {
		b.t.Fatalf("Seq went back from %d to %d", b.last.Seq, l.Seq)
	}
	b.last = l
	return l
}

// place puts the card on the reader and opens it.
func (b *bench) place() reader.Session {
	b.t.Helper()
	b.until(reader.Empty)
	b.hand.Insert()
	b.until(reader.Card)
	return b.open()
}

func (b *bench) open() reader.Session {
	b.t.Helper()
	s, err := b.reader.Open(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = s.Close() })
	b.answers(s)
	return s
}

// answers selects the application of the attributes.
func (b *bench) answers(s reader.Session) {
	b.t.Helper()
	b.status(s, "\x00\xA4\x04\x0C\x0A\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x08", 0x9000)
}

// status sends a command and wants this status word.
func (b *bench) status(s reader.Session, command string, want uint16) {
	b.t.Helper()
	answer, err := s.Transmit(b.t.Context(), []byte(command))
	if err != nil {
		b.t.Fatal(err)
	}
	if n := len(answer); uint16(answer[n-2])<<8|uint16(answer[n-1]) != want {
		b.t.Fatalf("got status %X, want %04X", answer[n-2:], want)
	}
}

// fails sends a command that costs nothing, twice, and wants this error each time.
func (b *bench) fails(s reader.Session, want error) {
	b.t.Helper()
	for range 2 {
		if got, err := s.Transmit(b.t.Context(), []byte(tries)); !errors.Is(err, want) {
			b.t.Fatalf("got %d bytes and %v, want %v", len(got), err, want)
		}
	}
}

// recovers puts the card back on the empty reader and reads; the card must count as a new one.
func (b *bench) recovers() {
	b.t.Helper()
	before := b.last.Seq
	b.hand.Insert()
	if after := b.until(reader.Card); after.Seq <= before {
		b.t.Fatalf("Seq %d after %d: not a new card", after.Seq, before)
	}
	if err := b.open().Close(); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "a call into the library does not come back", func() bool { return b.reader.Abandoned() == 0 })
}

// eventually waits for what tells no event of its own.
func eventually(t *testing.T, otherwise string, ok func() bool) {
	t.Helper()
	tick, timeout := time.NewTicker(10*time.Millisecond), time.After(patient)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal(otherwise)
		}
	}
}

// Commands to 券面事項入力補助: the tries of its PIN, its file of attributes.
const (
	tries      = "\x00\x20\x00\x91"
	attributes = "\x00\xB0\x82\x00\x00"
)

func TestFaultPulledBetweenCommands(t *testing.T) {
	b := newBench(t, pcscd.Start(t), pcsc.Options{})
	s := b.place()
	b.hand.Remove()
	b.fails(s, reader.ErrCardLost) // before pcscd looks
	b.until(reader.Empty)
	b.fails(s, reader.ErrCardLost) // and after
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.recovers()
}

func TestFaultPulledDuringACommand(t *testing.T) {
	for name, processed := range map[string]bool{"not-executed": false, "executed": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, pcscd.Start(t), pcsc.Options{})
			s := b.place()
			b.hand.RemoveAtAPDU(1, processed)
			b.fails(s, reader.ErrCardLost)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			b.until(reader.Empty)
			b.recovers()
		})
	}
}

// TestFaultPulledAndPutBack is a customer who lifts the card for a moment, faster than pcscd looks: it never tells,
// so the driver must find out from the session.
func TestFaultPulledAndPutBack(t *testing.T) {
	b := newBench(t, pcscd.Start(t), pcsc.Options{})
	s := b.place()
	before := b.last.Seq
	b.status(s, "\x00\x20\x00\x91\x04"+string(b.hand.PIN()), 0x9000)
	b.status(s, attributes, 0x9000)
	b.hand.Remove()
	b.hand.Insert()
	b.fails(s, reader.ErrCardLost)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if l := b.until(reader.Card); l.Seq <= before {
		t.Fatalf("Seq %d after %d", l.Seq, before)
	}
	s = b.open()
	b.status(s, attributes, 0x6982) // no PIN outlives the lifting
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFaultPulledBeforeTheEnd is a customer who is faster than the end of the session: what is powered off then is
// not there.
func TestFaultPulledBeforeTheEnd(t *testing.T) {
	b := newBench(t, pcscd.Start(t), pcsc.Options{})
	s := b.place()
	b.hand.Remove()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.until(reader.Empty)
	b.recovers()
}

func TestFaultServiceTerminated(t *testing.T) { serviceEnds(t, (*pcscd.Daemon).Term) }

func TestFaultServiceKilled(t *testing.T) { serviceEnds(t, (*pcscd.Daemon).Kill) }

func serviceEnds(t *testing.T, end func(*pcscd.Daemon)) {
	t.Helper()
	b := newBench(t, pcscd.Start(t), pcsc.Options{})
	s := b.place()
	end(b.daemon)
	b.until(reader.NoService)
	b.fails(s, reader.ErrService)
	if err := s.Close(); err != nil && !errors.Is(err, reader.ErrService) {
		t.Fatalf("Close: %v", err)
	}
	if _, err := b.reader.Open(t.Context()); !errors.Is(err, reader.ErrService) {
		t.Fatalf("Open: %v, want ErrService", err)
	}
	b.hand.Remove()
	b.daemon.Up()
	b.until(reader.Empty)
	b.recovers()
}

func TestFaultReaderUnplugged(t *testing.T) {
	d, shim := pcscd.StartShim(t)
	b := newBench(t, d, pcsc.Options{})
	s := b.place()
	shim.Unplug()
	b.until(reader.NoReader)
	b.fails(s, reader.ErrReaderLost)
	_ = s.Close() // there is nothing left that could be powered off
	if _, err := b.reader.Open(t.Context()); !errors.Is(err, reader.ErrReaderLost) {
		t.Fatalf("Open: %v, want ErrReaderLost", err)
	}
	b.hand.Remove()
	shim.Plug()
	b.until(reader.Empty)
	b.recovers()
}

// TestFaultReaderUnpluggedDuringACommand unplugs where pcscd has not looked yet.
func TestFaultReaderUnpluggedDuringACommand(t *testing.T) {
	d, shim := pcscd.StartShim(t)
	b := newBench(t, d, pcsc.Options{})
	s := b.place()
	shim.Unplug()
	b.fails(s, reader.ErrReaderLost)
	_ = s.Close()
	b.until(reader.NoReader)
	b.hand.Remove()
	shim.Plug()
	b.until(reader.Empty)
	b.recovers()
}

// TestFaultResetByAnotherClient uses another process. While a session lasts nobody can reset the card, because it
// is exclusive; what happens between two sessions costs nothing but what was verified.
func TestFaultResetByAnotherClient(t *testing.T) {
	tool := needTool(t, "opensc-tool", "opensc")
	b := newBench(t, pcscd.Start(t), pcsc.Options{})
	s := b.place()
	b.status(s, "\x00\x20\x00\x91\x04"+string(b.hand.PIN()), 0x9000)
	reset := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		return exec.CommandContext(ctx, tool, "--reader", "0", "--reset", "warm").Run()
	}
	if err := reset(); err == nil {
		t.Fatal("another client reset the card in the middle of a session")
	}
	b.status(s, attributes, 0x9000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reset(); err != nil {
		t.Fatalf("after the session: %v", err)
	}
	s = b.open()
	b.status(s, attributes, 0x6982)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFaultMuteCard(t *testing.T) {
	b := newBench(t, pcscd.Start(t), pcsc.Options{TransmitLimit: 300 * time.Millisecond})
	s := b.place()
	b.hand.MuteAtAPDU(1)
	b.fails(s, reader.ErrTimeout)
	if err := s.Close(); !errors.Is(err, reader.ErrTimeout) {
		t.Fatalf("Close: %v, want ErrTimeout", err)
	}
	if n := b.reader.Abandoned(); n != 1 {
		t.Fatalf("%d calls are counted, want 1", n)
	}
	if _, err := b.reader.Open(t.Context()); !errors.Is(err, reader.ErrTimeout) && !errors.Is(err, reader.ErrBusy) {
		t.Fatalf("Open beside it: %v, want ErrTimeout or ErrBusy", err)
	}
	b.hand.Remove()
	b.until(reader.Empty)
	b.recovers()
}

// TestFaultMuteFromTheStart is something on the reader that gives no answer to power.
func TestFaultMuteFromTheStart(t *testing.T) {
	d, shim := pcscd.StartShim(t)
	b := newBench(t, d, pcsc.Options{})
	b.until(reader.Empty)
	shim.Mute(true)
	b.hand.Insert()
	b.until(reader.MuteCard)
	if _, err := b.reader.Open(t.Context()); !errors.Is(err, reader.ErrTimeout) {
		t.Fatalf("Open: %v, want ErrTimeout", err)
	}
	b.hand.Remove()
	b.until(reader.Empty)
	shim.Mute(false)
	b.recovers()
}

func TestFaultSwappedCard(t *testing.T) {
	b := newBench(t, pcscd.Start(t), pcsc.Options{})
	s := b.place()
	before := b.last.Seq
	b.status(s, "\x00\x20\x00\x91\x04"+string(b.hand.PIN()), 0x9000)
	_, other := somebody(t)
	if err := b.hand.where.Insert(other); err != nil {
		t.Fatal(err)
	}
	b.fails(s, reader.ErrCardLost) // the old session never speaks to the new card
	if n := other.Stats().APDUs; n != 0 {
		t.Fatalf("the other card got %d commands of the first one's session", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if l := b.until(reader.Card); l.Seq <= before {
		t.Fatalf("Seq %d after %d", l.Seq, before)
	}
	s = b.open()
	b.status(s, attributes, 0x6982)
}

func TestFaultBusyReader(t *testing.T) {
	d := pcscd.Start(t)
	b := newBench(t, d, pcsc.Options{BusyLimit: 10 * time.Second})
	first := b.place()
	if _, err := newPCSC().Open(t.Context()); !errors.Is(err, reader.ErrBusy) {
		t.Fatalf("got %v, want ErrBusy", err)
	}
	b.answers(first)
	timer := time.AfterFunc(200*time.Millisecond, func() { _ = first.Close() })
	defer timer.Stop()
	second := b.open() // has the patience
	b.answers(second)
	if len(b.levels) != 0 {
		t.Fatalf("a busy reader is reported as %v", (<-b.levels).Presence)
	}
}

func TestFaultNoReaderAtStart(t *testing.T) {
	b := newBench(t, pcscd.StartWithoutReader(t), pcsc.Options{})
	if l := b.until(reader.NoReader); l.Reader != "" {
		t.Fatalf("no reader is called %q", l.Reader)
	}
	if _, err := b.reader.Open(t.Context()); !errors.Is(err, reader.ErrReaderLost) {
		t.Fatalf("Open: %v, want ErrReaderLost", err)
	}
	b.daemon.UpWithReader()
	b.until(reader.Empty)
	b.recovers()
}

func TestFaultTwoReaders(t *testing.T) {
	d := pcscd.Start(t)
	t.Run("insertion-in-either", func(t *testing.T) {
		b := newBench(t, d, pcsc.Options{})
		b.until(reader.Empty)
		second := vpcd.NewSlot(pcscd.Addr2)
		t.Cleanup(func() { _ = second.Remove() })
		for _, where := range []struct {
			slot   placer
			suffix string
		}{{b.hand.where, " 00"}, {second, " 01"}} {
			_, card := somebody(t)
			if err := where.slot.Insert(card); err != nil {
				t.Fatal(err)
			}
			if l := b.until(reader.Card); !strings.HasSuffix(l.Reader, where.suffix) {
				t.Fatalf("the card is on %q, want the reader that ends in %q", l.Reader, where.suffix)
			}
			if err := b.open().Close(); err != nil {
				t.Fatal(err)
			}
			if err := where.slot.Remove(); err != nil {
				t.Fatal(err)
			}
			b.until(reader.Empty)
		}
	})
	t.Run("pinned", func(t *testing.T) {
		b := newBench(t, d, pcsc.Options{Pin: regexp.MustCompile(` 01$`)})
		if l := b.until(reader.Empty); !strings.HasSuffix(l.Reader, " 01") {
			t.Fatalf("the reader in use is %q", l.Reader)
		}
		b.hand.Insert() // on the other one
		if _, err := b.reader.Open(t.Context()); !errors.Is(err, reader.ErrNoCard) {
			t.Fatalf("Open: %v, want ErrNoCard", err)
		}
		second := vpcd.NewSlot(pcscd.Addr2)
		t.Cleanup(func() { _ = second.Remove() })
		_, card := somebody(t)
		if err := second.Insert(card); err != nil {
			t.Fatal(err)
		}
		if l := b.until(reader.Card); !strings.HasSuffix(l.Reader, " 01") {
			t.Fatalf("the card is on %q", l.Reader)
		}
		if err := b.open().Close(); err != nil {
			t.Fatal(err)
		}
	})
}
