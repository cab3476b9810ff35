// Command hqd is HQ: "init" makes a first installation, "receiver" takes records and gives receipts, "opener" opens
// them and serves HQ's page, "sweep" removes bodies that no record
// names. Receiver and opener are separate processes: the receiver has no opening keys. Nothing
// imports it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"madoguchi/daemon/protect"
	"madoguchi/face/jp2"
	"madoguchi/internal/child"
)

const usage = `usage:
  hqd init     -dir D [-kiosk NAME] [-bundle DIR] [-url https://HOST:PORT]
  hqd receiver -config FILE | -dir D [-listen 127.0.0.1:8443] [-profile production|demo]
  hqd sweep    -config FILE | -dir D -store ... -bodies ...
  hqd opener   -config FILE | -dir D [-listen 127.0.0.1:8444] [-parts identity,images,evidence] [-tokens FILE] [-address-file FILE]
` + retentionUsage + auditUsage + operateUsage

func main() {
	child.Main(jp2.Handlers()) // the decoder of card images runs in a child of this very program
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	err := protect.Memory()
	if err == nil {
		err = run(ctx, os.Args[1:], os.Stdout, log)
	}
	switch {
	case errors.Is(err, flag.ErrHelp), errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "hqd:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "init":
		return runInit(args[1:], out)
	case roleReceiver:
		return runReceiver(ctx, args[1:], out, log)
	case roleOpener:
		return runOpener(ctx, args[1:], out, log)
	case "audit":
		return runAudit(ctx, args[1:], out, log)
	case roleSweep:
		return runSweep(ctx, args[1:], out, log)
	case roleRetention:
		return runRetention(ctx, args[1:], out, log)
	}
	if ours, err := runOperate(args, out); ours {
		return err
	}
	fmt.Fprint(os.Stderr, usage)
	return errUsage
}

// parse reads the flags of a subcommand and insists on -dir.
func parse(f *flag.FlagSet, args []string, dir *string) error {
	f.StringVar(dir, "dir", "", "HQ's directory")
	if err := f.Parse(args); err != nil {
		return errUsage
	}
	if *dir == "" || f.NArg() > 0 {
		f.Usage()
		return errUsage
	}
	return nil
}
