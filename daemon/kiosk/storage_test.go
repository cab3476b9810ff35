package kiosk

import (
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/session"
	"madoguchi/storage/audit"
	"madoguchi/storage/outbox"
	"madoguchi/storage/queue"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
)

// A kiosk that HQ cannot trust takes no customers, and says which of the reasons it is.
func TestReady(t *testing.T) {
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	none, err := seal.NewPublicKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(filepath.Join(t.TempDir(), "queue"), queue.Options{Now: storagetest.At, Room: queue.RoomOptions{Enough: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	log, err := audit.Open(t.TempDir(), audit.Options{Device: "kiosk-1", Signer: keys.Device, Now: storagetest.At})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	policy := config.Upload{FreezeHours: 24, MaxSkewMinutes: 10}
	ago := func(d time.Duration) time.Time { return storagetest.At().Add(-d) }
	for name, tt := range map[string]struct {
		levels *sync.Levels
		policy config.Upload
		keys   *seal.PublicKeys
		want   string // code; empty: ready
	}{
		"not-yet-heard":           {nil, policy, keys.Public, ""},
		"all-well":                {&sync.Levels{SkewKnown: true, Skew: 9 * time.Minute, Oldest: ago(23 * time.Hour)}, policy, keys.Public, ""},
		"revoked":                 {&sync.Levels{Revoked: true}, policy, keys.Public, session.HQRevoked},
		"clock-ahead":             {&sync.Levels{SkewKnown: true, Skew: -11 * time.Minute}, policy, keys.Public, session.ClockOff},
		"clock-behind":            {&sync.Levels{SkewKnown: true, Skew: 11 * time.Minute}, policy, keys.Public, session.ClockOff},
		"skew-not-known":          {&sync.Levels{Skew: time.Hour}, policy, keys.Public, ""},
		"undelivered-for-a-day":   {&sync.Levels{Oldest: ago(25 * time.Hour)}, policy, keys.Public, session.HQSilent},
		"undelivered-and-allowed": {&sync.Levels{Oldest: ago(25 * time.Hour), SkewKnown: true, Skew: time.Hour}, config.Upload{}, keys.Public, ""},
		"no-keys":                 {nil, policy, none, session.HQKeys},
	} {
		t.Run(name, func(t *testing.T) {
			var levels atomic.Pointer[sync.Levels]
			levels.Store(tt.levels)
			s := store{
				Outbox:  &outbox.Outbox{Queue: q, Keys: tt.keys, Signer: keys.Device, Device: "kiosk-1", Now: storagetest.At, Audit: log},
				journal: newJournal(log, storagetest.At, slog.New(slog.DiscardHandler)), levels: &levels, policy: tt.policy,
			}
			err := s.Ready(record.PartIdentity)
			got := ""
			if why, ok := errors.AsType[*session.NotReady](err); ok {
				got = why.Code
			}
			if got != tt.want || (err == nil) != (tt.want == "") {
				t.Fatalf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
