package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/daemon/hq/page"
	"madoguchi/daemon/hq/retention"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
)

// roleRetention shreds what is due: the one role that reaches both the opener's events and the receiver's rows. An
// operator runs it by hand or by a timer; nothing listens.
const roleRetention = "retention"

const retentionUsage = `  hqd retention -config FILE | -dir D -author NAME [-import CSV] [-run]
                     prints what would be shredded today; -import takes events, -run shreds; see docs/verification-record.md
`

// openKept opens what the opener keeps beside the records: HQ's entries, and the events of retention.
func openKept(ctx context.Context, l setup.Layout, incomplete string) (*page.Verifications, *page.Retention, func(), error) {
	if incomplete != "refuse" && incomplete != "watermark" {
		return nil, nil, nil, errors.New("-incomplete is neither refuse nor watermark")
	}
	adds, err := kakunin.Open(ctx, l.Kakunin())
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := retention.Open(ctx, l.Retention())
	if err != nil {
		return nil, nil, nil, errors.Join(err, adds.Close())
	}
	v := &page.Verifications{DB: adds, Policy: kakunin.Policy{Watermark: incomplete == "watermark"}}
	r := &page.Retention{DB: db, Keys: adds, Policy: retention.Default()}
	return v, r, func() { _, _ = adds.Close(), db.Close() }, nil
}

// runRetention makes a dry run, or a real one with -run, and prints its report as JSON.
func runRetention(ctx context.Context, args []string, out io.Writer, log *slog.Logger) (err error) {
	f := flag.NewFlagSet("hqd retention", flag.ContinueOnError)
	var dir string
	author := f.String("author", "", "who runs it; stands in the log of every record")
	file := f.String("import", "", "CSV file of events: kind,key,device,record,day,reason")
	really := f.Bool("run", false, "shred what is due; without it nothing goes")
	places := placesFlags(f)
	if err := parseRole(roleRetention, f, args, &dir); err != nil {
		return err
	}
	if *author == "" {
		return errors.New("-author is needed")
	}
	l := setup.Layout(dir)
	v, kept, closeKept, err := openKept(ctx, l, "refuse")
	if err != nil {
		return err
	}
	defer closeKept()
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	if *file != "" {
		if err := importEvents(ctx, kept, v.DB, *file, *author, enc); err != nil {
			return err
		}
	}
	w, err := places.shredding(ctx, l, dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	s, ok := w.(store.Shredder)
	if !ok {
		return errors.New("this store cannot shred")
	}
	r := retention.Runner{
		DB: kept.DB, Records: w, Shredder: s, Additions: v.DB, Policy: kept.Policy, Author: *author, Now: time.Now, Log: log,
	}
	report, err := r.Run(ctx, !*really)
	if report == nil {
		return err
	}
	return errors.Join(err, enc.Encode(report))
}

func importEvents(ctx context.Context, kept *page.Retention, keys retention.Keys, path, author string, enc *json.Encoder) error {
	in, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	got, err := kept.DB.Import(ctx, in, keys, author, time.Now())
	if err != nil {
		return err
	}
	return enc.Encode(got)
}

// shredding opens the rows, and the bodies with keys that may delete: those of the sweep.
func (p *places) shredding(ctx context.Context, l setup.Layout, dir string, log *slog.Logger) (store.Writer, error) {
	b, err := p.s3(filepath.Join(dir, roleSweep))
	if err != nil {
		return nil, err
	}
	w, err := p.rows(ctx, l, log)
	if err != nil || b == nil {
		return w, err
	}
	return store.Claims(w, b, time.Now), nil
}
