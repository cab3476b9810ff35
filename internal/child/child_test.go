package child_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/internal/child"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Func{
		"echo": func(in []byte) ([]byte, error) { return in, nil },
		"fail": func(in []byte) ([]byte, error) { return nil, errors.New("the text with " + string(in)) },
		"loop": func([]byte) ([]byte, error) {
			for { //nolint:revive // until the processor limit
			}
		},
		"hang":   func([]byte) ([]byte, error) { return nil, unix.Pause() },
		"memory": eat,
		"panic":  func([]byte) ([]byte, error) { panic("bad input") },
		"segv":   func([]byte) ([]byte, error) { return nil, syscall.Kill(os.Getpid(), syscall.SIGSEGV) },
		"flood":  func([]byte) ([]byte, error) { return make([]byte, 1<<20), nil },
		"open":   open,
		"file":   func([]byte) ([]byte, error) { return io.ReadAll(os.NewFile(child.FirstFile, "given")) },
		"env":    func([]byte) ([]byte, error) { return []byte(os.Getenv("CHILD_CANARY")), nil },
	})
	os.Exit(m.Run())
}

// eat touches memory until the limit ends it.
func eat([]byte) ([]byte, error) {
	var all [][]byte
	for range 64 {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
	}
	return []byte{byte(len(all))}, nil
}

// open tries to open and to create files; it answers which of the two worked.
func open([]byte) ([]byte, error) {
	out := []byte("--")
	if f, err := os.Open("/etc/hostname"); err == nil {
		_ = f.Close()
		out[0] = 'r'
	}
	if f, err := os.CreateTemp("", "child"); err == nil {
		_ = f.Close()
		out[1] = 'w'
	}
	return out, nil
}

func TestRun(t *testing.T) {
	t.Setenv("CHILD_CANARY", "secret")
	in := bytes.Repeat([]byte("madoguchi"), 7000)
	for _, tc := range []struct{ name, in, want string }{
		{"echo", string(in), string(in)},
		{"echo", "", ""},
		{"open", "", "--"},
		{"env", "", ""},
	} {
		got, err := child.Run(t.Context(), tc.name, child.Limits{}, []byte(tc.in))
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: got %d bytes and %v, want %d bytes", tc.name, len(got), err, len(tc.want))
		}
	}
}

func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits child.Limits
		want   child.Kind
	}{
		{"fail", child.Limits{}, child.Failed},
		{"loop", child.Limits{CPU: time.Second}, child.Killed},
		{"hang", child.Limits{Wall: 200 * time.Millisecond}, child.Killed},
		{"memory", child.Limits{Memory: 128 << 20}, child.Killed},
		{"panic", child.Limits{}, child.Killed},
		{"segv", child.Limits{}, child.Killed},
		{"flood", child.Limits{Output: 1000}, child.TooLarge},
		{"unknown", child.Limits{}, child.NoMain},
		{"echo", child.Limits{Input: 3}, child.Start},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := child.Run(t.Context(), tc.name, tc.limits, []byte("CANARY"))
			var e *child.Error
			if !errors.As(err, &e) || e.Kind != tc.want || out != nil {
				t.Fatalf("got %v, want kind %s", err, tc.want)
			}
			if bytes.Contains([]byte(err.Error()), []byte("CANARY")) {
				t.Errorf("the error shows the input: %v", err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if _, err := child.Run(ctx, "hang", child.Limits{}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the context's error", err)
	}
	if _, err := child.Run(ctx, "echo", child.Limits{}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v for a context that had ended", err)
	}
}

func TestGivenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("given"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got, err := child.RunWith(t.Context(), "file", child.Limits{}, nil, f)
	if err != nil || string(got) != "given" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		if _, err := child.Run(b.Context(), "echo", child.Limits{}, []byte("x")); err != nil {
			b.Fatal(err)
		}
	}
}
