package pcsc

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/hardware/reader"
)

func TestUsable(t *testing.T) {
	const (
		picc = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 00 00"
		sam  = "ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 00 01"
		cl   = "ACS ACR1251 1S CL Reader [ACR1251 CL Reader PICC] 00 00"
		icc  = "ACS ACR1581 1S Dual Reader [ACR1581 1S Dual Reader ICC] 00 01"
		sony = "SONY FeliCa RC-S300/P (1234567) 00 00"
		samg = "SAMSUNG Smart Card Reader 00 00"
	)
	for _, tc := range []struct {
		name string
		in   []string
		pin  string
		want []string
	}{
		{"nothing", nil, "", nil},
		{"sam-never", []string{sam}, "", nil},
		{"picc-before-sam-and-icc", []string{sam, icc, picc}, "", []string{picc}},
		{"cl", []string{icc, cl}, "", []string{cl}},
		{"plain-name", []string{sony}, "", []string{sony}},
		{"samsung-is-no-sam", []string{samg}, "", []string{samg}},
		{"contact-alone", []string{icc}, "", []string{icc}},
		{"pinned", []string{picc, sony}, "^SONY", []string{sony}},
		{"pinned-sam", []string{sam, picc}, "SAM", []string{sam}},
		{"pinned-and-absent", []string{picc}, "^SONY", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var pin *regexp.Regexp
			if tc.pin != "" {
				pin = regexp.MustCompile(tc.pin)
			}
			if d := cmp.Diff(usable(tc.in, pin), tc.want); d != "" {
				t.Fatal(d)
			}
		})
	}
	if !isVirtual("Virtual PCD 00 00") || isVirtual(sony) {
		t.Fatal("virtual readers are not told by name")
	}
}

func TestErrorsOfTransmit(t *testing.T) {
	for c, want := range map[code]error{
		0x80100016: reader.ErrCardLost, 0x80100069: reader.ErrCardLost, 0x80100068: reader.ErrCardLost,
		0x80100067: reader.ErrCardLost, 0x80100017: reader.ErrReaderLost,
		0x80100013: reader.ErrService, 0x8010001D: reader.ErrService, 0x8010DEAD: reader.ErrService,
	} {
		if got := transmitError(c); !errors.Is(got, want) || !errors.Is(got, c) {
			t.Errorf("%08X: got %v, want %v", uint32(c), got, want)
		}
	}
	for c, want := range map[code]error{
		0x8010000C: reader.ErrNoCard, 0x80100069: reader.ErrNoCard, 0x8010000B: reader.ErrBusy,
		0x80100066: reader.ErrTimeout, 0x80100067: reader.ErrTimeout, 0x8010002E: reader.ErrReaderLost,
		0x8010001D: reader.ErrService,
	} {
		if got := connectError(c); !errors.Is(got, want) {
			t.Errorf("%08X: got %v, want %v", uint32(c), got, want)
		}
	}
}

// reports runs Watch and gives what was reported since the last call.
func reports(t *testing.T, r *Reader) func() []reader.Level {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ch, done := make(chan reader.Level, 100), make(chan error, 1)
	go func() { done <- r.Watch(ctx, func(l reader.Level) { ch <- l }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return func() []reader.Level {
		time.Sleep(2 * spinGuard)
		synctest.Wait()
		var got []reader.Level
		for len(ch) > 0 {
			l := <-ch
			l.ATR = nil
			got = append(got, l)
		}
		return got
	}
}

func want(t *testing.T, got []reader.Level, levels ...reader.Level) {
	t.Helper()
	if d := cmp.Diff(got, slices.Clip(levels)); d != "" {
		t.Fatal(d)
	}
}

func TestWatch(t *testing.T) {
	const name, other = "Reader 00 00", "Reader 00 01"
	at := func(p reader.Presence, seq uint64, name string) reader.Level {
		return reader.Level{Presence: p, Seq: seq, Reader: name}
	}
	t.Run("card-comes-and-goes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(name)
			got := reports(t, newReader(Options{}, f))
			want(t, got(), at(reader.Empty, 0, name))
			f.set(name, flagPresent, 1)
			want(t, got(), at(reader.Card, 1, name))
			f.set(name, flagPresent|0x100, 0) // somebody connected: no news
			time.Sleep(time.Second)
			want(t, got())
			f.set(name, flagPresent, 2) // lifted and put back between two looks
			time.Sleep(time.Second)
			want(t, got(), at(reader.Card, 3, name))
			f.set(name, flagPresent|flagMute, 2)
			want(t, got(), at(reader.MuteCard, 5, name))
			f.set(name, flagEmpty, 1)
			want(t, got(), at(reader.Empty, 6, name))
		})
	})
	t.Run("counter-overflow", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(name)
			f.set(name, flagEmpty, 0xFFFF)
			got := reports(t, newReader(Options{}, f))
			want(t, got(), at(reader.Empty, 0, name))
			f.set(name, flagPresent, 1)
			want(t, got(), at(reader.Card, 1, name))
		})
	})
	t.Run("service-lost-and-back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(name)
			f.events[name] = flagPresent
			got := reports(t, newReader(Options{}, f))
			want(t, got(), at(reader.Card, 1, name))
			f.change(func() { f.down = true })
			want(t, got(), at(reader.NoService, 2, ""))
			time.Sleep(time.Minute)
			want(t, got())
			f.change(func() { f.down = false })
			time.Sleep(2 * backoffMax)
			want(t, got(), at(reader.Card, 3, name)) // may be another card
			if f.established != f.released+1 {
				t.Fatalf("%d contexts made, %d released", f.established, f.released)
			}
		})
	})
	t.Run("reader-plugged-and-unplugged", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			r := newReader(Options{}, f)
			got := reports(t, r)
			want(t, got(), at(reader.NoReader, 0, ""))
			f.change(func() { f.names = []string{name}; f.events[name] = flagEmpty })
			time.Sleep(time.Second)
			want(t, got(), at(reader.Empty, 0, name))
			f.change(func() { f.names = nil; delete(f.events, name) })
			time.Sleep(time.Second)
			if l := got(); len(l) == 0 || l[len(l)-1].Presence != reader.NoReader {
				t.Fatalf("got %v, want no-reader", l)
			}
			if r.Info().Name != name && r.Info().Name != "" {
				t.Fatalf("in use: %q", r.Info().Name)
			}
		})
	})
	t.Run("card-on-the-second-reader", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(name, other)
			got := reports(t, newReader(Options{}, f))
			want(t, got(), at(reader.Empty, 0, name))
			f.set(other, flagPresent, 1)
			want(t, got(), at(reader.Card, 1, other))
			f.set(name, flagPresent, 1) // the card in use stays in use
			time.Sleep(time.Second)
			want(t, got())
		})
	})
	t.Run("only-one-watch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newReader(Options{}, newFake(name))
			reports(t, r)()
			if err := r.Watch(t.Context(), nil); !errors.Is(err, ErrWatching) {
				t.Fatalf("got %v, want ErrWatching", err)
			}
		})
	})
}

// TestWatchOfAHangingService is what a pcscd that was stopped looks like.
func TestWatchOfAHangingService(t *testing.T) {
	const name = "Reader 00 00"
	t.Run("is-no-service", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(name)
			got := reports(t, newReader(Options{}, f))
			want(t, got(), reader.Level{Presence: reader.Empty, Reader: name})
			f.change(func() { f.hang = time.Minute })
			time.Sleep(30 * time.Second)
			want(t, got(), reader.Level{Presence: reader.NoService})
			f.change(func() { f.hang = 0 })
			time.Sleep(time.Minute)
			want(t, got(), reader.Level{Presence: reader.Empty, Reader: name})
		})
	})
	t.Run("watch-ends-all-the-same", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(name)
			f.hang = time.Hour
			r := newReader(Options{}, f)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			if err := r.Watch(ctx, func(reader.Level) {}); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			if took := time.Since(begin); took > 4*time.Second || r.Abandoned() != 1 {
				t.Fatalf("took %v, %d calls counted", took, r.Abandoned())
			}
			if err := r.Watch(t.Context(), nil); !errors.Is(err, ErrWatching) {
				t.Fatalf("beside the call that hangs: got %v, want ErrWatching", err)
			}
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if r.Abandoned() != 0 || f.released != 1 || r.watching.Load() {
				t.Fatal("the call came back and was not cleaned up")
			}
		})
	})
}

func TestOpen(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answers []code
		want    error
		atMost  time.Duration
	}{
		{"at-once", nil, nil, 0},
		{"busy-for-a-while", []code{codeSharing, codeSharing, codeSharing, 0}, nil, time.Second},
		{"busy-for-ever", []code{codeSharing}, reader.ErrBusy, 5 * time.Second},
		{"waking-up", []code{codeUnpowered, 0}, nil, time.Second},
		{"unresponsive", []code{codeUnresponsive}, reader.ErrTimeout, 5 * time.Second},
		{"no-card", []code{codeNoCard}, reader.ErrNoCard, 0},
		{"reader-gone", []code{codeUnavailable}, reader.ErrReaderLost, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("Reader 00 00")
				f.connects = tc.answers
				r := newReader(Options{}, f)
				begin := time.Now()
				s, err := r.Open(t.Context())
				if !errors.Is(err, tc.want) {
					t.Fatalf("got %v, want %v", err, tc.want)
				}
				if took := time.Since(begin); took > tc.atMost {
					t.Fatalf("took %v", took)
				}
				if err == nil {
					err = s.Close()
				} else {
					err = nil
				}
				if err != nil || f.established != f.released {
					t.Fatalf("%v; %d contexts made, %d released", err, f.established, f.released)
				}
			})
		})
	}
	t.Run("no-reader", func(t *testing.T) {
		if _, err := newReader(Options{}, newFake()).Open(t.Context()); !errors.Is(err, reader.ErrReaderLost) {
			t.Fatalf("got %v, want ErrReaderLost", err)
		}
	})
	t.Run("no-service", func(t *testing.T) {
		f := newFake("Reader")
		f.down = true
		if _, err := newReader(Options{}, f).Open(t.Context()); !errors.Is(err, reader.ErrService) {
			t.Fatalf("got %v, want ErrService", err)
		}
	})
}

func openFake(t *testing.T, f *fake) (*Reader, reader.Session) {
	t.Helper()
	r := newReader(Options{}, f)
	s, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

func TestHangingTransmit(t *testing.T) {
	for _, tc := range []struct {
		name      string
		returns   time.Duration // when the library returns after all
		closed    error
		unpowered int
	}{
		{"returns-before-close", 15*time.Second + 100*time.Millisecond, nil, 1},
		{"returns-long-after", time.Hour, reader.ErrTimeout, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake("Reader")
				f.answer = func([]byte) ([]byte, error) { time.Sleep(tc.returns); return []byte{0x90, 0}, nil }
				r, s := openFake(t, f)
				begin := time.Now()
				if _, err := s.Transmit(t.Context(), make([]byte, 4)); !errors.Is(err, reader.ErrTimeout) {
					t.Fatalf("got %v, want ErrTimeout", err)
				}
				if took := time.Since(begin); took != 15*time.Second {
					t.Fatalf("took %v, want 15 s", took)
				}
				if _, err := s.Transmit(t.Context(), make([]byte, 4)); !errors.Is(err, reader.ErrTimeout) {
					t.Fatalf("the next command: got %v, want ErrTimeout", err)
				}
				if n := r.Abandoned(); n != 1 {
					t.Fatalf("%d calls counted, want 1", n)
				}
				if err := s.Close(); !errors.Is(err, tc.closed) {
					t.Fatalf("Close: got %v, want %v", err, tc.closed)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if r.Abandoned() != 0 || f.released != 1 || f.disconnected != 1 || f.unpowered != tc.unpowered {
					t.Fatalf("abandoned %d, released %d, disconnected %d, unpowered %d",
						r.Abandoned(), f.released, f.disconnected, f.unpowered)
				}
			})
		})
	}
	t.Run("context-ends-first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("Reader")
			f.answer = func([]byte) ([]byte, error) { time.Sleep(time.Minute); return []byte{0x90, 0}, nil }
			_, s := openFake(t, f)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := s.Transmit(ctx, make([]byte, 4))
			if !errors.Is(err, reader.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want ErrTimeout and DeadlineExceeded", err)
			}
			_ = s.Close()
			time.Sleep(time.Hour)
		})
	})
}
