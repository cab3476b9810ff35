package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"madoguchi/daemon/credential"
	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/ingest"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/witness"
	"madoguchi/storage/enroll"
	"madoguchi/storage/sync"
)

// runReceiver takes records until the context ends.
func runReceiver(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	f := flag.NewFlagSet("hqd receiver", flag.ContinueOnError)
	var dir string
	listen := f.String("listen", "127.0.0.1:8443", "address to listen on")
	limits := limitsFlags(f)
	profile := f.String("profile", string(ingest.Production), "production refuses every record with a virtual part; demo takes them")
	places := placesFlags(f)
	if err := parseRole(roleReceiver, f, args, &dir); err != nil {
		return err
	}
	l := setup.Layout(dir)
	o := ingest.Options{Devices: device.Dir(l.Devices()), Profile: ingest.Profile(*profile), Limits: limits.limits(), Now: time.Now, Log: log}
	if o.Profile != ingest.Production && o.Profile != ingest.Demo {
		return fmt.Errorf("unknown profile %q", *profile)
	}
	tlsConfig, err := receiverTLS(l)
	if err != nil {
		return err
	}
	enrol, keys, err := enrolment(l, log)
	if err != nil {
		return err
	}
	o.Keys = keys.Public()
	if err := receiverKeys(l, &o); err != nil {
		return err
	}
	records, err := places.writer(ctx, l, log)
	if err != nil {
		return err
	}
	defer func() { _ = records.Close() }()
	o.Store = records
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	limits.tune()
	r := ingest.New(o)
	s := newServer(routes(r, enrol, witness.Handler(witness.Options{Store: records, Devices: o.Devices, Now: time.Now, Log: log})), log)
	s.TLSConfig = tlsConfig
	if _, err := fmt.Fprintf(out, "hqd receiver: https://%s/ (profile %s)\n", ln.Addr(), o.Profile); err != nil {
		return err
	}
	return serve(ctx, s, ln, log, work{
		alive: places.alive(records.Ping, log), drain: r.Drain,
		beside: func(ctx context.Context) error { return maintain(ctx, records, log) },
	})
}

// routes puts the device API together.
func routes(records, enrol, seen http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{enroll.PathEnroll, enroll.PathRenew, enroll.PathKeys} {
		mux.Handle(path, enrol)
	}
	mux.Handle("/", records) // also for whatever else is asked for: its answers say what there is
	mux.Handle(witness.PathAudit, seen)
	mux.Handle(witness.PathHeartbeat, seen)
	return mux
}

// receiverTLS verifies a kiosk's certificate against HQ's own CA. One is not demanded by the TLS layer, because a kiosk
// that enrols has none yet; every handler but that one refuses who comes without.
func receiverTLS(l setup.Layout) (*tls.Config, error) {
	chain, err := os.ReadFile(filepath.Join(l.Receiver(), "server.crt.pem"))
	if err != nil {
		return nil, err
	}
	private, err := credential.FromEnvironment().Read(credential.ReceiverTLS, filepath.Join(l.Receiver(), "server.key.pem"))
	if err != nil {
		return nil, err
	}
	defer clear(private)
	cert, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(l.Receiver(), sync.FileCA))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA's certificate is malformed")
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
	}, nil
}

func receiverKeys(l setup.Layout, o *ingest.Options) error {
	private, err := credential.FromEnvironment().Read(credential.ReceiptKey, filepath.Join(l.Receiver(), setup.FileReceiptKey))
	if err != nil {
		return err
	}
	key, err := setup.ParseKey(private)
	if err != nil {
		return fmt.Errorf("%s: %w", setup.FileReceiptKey, err)
	}
	priv, ok := key.(ed25519.PrivateKey)
	if !ok {
		return errors.New("the receipt key is not Ed25519")
	}
	pub, ok := priv.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("the receipt key is not Ed25519")
	}
	o.Receipt, o.ReceiptKey = priv, setup.ReceiptKeyID(pub)
	return nil
}
