package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"madoguchi/storage/devicekey"
)

// HQ are the senses towards HQ.
type HQ struct {
	Resolve func(ctx context.Context, host string) ([]string, error)
	Dial    func(ctx context.Context, address string) (net.Conn, error)
	Proxy   func(*http.Request) (*url.URL, error)
	// Client gives HQ's address and the TLS settings of the kiosk; release ends their use. Certified is false when the
	// private key cannot be read: then there is no certificate of the kiosk in them.
	Client func(bundle, state string) (c Client, release func(), err error)
}

// Client is how the kiosk goes to HQ.
type Client struct {
	URL       string
	TLS       *tls.Config
	Certified bool
}

// The limits of one step to HQ, and of its answer.
const (
	stepLimit = 5 * time.Second
	maxAnswer = 4 << 10
)

// probePath is asked for: it changes nothing at HQ, and every answer to it says what is to be known.
const probePath = "/v1/keys"

// hq goes the way to HQ: name, connection, TLS 1.3 with the bundle's CA and the kiosk's certificate, and one question.
func (v *visit) hq(ctx context.Context) {
	c, release, err := v.HQ.Client(v.cfg.HQ.Bundle, v.cfg.Kiosk.StateDir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.unchecked("hq", "the way to HQ", why(err))
		return
	case errors.Is(err, devicekey.ErrNoTPM), errors.Is(err, devicekey.ErrForeign), errors.Is(err, devicekey.ErrTPM), errors.Is(err, devicekey.ErrLost):
		v.bad("key-tpm", "the TPM does not give the kiosk's key", "see that the TPM is on (firmware) and /dev/tpmrm0 may be used; after another TPM or a cleared one, enrol with a new code")
		return
	case err != nil:
		v.bad("bundle-broken", "the enrolment bundle "+v.cfg.HQ.Bundle+" does not load", "kioskctl enroll check --dir "+v.cfg.HQ.Bundle+"; enrol with a new code")
		return
	}
	defer release()
	if v.cfg.HQ.URL != "" {
		c.URL = v.cfg.HQ.URL
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		v.bad("hq-address", "HQ's address is no https URL", "hq.url, or enrol anew")
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(u.String(), "/")+probePath, nil)
	if err != nil {
		v.unchecked("hq", "the way to HQ", "its address cannot be asked")
		return
	}
	proxy, err := v.HQ.Proxy(req)
	if err != nil {
		v.unchecked("hq", "the way to HQ", "the proxy's address in the environment is malformed")
		return
	}
	dial := v.HQ.Dial
	if proxy == nil {
		conn := v.reach(ctx, u)
		if conn == nil {
			return
		}
		defer func() { _ = conn.Close() }()
		dial = func(context.Context, string) (net.Conn, error) { return conn, nil }
	}
	v.ask(ctx, req, c, dial)
}

// reach looks the name up and connects, so that each failure has its own name.
func (v *visit) reach(ctx context.Context, u *url.URL) net.Conn {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*stepLimit)
	defer cancel()
	addresses, err := v.HQ.Resolve(ctx, host)
	if err != nil || len(addresses) == 0 {
		v.bad("hq-name", "the name of HQ ("+host+") is not known", "check the name server (/etc/resolv.conf, resolvectl), the line, and hq.url")
		return nil
	}
	for _, a := range addresses {
		conn, err := v.HQ.Dial(ctx, net.JoinHostPort(a, port))
		if err == nil {
			return conn
		}
	}
	v.bad("hq-connect", fmt.Sprintf("no connection to HQ (%s, %d addresses, port %s)", host, len(addresses), port),
		"check the line and the firewall (outbound TCP "+port+"), the address list of the unit (IPAddressAllow), and whether HQ runs")
	return nil
}

// ask makes the handshake and one request, on one connection.
func (v *visit) ask(ctx context.Context, req *http.Request, c Client, dial func(context.Context, string) (net.Conn, error)) {
	ctx, cancel := context.WithTimeout(ctx, 3*stepLimit)
	defer cancel()
	cfg := c.TLS.Clone()
	cfg.MinVersion = tls.VersionTLS13
	cfg.Time = v.Now
	transport := &http.Transport{
		Proxy: v.HQ.Proxy, TLSClientConfig: cfg, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, address) },
	}
	defer transport.CloseIdleConnections()
	before := v.Now()
	res, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		v.failed(err, c.Certified)
		return
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // only the head is wanted
	v.answered(res, c.Certified, before)
}

// failed names the reason of a failed handshake.
func (v *visit) failed(err error, certified bool) {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var op *net.OpError
	remote := errors.As(err, &op) && op.Op == "remote error"
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		v.bad("hq-certificate", "HQ's certificate is not valid at this clock's time", "set the clock (timedatectl); if it is right, HQ renews its certificate")
	case errors.As(err, &unknown), errors.As(err, &invalid):
		v.bad("hq-certificate", "HQ's certificate is not of the bundle's CA: another server, or a proxy that reads along", "take TLS inspection off this way; if HQ has a new CA, enrol with a new code")
	case errors.As(err, &name):
		v.bad("hq-certificate", "HQ's certificate is for another name", "hq.url must have the name that HQ's certificate is for")
	case remote && !certified && !isVersion(err):
		v.unchecked("hq", "whether HQ takes this kiosk's certificate", "its private key cannot be read; run it as root")
	case isVersion(err):
		v.bad("hq-version", "HQ's address does not speak TLS 1.3", "check what stands between the kiosk and HQ; HQ's own receiver speaks TLS 1.3 only")
	case remote:
		v.bad("hq-refused", "HQ refuses the kiosk's certificate", "see its days left; ask HQ whether the device is revoked; enrol with a new code")
	case errors.Is(err, context.DeadlineExceeded):
		v.bad("hq-silent", "HQ's address answers no handshake in time", "check the line, the proxy, and whether HQ runs")
	default:
		v.bad("hq-tls", "no TLS connection with HQ", "check what listens at HQ's address, the proxy, and whether HQ runs")
	}
}

// isVersion says whether the two sides have no version of TLS in common: crypto/tls has no type for it, only words.
func isVersion(err error) bool { return strings.Contains(err.Error(), "protocol version") }

// answered judges HQ's answer and its clock.
func (v *visit) answered(res *http.Response, certified bool, before time.Time) {
	switch {
	case !certified:
		v.unchecked("hq", "whether HQ takes this kiosk's certificate (TLS 1.3 with HQ works)", "its private key cannot be read; run it as root")
	case res.StatusCode == http.StatusGone:
		v.bad("hq-revoked", "HQ does not accept this kiosk any more", "ask HQ; enrol with a new code when it is allowed again")
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		v.bad("hq-refused", "HQ does not know this kiosk", "ask HQ whether the device is enrolled; enrol with a new code")
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNotFound: // an older HQ has no such path
		v.note("hq-trouble", fmt.Sprintf("HQ answers with status %d", res.StatusCode), "see HQ's journal; records wait, nothing is lost")
	default:
		v.good("hq", "HQ answers: name, connection, TLS 1.3, its certificate and the kiosk's")
	}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		if left := res.TLS.PeerCertificates[0].NotAfter.Sub(v.Now()); left < soon/2 {
			v.note("hq-certificate-ends", fmt.Sprintf("HQ's certificate ends in %d days", days(left)), "HQ renews it")
		}
	}
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		v.unchecked("hq-clock", "HQ's clock", "its answer has no date")
		return
	}
	// Date has whole seconds, and was set somewhere between the question and the answer.
	skew := at.Sub(before)
	if most := max(time.Duration(v.cfg.Upload.MaxSkewMinutes)*time.Minute, skewWorth); skew.Abs() > most {
		v.bad("hq-clock", "the clock differs from HQ's by "+skew.Round(time.Second).String(), "set the clock (timedatectl); if it is right, it is HQ's that is wrong")
	} else {
		v.good("hq-clock", "HQ's answer carries our time, to %s", skew.Abs().Round(time.Second))
	}
}
