package enroll

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	stdsync "sync"
	"sync/atomic"
	"time"

	"madoguchi/storage/devicekey"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
)

// FileRenewed is the file in the state directory with the renewed certificate and its key.
const FileRenewed = "tls.pem"

// Health is how the kiosk's certificate stands.
type Health string

// The states of a certificate.
const (
	Good        Health = "good"
	Due         Health = "due"           // the last third of its life: it is being renewed
	Expired     Health = "expired"       // HQ takes it no more: enrol again
	NotYetValid Health = "not-yet-valid" // this machine's clock is behind
)

// HealthOf says how a certificate stands at now.
func HealthOf(leaf *x509.Certificate, now time.Time) Health {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	switch {
	case now.Before(leaf.NotBefore):
		return NotYetValid
	case !now.Before(leaf.NotAfter):
		return Expired
	case leaf.NotAfter.Sub(now) <= life/3:
		return Due
	}
	return Good
}

// Renewer keeps the kiosk's certificate young and its list of HQ's keys new. Its methods may be called from anywhere;
// RenewIfDue and FetchKeys wait for each other.
type Renewer struct {
	bundle *sync.Bundle
	keys   *seal.Store
	path   string
	now    func() time.Time

	work    stdsync.Mutex
	current atomic.Pointer[tls.Certificate]
}

// NewRenewer takes over the bundle's TLS configuration: connections made from now on use the newest certificate, that
// of the bundle or the renewed one in the state directory. It is called before the first connection. A renewed file that
// does not fit (another device, a key of another TPM) is an error; delete it to begin with the bundle's own.
func NewRenewer(b *sync.Bundle, keys *seal.Store, stateDir string, now func() time.Time) (*Renewer, error) {
	r := &Renewer{bundle: b, keys: keys, path: filepath.Join(stateDir, FileRenewed), now: now}
	r.current.Store(&b.TLS.Certificates[0])
	renewed, err := r.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case renewed.Leaf.NotBefore.After(r.Leaf().NotBefore): // after a new enrolment the bundle's is the newest
		r.current.Store(renewed)
	}
	b.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return r.current.Load(), nil }
	return r, nil
}

// Leaf is the certificate in use.
func (r *Renewer) Leaf() *x509.Certificate { return r.current.Load().Leaf }

// Health is how the certificate in use stands.
func (r *Renewer) Health(now time.Time) Health { return HealthOf(r.Leaf(), now) }

// RenewIfDue renews the certificate when a third of its life, or less, is left. The new one is used only after HQ has
// answered a request made with it; until then, and whatever fails, the old one stays. ErrExpired: only a new enrolment
// helps. ErrRevoked: HQ has put this kiosk on its deny list.
func (r *Renewer) RenewIfDue(ctx context.Context, now time.Time) (renewed bool, err error) {
	r.work.Lock()
	defer r.work.Unlock()
	switch r.Health(now) {
	case Good:
		return false, nil
	case Expired:
		return false, ErrExpired
	case NotYetValid:
		return false, ErrClock
	case Due:
	}
	create := devicekey.NewFile
	if r.bundle.TPM != nil {
		create = r.bundle.TPM.Create
	}
	key, err := create()
	if err != nil {
		return false, err
	}
	req, err := NewRenewRequest(r.bundle.Device, key, r.bundle.Signer)
	if err != nil {
		return false, err
	}
	body, err := req.Encode()
	if err != nil {
		return false, err
	}
	raw, err := r.call(ctx, r.current.Load(), http.MethodPost, PathRenew, body, nil)
	if err != nil {
		return false, err
	}
	fresh, err := r.check(raw, key, now)
	if err != nil {
		return false, err
	}
	if _, err := r.call(ctx, fresh, http.MethodGet, PathKeys, nil, nil); err != nil {
		return false, fmt.Errorf("enroll: the new certificate does not work, the old one stays: %w", err)
	}
	if err := r.save(fresh, key); err != nil {
		return false, err
	}
	r.current.Store(fresh)
	return true, nil
}

func (r *Renewer) check(raw []byte, key devicekey.Key, now time.Time) (*tls.Certificate, error) {
	a, err := accept(raw, r.bundle.Device, publicKey{key}, now)
	if err != nil {
		return nil, err
	}
	if a.root.ID() != r.bundle.Root.ID() { // the root changes by a new enrolment only
		return nil, fmt.Errorf("%w: another root", ErrAnswer)
	}
	if !a.leaf.NotAfter.After(r.Leaf().NotAfter) {
		return nil, fmt.Errorf("%w: the new certificate ends no later than the old one", ErrAnswer)
	}
	cert, err := sync.Certificate(a.chain, key, r.bundle.Device)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return &cert, nil
}

// FetchKeys asks HQ for a newer list of its keys and takes it. The errors of seal.Store.Update are alarms.
func (r *Renewer) FetchKeys(ctx context.Context) (changed bool, err error) {
	r.work.Lock()
	defer r.work.Unlock()
	if r.Health(r.now()) == Expired {
		return false, ErrExpired
	}
	header := http.Header{"If-None-Match": {ETag(r.keys.List().Version)}}
	raw, err := r.call(ctx, r.current.Load(), http.MethodGet, PathKeys, nil, header)
	if err != nil || raw == nil {
		return false, err
	}
	return r.keys.Update(raw)
}

// ETag names a version of the key list in HTTP.
func ETag(version int64) string { return fmt.Sprintf(`"v%d"`, version) }

// call makes a connection of its own with the given certificate.
func (r *Renewer) call(ctx context.Context, cert *tls.Certificate, method, path string, body []byte, header http.Header) ([]byte, error) {
	u, err := parseURL(r.bundle.URL)
	if err != nil {
		return nil, err
	}
	cfg := r.bundle.TLS.Clone()
	cfg.Certificates = nil
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	cfg.Time = r.now
	c := &caller{base: u, client: newClient(cfg)}
	return c.do(ctx, method, path, body, header)
}

// maxRenewed bounds the file of the renewed certificate.
const maxRenewed = 64 << 10

// load reads the renewed certificate and its key: one file, so that the two change in one step.
func (r *Renewer) load() (*tls.Certificate, error) {
	info, err := os.Stat(r.path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: %w", r.path, devicekey.ErrMode)
	}
	raw, err := os.ReadFile(r.path)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	if len(raw) > maxRenewed {
		return nil, fmt.Errorf("enroll: %s is too large", FileRenewed)
	}
	block, chain := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("enroll: %s is not PEM", FileRenewed)
	}
	defer clear(block.Bytes)
	key, err := devicekey.Parse(pem.EncodeToMemory(block), func() (*devicekey.TPM, error) {
		if r.bundle.TPM == nil {
			return nil, devicekey.ErrNoTPM
		}
		return r.bundle.TPM, nil
	})
	if err != nil {
		return nil, fmt.Errorf("enroll: %s: %w", FileRenewed, err)
	}
	cert, err := sync.Certificate(chain, key, r.bundle.Device)
	return &cert, err
}

func (r *Renewer) save(cert *tls.Certificate, key devicekey.Key) error {
	raw, err := key.PEM()
	if err != nil {
		return err
	}
	defer func() { clear(raw) }()
	out := bytes.NewBuffer(make([]byte, 0, maxRenewed)) // never grows, so that no copy of the key is left behind
	out.Write(raw)
	for _, der := range cert.Certificate {
		if err := pem.Encode(out, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return err
		}
	}
	defer clear(out.Bytes())
	tmp, err := os.CreateTemp(filepath.Dir(r.path), ".tls-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(out.Bytes())
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), r.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(r.path))
}

// Finding is one thing that an operator should know, with its cure. Bad ones need a deed.
type Finding struct {
	Bad  bool
	What string
	Cure string
}

// Findings looks at a bundle and the state directory without the network and without private keys, for a doctor.
func Findings(bundleDir, stateDir string, now time.Time) []Finding {
	leaf, err := newestLeaf(bundleDir, stateDir)
	if err != nil {
		return []Finding{{true, "the kiosk has no enrolment bundle that can be read: " + err.Error(), "enrol with a new code (kioskctl enroll)"}}
	}
	var out []Finding
	end := leaf.NotAfter.UTC().Format(time.DateOnly)
	switch HealthOf(leaf, now) {
	case Expired:
		out = append(out, Finding{true, "the kiosk's certificate ended on " + end, "enrol again with a new code (kioskctl enroll); nothing in the queue is lost"})
	case NotYetValid:
		out = append(out, Finding{true, "the kiosk's certificate is not valid yet: the clock is behind", "set the clock (timedatectl)"})
	case Due:
		out = append(out, Finding{false, "the kiosk's certificate ends on " + end + " and is not renewed yet", "check the way to HQ: queue status"})
	case Good:
		out = append(out, Finding{false, "the kiosk's certificate is valid until " + end, ""})
	}
	return append(out, keyFindings(bundleDir, filepath.Join(stateDir, sync.FileKeys), now)...)
}

// keyFindings says which parts could not be sealed now.
func keyFindings(bundleDir, newer string, now time.Time) []Finding {
	raw, err := os.ReadFile(filepath.Join(bundleDir, sync.FileRoot))
	if err != nil {
		return []Finding{{true, "the bundle has no root", "enrol again"}}
	}
	root, err := seal.ParseRoot(raw)
	if err != nil {
		return []Finding{{true, "the bundle's root is malformed", "enrol again"}}
	}
	var best *seal.List
	for _, path := range []string{filepath.Join(bundleDir, sync.FileKeys), newer} {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if l, err := seal.VerifyList(raw, root); err == nil && (best == nil || l.Version > best.Version) {
			best = l
		}
	}
	if best == nil {
		return []Finding{{true, "there is no key list that HQ's root has signed", "enrol again"}}
	}
	valid := map[string]time.Time{}
	for _, k := range best.Keys {
		if p := string(k.Part); k.NotAfter.After(valid[p]) {
			valid[p] = k.NotAfter
		}
	}
	var out []Finding
	for _, k := range best.Keys {
		if p := string(k.Part); !now.Before(valid[p]) && !valid[p].IsZero() {
			out = append(out, Finding{true, "all of HQ's keys for " + p + " have ended: no customer can be taken", "bring the line to HQ back: it hands out the new list"})
			valid[p] = time.Time{}
		}
	}
	return out
}

func newestLeaf(bundleDir, stateDir string) (*x509.Certificate, error) {
	var best *x509.Certificate
	var first error
	for _, path := range []string{filepath.Join(bundleDir, sync.FileCert), filepath.Join(stateDir, FileRenewed)} {
		leaf, err := leafOf(path)
		if err != nil {
			first = errors.Join(first, err)
			continue
		}
		if best == nil || leaf.NotBefore.After(best.NotBefore) {
			best = leaf
		}
	}
	if best == nil {
		return nil, first
	}
	return best, nil
}

func leafOf(path string) (*x509.Certificate, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // named by the operator
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("enroll: %s holds no certificate", filepath.Base(path))
}
