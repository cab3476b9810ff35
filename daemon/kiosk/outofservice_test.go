package kiosk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The page needs no good configuration, ends cleanly, and says when it is time to try again.
func TestOutOfServiceEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().String()
	path := filepath.Join(t.TempDir(), "kiosk.toml")
	config := fmt.Sprintf("this is = no [toml\nlisten = %q\nstaff_listen = %q\n", "127.0.0.1:0", taken)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	// The staff's address is taken: the customer's page stands all the same.
	if err := OutOfService(t.Context(), path, time.Millisecond, log); !errors.Is(err, ErrRetry) {
		t.Errorf("after the retry time: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := OutOfService(ended, path, 0, log); err != nil {
		t.Errorf("ended: %v", err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "listen = %q\n", taken), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := OutOfService(t.Context(), path, 0, log); err == nil || errors.Is(err, ErrRetry) {
		t.Errorf("an address that is taken: %v", err)
	}
	_ = l.Close()
}
