package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/daemon/credential"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/pgstore"
	"madoguchi/daemon/hq/store/s3body"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/storage/wire"
)

// places say where records are kept. There is no secret in them: passwords come from a passfile or a service file, the
// keys of the body store from a credential.
type places struct {
	store  string // "", "sqlite:PATH" or "postgres://..."
	bodies string // "" (in the rows) or "s3://BUCKET/PREFIX?endpoint=..."
}

// The names of the credentials; without systemd the files lie in the role's directory (FileBodyKeys) or where libpq
// looks for them.
const (
	fileBodyKeys = "s3-keys.toml"
	fileBodyCAs  = "s3-ca.pem" // optional
)

func placesFlags(f *flag.FlagSet) *places {
	p := &places{}
	f.StringVar(&p.store, "store", "", `where records are kept: "sqlite:PATH" (default: below -dir) or "postgres://HOST/DATABASE?..." without a password`)
	f.StringVar(&p.bodies, "bodies", "", `where their bodies are kept: "" (with the records) or "s3://BUCKET/PREFIX?endpoint=https://..."`)
	return p
}

func (p *places) postgres() bool {
	return strings.HasPrefix(p.store, "postgres://") || strings.HasPrefix(p.store, "postgresql://")
}

// sqlite gives the path of the embedded database.
func (p *places) sqlite(l setup.Layout) (string, error) {
	if p.store == "" {
		return l.Records(), nil
	}
	path, ok := strings.CutPrefix(p.store, "sqlite:")
	if !ok || path == "" {
		return "", errors.New(`-store is neither "sqlite:PATH" nor "postgres://..."`)
	}
	return path, nil
}

// passFile is the credential with PostgreSQL's password; without one libpq's own ways hold.
func passFile() string {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && credential.FromEnvironment().Has(credential.PassFile) {
		return filepath.Join(dir, credential.PassFile)
	}
	return ""
}

// s3 opens the body store with the keys of a role; nil when bodies lie with the records.
func (p *places) s3(roleDir string) (store.Bodies, error) {
	if p.bodies == "" {
		return nil, nil //nolint:nilnil // no body store is a choice
	}
	a, err := s3body.ParseAddress(p.bodies)
	if err != nil {
		return nil, err
	}
	raw, err := credential.FromEnvironment().Read(credential.BodyKeys, filepath.Join(roleDir, fileBodyKeys))
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	var k s3body.Keys
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&k); err != nil {
		return nil, errors.New(fileBodyKeys + " is malformed") // the decoder's error would quote it
	}
	cas, err := os.ReadFile(filepath.Join(roleDir, fileBodyCAs))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s3body.New(a, k, cas)
}

// writer opens the receiver's side.
func (p *places) writer(ctx context.Context, l setup.Layout, log *slog.Logger) (store.Writer, error) {
	b, err := p.s3(l.Receiver())
	if err != nil {
		return nil, err
	}
	w, err := p.rows(ctx, l, log)
	if err != nil || b == nil {
		return w, err
	}
	return store.Claims(w, b, time.Now), nil
}

func (p *places) rows(ctx context.Context, l setup.Layout, log *slog.Logger) (store.Writer, error) {
	if p.postgres() {
		o := pgstore.Options{Log: log, Now: time.Now, PassFile: passFile()}
		return patiently(ctx, log, func() (store.Writer, error) { return pgstore.Open(ctx, p.store, o) })
	}
	path, err := p.sqlite(l)
	if err != nil {
		return nil, err
	}
	return sqlitestore.Open(ctx, path, sqlitestore.Options{Log: log, Now: time.Now})
}

// reader opens the opener's side.
func (p *places) reader(ctx context.Context, l setup.Layout, log *slog.Logger) (store.Reader, error) {
	b, err := p.s3(l.Opener())
	if err != nil {
		return nil, err
	}
	var r store.Reader
	if p.postgres() {
		r, err = patiently(ctx, log, func() (store.Reader, error) {
			return pgstore.OpenReader(ctx, p.store, pgstore.Options{PassFile: passFile()})
		})
	} else {
		var path string
		if path, err = p.sqlite(l); err == nil {
			r = &later{path: path, log: log}
		}
	}
	if err != nil || b == nil {
		return r, err
	}
	return store.Claimed(r, b, wire.MaxEnvelope), nil
}

// How long a start waits for a database server: less than systemd gives a start.
const (
	patience  = 45 * time.Second
	pollEvery = time.Second
)

// patiently opens a database that may come up later than we do. What waiting cannot mend is told at once.
func patiently[T any](ctx context.Context, log *slog.Logger, open func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		v, err := open()
		if err == nil || !pgstore.Passing(err) {
			return v, err
		}
		log.Warn("the database does not answer yet", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return v, err
		case <-tick.C:
		}
	}
}

// maintainEvery is how often the store is looked after.
const maintainEvery = time.Hour

// maintain looks after the store until the context ends: partitions ahead, and the alarms in the log.
func maintain(ctx context.Context, w store.Writer, log *slog.Logger) error {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		if err := w.Maintain(ctx); err != nil && ctx.Err() == nil {
			log.Error("maintenance", slog.Any("error", err))
		}
		h, err := w.Health(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error("health", slog.Any("error", err))
		}
		for _, f := range h.Findings {
			log.Warn("store", slog.String("level", string(h.Level)), slog.String("code", f.Code), slog.Int("count", f.Count), slog.Time("latest", f.Latest))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// runSweep removes bodies that no record names. It belongs on a timer, once a day, with keys that may list and delete;
// the receiver's need only put, the opener's only get.
func runSweep(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	f := flag.NewFlagSet("hqd sweep", flag.ContinueOnError)
	var dir string
	p := placesFlags(f)
	if err := parseRole(roleSweep, f, args, &dir); err != nil {
		return err
	}
	l := setup.Layout(dir)
	b, err := p.s3(filepath.Join(dir, roleSweep))
	if err != nil {
		return err
	}
	if b == nil {
		return errors.New("bodies lie with the records: there is nothing to sweep")
	}
	w, err := p.rows(ctx, l, log)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	n, err := store.Sweep(ctx, w, b, time.Now())
	if n > 0 {
		log.Warn("bodies without a record were removed", slog.String("code", store.CodeOrphanBodies), slog.Int("count", n))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "hqd sweep: %d bodies removed\n", n)
	return err
}
