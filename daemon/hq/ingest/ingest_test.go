package ingest_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/ingest"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

type kit struct {
	handler http.Handler
	keys    *storagetest.Keys
	devices string
	store   store.Writer
	options ingest.Options
	pub     wire.ReceiptKeys
}

func newKit(t *testing.T, profile ingest.Profile, public *seal.PublicKeys) *kit {
	t.Helper()
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if public == nil {
		public = keys.Public
	}
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, err := device.Marshal(storagetest.Device, &keys.Device.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, storagetest.Device+".toml"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "records.sqlite"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	k := &kit{keys: keys, devices: dir, store: w, pub: wire.ReceiptKeys{"receipt-1": pub}, options: ingest.Options{
		Store: w, Devices: device.Dir(dir), Keys: public, Receipt: priv, ReceiptKey: "receipt-1", Profile: profile,
		Now: storagetest.At, Log: slog.New(slog.DiscardHandler),
	}}
	k.handler = ingest.New(k.options)
	return k
}

// request is a PUT as it comes from the TLS layer for a kiosk of that name.
func request(method, id, kiosk string, body []byte) *http.Request {
	r := httptest.NewRequest(method, "/v1/records/"+id, bytes.NewReader(body))
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

func TestAnswers(t *testing.T) {
	k := newKit(t, ingest.Demo, nil)
	env, err := wire.Build(storagetest.Record(storagetest.NewID(), 100), k.keys.Public, k.keys.Device, 1, storagetest.At())
	if err != nil {
		t.Fatal(err)
	}
	id := env.Header.ID
	noDigest := request(http.MethodPut, id, storagetest.Device, env.Bytes)
	noDigest.Header.Del("Content-Digest")
	otherDigest := request(http.MethodPut, id, storagetest.Device, env.Bytes)
	otherDigest.Header.Set("Content-Digest", sync.ContentDigest([]byte("x")))
	unverified := request(http.MethodPut, id, "", env.Bytes)
	unverified.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: storagetest.Device}}}}
	for _, c := range []struct {
		name string
		req  *http.Request
		want int
		body string
	}{
		{"plain-http", request(http.MethodPut, id, "", env.Bytes), 403, `{"code":"certificate"}`},
		{"certificate-not-verified", unverified, 403, `{"code":"certificate"}`},
		{"unknown-kiosk", request(http.MethodPut, id, "kiosk-9", env.Bytes), 410, `{"code":"unknown-device"}`},
		{"kiosk-named-as-a-path", request(http.MethodPut, id, "../records", env.Bytes), 410, `{"code":"unknown-device"}`},
		{"no-digest", noDigest, 400, `{"code":"digest"}`},
		{"digest-of-another-body", otherDigest, 400, `{"code":"digest"}`},
		{"too-large", request(http.MethodPut, id, storagetest.Device, make([]byte, wire.MaxEnvelope+1)), 413, `{"code":"size"}`},
		{"no-envelope", request(http.MethodPut, id, storagetest.Device, []byte("hello")), 422, `{"code":"magic"}`},
		{"other-id", request(http.MethodPut, storagetest.NewID(), storagetest.Device, env.Bytes), 422, `{"code":"id"}`},
		{"reading-is-not-offered", request(http.MethodGet, id, storagetest.Device, nil), 405, "Method Not Allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, body := k.do(c.req)
			if code != c.want || body != c.body {
				t.Fatalf("got %d %s, want %d %s", code, body, c.want, c.body)
			}
			if code != http.StatusMethodNotAllowed {
				documented(t, code, body)
			}
		})
	}
	t.Run("new-then-again", func(t *testing.T) {
		code, first := k.do(request(http.MethodPut, id, storagetest.Device, env.Bytes))
		if code != http.StatusCreated {
			t.Fatalf("got %d %s", code, first)
		}
		if _, err := wire.VerifyReceipt([]byte(first), k.pub, storagetest.Device, id, env.Digest); err != nil {
			t.Fatal(err)
		}
		if code, again := k.do(request(http.MethodPut, id, storagetest.Device, env.Bytes)); code != http.StatusOK || again != first {
			t.Fatalf("got %d %s", code, again)
		}
	})
	t.Run("store-with-a-fault", func(t *testing.T) {
		_ = k.store.Close()
		if code, body := k.do(request(http.MethodPut, id, storagetest.Device, env.Bytes)); code != 503 || body != `{"code":"store"}` {
			t.Fatalf("got %d %s", code, body)
		}
	})
}

func TestProfilesAndKeys(t *testing.T) {
	strangers, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	one, err := seal.NewPublicKeys(strangers.Public.Keys()[:1])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		profile ingest.Profile
		public  *seal.PublicKeys
		virtual []string
		want    int
		body    string
	}{
		{"production-real", ingest.Production, nil, nil, 201, ""},
		{"production-virtual-card", ingest.Production, nil, []string{"card"}, 422, `{"code":"virtual"}`},
		{"production-virtual-camera", ingest.Production, nil, []string{"camera"}, 422, `{"code":"virtual"}`},
		{"no-profile-is-production", "", nil, []string{"card"}, 422, `{"code":"virtual"}`},
		{"demo-virtual", ingest.Demo, nil, []string{"card"}, 201, ""},
		{"sealed-to-nobody-we-know", ingest.Demo, one, nil, 422, `{"code":"unknown-key"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, c.profile, c.public)
			r := storagetest.Record(storagetest.NewID(), 100)
			r.Virtual = c.virtual
			env, err := wire.Build(r, k.keys.Public, k.keys.Device, 1, storagetest.At())
			if err != nil {
				t.Fatal(err)
			}
			code, body := k.do(request(http.MethodPut, r.ID, r.Device, env.Bytes))
			if code != c.want || c.body != "" && body != c.body {
				t.Fatalf("got %d %s", code, body)
			}
			documented(t, code, body)
		})
	}
}
