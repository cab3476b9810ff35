package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/finding"
	"madoguchi/daemon/hq/page"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/viewlog"
	"madoguchi/face/jp2"
	"madoguchi/storage/record"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// runOpener serves HQ's page until the context ends. Which parts it may open is its role: the My Number and the
// certificate are not in the default one (duties 4 and 6).
func runOpener(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	f := flag.NewFlagSet("hqd opener", flag.ContinueOnError)
	var dir string
	listen := f.String("listen", "127.0.0.1:8444", "loopback address to listen on")
	addressFile := f.String("address-file", "", "write the page's address with its token there (0600), not to stdout")
	parts := f.String("parts", "identity,images,evidence", "the parts whose opening keys this role loads")
	tokens := f.String("tokens", "", "file that names the PKCS #11 tokens with opening keys; without it all keys are files")
	incomplete := f.String("incomplete", "refuse", "exports of verification records that are not complete: refuse or watermark")
	places := placesFlags(f)
	if err := parseRole(roleOpener, f, args, &dir); err != nil {
		return err
	}
	l := setup.Layout(dir)
	role, err := partsOf(*parts)
	if err != nil {
		return err
	}
	keys, closeKeys, err := openKeys(l, *tokens, role, log)
	if err != nil {
		return err
	}
	defer closeKeys()
	o, err := newOpener(ctx, l, places, keys, log)
	if err != nil {
		return err
	}
	defer func() { _ = o.Store.Close() }()
	findings, err := finding.Open(ctx, l.Findings())
	if err != nil {
		return err
	}
	defer func() { _ = findings.Close() }()
	worker := &finding.Worker{Opener: o, DB: findings, Parts: role, Now: time.Now, Log: log}
	views, err := viewlog.Open(ctx, l.Views())
	if err != nil {
		return err
	}
	defer func() { _ = views.Close() }()
	verifications, kept, closeKept, err := openKept(ctx, l, *incomplete)
	if err != nil {
		return err
	}
	defer closeKept()
	ln, err := listenLoopback(ctx, *listen)
	if err != nil {
		return err
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	token := hex.EncodeToString(raw)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	h := page.Handler(page.Options{
		Opener: o, Store: o.Store, Findings: findings, Views: views, Token: token, Hosts: []string{ln.Addr().String(), "localhost:" + port},
		Kakunin: verifications, Retention: kept, Face: jp2.Decode, Now: time.Now, Log: log,
	})
	if err := announce(out, *addressFile, fmt.Sprintf("http://%s/#t=%s", ln.Addr(), token)); err != nil {
		return err
	}
	return serve(ctx, newServer(h, log), ln, log, work{alive: places.alive(there(o.Store.Ping), log), beside: worker.Run})
}

// there is a ping for which a store that the receiver has not made yet is no reason to be restarted.
func there(ping func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := ping(ctx); !errors.Is(err, store.ErrNotThere) {
			return err
		}
		return nil
	}
}

// announce tells the page's address with its token: to the terminal, or to a file, because a journal would keep it.
func announce(out io.Writer, file, address string) error {
	if file == "" {
		_, err := fmt.Fprintf(out, "hqd opener: %s\n", address)
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, []byte(address+"\n"), 0o600)
}

// partsOf reads a list of parts.
func partsOf(list string) (parts []record.Part, err error) {
	for name := range strings.SplitSeq(list, ",") {
		if record.MaxPart(record.Part(name)) == 0 {
			return nil, fmt.Errorf("unknown part %q", name)
		}
		parts = append(parts, record.Part(name))
	}
	return parts, nil
}

func newOpener(ctx context.Context, l setup.Layout, p *places, keys opener.KeyStore, log *slog.Logger) (*opener.Opener, error) {
	more := func() (wire.ReceiptKeys, error) {
		return sync.LoadReceiptKeys(filepath.Join(l.Opener(), sync.FileReceipts))
	}
	receipts, err := more()
	if err != nil {
		return nil, err
	}
	records, err := p.reader(ctx, l, log)
	if err != nil {
		return nil, err
	}
	return &opener.Opener{Store: records, Keys: keys, Devices: device.Dir(l.Devices()), Receipts: receipts, MoreReceipts: more}, nil
}

// listenLoopback refuses every other address: this page has no TLS and no named staff yet.
func listenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, errors.New("the opener's page listens on a loopback address only, for example 127.0.0.1:8444")
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
}
