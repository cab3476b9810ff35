package witness_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	stdsync "sync"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/witness"
	"madoguchi/storage/audit"
	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
)

// memory is a store of the test's own.
type memory struct {
	mu     stdsync.Mutex
	seen   audit.Seen
	leaves [][]byte
	alarms map[string]store.DeviceAlarm
	beats  []string
	races  int // so many times another was quicker
	broken bool
}

func (m *memory) AuditSeen(context.Context, string) (audit.Seen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return audit.Seen{}, errors.New("no database")
	}
	return m.seen, nil
}

func (m *memory) AuditAdvance(_ context.Context, _ string, before, now audit.Seen, leaves [][]byte, _ []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.races--; m.races >= 0 || before.Tree.Size() != m.seen.Tree.Size() {
		return store.ErrRace
	}
	m.seen, m.leaves = now, append(m.leaves, leaves...)
	return nil
}

func (m *memory) AuditRetire(context.Context, string) error { return nil }

func (m *memory) AuditAlarm(_ context.Context, a store.DeviceAlarm) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarms[a.Code] = a
	return nil
}

func (m *memory) Heartbeat(_ context.Context, b store.Beat) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beats = append(m.beats, string(b.JSON))
	return nil
}

type kit struct {
	store   *memory
	handler http.Handler
	key     *ecdsa.PrivateKey
	dir     string
	log     *audit.Log
}

func newKit(t *testing.T) *kit {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	devices := t.TempDir()
	file, err := device.Marshal(storagetest.Device, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(devices, storagetest.Device+".toml"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	k := &kit{store: &memory{alarms: map[string]store.DeviceAlarm{}}, key: key, dir: t.TempDir()}
	k.handler = witness.Handler(witness.Options{
		Store: k.store, Devices: device.Dir(devices), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	k.open(t)
	return k
}

func (k *kit) open(t *testing.T) {
	t.Helper()
	if k.log != nil {
		_ = k.log.Close()
	}
	log, err := audit.Open(k.dir, audit.Options{Device: storagetest.Device, Signer: k.key, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	k.log = log
}

func (k *kit) fill(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := k.log.Append(audit.Leaf{Kind: audit.StaffIn, Staff: "tanuki"}); err != nil {
			t.Fatal(err)
		}
	}
}

// request is one request as it comes from the TLS layer for a kiosk of that name.
func request(method, path, kiosk string, body []byte) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Content-Digest", sync.ContentDigest(body))
	if kiosk != "" {
		cert := &x509.Certificate{Subject: pkix.Name{CommonName: kiosk}}
		r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	}
	return r
}

func (k *kit) do(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	k.handler.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Body)
	return w.Code, string(bytes.TrimSpace(b))
}

func (k *kit) batch(t *testing.T, from int64) []byte {
	t.Helper()
	b, err := k.log.Batch(from)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAnswers(t *testing.T) {
	k := newKit(t)
	k.fill(t, 5)
	body := k.batch(t, 0)
	noDigest := request(http.MethodPut, "/v1/audit", storagetest.Device, body)
	noDigest.Header.Del("Content-Digest")
	other := newKit(t)
	for _, tt := range []struct {
		name string
		req  *http.Request
		want int
		body string
	}{
		{"no-certificate", request(http.MethodPut, "/v1/audit", "", body), 403, `{"code":"certificate"}`},
		{"unknown-kiosk", request(http.MethodPut, "/v1/audit", "kiosk-9", body), 410, `{"code":"unknown-device"}`},
		{"no-digest", noDigest, 400, `{"code":"digest"}`},
		{"too-large", request(http.MethodPut, "/v1/audit", storagetest.Device, make([]byte, audit.MaxBatchBytes+1)), 413, `{"code":"size"}`},
		{"no-batch", request(http.MethodPut, "/v1/audit", storagetest.Device, []byte("hello")), 422, `{"code":"batch"}`},
		{"signed-by-another", request(http.MethodPut, "/v1/audit", storagetest.Device, other.batch(t, 0)), 422, `{"code":"signature"}`},
		{"not-from-the-beginning", request(http.MethodPut, "/v1/audit", storagetest.Device, k.batch(t, 3)), 409, `{"code":"place","want":0}`},
		{"new", request(http.MethodPut, "/v1/audit", storagetest.Device, body), 200, `{"size":6}`},
		{"again", request(http.MethodPut, "/v1/audit", storagetest.Device, body), 409, `{"code":"place","want":6}`},
		{"nothing-new", request(http.MethodPut, "/v1/audit", storagetest.Device, k.batch(t, 6)), 200, `{"size":6}`},
		{"beat-without-time", request(http.MethodPost, "/v1/heartbeat", storagetest.Device, []byte(`{}`)), 422, `{"code":"heartbeat"}`},
		{"beat-of-a-name", request(http.MethodPost, "/v1/heartbeat", storagetest.Device, []byte(`{"now":"2026-11-22T01:02:03Z","state":"佐藤花子"}`)), 422, `{"code":"heartbeat"}`},
		{"beat-of-a-number", request(http.MethodPost, "/v1/heartbeat", storagetest.Device, []byte(`{"now":"2026-11-22T01:02:03Z","state":"n123456789018"}`)), 422, `{"code":"heartbeat"}`},
		{"reading-is-not-offered", request(http.MethodGet, "/v1/audit", storagetest.Device, nil), 405, "Method Not Allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, body := k.do(tt.req); code != tt.want || body != tt.body {
				t.Fatalf("got %d %s, want %d %s", code, body, tt.want, tt.body)
			}
		})
	}
	if len(k.store.leaves) != 6 || len(k.store.alarms) != 0 {
		t.Fatalf("%d leaves, %v", len(k.store.leaves), k.store.alarms)
	}
	k.fill(t, 1)
	k.store.races = 2
	if code, body := k.do(request(http.MethodPut, "/v1/audit", storagetest.Device, k.batch(t, 6))); code != 200 || body != `{"size":7}` {
		t.Fatalf("behind another receiver: %d %s", code, body)
	}
	k.fill(t, 1)
	k.store.races = 100
	if code, body := k.do(request(http.MethodPut, "/v1/audit", storagetest.Device, k.batch(t, 7))); code != 503 || body != `{"code":"busy"}` {
		t.Fatalf("always behind others: %d %s", code, body)
	}
	k.store.broken = true
	if code, body := k.do(request(http.MethodPut, "/v1/audit", storagetest.Device, k.batch(t, 7))); code != 503 || body != `{"code":"store"}` {
		t.Fatalf("no database: %d %s", code, body)
	}
}

func TestClock(t *testing.T) {
	k := newKit(t)
	beat := func(at time.Time) (int, string) {
		return k.do(request(http.MethodPost, "/v1/heartbeat", storagetest.Device, []byte(`{"now":"`+at.UTC().Format(time.RFC3339)+`","state":"idle"}`)))
	}
	if code, body := beat(time.Now()); code != 200 || !strings.HasPrefix(body, `{"time":"20`) || len(k.store.alarms) != 0 {
		t.Fatalf("%d %s %v", code, body, k.store.alarms)
	}
	if code, _ := beat(time.Now().Add(-time.Hour)); code != 200 || k.store.alarms["clock"].Size > -3590 {
		t.Fatalf("%d %v", code, k.store.alarms)
	}
}

// network carries an uploader's requests to the handler, as TLS would.
type network struct {
	k    *kit
	down bool
	mu   stdsync.Mutex
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, errors.New("no network")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in := request(r.Method, r.URL.Path, storagetest.Device, body)
	in.Header = r.Header
	w := httptest.NewRecorder()
	n.k.handler.ServeHTTP(w, in)
	return w.Result(), nil
}

func (n *network) set(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
}

// TestUploaderAndWitness: the two ends together, over a long log, an outage, a restart, and a rolled-back disk.
func TestUploaderAndWitness(t *testing.T) {
	k := newKit(t)
	k.fill(t, 3000)
	receipts, err := storagetest.NewReceipts()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	net := &network{k: k}
	var levels sync.Levels
	var mu stdsync.Mutex
	run := func(t *testing.T, script func(last func() sync.Levels)) {
		synctest.Test(t, func(t *testing.T) {
			q, err := queue.Open(filepath.Join(dir, "q"), queue.Options{Now: time.Now, Room: queue.RoomOptions{Enough: 1}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = q.Close() }()
			u, err := sync.New(sync.Options{
				Queue: q, Client: &http.Client{Transport: net}, URL: "https://hq.test", Device: storagetest.Device,
				Receipts: receipts.Keys(), Now: time.Now, Audit: k.log, Beat: func() sync.Beat { return sync.Beat{State: "idle"} },
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
	run(t, func(last func() sync.Levels) {
		time.Sleep(10 * time.Second)
		if l := last(); l.AuditSeen != 3001 || l.AuditAlarm != "" || !l.SkewKnown || l.Skew != 0 {
			t.Fatalf("%+v", l)
		}
		net.set(true)
		k.fill(t, 10)
		time.Sleep(3 * 24 * time.Hour)
		if l := last(); l.AuditSeen != 3001 {
			t.Fatalf("%+v", l)
		}
		net.set(false)
		time.Sleep(16 * time.Minute)
		if l := last(); l.AuditSeen != 3011 {
			t.Fatalf("%+v", l)
		}
	})
	saved, err := filepath.Glob(filepath.Join(k.dir, "*.log"))
	if err != nil || len(saved) != 1 {
		t.Fatal(saved, err)
	}
	old, err := os.ReadFile(saved[0])
	if err != nil {
		t.Fatal(err)
	}
	k.fill(t, 5)
	run(t, func(last func() sync.Levels) { // a restart
		time.Sleep(10 * time.Second)
		if l := last(); l.AuditSeen != 3016 || l.AuditAlarm != "" {
			t.Fatalf("%+v", l)
		}
	})
	_ = k.log.Close()
	if err := os.WriteFile(saved[0], old, 0o600); err != nil { // the disk of some days ago
		t.Fatal(err)
	}
	k.log = nil
	k.open(t)
	run(t, func(last func() sync.Levels) {
		time.Sleep(10 * time.Second)
		if l := last(); l.AuditAlarm != sync.AuditShrunken {
			t.Fatalf("%+v", l)
		}
		k.fill(t, 20)
		time.Sleep(time.Hour)
		if l := last(); l.AuditAlarm != sync.AuditForked {
			t.Fatalf("%+v", l)
		}
	})
	if len(k.store.leaves) != 3016 || k.store.alarms["shrunken"].Size != 3011 || k.store.alarms["forked"].Device != storagetest.Device {
		t.Fatalf("%d leaves, %+v", len(k.store.leaves), k.store.alarms)
	}
}
