package doctor_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"time"

	"madoguchi/daemon/doctor"
	"madoguchi/storage/devicekey"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

func sha(b []byte) [32]byte { return sha256.Sum256(b) }

func certificateIllnesses() []illness {
	leaf := func(from, to time.Duration) func(*world) {
		return func(w *world) {
			w.put(bundle+"/kiosk.crt.pem", chainPEM(w.pki.issue(w.T, "kiosk-1", time.Now().Add(from), time.Now().Add(to))))
		}
	}
	list := func(change func(*seal.List)) func(*world) {
		return func(w *world) { w.put(bundle+"/keys.json", w.pki.list(w.T, change)) }
	}
	return []illness{
		{"a-third-and-a-bit-left", leaf(-59*day, 31*day), nil},
		{"less-than-a-third-left", leaf(-61*day, 29*day), []string{"certificate-due bad"}},
		{"renewed", func(w *world) {
			leaf(-61*day, 29*day)(w)
			w.put(state+"/tls.pem", chainPEM(w.pki.issue(w.T, "kiosk-1", time.Now().Add(-day), time.Now().Add(89*day))))
			w.own(state+"/tls.pem", 0o600, daemon, daemon)
		}, nil},
		{"enrolled-after-the-renewal", func(w *world) {
			w.put(state+"/tls.pem", chainPEM(w.pki.issue(w.T, "kiosk-1", time.Now().Add(-91*day), time.Now().Add(-day))))
			w.own(state+"/tls.pem", 0o600, daemon, daemon)
		}, nil},
		{"renewed-unseen", func(w *world) { w.deny(state + "/tls.pem") }, []string{"certificate ?", "state-rights ?"}},
		{"ended", leaf(-91*day, -day), []string{"certificate-ended bad"}},
		{"not-yet", leaf(day, 91*day), []string{"certificate-early bad"}},
		{"no-certificate", func(w *world) { w.put(bundle+"/kiosk.crt.pem", "x") }, []string{"bundle-broken bad"}},
		{"no-ca", func(w *world) { w.put(bundle+"/ca.crt.pem", "x") }, []string{"bundle-broken bad"}},
		{"ca-unseen", func(w *world) { w.deny(bundle + "/ca.crt.pem") }, []string{"bundle-rights ?", "ca ?"}},
		{"ca-ends", func(w *world) {
			w.put(bundle+"/ca.crt.pem", chainPEM(w.pki.issue(w.T, "ca", time.Now().Add(-day), time.Now().Add(89*day))))
		}, []string{"ca-ends note"}},
		{"ca-ended", func(w *world) {
			w.put(bundle+"/ca.crt.pem", chainPEM(w.pki.issue(w.T, "ca", time.Now().Add(-2*day), time.Now().Add(-day))))
		}, []string{"ca-ended bad"}},
		{"issuer-ended", func(w *world) {
			w.put(bundle+"/kiosk.crt.pem", w.pki.kioskPEM+chainPEM(w.pki.issue(w.T, "issuer", time.Now().Add(-2*day), time.Now().Add(-day))))
		}, []string{"ca-ended bad"}},
		{"list-forged", func(w *world) { w.put(bundle+"/keys.json", "{}") }, []string{"hq-keys-broken bad"}},
		{"no-root", func(w *world) { w.put(bundle+"/root.pub.pem", "x") }, []string{"hq-keys-broken bad"}},
		{"list-unseen", func(w *world) { w.deny(bundle + "/keys.json") }, []string{"bundle-rights ?", "hq-keys ?"}},
		{"newer-list", func(w *world) {
			list(func(l *seal.List) { l.Receipts = nil })(w)
			w.put(state+"/keys.json", w.pki.list(w.T, func(l *seal.List) { l.Version = 4 }))
			w.own(state+"/keys.json", 0o600, daemon, daemon)
		}, nil},
		{"key-ended", list(func(l *seal.List) { l.Keys[0].NotAfter = time.Now().Add(-day) }), []string{"hq-keys-ended bad"}},
		{"key-not-yet", list(func(l *seal.List) { l.Keys[0].NotBefore = time.Now().Add(day) }), []string{"hq-keys-ended bad"}},
		{"key-ends", list(func(l *seal.List) { l.Keys[0].NotAfter = time.Now().Add(29 * day) }), []string{"hq-keys-end note"}},
		{"no-key-for-images", list(func(l *seal.List) { l.Keys = without(l.Keys, record.PartImages) }), []string{"hq-keys-missing bad"}},
		{"no-key-for-my-number", list(func(l *seal.List) { l.Keys = without(l.Keys, record.PartMyNumber) }), nil},
		{"no-receipt-keys", list(func(l *seal.List) { l.Receipts = nil }), []string{"receipt-keys-missing bad"}},
		{"receipt-key-ended", list(func(l *seal.List) { l.Receipts[0].NotAfter = time.Now().Add(-time.Hour) }), []string{"receipt-keys-missing bad"}},
	}
}

func without(keys []seal.Key, part record.Part) []seal.Key {
	var out []seal.Key
	for _, k := range keys {
		if k.Part != part {
			out = append(out, k)
		}
	}
	return out
}

// at is HQ with another clock.
func at(shift time.Duration) func(*world) {
	return func(w *world) {
		w.answer = func(res http.ResponseWriter, _ *http.Request) {
			res.Header().Set("Date", time.Now().Add(shift).UTC().Format(http.TimeFormat))
		}
	}
}

func says(status int) func(*world) {
	return func(w *world) {
		w.answer = func(res http.ResponseWriter, _ *http.Request) { res.WriteHeader(status) }
	}
}

func client(err error) func(*world) {
	return func(w *world) {
		w.probes.HQ.Client = func(string, string) (doctor.Client, func(), error) { return doctor.Client{}, func() {}, err }
	}
}

func nobody(w *world) { w.client.TLS.Certificates, w.client.Certified = nil, false }

func hqIllnesses() []illness {
	return []illness{
		{"bundle-unseen", client(fs.ErrPermission), []string{"hq ?"}},
		{"bundle-does-not-load", client(errors.New("x")), []string{"bundle-broken bad"}},
		{"tpm-gone", client(devicekey.ErrForeign), []string{"key-tpm bad"}},
		{"no-https", func(w *world) { w.cfg.HQ.URL = "http://hq.example" }, []string{"hq-address bad"}},
		{"no-name", func(w *world) {
			w.probes.HQ.Resolve = func(context.Context, string) ([]string, error) { return nil, &net.DNSError{} }
		}, []string{"hq-name bad"}},
		{"no-connection", func(w *world) {
			w.probes.HQ.Dial = func(context.Context, string) (net.Conn, error) { return nil, &net.OpError{Op: "dial", Err: io.EOF} }
		}, []string{"hq-connect bad"}},
		{"proxy-malformed", func(w *world) {
			w.probes.HQ.Proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("x") }
		}, []string{"hq ?"}},
		{"another-ca", func(w *world) { w.client.TLS.RootCAs = x509.NewCertPool() }, []string{"hq-certificate bad"}},
		{"another-name", func(w *world) { w.client.URL = "https://other.example" }, []string{"hq-certificate bad"}},
		{"hq-certificate-ended", func(w *world) {
			w.server.Certificates = []tls.Certificate{w.pki.issue(w.T, "hq.example", time.Now().Add(-2*day), time.Now().Add(-day))}
		}, []string{"hq-certificate bad"}},
		{"hq-certificate-ends", func(w *world) {
			w.server.Certificates = []tls.Certificate{w.pki.issue(w.T, "hq.example", time.Now().Add(-2*day), time.Now().Add(14*day))}
		}, []string{"hq-certificate-ends note"}},
		{"old-tls", func(w *world) { w.server.MinVersion, w.server.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, []string{"hq-version bad"}},
		{"not-taken", func(w *world) { w.server.ClientCAs = x509.NewCertPool() }, []string{"hq-refused bad"}},
		{"nobody-at-a-strict-server", nobody, []string{"hq ?"}},
		{"nobody-at-a-lenient-server", func(w *world) { nobody(w); w.server.ClientAuth = tls.VerifyClientCertIfGiven }, []string{"hq ?"}},
		{"unknown-to-hq", says(http.StatusForbidden), []string{"hq-refused bad"}},
		{"revoked", says(http.StatusGone), []string{"hq-revoked bad"}},
		{"hq-ill", says(http.StatusServiceUnavailable), []string{"hq-trouble note"}},
		{"clock-near", at(9 * time.Minute), nil},
		{"clock-far", at(-11 * time.Minute), []string{"hq-clock bad"}},
		{"no-date", func(w *world) {
			w.answer = func(res http.ResponseWriter, _ *http.Request) { res.Header()["Date"] = nil }
		}, []string{"hq-clock ?"}},
		{"cut-off", func(w *world) { w.server.GetConfigForClient = cut }, []string{"hq-tls bad"}},
		{"silent", func(w *world) {
			w.probes.HQ.Dial = func(context.Context, string) (net.Conn, error) { return deaf{}, nil }
		}, []string{"hq-silent bad"}},
	}
}

// cut ends the connection in the middle of the handshake.
func cut(h *tls.ClientHelloInfo) (*tls.Config, error) { return nil, h.Conn.Close() }

// deaf is a connection whose deadline passes at once.
type deaf struct{ net.Conn }

func (deaf) Read([]byte) (int, error)         { return 0, context.DeadlineExceeded }
func (deaf) Write(b []byte) (int, error)      { return len(b), nil }
func (deaf) Close() error                     { return nil }
func (deaf) SetDeadline(time.Time) error      { return nil }
func (deaf) SetReadDeadline(time.Time) error  { return nil }
func (deaf) SetWriteDeadline(time.Time) error { return nil }
