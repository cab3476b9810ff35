package torture_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/ingest"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/witness"
	"madoguchi/storage/audit"
	"madoguchi/storage/storagetest"
)

// hq is the real receiver, with its real store and witness, behind a front that fails.
type hq struct {
	records http.Handler
	witness http.Handler
	store   store.Writer
	path    string
	memory  *memory
	socket  string
	secret  string // directory with the keys of the kiosk

	mu   stdsync.Mutex
	rng  *rand.Rand
	well bool // no more faults
}

// memory is the witness's store.
type memory struct {
	mu     stdsync.Mutex
	seen   audit.Seen
	alarms []string
}

func (m *memory) AuditSeen(context.Context, string) (audit.Seen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen, nil
}

func (m *memory) AuditAdvance(_ context.Context, _ string, before, now audit.Seen, _ [][]byte, _ []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before.Tree.Size() != m.seen.Tree.Size() {
		return store.ErrRace
	}
	m.seen = now
	return nil
}

func (m *memory) AuditRetire(context.Context, string) error { return nil }

func (m *memory) AuditAlarm(_ context.Context, a store.DeviceAlarm) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarms = append(m.alarms, a.Code)
	return nil
}

func (m *memory) Heartbeat(context.Context, store.Beat) error { return nil }

func newHQ(t *testing.T, seed uint64) *hq {
	t.Helper()
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir, secret := t.TempDir(), t.TempDir()
	list, err := keys.Public.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(keys.Device)
	if err != nil {
		t.Fatal(err)
	}
	file, err := device.Marshal(storagetest.Device, &keys.Device.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		filepath.Join(secret, "keys.toml"): list, filepath.Join(secret, "receipt.pub"): pub,
		filepath.Join(secret, "device.pem"):            pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
		filepath.Join(dir, storagetest.Device+".toml"): file,
	} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := &hq{
		path: filepath.Join(dir, "records.sqlite"), memory: &memory{}, socket: filepath.Join(dir, "s"), secret: secret,
		rng: rand.New(rand.NewPCG(seed, 4)),
	}
	if h.store, err = sqlitestore.Open(t.Context(), h.path, sqlitestore.Options{}); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	h.records = ingest.New(ingest.Options{
		Store: h.store, Devices: device.Dir(dir), Keys: keys.Public, Receipt: priv, ReceiptKey: "receipt-1",
		Profile: ingest.Demo, Limits: ingest.Limits{DeviceRate: 1e6, DeviceBurst: 1e6}, Now: time.Now, Log: quiet,
	})
	h.witness = witness.Handler(witness.Options{Store: h.memory, Devices: device.Dir(dir), Now: time.Now, Log: quiet})
	l, err := net.Listen("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(quiet.Handler(), slog.LevelError)}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		_ = h.store.Close()
	})
	return h
}

func (h *hq) heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.well = true
}

// poison says which records HQ can never take: one in sixteen.
func poison(path string) bool { return strings.HasSuffix(path, "7") }

// ServeHTTP fails by chance: before the work, during it, or after it, when only the answer is lost.
func (h *hq) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	dice, well := h.rng.IntN(100), h.well
	h.mu.Unlock()
	if poison(r.URL.Path) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"code":"poison"}`))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case well:
	case dice < 8:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case dice < 16:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case dice < 20: // a hang, ended by the network
		select {
		case <-r.Context().Done():
		case <-time.After(30 * time.Millisecond):
		}
		hangUp(w)
		return
	case dice < 32: // the work is done, the answer is lost
		h.serve(httptest.NewRecorder(), r, body)
		hangUp(w)
		return
	case dice < 40: // the network delivers twice, at once
		var both stdsync.WaitGroup
		both.Go(func() { h.serve(httptest.NewRecorder(), r, body) })
		h.serve(w, r, body)
		both.Wait()
		return
	}
	h.serve(w, r, body)
}

func hangUp(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

// serve hands the request to the real handlers as the TLS layer would.
func (h *hq) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	in := r.Clone(context.Background())
	in.Body = io.NopCloser(bytes.NewReader(body))
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: storagetest.Device}}
	in.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
	if strings.HasPrefix(r.URL.Path, "/v1/records/") {
		h.records.ServeHTTP(w, in)
		return
	}
	h.witness.ServeHTTP(w, in)
}

// rows gives the records that HQ has: id and digest.
func (h *hq) rows(t *testing.T) map[string][32]byte {
	t.Helper()
	r, err := sqlitestore.OpenReader(t.Context(), h.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	out := map[string][32]byte{}
	for skip := 0; ; skip += 1000 {
		list, err := r.List(t.Context(), 1000, skip)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list {
			if _, twice := out[row.ID]; twice {
				t.Fatalf("%s is at HQ twice", row.ID)
			}
			out[row.ID] = row.Digest
		}
		if len(list) < 1000 {
			return out
		}
	}
}
