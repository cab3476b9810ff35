package sync_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	stdsync "sync"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
)

// beats is an HQ that takes heartbeats, with a clock of its own.
type beats struct {
	mu     stdsync.Mutex
	ahead  time.Duration
	status int
	slow   time.Duration
	got    []sync.Beat
	took   []time.Duration // how long each body took to come
}

func (b *beats) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	time.Sleep(b.slow)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.took = append(b.took, time.Since(start))
	if r.URL.Path != "/v1/heartbeat" {
		return nil, errors.New("no network for records")
	}
	var beat sync.Beat
	if err := json.Unmarshal(body, &beat); err != nil {
		return nil, err
	}
	b.got = append(b.got, beat)
	answer, err := json.Marshal(map[string]any{"time": time.Now().Add(b.ahead - b.slow/2)})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: b.status, Body: io.NopCloser(strings.NewReader(string(answer))), Request: r}, nil
}

func withBeats(t *testing.T, hq *beats, rate, waiting int, script func(last func() sync.Levels)) {
	t.Helper()
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	receipts, err := storagetest.NewReceipts()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.Open(filepath.Join(dir, "q"), queue.Options{Now: time.Now, Room: queue.RoomOptions{Enough: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = q.Close() }()
		for n := range waiting {
			e, err := keys.Envelope(storagetest.NewID(), uint64(n+1), 20_000) //nolint:gosec // small
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Put(e); err != nil {
				t.Fatal(err)
			}
		}
		var mu stdsync.Mutex
		var levels sync.Levels
		u, err := sync.New(sync.Options{
			Queue: q, Client: &http.Client{Transport: hq}, URL: "https://hq.test", Device: storagetest.Device,
			Receipts: receipts.Keys(), Now: time.Now, Rate: rate,
			Beat:   func() sync.Beat { return sync.Beat{Version: "v1", State: "idle"} },
			Report: func(l sync.Levels) { mu.Lock(); defer mu.Unlock(); levels = l },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- u.Run(ctx) }()
		script(func() sync.Levels { mu.Lock(); defer mu.Unlock(); return levels })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

// A heartbeat a minute, HQ's clock from the middle of the exchange, and 410 said plainly.
func TestHeartbeat(t *testing.T) {
	hq := &beats{status: http.StatusOK, ahead: 5 * time.Minute, slow: 4 * time.Second}
	withBeats(t, hq, 0, 0, func(last func() sync.Levels) {
		time.Sleep(10*time.Minute + time.Second)
		l := last()
		if len(hq.got) < 9 || len(hq.got) > 11 {
			t.Fatalf("%d heartbeats in ten minutes", len(hq.got))
		}
		if !l.SkewKnown || l.Skew != 5*time.Minute || l.Revoked || l.LastContact.IsZero() {
			t.Fatalf("%+v", l)
		}
		if b := hq.got[0]; b.Version != "v1" || b.State != "idle" || b.Room != "ok" || b.Now.IsZero() {
			t.Fatalf("%+v", b)
		}
		hq.mu.Lock()
		hq.status = http.StatusGone
		hq.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if !last().Revoked {
			t.Fatal("410 was not noticed")
		}
		hq.mu.Lock()
		hq.status = http.StatusOK
		hq.mu.Unlock()
		time.Sleep(20 * time.Minute)
		if last().Revoked {
			t.Fatal("a kiosk that HQ takes back must hear of it")
		}
	})
}

// Records keep to the bandwidth cap.
func TestBandwidthCap(t *testing.T) {
	hq := &beats{status: http.StatusOK}
	withBeats(t, hq, 4<<10, 1, func(func() sync.Levels) {
		time.Sleep(30 * time.Second)
	})
	longest := time.Duration(0)
	for _, d := range hq.took {
		longest = max(longest, d)
	}
	// 21 KB and more at 4 KiB a second, less the first 4 KiB that come at once
	if longest < 4*time.Second || longest > 6*time.Second {
		t.Fatalf("the record took %v", longest)
	}
}
