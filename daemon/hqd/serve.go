package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"madoguchi/daemon/notify"
)

// newServer gives a server with bounds on everything a client can make it wait for.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
	}
}

// serve runs the server until the context ends, then lets requests under way finish for a short time. systemd hears
// that it lives as long as the database answers.
func serve(ctx context.Context, s *http.Server, l net.Listener, log *slog.Logger, alive func(context.Context) error) error {
	systemd := notify.New(log)
	context.AfterFunc(ctx, systemd.Stopping)
	group, live := errgroup.WithContext(ctx)
	live, quit := context.WithCancel(live)
	group.Go(func() error {
		if err := systemd.Live(live, alive); live.Err() == nil {
			return errors.Join(err, s.Close()) // the database never answered
		}
		return nil
	})
	group.Go(func() error {
		defer quit()
		return listen(ctx, s, l)
	})
	return group.Wait()
}

func listen(ctx context.Context, s *http.Server, l net.Listener) error {
	done := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		done <- s.Shutdown(end)
	})
	defer stop()
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) && ctx.Err() != nil {
		if err := <-done; err != nil {
			return errors.Join(err, s.Close())
		}
		return nil
	}
	return err
}
