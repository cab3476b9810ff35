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
		// What a connection may send before anybody has room for it counts in no limit, so it is small.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 16, MaxReceiveBufferPerConnection: 128 << 10, MaxReceiveBufferPerStream: 128 << 10},
	}
}

// work is what a role does beside serving. Only alive is required.
type work struct {
	alive  func(context.Context) error // something of the role's own work that succeeds
	drain  func(context.Context) error // lets no new request in and waits for those under way
	beside func(context.Context) error // runs until its context ends
}

// drainTime is how long requests under way may take after the signal to stop: less than systemd waits.
const drainTime = 10 * time.Second

// serve runs the server until the context ends, then lets requests under way finish for a short time. systemd hears
// that it lives as long as alive succeeds.
func serve(ctx context.Context, s *http.Server, l net.Listener, log *slog.Logger, w work) error {
	systemd := notify.New(log)
	context.AfterFunc(ctx, systemd.Stopping)
	group, live := errgroup.WithContext(ctx)
	live, quit := context.WithCancel(live)
	group.Go(func() error {
		if err := systemd.Live(live, w.alive); live.Err() == nil {
			return errors.Join(err, s.Close()) // the database never answered
		}
		return nil
	})
	if w.beside != nil {
		group.Go(func() error { return w.beside(live) })
	}
	group.Go(func() error {
		defer quit()
		return listen(ctx, s, l, w.drain)
	})
	return group.Wait()
}

func listen(ctx context.Context, s *http.Server, l net.Listener, drain func(context.Context) error) error {
	done := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if drain != nil { // while it waits, new requests are still answered: with "come again"
			_ = drain(end)
		}
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

// alive is the sign of life: the embedded database takes writes. A database server that is away is no reason to be
// restarted: we answer "come again" meanwhile, and the log says why.
func (p *places) alive(ping func(context.Context) error, log *slog.Logger) func(context.Context) error {
	if !p.postgres() {
		return ping
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := ping(ctx); err != nil {
			log.Error("the database does not answer", slog.Any("error", err))
		}
		return nil
	}
}
