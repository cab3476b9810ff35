package audit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"madoguchi/storage/audit"
)

func TestInspect(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := audit.Inspect(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := audit.Inspect(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	l, err := audit.Open(dir, audit.Options{Device: "kiosk-1", Signer: key, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := l.Append(audit.Leaf{Kind: audit.Started}); err != nil {
			t.Fatal(err)
		}
	}
	// Beside an open log: no lock is waited for.
	got, err := audit.Inspect(dir)
	if err != nil || got.Size != 4 || got.Origin != l.Origin() || got.Torn { // log-begins and three
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	name := only(t, dir)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, name, whole[:len(whole)-1])
	if got, err := audit.Inspect(dir); err != nil || got.Size != 3 || !got.Torn {
		t.Errorf("torn: got %+v, %v", got, err)
	}
	if after, err := os.ReadFile(name); err != nil || len(after) != len(whole)-1 {
		t.Errorf("Inspect changed the file: %d bytes, %v", len(after), err)
	}
	head := append([]byte(nil), whole...)
	head[0] ^= 1
	rewrite(t, name, head)
	if _, err := audit.Inspect(dir); !errors.Is(err, audit.ErrDamaged) {
		t.Errorf("a damaged head: %v", err)
	}
	rewrite(t, name, whole)
	if err := os.Rename(name, filepath.Join(dir, "audit-0123456789abcdef.log")); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Inspect(dir); !errors.Is(err, audit.ErrDamaged) {
		t.Errorf("another log's name: %v", err)
	}
}

func only(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "audit-*.log"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	return names[0]
}

func rewrite(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
