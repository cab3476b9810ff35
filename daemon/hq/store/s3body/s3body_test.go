package s3body_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/pgstore"
	"madoguchi/daemon/hq/store/pgtest"
	"madoguchi/daemon/hq/store/s3body"
	"madoguchi/daemon/hq/store/s3test"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/store/storetest"
)

func TestAddress(t *testing.T) {
	got, err := s3body.ParseAddress("s3://bucket/a/b/?endpoint=https://s3.example:9000&region=jp-1")
	want := s3body.Address{Bucket: "bucket", Prefix: "a/b", Endpoint: "https://s3.example:9000", Region: "jp-1"}
	if err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		"", "bucket", "https://bucket", "s3://?endpoint=https://h", "s3://b", "s3://b?endpoint=http://h", "s3://k:s@b?endpoint=https://h",
		"s3://b?endpoint=https://k:s@h", "s3://b?endpoint=https://h&secret_key=x", "s3://b?endpoint=ftp://127.0.0.1",
	} {
		if _, err := s3body.ParseAddress(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func sqlite(t *testing.T) (store.Writer, store.Reader) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.sqlite")
	w, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Now: storetest.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	r, err := sqlitestore.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return w, r
}

// The whole suite passes with the bodies in a real S3 server, for both kinds of rows.
func TestSuites(t *testing.T) {
	b := s3test.Start(t).Store(t)
	t.Run("sqlite", func(t *testing.T) {
		var path string
		open := func(t *testing.T, log *slog.Logger) store.Writer {
			w, err := sqlitestore.Open(t.Context(), path, sqlitestore.Options{Log: log, Now: storetest.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.Close() })
			return store.Claims(w, b, storetest.Now)
		}
		storetest.Run(t, storetest.Kit{Bodies: true, New: func(t *testing.T, log *slog.Logger) (store.Writer, func(*testing.T) store.Reader) {
			path = filepath.Join(t.TempDir(), "records.sqlite")
			here := path
			return open(t, log), func(t *testing.T) store.Reader {
				r, err := sqlitestore.OpenReader(t.Context(), here)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = r.Close() })
				return store.Claimed(r, b, 3<<20)
			}
		}, Second: func(t *testing.T) store.Writer { return open(t, slog.New(slog.DiscardHandler)) }})
	})
	t.Run("postgres", func(t *testing.T) {
		s := pgtest.Start(t)
		var address string
		open := func(t *testing.T, log *slog.Logger) store.Writer {
			w, err := pgstore.Open(t.Context(), address, pgstore.Options{Log: log, Now: storetest.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.Close() })
			return store.Claims(w, b, storetest.Now)
		}
		storetest.Run(t, storetest.Kit{Bodies: true, New: func(t *testing.T, log *slog.Logger) (store.Writer, func(*testing.T) store.Reader) {
			address = s.Database(t)
			here := address
			return open(t, log), func(t *testing.T) store.Reader {
				r, err := pgstore.OpenReader(t.Context(), here, pgstore.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = r.Close() })
				return store.Claimed(r, b, 3<<20)
			}
		}, Second: func(t *testing.T) store.Writer { return open(t, slog.New(slog.DiscardHandler)) }})
	})
}

// files lists the objects by the server's own files.
func files(t *testing.T, s *s3test.Server) (out []string) {
	t.Helper()
	err := filepath.WalkDir(s.Files, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBodiesLieOutside(t *testing.T) {
	s := s3test.Start(t)
	b := s.Store(t)
	rows, plain := sqlite(t)
	w, r := store.Claims(rows, b, storetest.Now), store.Claimed(plain, b, 3<<20)
	row := storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 70_000)
	for range 3 { // a repeated PUT sends no body again
		if _, _, err := w.Insert(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	objects := files(t, s)
	if len(objects) != 1 || !strings.Contains(objects[0], fmt.Sprintf("/records/2026-11-20/%x.", row.Digest)) {
		t.Fatal(objects)
	}
	if raw, err := os.ReadFile(objects[0]); err != nil || !bytes.Equal(raw, row.Envelope) {
		t.Fatal("the object is not the envelope")
	}
	inRow, err := plain.Get(t.Context(), row.Device, row.ID)
	if err != nil || len(inRow.Envelope) != 0 || inRow.Body == "" {
		t.Fatal("the row holds the body too")
	}
	t.Run("damaged", func(t *testing.T) {
		bad := bytes.Clone(row.Envelope)
		bad[500] ^= 1
		if err := os.WriteFile(objects[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get(t.Context(), row.Device, row.ID); !errors.Is(err, store.ErrBody) {
			t.Fatal(err)
		}
	})
	t.Run("larger-than-a-body", func(t *testing.T) {
		if err := os.WriteFile(objects[0], make([]byte, 4<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get(t.Context(), row.Device, row.ID); !errors.Is(err, store.ErrBody) {
			t.Fatal(err)
		}
	})
	t.Run("gone", func(t *testing.T) {
		if err := os.Remove(objects[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get(t.Context(), row.Device, row.ID); !errors.Is(err, store.ErrBody) {
			t.Fatal(err)
		}
	})
}

func TestHashIsCheckedOnArrival(t *testing.T) {
	s := s3test.Start(t)
	if err := s.Store(t).Put(t.Context(), "2026-11-20/x.1", []byte("body"), sha256.Sum256([]byte("another"))); err == nil {
		t.Fatal("the server took a body of another hash")
	}
	if f := files(t, s); len(f) != 0 {
		t.Fatal(f)
	}
}

func TestFaultsStoreNoRow(t *testing.T) {
	s := s3test.Start(t)
	rows, plain := sqlite(t)
	row := storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 1000)
	none := func(what string, b store.Bodies) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, fresh, err := store.Claims(rows, b, storetest.Now).Insert(ctx, row); err == nil || fresh || strings.Contains(err.Error(), s.Keys.Secret) {
			t.Fatalf("%s: fresh %v, %v", what, fresh, err)
		}
		if _, err := plain.Get(t.Context(), row.Device, row.ID); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(what, ": ", err)
		}
	}
	a, err := s3body.ParseAddress(s.Address())
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := s3body.New(a, s3body.Keys{Access: s.Keys.Access, Secret: "wrong-secret-000000"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	none("wrong secret", wrong)
	a.Bucket = "nobodys"
	elsewhere, err := s3body.New(a, s.Keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	none("no bucket", elsewhere)
	b := s.Store(t)
	s.Stop()
	none("server down", b)
}

func TestSweep(t *testing.T) {
	s := s3test.Start(t)
	b := s.Store(t)
	rows, _ := sqlite(t)
	now := storetest.Now()
	put := func(at time.Time) string {
		t.Helper()
		row := storetest.Row("kiosk-1", storetest.ID(now), uint64(at.Unix()), 100) //nolint:gosec // a test's time
		if _, _, err := store.Claims(rows, b, func() time.Time { return at }).Insert(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		found, err := rows.Find(t.Context(), row.Device, row.ID)
		if err != nil {
			t.Fatal(err)
		}
		return found.Body
	}
	orphan := func(at time.Time) string {
		t.Helper()
		key := at.Format("2006-01-02") + "/" + strings.Repeat("ab", 32) + "." + fmt.Sprint(at.Unix())
		if err := b.Put(t.Context(), key, []byte("orphan"), sha256.Sum256([]byte("orphan"))); err != nil {
			t.Fatal(err)
		}
		return key
	}
	stay := []string{put(now), put(now.AddDate(0, 0, -3)), put(now.AddDate(0, 0, -9)), orphan(now), orphan(now.Add(-47 * time.Hour))}
	gone := []string{orphan(now.AddDate(0, 0, -3)), orphan(now.AddDate(0, 0, -9))}
	n, err := store.Sweep(t.Context(), rows, b, now)
	if err != nil || n != len(gone) {
		t.Fatalf("%d swept, %v", n, err)
	}
	var left []string
	if err := b.List(t.Context(), "", func(keys []string) error { left = append(left, keys...); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(stay)
	slices.Sort(left)
	if diff := cmp.Diff(stay, left); diff != "" {
		t.Fatal(diff)
	}
	if n, err := store.Sweep(t.Context(), rows, b, now); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}
