package kiosk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"madoguchi/daemon/config"
	"madoguchi/daemon/notify"
	"madoguchi/ui/outofservice"
)

// ErrRetry ends OutOfService when it is time to try the kiosk again.
var ErrRetry = errors.New("it is time to try the kiosk again")

// OutOfService serves the out-of-service page at the addresses that the configuration names until ctx ends (nil) or
// the retry time is over (ErrRetry; zero: never). It needs no good configuration: a bad one may be why it runs.
func OutOfService(ctx context.Context, path string, retry time.Duration, log *slog.Logger) error {
	customer, staff := config.Addresses(path)
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range []struct {
		address string
		staff   bool
	}{{customer, false}, {staff, true}} {
		l, err := listenLoopback(p.address)
		if err != nil {
			if p.staff { // the customer's page is the one that must stand
				log.Warn("no out-of-service page for staff", slog.Any("error", err))
				continue
			}
			return fmt.Errorf("out of service: %w", err)
		}
		group.Go(func() error { return quietly(serve(ctx, l, outofservice.Handler(l.Addr().String(), p.staff))) })
		log.Info("out of service", slog.String("page", l.Addr().(*net.TCPAddr).String()), slog.Bool("staff", p.staff))
	}
	systemd := notify.New(log)
	context.AfterFunc(ctx, systemd.Stopping)
	systemd.Ready()
	group.Go(func() error {
		limited, cancel := ctx, context.CancelFunc(func() {})
		if retry > 0 {
			limited, cancel = context.WithTimeout(ctx, retry)
		}
		defer cancel()
		<-limited.Done()
		if ctx.Err() == nil {
			return ErrRetry
		}
		return nil
	})
	return group.Wait()
}

// quietly takes a server's ordinary end for no error.
func quietly(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
