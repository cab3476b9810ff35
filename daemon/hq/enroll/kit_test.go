package enroll_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"madoguchi/daemon/hq/device"
	hq "madoguchi/daemon/hq/enroll"
	"madoguchi/daemon/hq/setup"
	"madoguchi/internal/secret"
	"madoguchi/storage/enroll"
	"madoguchi/storage/storagetest"
)

const kiosk = "branch-012-kiosk-1"

// clock is the time of everybody; it may be read anywhere and changed between requests.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// hqKit is HQ on a real TLS 1.3 server.
type hqKit struct {
	t      *testing.T
	clock  *clock
	layout setup.Layout
	server *httptest.Server
	ca     []byte
	log    *bytes.Buffer
	tamper func(*enroll.Answer) // what a false HQ would answer
}

func newHQ(t *testing.T) *hqKit {
	t.Helper()
	h := &hqKit{t: t, clock: &clock{at: storagetest.At()}, layout: setup.Layout(t.TempDir()), log: &bytes.Buffer{}}
	if err := setup.Init(setup.Options{Dir: string(h.layout), Kiosk: "demo-kiosk", URL: "https://127.0.0.1:1", Now: h.clock.now()}); err != nil {
		t.Fatal(err)
	}
	h.ca = h.read(filepath.Join(h.layout.Receiver(), "ca.crt.pem"))
	key, err := setup.LoadKey(filepath.Join(h.layout.Receiver(), setup.FileIssuerKey))
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := key.(crypto.Signer)
	issuer, err := hq.NewIssuer(h.read(filepath.Join(h.layout.Receiver(), setup.FileIssuer)), h.ca, signer)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := setup.OpenList(h.layout)
	if err != nil {
		t.Fatal(err)
	}
	honest := hq.Handler(hq.Options{
		Devices: device.Dir(h.layout.Devices()), Codes: h.codes(), Issuer: issuer, Keys: keys, Now: h.clock.now,
		Log: slog.New(slog.NewTextHandler(&locked{w: h.log}, nil)),
	})
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if h.tamper == nil || req.Method != http.MethodPost {
			honest.ServeHTTP(w, req)
			return
		}
		rec := httptest.NewRecorder()
		honest.ServeHTTP(rec, req)
		body := rec.Body.Bytes()
		if a, err := enroll.ParseAnswer(body); err == nil {
			h.tamper(a)
			body, _ = a.Encode()
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
	}))
	cert, err := tls.LoadX509KeyPair(filepath.Join(h.layout.Receiver(), "server.crt.pem"), filepath.Join(h.layout.Receiver(), "server.key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(h.ca)
	h.server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool, Time: h.clock.now}
	h.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	h.server.StartTLS()
	t.Cleanup(h.server.Close)
	return h
}

// locked lets the log be written from several requests.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (h *hqKit) codes() hq.Codes { return hq.Codes(h.layout.Codes()) }

func (h *hqKit) read(path string) []byte {
	h.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *hqKit) code(name string) *secret.Bytes {
	h.t.Helper()
	c, err := h.codes().New(name, 24*time.Hour, h.clock.now())
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// options are those of a kiosk that does everything right.
func (h *hqKit) options(code *secret.Bytes) enroll.Options {
	h.t.Helper()
	return enroll.Options{URL: h.server.URL, Device: kiosk, Trust: enroll.Trust{CA: h.ca}, Code: code, Dir: filepath.Join(h.t.TempDir(), "bundle"), Now: h.clock.now}
}

func (h *hqKit) enroll(o enroll.Options) *enroll.Result {
	h.t.Helper()
	r, err := enroll.Enroll(context.Background(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *hqKit) device(name string) device.Device {
	h.t.Helper()
	d, err := device.Dir(h.layout.Devices()).Lookup(name)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// post sends bytes as they are.
func (h *hqKit) post(path string, body []byte, cert *tls.Certificate) (int, string) {
	h.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(h.ca)
	cfg := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13, Time: h.clock.now}
	if cert != nil {
		cfg.Certificates = []tls.Certificate{*cert}
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	res, err := c.Post(h.server.URL+path, "application/json", bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	known := res.StatusCode == http.StatusOK
	for _, a := range hq.Answers(path) {
		for _, code := range a.Codes {
			known = known || a.Status == res.StatusCode && string(raw) == `{"code":"`+code+"\"}\n" && a.RetryAfter == (res.Header.Get("Retry-After") != "")
		}
	}
	if !known {
		h.t.Errorf("the answer %d %s is not documented", res.StatusCode, raw)
	}
	return res.StatusCode, string(raw)
}

func fingerprintOf(t *testing.T, pub crypto.PublicKey) [32]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(der)
}

func ecdsaOf(t *testing.T, pub crypto.PublicKey) *ecdsa.PublicKey {
	t.Helper()
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("got a %T", pub)
	}
	return k
}

// groupOf is the group of a file.
func groupOf(info os.FileInfo) uint32 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Gid
}
