//go:build linux && cgo

package hardwaretest_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"madoguchi/hardware/card"
	"madoguchi/hardware/hardwaretest"
	"madoguchi/hardware/hardwaretest/pcscd"
	"madoguchi/hardware/pcsc"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual/vpcd"
)

func TestMain(m *testing.M) { os.Exit(pcscd.Main(m)) }

// patient is how long these tests wait for pcscd, which polls vpcd every 400 ms.
const patient = 15 * time.Second

func newPCSC() *pcsc.Reader { return pcsc.New(pcsc.Options{BusyLimit: 300 * time.Millisecond}) }

func TestPCSCReader(t *testing.T) {
	hardwaretest.Run(t, func(t *testing.T) (reader.Reader, hardwaretest.Hand) {
		t.Helper()
		pcscd.Start(t) // a fresh one for each test: a mute card can wedge it
		slot := vpcd.NewSlot(pcscd.Addr)
		t.Cleanup(func() { _ = slot.Remove() })
		return newPCSC(), newHand(t, slot)
	})
}

// levelsOf watches r and gives the levels as they come.
func levelsOf(tb testing.TB, r reader.Reader) <-chan reader.Level {
	tb.Helper()
	ch := make(chan reader.Level, 100)
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Watch(ctx, func(l reader.Level) { ch <- l })
	}()
	tb.Cleanup(func() { cancel(); <-done })
	return ch
}

// await waits for a presence.
func await(tb testing.TB, ch <-chan reader.Level, want reader.Presence) reader.Level {
	tb.Helper()
	timeout := time.After(patient)
	for {
		select {
		case l := <-ch:
			if l.Presence == want {
				return l
			}
		case <-timeout:
			tb.Fatalf("no level %v within %v", want, patient)
		}
	}
}

func TestPCSCSurvivesItsService(t *testing.T) {
	d := pcscd.Start(t)
	slot := vpcd.NewSlot(pcscd.Addr)
	t.Cleanup(func() { _ = slot.Remove() })
	h := newHand(t, slot)
	r := newPCSC()
	ch := levelsOf(t, r)
	h.Insert()
	before := await(t, ch, reader.Card)
	s, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.Kill()
	await(t, ch, reader.NoService)
	if b, err := s.Transmit(t.Context(), []byte{0, 0xA4, 0, 0}); err == nil {
		t.Fatalf("got %d bytes from a dead service", len(b))
	}
	_ = s.Close()
	if _, err := r.Open(t.Context()); err == nil {
		t.Fatal("Open works without a service")
	}
	d.Up()
	await(t, ch, reader.Empty)
	h.Insert()
	after := await(t, ch, reader.Card)
	if after.Seq <= before.Seq {
		t.Fatalf("Seq %d after %d", after.Seq, before.Seq)
	}
	if s, err = r.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := r.Abandoned(); n != 0 {
		t.Fatalf("%d calls were given up", n)
	}
}

func TestPCSCStartsBeforeItsService(t *testing.T) {
	d := pcscd.Start(t)
	d.Kill()
	r := newPCSC()
	ch := levelsOf(t, r)
	await(t, ch, reader.NoService)
	d.Up()
	if l := await(t, ch, reader.Empty); !strings.HasPrefix(l.Reader, "Virtual PCD") {
		t.Fatalf("reader %q", l.Reader)
	}
	if !r.Info().Virtual {
		t.Fatal("a vpcd reader is not called virtual")
	}
}

func TestPCSCSecondSlot(t *testing.T) {
	pcscd.Start(t)
	slot := vpcd.NewSlot(pcscd.Addr2)
	t.Cleanup(func() { _ = slot.Remove() })
	h := newHand(t, slot)
	r := newPCSC()
	ch := levelsOf(t, r)
	await(t, ch, reader.Empty)
	h.Insert()
	if l := await(t, ch, reader.Card); !strings.HasSuffix(l.Reader, "01") {
		t.Fatalf("the card is on %q", l.Reader)
	}
	s, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPCSCCountsWhatHangs(t *testing.T) {
	pcscd.Start(t)
	slot := vpcd.NewSlot(pcscd.Addr)
	t.Cleanup(func() { _ = slot.Remove() })
	h := newHand(t, slot)
	r := pcsc.New(pcsc.Options{TransmitLimit: 200 * time.Millisecond})
	ch := levelsOf(t, r)
	h.Insert()
	await(t, ch, reader.Card)
	s, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.MuteAtAPDU(1)
	if _, err := s.Transmit(t.Context(), []byte{0, 0xA4, 0, 0}); err == nil {
		t.Fatal("a mute card answered")
	}
	if err := s.Close(); err == nil {
		t.Fatal("Close says that all is well")
	}
	if n := r.Abandoned(); n != 1 {
		t.Fatalf("%d calls are counted, want 1", n)
	}
	h.Remove()
	await(t, ch, reader.Empty)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patient)
	for r.Abandoned() != 0 {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("the call does not come back after the card was taken away")
		}
	}
}

// BenchmarkPCSC measures card placed to attributes and face read, over a real pcscd; insertion is not counted,
// because pcscd polls this driver every 400 ms.
func BenchmarkPCSC(b *testing.B) {
	pcscd.Start(b)
	for _, bench := range []struct {
		name string
		opt  card.Options
	}{{"extended-proof", card.Options{Trust: trusted(b)}}, {"short-proof", card.Options{Trust: trusted(b), Short: true}}} {
		b.Run(bench.name, func(b *testing.B) {
			slot := vpcd.NewSlot(pcscd.Addr)
			b.Cleanup(func() { _ = slot.Remove() })
			r := newPCSC()
			ch := levelsOf(b, r)
			await(b, ch, reader.Empty)
			p, chip := somebody(b)
			if err := slot.Insert(chip); err != nil {
				b.Fatal(err)
			}
			await(b, ch, reader.Card)
			n := 0
			for b.Loop() {
				n = readOnce(b.Context(), b, r, bench.opt, numberB(p))
			}
			b.ReportMetric(float64(n), "apdus/op")
		})
	}
}

// TestCardOverPCSC reads a whole card through pcscd.
func TestCardOverPCSC(t *testing.T) {
	pcscd.Start(t)
	slot := vpcd.NewSlot(pcscd.Addr)
	t.Cleanup(func() { _ = slot.Remove() })
	h := newHand(t, slot)
	r := newPCSC()
	ch := levelsOf(t, r)
	h.Insert()
	await(t, ch, reader.Card)
	c, s := openOn(t, r, card.Options{Trust: trusted(t)})
	readsAll(t, c, h.person)
	if err := errors.Join(c.Forget(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	if c.Short() {
		t.Fatal("extended commands work here, and were not used")
	}
}
