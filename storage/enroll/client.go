package enroll

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"madoguchi/storage/seal"
)

// Errors of the kiosk's side.
var (
	ErrRefused = errors.New("enroll: HQ refused the code: it is wrong, used, or too old, or not for this name; ask for a new one")
	ErrRevoked = errors.New("enroll: HQ has revoked this kiosk")
	ErrExpired = errors.New("enroll: the kiosk's certificate has ended; enrol again with a new code (kioskctl enroll)")
	ErrServer  = errors.New("enroll: the server is not the HQ that was pinned")
	ErrClock   = errors.New("enroll: HQ's certificate is not valid at this machine's time; check the clock")
	ErrBusy    = errors.New("enroll: HQ has no time now; try again later")
	ErrAnswer  = errors.New("enroll: HQ's answer does not fit what was asked")
	ErrNoHQ    = errors.New("enroll: HQ cannot be reached")
)

// Trust says how the kiosk knows HQ's server before it has a bundle. One of the two is needed.
type Trust struct {
	CA    []byte   // PEM of HQ's CA
	CAPin [32]byte // SHA-256 of the CA's certificate, as hqd prints it; used when CA is empty
	Root  [32]byte // SHA-256 of the root's public key; zero: the root that HQ tells is taken
}

// caller is one HTTP client for HQ.
type caller struct {
	client *http.Client
	base   *url.URL
	ca     []*x509.Certificate // what the server was verified with
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("enroll: HQ's address is https://HOST:PORT and nothing more")
	}
	u.Path = ""
	return u, nil
}

// newCaller makes the client of an enrolment: the server is verified, the kiosk has no certificate yet.
func newCaller(address string, trust Trust, now func() time.Time) (*caller, error) {
	u, err := parseURL(address)
	if err != nil {
		return nil, err
	}
	c := &caller{base: u}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, Time: now}
	switch {
	case len(trust.CA) > 0:
		if c.ca, err = parseCerts(trust.CA); err != nil {
			return nil, err
		}
		cfg.RootCAs = pool(c.ca)
	case trust.CAPin != [32]byte{}:
		// The standard check knows no pins; verifyPinned makes the same check with the pinned CA as the only root.
		cfg.InsecureSkipVerify = true //nolint:gosec // see above
		cfg.VerifyConnection = func(s tls.ConnectionState) error {
			ca, err := verifyPinned(s, trust.CAPin, u.Hostname(), now())
			c.ca = []*x509.Certificate{ca}
			return err
		}
	default:
		return nil, errors.New("enroll: the CA's file or its fingerprint is needed")
	}
	c.client = newClient(cfg)
	return c, nil
}

// newClient bounds everything a server can make the kiosk wait for, and follows no redirects.
func newClient(cfg *tls.Config) *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: cfg, ForceAttemptHTTP2: true, MaxConnsPerHost: 1, DisableKeepAlives: true,
			TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: 30 * time.Second, MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

func verifyPinned(s tls.ConnectionState, pin [32]byte, host string, now time.Time) (*x509.Certificate, error) {
	middle := x509.NewCertPool()
	var ca *x509.Certificate
	for _, c := range s.PeerCertificates {
		if sha256.Sum256(c.Raw) == pin && c.IsCA {
			ca = c
			continue
		}
		middle.AddCert(c)
	}
	if ca == nil {
		return nil, x509.UnknownAuthorityError{}
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: host, Roots: pool([]*x509.Certificate{ca}), Intermediates: middle, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return ca, err
}

// do sends one request and gives the body of a 200, or nil for a 304.
func (c *caller) do(ctx context.Context, method, path string, body []byte, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, header)
	res, err := c.client.Do(req)
	if err != nil {
		return nil, transportError(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	if err != nil {
		return nil, transportError(err)
	}
	if len(raw) > MaxAnswer {
		return nil, ErrAnswer
	}
	if res.StatusCode == http.StatusOK {
		return raw, nil
	}
	return nil, answerError(res.StatusCode, path, raw)
}

// answerError types an answer other than 200; nil for "nothing newer".
func answerError(status int, path string, raw []byte) error {
	var code struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(raw, &code) != nil || !seal.ValidKeyID(code.Code) {
		code.Code = "none"
	}
	switch {
	case status == http.StatusNotModified:
		return nil
	case status == http.StatusForbidden && path == PathEnroll:
		return ErrRefused
	case status == http.StatusGone && code.Code == "superseded": // the kiosk was enrolled again elsewhere
		return ErrExpired
	case status == http.StatusGone:
		return ErrRevoked
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return ErrBusy
	}
	return fmt.Errorf("%w: status %d, code %q", ErrAnswer, status, code.Code)
}

// transportError types what went wrong before there was an answer.
func transportError(err error) error {
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return fmt.Errorf("%w: %w", ErrClock, err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w: %w", ErrServer, err)
	}
	// Go gives the server's alerts no type of their own.
	if strings.Contains(err.Error(), "remote error: tls: expired certificate") {
		return fmt.Errorf("%w: %w", ErrExpired, err)
	}
	for _, is := range []func(error) bool{
		isA[x509.UnknownAuthorityError], isA[x509.HostnameError], isA[x509.CertificateInvalidError], isA[x509.UnhandledCriticalExtension],
	} {
		if is(err) {
			return fmt.Errorf("%w: %w", ErrServer, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrNoHQ, err)
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// accepted is an answer that was checked.
type accepted struct {
	chain  []byte // PEM, leaf first
	leaf   *x509.Certificate
	root   *seal.Root
	keys   []byte
	device string
}

// accept checks an answer: the certificate is for this key and this name, for a TLS client, valid now, and HQ's own CA
// vouches for it; the list is signed by the root.
func accept(raw []byte, device string, key interface{ Equal(x any) bool }, now time.Time) (*accepted, error) {
	a, err := ParseAnswer(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	out := &accepted{device: device, keys: a.Keys}
	middle, roots := x509.NewCertPool(), x509.NewCertPool()
	for i, der := range a.Chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, ErrAnswer
		}
		if i == 0 {
			out.leaf = cert
		}
		middle.AddCert(cert)
		out.chain = append(out.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	for _, der := range a.CA {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, ErrAnswer
		}
		roots.AddCert(cert)
	}
	if out.leaf == nil || a.Device != device || out.leaf.Subject.CommonName != device || out.leaf.IsCA || !key.Equal(out.leaf.PublicKey) {
		return nil, fmt.Errorf("%w: the certificate is for another name or key", ErrAnswer)
	}
	if _, err := out.leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: middle, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
			return nil, fmt.Errorf("%w: %w", ErrClock, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if out.root, err = seal.ParseRootDER(a.Root); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if _, err := seal.VerifyList(a.Keys, out.root); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return out, nil
}

func parseCerts(raw []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for len(bytes.TrimSpace(raw)) > 0 {
		block, rest := pem.Decode(raw)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("enroll: the CA's file is not a PEM certificate")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !cert.IsCA {
			return nil, errors.New("enroll: the CA's file is not the certificate of a CA")
		}
		out = append(out, cert)
		raw = rest
	}
	if len(out) == 0 {
		return nil, errors.New("enroll: the CA's file is empty")
	}
	return out, nil
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}
