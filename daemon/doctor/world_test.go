package doctor_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/doctor"
	"madoguchi/face"
	"madoguchi/face/models"
	"madoguchi/storage/audit"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// The uids of the world: root, kioskd's user, and a stranger.
const (
	root     = 0
	daemon   = 990
	stranger = 1000
)

// file is one entry of the tree.
type file struct {
	doctor.Info
	data string
	to   string // a link
	err  error
}

// tree is a machine's files, by path; folders above them are there by themselves.
type tree struct {
	files map[string]file
	disk  doctor.Disk
}

func (t *tree) get(name string) (file, error) {
	f, ok := t.files[name]
	switch {
	case ok:
		return f, f.err
	case len(t.under(name)) > 0:
		return file{Info: doctor.Info{Mode: fs.ModeDir | 0o755}}, nil
	}
	return file{}, fs.ErrNotExist
}

func (t *tree) under(dir string) []string {
	var out []string
	for name := range t.files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			out = append(out, first)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (t *tree) Lstat(name string) (doctor.Info, error) {
	f, err := t.get(name)
	return f.Info, err
}

func (t *tree) Stat(name string) (doctor.Info, error) {
	to, err := t.Resolve(name)
	if err != nil {
		return doctor.Info{}, err
	}
	return t.Lstat(to)
}

func (t *tree) Read(name string, most int64) ([]byte, error) {
	f, err := t.get(name)
	if err != nil {
		return nil, err
	}
	return []byte(f.data[:min(int64(len(f.data)), most)]), nil
}

func (t *tree) List(dir string) ([]string, error) {
	if f, ok := t.files[dir]; ok && f.err != nil {
		return nil, f.err
	}
	if _, err := t.get(dir); err != nil {
		return nil, err
	}
	return t.under(dir), nil
}

func (t *tree) Resolve(name string) (string, error) {
	f, err := t.get(name)
	if err == nil && f.to != "" {
		return f.to, nil
	}
	return path.Clean(name), err
}

func (t *tree) Disk(string) (doctor.Disk, error) { return t.disk, nil }

// put writes a file; an existing one keeps owner and mode.
func (t *tree) put(name, data string) {
	f, ok := t.files[name]
	if !ok {
		f = file{Info: doctor.Info{Mode: 0o644}}
	}
	f.data = data
	t.files[name] = f
}

func (t *tree) own(name string, mode fs.FileMode, uid, gid uint32) {
	f := t.files[name]
	f.Mode, f.UID, f.GID = mode, uid, gid
	t.files[name] = f
}

func (t *tree) deny(names ...string) {
	for _, name := range names {
		f := t.files[name]
		f.err = fs.ErrPermission
		t.files[name] = f
	}
}

// world is a kiosk in good health; a test makes it ill.
type world struct {
	*testing.T
	tree
	cfg      *config.Config
	probes   doctor.Probes
	live     doctor.Live
	liveErr  error
	server   *tls.Config // HQ's
	answer   http.HandlerFunc
	client   doctor.Client
	pki      *pki
	readers  []doctor.Reader
	usable   bool
	calib    face.Calibration
	inspect  audit.Inspected
	maxError time.Duration
}

const (
	state  = "/var/lib/madoguchi-kiosk"
	bundle = "/etc/madoguchi/bundle"
	unit   = "/usr/lib/systemd/system/madoguchi-kioskd.service"
	group  = "/sys/fs/cgroup/system.slice/madoguchi-kioskd.service"
	good   = "pbkdf2-sha256$210000$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

func newWorld(t *testing.T, p *pki) *world {
	w := &world{
		T: t, pki: p, usable: true, maxError: 3 * time.Millisecond,
		tree:    tree{files: map[string]file{}, disk: doctor.Disk{Type: 0xef53, Total: 100 << 30, Free: 50 << 30}},
		live:    doctor.Live{Room: "ok", Skew: time.Second, SkewKnown: true},
		readers: []doctor.Reader{{Name: "ACS", Presence: "empty", Used: true}},
		calib:   face.Calibration{ID: "a", Model: models.Name()},
		inspect: audit.Inspected{Size: 7},
		cfg: &config.Config{
			Production: true, Kiosk: config.Kiosk{StateDir: state, RuntimeDir: "/run/madoguchi-kiosk", ReserveMiB: 256},
			Devices: config.Devices{Reader: config.PCSC, Camera: config.V4L2}, Face: config.Face{Models: "/models", Calibration: "/cal.toml"},
			HQ: config.HQ{Bundle: bundle}, Upload: config.Upload{FreezeHours: 720, MaxSkewMinutes: 10},
			Staff: []config.Staff{{ID: "tanuki", Name: "狸 係員", PINHash: good}},
		},
		answer: func(http.ResponseWriter, *http.Request) {},
		server: &tls.Config{
			MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool, Certificates: []tls.Certificate{p.server},
		},
		client: doctor.Client{URL: "https://hq.example:8443", Certified: true, TLS: &tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: p.pool, Certificates: []tls.Certificate{p.kiosk},
		}},
	}
	w.layFiles()
	return w
}

// layFiles lays the files of an installed kiosk that runs.
func (w *world) layFiles() {
	for name, data := range map[string]string{
		"/etc/passwd":           "root:x:0:0::/root:/bin/sh\nmadoguchi-kiosk:x:990:990::/:/usr/sbin/nologin\n",
		"/etc/group":            "root:x:0:\nmadoguchi-kiosk:x:990:\nvideo:x:44:madoguchi-kiosk\n",
		"/run/systemd/system/x": "", "/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
		"/etc/systemd/system/multi-user.target.wants/madoguchi-kioskd.service": "",
		unit: "[Service]\nLimitCORE=0\nMemorySwapMax=0\n", group + "/cgroup.procs": "77\n", group + "/memory.swap.max": "0\n",
		"/proc/77/limits": "Limit  Soft Limit  Hard Limit  Units\nMax core file size        0                    0                    bytes\n",
		"/proc/swaps":     "Filename Type Size Used Priority\n", "/proc/sys/kernel/core_pattern": "|/bin/false\n",
		"/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy": "", "/usr/share/polkit-1/rules.d/50-madoguchi-kiosk.rules": "",
		"/etc/credstore.encrypted/device-key": "sealed", "/etc/credstore.encrypted/kiosk-tls-key": "sealed",
	} {
		w.put(name, data)
	}
	for name, data := range map[string]string{
		"/etc/madoguchi/kiosk.toml": "", bundle + "/ca.crt.pem": w.pki.caPEM, bundle + "/kiosk.crt.pem": w.pki.kioskPEM,
		bundle + "/root.pub.pem": w.pki.rootPEM, bundle + "/keys.json": w.pki.list(w.T, nil), bundle + "/kiosk.toml": "",
	} {
		w.put(name, data)
		w.own(name, 0o640, root, daemon)
	}
	w.own(bundle, fs.ModeDir|0o750, root, daemon)
	for _, dir := range []string{state, state + "/queue", state + "/queue/shelf", state + "/audit", "/run/madoguchi-kiosk"} {
		w.own(dir, fs.ModeDir|0o700, daemon, daemon)
	}
	for _, name := range []string{
		state + "/queue/index.db", state + "/queue/lock", state + "/queue/reserve", state + "/queue/spare", state + "/audit/audit-0123456789abcdef.log",
		"/run/madoguchi-kiosk/control.sock", "/run/madoguchi-kiosk/launcher.sock",
	} {
		w.own(name, 0o600, daemon, daemon)
	}
	for name, blocks := range map[string]int64{"reserve": 4 << 20, "spare": 16 << 20} {
		f := w.files[state+"/queue/"+name]
		f.Blocks = blocks
		w.files[state+"/queue/"+name] = f
	}
	w.own("/dev/video0", fs.ModeDevice|fs.ModeCharDevice|0o660, root, daemon)
}

// examine starts HQ and lets the doctor look.
func (w *world) examine() []doctor.Finding {
	hq := httptest.NewUnstartedServer(w.answer)
	hq.TLS = w.server
	hq.Config.ErrorLog = log.New(io.Discard, "", 0)
	hq.StartTLS()
	defer hq.Close()
	p := doctor.Probes{
		Config: "/etc/madoguchi/kiosk.toml", Load: func(string) (*config.Config, error) { return w.cfg, nil }, Files: &w.tree, Now: time.Now,
		Environ:    func(string) string { return "" },
		Clock:      func() (doctor.Clock, error) { return doctor.Clock{MaxError: w.maxError}, nil },
		Live:       func(context.Context, string) (doctor.Live, error) { return w.live, w.liveErr },
		Audit:      func(context.Context, string) (int64, error) { return 7, nil },
		AuditFiles: func(string) (audit.Inspected, error) { return w.inspect, nil },
		Readers:    func(context.Context, string) ([]doctor.Reader, error) { return w.readers, nil },
		Camera:     func(context.Context, string) (bool, error) { return w.usable, nil },
		Models:     func(string) error { return nil },
		Calibration: func(string) (*face.Calibration, error) {
			return &w.calib, nil
		},
		Picture: func(context.Context) error { return nil },
		HQ: doctor.HQ{
			Resolve: func(context.Context, string) ([]string, error) { return []string{"192.0.2.10"}, nil },
			Dial: func(ctx context.Context, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", hq.Listener.Addr().String())
			},
			Proxy:  func(*http.Request) (*url.URL, error) { return nil, nil },
			Client: func(string, string) (doctor.Client, func(), error) { return w.client, func() {}, nil },
		},
	}
	merge(&p, w.probes)
	return doctor.Examine(w.Context(), p)
}

// merge takes over the probes that a test has replaced.
func merge(p *doctor.Probes, by doctor.Probes) {
	if by.Files != nil {
		p.Files = by.Files
	}
	if by.Load != nil {
		p.Load = by.Load
	}
	if by.Clock != nil {
		p.Clock = by.Clock
	}
	if by.Audit != nil {
		p.Audit = by.Audit
	}
	if by.AuditFiles != nil {
		p.AuditFiles = by.AuditFiles
	}
	if by.Readers != nil {
		p.Readers = by.Readers
	}
	if by.Camera != nil {
		p.Camera = by.Camera
	}
	if by.Models != nil {
		p.Models = by.Models
	}
	if by.Calibration != nil {
		p.Calibration = by.Calibration
	}
	if by.Picture != nil {
		p.Picture = by.Picture
	}
	if by.HQ.Resolve != nil {
		p.HQ.Resolve = by.HQ.Resolve
	}
	if by.HQ.Dial != nil {
		p.HQ.Dial = by.HQ.Dial
	}
	if by.HQ.Proxy != nil {
		p.HQ.Proxy = by.HQ.Proxy
	}
	if by.HQ.Client != nil {
		p.HQ.Client = by.HQ.Client
	}
}

// pki is a CA with HQ's and the kiosk's certificates, and HQ's root with its keys.
type pki struct {
	ca       *x509.Certificate
	caKey    crypto.Signer
	pool     *x509.CertPool
	caPEM    string
	server   tls.Certificate
	kiosk    tls.Certificate
	kioskPEM string
	root     ed25519.PrivateKey
	rootPEM  string
	keys     []seal.Key
}

const day = 24 * time.Hour

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{pool: x509.NewCertPool()}
	now := time.Now()
	made := p.issue(t, "ca", now.Add(-day), now.Add(3650*day))
	p.ca, p.caKey = made.Leaf, made.PrivateKey.(crypto.Signer)
	p.pool.AddCert(p.ca)
	p.caPEM = chainPEM(made)
	p.server = p.issue(t, "hq.example", now.Add(-day), now.Add(365*day))
	p.kiosk = p.issue(t, "kiosk-1", now.Add(-day), now.Add(89*day))
	p.kioskPEM = chainPEM(p.kiosk)
	var err error
	if _, p.root, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	r, err := seal.NewRoot(p.root.Public())
	if err != nil {
		t.Fatal(err)
	}
	p.rootPEM = string(r.PEM())
	for _, part := range record.Parts() {
		k, err := seal.KEM().GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		p.keys = append(p.keys, seal.Key{ID: "k-" + strings.ReplaceAll(string(part), "_", "-"), Part: part, NotAfter: now.Add(365 * day), Public: k.PublicKey()})
	}
	return p
}

// issue makes a certificate; the first one is the CA's.
func (p *pki) issue(t *testing.T, name string, from, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, DNSNames: []string{name},
	}
	parent, signer := p.ca, p.caKey
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage, c.DNSNames = true, true, x509.KeyUsageCertSign, nil, nil
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func chainPEM(c tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
}

// list signs a list of HQ's keys, changed before by change.
func (p *pki) list(t *testing.T, change func(*seal.List)) string {
	t.Helper()
	now := time.Now()
	l := &seal.List{
		Version: 3, Issued: now, Keys: slices.Clone(p.keys),
		Receipts: []seal.ReceiptKey{{ID: "r-1", NotBefore: now.Add(-day), NotAfter: now.Add(365 * day), Public: p.root.Public().(ed25519.PublicKey)}},
	}
	if change != nil {
		change(l)
	}
	b, err := l.Sign(p.root)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
