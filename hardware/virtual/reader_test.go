package virtual_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

func TestReaderLevels(t *testing.T) {
	a, b := newCard(t), newCard(t)
	synctest.Test(t, func(t *testing.T) {
		r := virtual.NewReader()
		ctx, cancel := context.WithCancel(t.Context())
		var got []reader.Level
		done := make(chan error, 1)
		go func() { done <- r.Watch(ctx, func(l reader.Level) { got = append(got, l) }) }()
		steps := []func() error{
			func() error { return r.Insert(a) },
			r.Remove,
			r.Remove,                            // nothing to remove: no report
			func() error { return r.Insert(a) }, // lifted and put back
			func() error { return r.Insert(b) },
			func() error { return r.Insert(virtual.DeadCard()) },
			func() error { r.Fail(reader.NoService); return nil },
			func() error { r.Fail(reader.NoReader); return nil },
			func() error { r.Fail(reader.Card); return nil },
		}
		synctest.Wait()
		for _, step := range steps {
			if err := step(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if err := r.Watch(ctx, func(reader.Level) {}); err == nil {
			t.Error("a second Watch must be refused")
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of ctx", err)
		}
		var presences []string
		for i, l := range got {
			presences = append(presences, l.Presence.String())
			if i > 0 && l.Seq <= got[i-1].Seq {
				t.Errorf("report %d: the sequence does not grow", i)
			}
			if (l.Presence == reader.Card) != (l.ATR != nil) {
				t.Errorf("report %d: the ATR belongs to cards only", i)
			}
		}
		want := []string{"empty", "card", "empty", "card", "card", "mute-card", "no-service", "no-reader", "mute-card"}
		if d := cmp.Diff(want, presences); d != "" {
			t.Error("presences (-want +got):", d)
		}
	})
}

func TestSessionErrors(t *testing.T) {
	ctx, c := t.Context(), newCard(t)
	r := virtual.NewReader()
	if _, err := r.Open(ctx); !errors.Is(err, reader.ErrNoCard) {
		t.Errorf("empty: got %v, want ErrNoCard", err)
	}
	put := func(c *virtual.Card) reader.Session {
		t.Helper()
		if err := r.Insert(c); err != nil {
			t.Fatal(err)
		}
		s, err := r.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := put(c)
	if _, err := r.Open(ctx); !errors.Is(err, reader.ErrBusy) {
		t.Errorf("second session: got %v, want ErrBusy", err)
	}
	play(t, s, []exchange{{selectText, "9000"}, {"00200091 04 31323334", "9000"}})
	if err := r.Remove(); err != nil {
		t.Fatal(err)
	}
	again := put(c)
	if _, err := s.Transmit(ctx, unhex(t, "00B08200 00")); !errors.Is(err, reader.ErrCardLost) {
		t.Errorf("card put back: got %v, want ErrCardLost for the old session", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing a lost session: %v", err)
	}
	play(t, again, []exchange{{selectText, "9000"}, {"00B08200 00", "6982"}})
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Transmit(ctx, unhex(t, selectText)); !errors.Is(err, reader.ErrClosed) {
		t.Errorf("closed: got %v, want ErrClosed", err)
	}
	s = put(c)
	r.Fail(reader.NoReader)
	if _, err := s.Transmit(ctx, unhex(t, selectText)); !errors.Is(err, reader.ErrReaderLost) {
		t.Errorf("unplugged: got %v, want ErrReaderLost", err)
	}
	if _, err := r.Open(ctx); !errors.Is(err, reader.ErrReaderLost) {
		t.Errorf("unplugged: got %v, want ErrReaderLost", err)
	}
	r.Fail(reader.NoService)
	if _, err := r.Open(ctx); !errors.Is(err, reader.ErrService) {
		t.Errorf("no service: got %v, want ErrService", err)
	}
	r.Fail(reader.Card)
	if _, err := r.Open(ctx); err != nil {
		t.Errorf("all well again: %v", err)
	}
	if !r.Info().Virtual {
		t.Error("the reader must say that it is virtual")
	}
}

// TestPowerAtTheEnd: after clean exchanges rights are gone, after a failed one the card is left as it is.
func TestPowerAtTheEnd(t *testing.T) {
	c := newCard(t, virtual.Options{KeepRightsOnSelect: true})
	r := virtual.NewReader()
	if err := r.Insert(c); err != nil {
		t.Fatal(err)
	}
	session := func() reader.Session {
		s, err := r.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := session()
	play(t, s, []exchange{{selectText, "9000"}, {"00200091 04 31323334", "9000"}})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Transmit(cancelled, unhex(t, "00B08200 00")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	_ = s.Close()
	s = session()
	play(t, s, []exchange{{selectText, "9000"}, {"00B08200 02", "FF20 9000"}}) // still open
	_ = s.Close()
	s = session()
	play(t, s, []exchange{{selectText, "9000"}, {"00B08200 02", "6982"}})
	_ = s.Close()
	if got := c.Stats(); got.PowerOns != 2 || got.PowerOffs != 2 {
		t.Errorf("got %d on and %d off, want 2 and 2", got.PowerOns, got.PowerOffs)
	}
	c.PowerOn()
	c.Exchange(unhex(t, selectText))
	c.Exchange(unhex(t, "00200091 04 31323334"))
	c.Reset()
	if got := c.Exchange(unhex(t, "00B08200 02")).Data; !bytes.Equal(got, unhex(t, "FF209000")) {
		t.Errorf("after a warm reset: got %X, want the file still open", got)
	}
}

func TestFaults(t *testing.T) {
	right, wrong := "00200091 04 31323334", "00200091 04 30303030"
	t.Run("removed-before", func(t *testing.T) {
		c := newCard(t)
		s := open(t, c)
		c.SetFaults(virtual.Faults{RemoveAt: 2})
		play(t, s, []exchange{{selectText, "9000"}})
		if _, err := s.Transmit(t.Context(), unhex(t, wrong)); !errors.Is(err, reader.ErrCardLost) {
			t.Errorf("got %v, want ErrCardLost", err)
		}
		if got := c.TriesLeft("0408", 0x0011); got != 3 {
			t.Errorf("got %d tries, want 3", got)
		}
	})
	t.Run("removed-after", func(t *testing.T) {
		c := newCard(t)
		s := open(t, c)
		c.SetFaults(virtual.Faults{RemoveAt: 2, RemoveProcessed: true})
		play(t, s, []exchange{{selectText, "9000"}})
		if _, err := s.Transmit(t.Context(), unhex(t, wrong)); !errors.Is(err, reader.ErrCardLost) {
			t.Errorf("got %v, want ErrCardLost", err)
		}
		if got := c.TriesLeft("0408", 0x0011); got != 2 {
			t.Errorf("got %d tries, want 2: the try was spent", got)
		}
	})
	t.Run("short-apdus-only", func(t *testing.T) {
		c := newCard(t)
		c.SetFaults(virtual.Faults{RefuseExtended: true})
		play(t, open(t, c), []exchange{
			{selectText, "9000"}, {"00B08400 000000", "6700"}, {"00B08400 02", "7F21 9000"},
		})
	})
	t.Run("first-command", func(t *testing.T) {
		c := newCard(t)
		c.SetFaults(virtual.Faults{FirstFails: true})
		play(t, open(t, c), []exchange{{selectText, "6F00"}, {selectText, "9000"}})
	})
	t.Run("rules", func(t *testing.T) {
		c := newCard(t)
		c.SetFaults(virtual.Faults{Rules: []virtual.Rule{
			{Prefix: unhex(t, "002000"), Nth: 2, SW: 0x6F00, Processed: true},
			{Prefix: unhex(t, "00B084"), Nth: 1, Cut: 1},
			{Prefix: unhex(t, "00B084"), Nth: 2, Flip: true},
		}})
		play(t, open(t, c), []exchange{
			{selectText, "9000"},
			{wrong, "63C2"},
			{wrong, "6F00"},
			{right, "9000"},
			{"00B08400 02", "7F 9000"},
			{"00B08400 02", "7F20 9000"},
			{"00B08400 02", "7F21 9000"},
		})
	})
}

func TestTime(t *testing.T) {
	c := newCard(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, c)
		c.SetFaults(virtual.Faults{Delay: 300 * time.Millisecond, MuteAt: 3})
		start := time.Now()
		data(t, s, selectText)
		if got := time.Since(start); got != 300*time.Millisecond {
			t.Errorf("got %v, want 300ms", got)
		}
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := s.Transmit(short, unhex(t, "00B08400 02"))
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, reader.ErrTimeout) {
			t.Errorf("got %v, want both the deadline and ErrTimeout", err)
		}
		if _, err := s.Transmit(t.Context(), unhex(t, "00B08400 02")); !errors.Is(err, reader.ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout from a mute card", err)
		}
	})
}

// TestLiftedInMidCommand: a card that is lifted while it is mute ends the command at once.
func TestLiftedInMidCommand(t *testing.T) {
	c := newCard(t)
	synctest.Test(t, func(t *testing.T) {
		r := virtual.NewReader()
		if err := r.Insert(c); err != nil {
			t.Fatal(err)
		}
		s, err := r.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.SetFaults(virtual.Faults{MuteAt: 1})
		failed := make(chan error, 1)
		start := time.Now()
		go func() {
			_, err := s.Transmit(t.Context(), unhex(t, selectText))
			failed <- err
		}()
		synctest.Wait()
		if err := r.Remove(); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, reader.ErrCardLost) || time.Since(start) != 0 {
			t.Errorf("got %v after %v, want ErrCardLost at once", err, time.Since(start))
		}
	})
}

// TestLostSessionReachesNoNewCard: a session that lost its card is dead for good, also when the same card is placed
// and opened again: a credential that comes late spends no try.
func TestLostSessionReachesNoNewCard(t *testing.T) {
	c, r := newCard(t), virtual.NewReader()
	var sessions []reader.Session
	for range 2 {
		if err := r.Insert(c); err != nil {
			t.Fatal(err)
		}
		s, err := r.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	play(t, sessions[1], []exchange{{selectText, "9000"}})
	if _, err := sessions[0].Transmit(t.Context(), unhex(t, "00200091 04 30303030")); !errors.Is(err, reader.ErrCardLost) {
		t.Errorf("got %v, want ErrCardLost", err)
	}
	if err := sessions[0].Close(); err != nil {
		t.Fatal(err)
	}
	play(t, sessions[1], []exchange{{"00200091", "63C3"}}) // and its end takes no power away
}

// TestLiftedAgainAndAgain lifts and places a card while somebody sends wrong PINs: each VERIFY that was answered,
// and no other, spent a try of a session that was alive.
func TestLiftedAgainAndAgain(t *testing.T) {
	c, r := newCard(t), virtual.NewReader()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			_ = r.Insert(c)
			_ = r.Remove()
		}
	}()
	for range 200 {
		s, err := r.Open(t.Context())
		if err != nil {
			continue
		}
		_, _ = s.Transmit(t.Context(), unhex(t, selectText))
		_, _ = s.Transmit(t.Context(), unhex(t, "00200091"))
		_ = s.Close()
	}
	<-done
	if got := c.TriesLeft("0408", 0x0011); got != 3 {
		t.Errorf("got %d tries, want 3", got)
	}
}
