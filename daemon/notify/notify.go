// Package notify tells systemd how a daemon is: ready, stopping, and alive as long as its work really goes on. Without
// systemd every call does nothing. Only daemon/kiosk, daemon/kioskd and daemon/hqd import it.
package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Service speaks for one daemon. Make it with New.
type Service struct {
	every time.Duration // systemd's limit between two signs of life; 0: it wants none
	send  func(state string) error
	log   *slog.Logger
}

// New reads from the environment what systemd wants (NOTIFY_SOCKET, WATCHDOG_USEC).
func New(log *slog.Logger) *Service {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog's time is malformed; it is not fed", slog.Any("error", err))
	}
	return &Service{every: every, log: log, send: func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}}
}

// Ready says that the daemon serves.
func (s *Service) Ready() { s.say(daemon.SdNotifyReady) }

// Stopping says that the daemon is on its way out.
func (s *Service) Stopping() { s.say(daemon.SdNotifyStopping) }

// Live waits for the first sign of progress, says Ready, and then feeds the watchdog until ctx ends: once for each
// time that progress returned nil. progress must do the daemon's own work, in the goroutine that owns it, and return
// when its context ends; what blocks it leaves systemd without a sign of life, which is the point.
func (s *Service) Live(ctx context.Context, progress func(ctx context.Context) error) error {
	if err := progress(ctx); err != nil {
		return err
	}
	s.Ready()
	if s.every <= 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(s.every / 4) // two signs may be late before systemd acts
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, s.every)
		err := progress(limited)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.log.Error("no progress: the watchdog is not fed", slog.Any("error", err))
			continue
		}
		s.say(daemon.SdNotifyWatchdog)
	}
}

func (s *Service) say(state string) {
	if err := s.send(state); err != nil {
		s.log.Warn("systemd cannot be told", slog.String("state", state), slog.Any("error", err))
	}
}
