package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/pgstore"
	"madoguchi/daemon/hq/store/sqlitestore"
)

// places say where records are kept. There is no secret in them: passwords come from a passfile or a service file.
type places struct {
	store  string // "", "sqlite:PATH" or "postgres://..."
	bodies string // "" (in the rows) or "s3://BUCKET/PREFIX?endpoint=..."
}

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
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		path := filepath.Join(dir, "postgres-passfile")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// writer opens the receiver's side.
func (p *places) writer(ctx context.Context, l setup.Layout, log *slog.Logger) (store.Writer, error) {
	if p.postgres() {
		return pgstore.Open(ctx, p.store, pgstore.Options{Log: log, Now: time.Now, PassFile: passFile()})
	}
	path, err := p.sqlite(l)
	if err != nil {
		return nil, err
	}
	return sqlitestore.Open(ctx, path, sqlitestore.Options{Log: log, Now: time.Now})
}

// reader opens the opener's side.
func (p *places) reader(ctx context.Context, l setup.Layout) (store.Reader, error) {
	if p.postgres() {
		return pgstore.OpenReader(ctx, p.store, pgstore.Options{PassFile: passFile()})
	}
	path, err := p.sqlite(l)
	if err != nil {
		return nil, err
	}
	return openSQLite(ctx, path)
}

// openSQLite opens the receiver's database for reading. On a first start the receiver may not have made it yet; an
// empty one is then made here, with the same schema.
func openSQLite(ctx context.Context, path string) (store.Reader, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		w, err := sqlitestore.Open(ctx, path, sqlitestore.Options{})
		if err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
	}
	return sqlitestore.OpenReader(ctx, path)
}
