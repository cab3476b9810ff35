package kiosk

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"log/slog"
	"testing"
	"time"

	"madoguchi/storage/audit"
	"madoguchi/storage/outbox"
)

func TestJump(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct{ wall, monotonic, want time.Duration }{
		"steady":         {5 * s, 5 * s, 0},
		"late-goroutine": {time.Hour, time.Hour, 0},
		"slewed":         {5*s + 2*s, 5 * s, 0},
		"forward":        {time.Hour, 5 * s, time.Hour - 5*s},
		"back":           {-time.Hour, 5 * s, -time.Hour - 5*s},
		"just-back":      {2 * s, 5 * s, -3 * s},
	} {
		t.Run(name, func(t *testing.T) {
			if got := jump(tt.wall, tt.monotonic); got != tt.want {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// When the audit log cannot be written no further customer is taken.
func TestBrokenAuditLog(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(t.TempDir(), audit.Options{Device: "kiosk-1", Signer: key, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(log, time.Now, slog.New(slog.DiscardHandler))
	j.note(audit.Leaf{Kind: audit.StaffIn, Staff: "s1"})
	j.finish()
	if log.Size() != 3 || j.failed.Load() {
		t.Fatalf("%d entries", log.Size())
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.write(audit.Leaf{Kind: audit.StaffOut, Staff: "s1"}); err == nil {
		t.Fatal("a closed log took an entry")
	}
	if err := (store{Outbox: &outbox.Outbox{}, journal: j}).Ready(); !errors.Is(err, errAudit) {
		t.Fatalf("got %v", err)
	}
}

func TestVersionWord(t *testing.T) {
	for v, want := range map[string]string{"0.3.1": "v0.3.1", "0.3.1-5-gabc1234": "v0.3.1-5-gabc1234", "窓口": "unnamed"} {
		if got := versionWord(v); got != want {
			t.Errorf("%s: got %s", v, got)
		}
	}
}
