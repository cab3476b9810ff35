package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/storage/record"
)

const auditUsage = `  hqd audit status -dir D [-store ...]                  kiosks' audit logs, alarms and last heartbeats
  hqd audit retire -dir D [-store ...] -device NAME     put a kiosk's log aside, so that another one may begin
`

// runAudit is audit status and audit retire: what the witness has, and what a person at HQ decides about it.
func runAudit(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	if len(args) == 0 {
		return errUsage
	}
	f := flag.NewFlagSet("hqd audit "+args[0], flag.ContinueOnError)
	var dir string
	p := placesFlags(f)
	name := f.String("device", "", "name of the kiosk")
	if err := parse(f, args[1:], &dir); err != nil {
		return err
	}
	l := setup.Layout(dir)
	switch args[0] {
	case "status":
		r, err := p.reader(ctx, l, log)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		return auditStatus(ctx, r, out)
	case "retire":
		return auditRetire(ctx, p, l, *name, out, log)
	}
	return errUsage
}

func auditStatus(ctx context.Context, r store.Reader, out io.Writer) error {
	logs, err := r.AuditLogs(ctx)
	if err != nil {
		return err
	}
	alarms, err := r.Alarms(ctx)
	if err != nil {
		return err
	}
	beats, err := r.Heartbeats(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, l := range logs {
		_, _ = fmt.Fprintf(w, "log\t%s\t%d entries\t%s\t%s\n", l.Device, l.Size, l.At.Format(time.RFC3339), l.Origin)
	}
	for _, b := range beats {
		_, _ = fmt.Fprintf(w, "heartbeat\t%s\t\t%s\t%s\n", b.Device, b.At.Format(time.RFC3339), b.JSON)
	}
	for _, a := range alarms {
		_, _ = fmt.Fprintf(w, "ALARM\t%s\t%s\t%s\t%s %d\n", a.Device, a.Code, a.At.Format(time.RFC3339), a.Origin, a.Size)
	}
	return w.Flush()
}

func auditRetire(ctx context.Context, p *places, l setup.Layout, device string, out io.Writer, log *slog.Logger) error {
	if !record.ValidDevice(device) {
		return errors.New("-device is missing or malformed")
	}
	w, err := p.rows(ctx, l, log)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	if err := w.AuditRetire(ctx, device); err != nil {
		return err
	}
	log.Warn("audit log put aside", slog.String("device", device))
	_, err = fmt.Fprintf(out, "%s: its audit log was put aside and is kept; the next one that it sends begins anew\n", device)
	return err
}
