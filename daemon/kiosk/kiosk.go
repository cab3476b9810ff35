// Package kiosk wires the daemon of one kiosk: it opens the devices that the configuration names, joins them with
// daemon/session, and runs until its context ends. Only daemon/kioskd and tests import it.
package kiosk

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"madoguchi/daemon/config"
	"madoguchi/daemon/control"
	"madoguchi/daemon/credential"
	"madoguchi/daemon/launcher"
	"madoguchi/daemon/notify"
	"madoguchi/daemon/session"
	"madoguchi/daemon/staff"
	"madoguchi/face/jp2"
	"madoguchi/storage/audit"
	"madoguchi/storage/devicekey"
	"madoguchi/storage/enroll"
	"madoguchi/storage/outbox"
	"madoguchi/storage/queue"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
	"madoguchi/ui/console"
	"madoguchi/ui/hub"
	"madoguchi/ui/screen"
)

// Version is the version of the product; the build sets it.
var Version = "0.1.0-dev" //nolint:gochecknoglobals // set by the linker

// Run runs a kiosk until ctx ends. Addresses of the pages go to out, one a line; everything else to log.
func Run(ctx context.Context, cfg *config.Config, out io.Writer, log *slog.Logger) error {
	k, err := open(cfg, log)
	if err != nil {
		return err
	}
	defer k.close()
	return k.run(ctx, out)
}

type kiosk struct {
	cfg     *config.Config
	log     *slog.Logger
	devices *devices
	queue   *queue.Queue
	audit   *audit.Log
	journal *journal
	rules   rules
	roster  *staff.Roster
	keys    *seal.Store     // HQ's keys
	renewer *enroll.Renewer // of the kiosk's certificate
	client  *http.Client    // to HQ
	tpm     *devicekey.TPM  // nil when no key is in one
	started time.Time
	device  *ecdsa.PublicKey            // of the device key
	working atomic.Bool                 // somebody is in maintenance
	levels  atomic.Pointer[sync.Levels] // of the uploader
	up      *sync.Uploader
	hub     *hub.Hub
	console *console.Server
	session *session.Session
	page    net.Listener
	staff   net.Listener
	inputs  chan screen.Input
	acts    chan console.Input
	opened  chan struct{}
	done    chan struct{}
}

func open(cfg *config.Config, log *slog.Logger) (_ *kiosk, err error) {
	k := &kiosk{started: time.Now(), cfg: cfg, log: log, inputs: make(chan screen.Input), acts: make(chan console.Input), opened: make(chan struct{}), done: make(chan struct{})}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	for _, dir := range []string{cfg.Kiosk.StateDir, cfg.Kiosk.RuntimeDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	bundle, err := loadBundle(cfg.HQ.Bundle, log)
	if err != nil {
		return nil, fmt.Errorf("enrolment bundle: %w", err)
	}
	if err := k.openEnrolment(bundle); err != nil {
		return nil, err
	}
	if err := k.openStorage(bundle); err != nil {
		return nil, err
	}
	if err := k.openRules(bundle); err != nil {
		return nil, err
	}
	if k.up, err = k.uploader(bundle); err != nil {
		return nil, err
	}
	if k.devices, err = openDevices(cfg, log); err != nil {
		return nil, err
	}
	k.fitCalibration()
	if err := k.listen(); err != nil {
		return nil, err
	}
	if k.roster, err = staff.NewRoster(members(cfg), time.Now); err != nil {
		return nil, err
	}
	d := k.devices
	deps := session.Deps{
		Profile: k.rules.active.Services[0].Profile, Methods: k.rules.active.Table, Device: bundle.Device, Version: Version, Reader: d.reader, Camera: d.camera,
		Trust: d.trust, TrustVirtual: d.trustTest, Authorities: d.authorities, Engine: d.engine,
		Calibration: d.calibration, DecodeFace: jp2.Decode,
		Store: store{&outbox.Outbox{
			Queue: k.queue, Keys: bundle.Keys, Signer: bundle.Signer, Device: bundle.Device, Now: time.Now, Audit: k.audit,
		}, k.journal, &k.levels, cfg.Upload},
		Queue: k.waiting, Kiosk: k.hub, Staff: k.console, Roster: k.roster, Audit: k.journal.note, Now: time.Now, Log: log,
	}
	if d.developer != nil {
		deps.Developer = d.developer
	}
	k.session = session.New(deps)
	return k, nil
}

// loadBundle reads the enrolment bundle; its private keys come from systemd's credentials where the unit delivers them.
func loadBundle(dir string, log *slog.Logger) (*sync.Bundle, error) {
	source := credential.FromEnvironment()
	return sync.LoadBundleWith(dir, func(file string) ([]byte, error) {
		name := credential.DeviceKey
		if file == sync.FileKey {
			name = credential.KioskTLS
		}
		log.Info("private key", slog.String("name", name), slog.Bool("credential", source.Has(name)))
		return source.Read(name, filepath.Join(dir, file))
	})
}

func (k *kiosk) uploader(b *sync.Bundle) (*sync.Uploader, error) {
	url := b.URL
	if k.cfg.HQ.URL != "" {
		url = k.cfg.HQ.URL
	}
	return sync.New(sync.Options{
		Queue: k.queue, Client: k.client, URL: url, Newer: func() wire.ReceiptKeys { return sync.ReceiptKeysOf(k.keys.Receipts()) },
		Device: b.Device, Receipts: b.Receipts, Now: time.Now,
		Audit: k.audit, Beat: k.beat, Rate: k.cfg.Upload.MaxKiBPerSecond << 10,
		Report: func(l sync.Levels) {
			k.levels.Store(&l)
			k.log.Info("upload", slog.Int("waiting", l.Waiting), slog.Int("shelved", l.Shelved), slog.String("error", l.LastError))
		},
	})
}

// beat is what HQ hears of this kiosk beside the queue and the audit log.
func (k *kiosk) beat() sync.Beat {
	b := sync.Beat{Version: versionWord(Version), Started: k.started.UTC(), State: "starting"}
	if k.session != nil {
		b.State, b.Reader, b.Camera = k.session.Levels()
	}
	return b
}

// waiting is what staff see of the queue.
func (k *kiosk) waiting() session.Queue {
	st := k.queue.Stats()
	return session.Queue{Waiting: st.Waiting, Oldest: st.Oldest}
}

func members(cfg *config.Config) []staff.Member {
	var out []staff.Member
	for _, s := range cfg.Staff {
		out = append(out, staff.Member{ID: s.ID, Name: s.Name, Hash: s.PINHash})
	}
	return out
}

// listen opens both listeners first, so that the exact Host of each page is known.
func (k *kiosk) listen() (err error) {
	if k.page, err = listenLoopback(k.cfg.Kiosk.Listen); err != nil {
		return fmt.Errorf("kiosk.listen: %w", err)
	}
	if k.staff, err = listenLoopback(k.cfg.Kiosk.StaffListen); err != nil {
		return fmt.Errorf("kiosk.staff_listen: %w", err)
	}
	k.hub = hub.New(hub.Options{
		Host: k.page.Addr().String(), HashFile: filepath.Join(k.cfg.Kiosk.RuntimeDir, "page-secret.sha256"),
		Input: func(in screen.Input) { pass(k, k.inputs, in) }, Log: k.log,
	})
	k.console = console.New(console.Options{
		Host: k.staff.Addr().String(), Origin: "http://" + k.staff.Addr().String(),
		Input:  func(in console.Input) { pass(k, k.acts, in) },
		Opened: func(uint64) { pass(k, k.opened, struct{}{}) }, Log: k.log,
	})
	return nil
}

// pass hands an input on; a page that presses during the shutdown is not waited for.
func pass[T any](k *kiosk, to chan<- T, in T) {
	select {
	case to <- in:
	case <-k.done:
	}
}

// listenLoopback refuses every address that others could reach: TLS for the staff page comes with the staff issue.
func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, errors.New("only a loopback address (127.0.0.1:PORT) is allowed")
	}
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
}

func (k *kiosk) run(ctx context.Context, out io.Writer) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.session.Run(ctx) })
	group.Go(func() error { return k.up.Run(ctx) })
	group.Go(func() error { return serve(ctx, k.page, k.hub) })
	group.Go(func() error { return serve(ctx, k.staff, k.console) })
	group.Go(func() error { return k.forward(ctx) })
	group.Go(func() error { return k.journal.run(ctx) })
	group.Go(func() error { return k.watchRules(ctx) })
	group.Go(func() error { return k.keepEnrolled(ctx) })
	group.Go(func() error {
		return control.Serve(ctx, filepath.Join(k.cfg.Kiosk.RuntimeDir, control.Socket), hand{k})
	})
	group.Go(func() error {
		return launcher.Serve(ctx, filepath.Join(k.cfg.Kiosk.RuntimeDir, "launcher.sock"), k.address)
	})
	systemd := notify.New(k.log)
	context.AfterFunc(ctx, systemd.Stopping)
	group.Go(func() error { return systemd.Live(ctx, k.session.Ping) })
	if k.devices.control != nil {
		group.Go(func() error { return k.devices.control.Serve(ctx, k.cfg.Devices.Control) })
	}
	if k.cfg.Kiosk.PrintURL {
		_, _ = fmt.Fprintf(out, "kiosk: %s\nstaff: http://%s/\n", k.address(), k.staff.Addr())
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) || errors.Is(err, errSwitch) {
		return nil
	}
	return err
}

// address is the page's address with a new one-time token.
func (k *kiosk) address() string {
	return fmt.Sprintf("http://%s/#t=%s", k.page.Addr(), k.hub.MintToken())
}

// forward carries the inputs of both pages to the session, in order, while it runs.
func (k *kiosk) forward(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case in := <-k.inputs:
			k.session.Customer(ctx, in)
		case in := <-k.acts:
			k.session.StaffInput(ctx, in)
		case <-k.opened:
			k.session.Refresh(ctx)
		}
	}
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	return srv.Serve(l)
}

func (k *kiosk) close() {
	close(k.done)
	if k.hub != nil {
		k.hub.Close()
	}
	if k.console != nil {
		k.console.Close()
	}
	for _, l := range []net.Listener{k.page, k.staff} {
		if l != nil {
			_ = l.Close()
		}
	}
	if k.devices != nil {
		k.devices.close()
	}
	if k.journal != nil {
		k.journal.finish()
	}
	if k.audit != nil {
		_ = k.audit.Close()
	}
	if k.queue != nil {
		_ = k.queue.Close()
	}
	if k.tpm != nil {
		k.tpm.Close()
	}
}
