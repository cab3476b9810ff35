// Command kioskd is the daemon of one kiosk. It leads the customer through a verification and hands sealed records
// to HQ; see README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"madoguchi/daemon/config"
	"madoguchi/daemon/kiosk"
	"madoguchi/face/jp2"
	"madoguchi/internal/child"
)

func main() {
	child.Main(jp2.Handlers())
	path := flag.String("config", "/etc/madoguchi/kiosk.toml", "configuration file")
	check := flag.Bool("check", false, "check the configuration and stop")
	verbose := flag.Bool("verbose", false, "log dropped events too")
	flag.Parse()
	if err := run(*path, *check, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "kioskd:", err)
		os.Exit(1)
	}
}

func run(path string, check, verbose bool) error {
	cfg, err := config.Load(path)
	if err != nil || check {
		return err
	}
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return kiosk.Run(ctx, cfg, os.Stdout, log)
}
