package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/store/storetest"
)

// TestRetentionCommand imports the end of a relation of long ago: a dry run shows the record, and -run shreds it.
func TestRetentionCommand(t *testing.T) {
	dir := t.TempDir()
	l := setup.Layout(dir)
	if err := setup.Init(setup.Options{Dir: dir, Kiosk: "kiosk-1", URL: "https://127.0.0.1:1", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w, err := sqlitestore.Open(t.Context(), l.Records(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	row := storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 100)
	if _, _, err := w.Insert(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "events.csv")
	if err := os.WriteFile(file, []byte("kind,device,record,day,reason\nrelation-end,kiosk-1,"+row.ID+",2015-03-31,closed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := runRetention(t.Context(), append([]string{"-dir", dir}, args...), &out, slog.New(slog.DiscardHandler))
		return out.String(), err
	}
	if _, err := run(); err == nil {
		t.Fatal("ran for nobody")
	}
	out, err := run("-author", "clerk", "-import", file)
	if err != nil || !strings.Contains(out, `"would-go": 1`) || !strings.Contains(out, `"due": "2022-04-01"`) {
		t.Fatal(out, err)
	}
	if got, err := w.Find(t.Context(), row.Device, row.ID); err != nil || !got.Shredded.IsZero() {
		t.Fatal("a dry run shredded: ", err)
	}
	if out, err = run("-author", "clerk", "-run"); err != nil || !strings.Contains(out, `"shredded": 1`) {
		t.Fatal(out, err)
	}
	r, err := sqlitestore.OpenReader(t.Context(), l.Records())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := r.Get(t.Context(), row.Device, row.ID); !errors.Is(err, store.ErrShredded) {
		t.Fatal(err)
	}
}
