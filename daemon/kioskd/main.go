// Command kioskd is the daemon of one kiosk. It leads the customer through a verification and hands sealed records
// to HQ; see README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"syscall"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/kiosk"
	"madoguchi/daemon/protect"
	"madoguchi/face/jp2"
	"madoguchi/internal/child"
	"madoguchi/storage/queue"
)

// exitRetry is the status of an out-of-service page whose time is over; its unit then starts the kiosk.
const exitRetry = 75

type options struct {
	path         string
	check        bool
	verbose      bool
	outOfService bool
	retry        time.Duration
}

func main() {
	children := jp2.Handlers()
	maps.Copy(children, queue.Handlers())
	child.Main(children)
	var o options
	flag.StringVar(&o.path, "config", "/etc/madoguchi/kiosk.toml", "configuration file")
	flag.BoolVar(&o.check, "check", false, "check the configuration and stop")
	flag.BoolVar(&o.verbose, "verbose", false, "log dropped events too")
	flag.BoolVar(&o.outOfService, "out-of-service", false, "only show the out-of-service page at the kiosk's addresses")
	flag.DurationVar(&o.retry, "retry", 0, "end the out-of-service page with status 75 after this time (0: never)")
	version := flag.Bool("version", false, "print the version and stop")
	flag.Parse()
	if *version {
		fmt.Println("kioskd", kiosk.Version)
		return
	}
	err := run(o)
	switch {
	case errors.Is(err, kiosk.ErrRetry):
		os.Exit(exitRetry)
	case err != nil:
		fmt.Fprintln(os.Stderr, "kioskd:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if err := protect.Memory(); err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if o.outOfService {
		return kiosk.OutOfService(ctx, o.path, o.retry, log)
	}
	cfg, err := config.Load(o.path)
	if err != nil || o.check {
		return err
	}
	return kiosk.Run(ctx, cfg, os.Stdout, log)
}
