package notify

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

type said struct {
	At    time.Duration
	State string
}

// fixture notes what is said to systemd and when.
func fixture(every time.Duration, out *[]said) *Service {
	begin := time.Now()
	return &Service{every: every, log: slog.New(slog.DiscardHandler), send: func(state string) error {
		*out = append(*out, said{time.Since(begin), state})
		return nil
	}}
}

func TestLiveFeedsOnProgressOnly(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name  string
		every time.Duration
		stuck func(n int) bool // the n-th call of progress, from 0, blocks
		want  []said
	}{
		{"alive", 20 * s, func(int) bool { return false }, []said{{0, "READY=1"}, {5 * s, "WATCHDOG=1"}, {10 * s, "WATCHDOG=1"}, {15 * s, "WATCHDOG=1"}, {20 * s, "WATCHDOG=1"}, {25 * s, "WATCHDOG=1"}}},
		{"stuck-after-two", 20 * s, func(n int) bool { return n > 2 }, []said{{0, "READY=1"}, {5 * s, "WATCHDOG=1"}, {10 * s, "WATCHDOG=1"}}},
		{"never-begins", 20 * s, func(int) bool { return true }, nil},
		{"no-watchdog", 0, func(int) bool { return false }, []said{{0, "READY=1"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 29*s)
				defer cancel()
				var got []said
				n := -1
				err := fixture(tt.every, &got).Live(ctx, func(ctx context.Context) error {
					if n++; tt.stuck(n) {
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// The real socket: systemd's side is a datagram socket whose name is in the environment.
func TestNewSpeaksToTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "8000000")
	t.Setenv("WATCHDOG_PID", "")
	s := New(slog.New(slog.DiscardHandler))
	if s.every != 8*time.Second {
		t.Errorf("got %v", s.every)
	}
	s.Ready()
	s.Stopping()
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		var b [64]byte
		n, err := l.Read(b[:])
		if err != nil || string(b[:n]) != want {
			t.Errorf("got %q, %v, want %q", b[:n], err, want)
		}
	}
}
