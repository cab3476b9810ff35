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

	"madoguchi/daemon/credential"
	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/page"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/viewlog"
	"madoguchi/face/jp2"
	"madoguchi/storage/record"
	"madoguchi/storage/sync"
)

// runOpener serves HQ's page until the context ends. Which parts it may open is its role: the My Number and the
// certificate are not in the default one (duties 4 and 6).
func runOpener(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	f := flag.NewFlagSet("hqd opener", flag.ContinueOnError)
	var dir string
	listen := f.String("listen", "127.0.0.1:8444", "loopback address to listen on")
	addressFile := f.String("address-file", "", "write the page's address with its token there (0600), not to stdout")
	parts := f.String("parts", "identity,images,evidence", "the parts whose opening keys this role loads")
	places := placesFlags(f)
	if err := parseRole(roleOpener, f, args, &dir); err != nil {
		return err
	}
	l := setup.Layout(dir)
	o, err := newOpener(ctx, l, places, *parts, log)
	if err != nil {
		return err
	}
	defer func() { _ = o.Store.Close() }()
	views, err := viewlog.Open(ctx, l.Views())
	if err != nil {
		return err
	}
	defer func() { _ = views.Close() }()
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
		Opener: o, Store: o.Store, Views: views, Token: token, Hosts: []string{ln.Addr().String(), "localhost:" + port},
		Face: jp2.Decode, Now: time.Now, Log: log,
	})
	if err := announce(out, *addressFile, fmt.Sprintf("http://%s/#t=%s", ln.Addr(), token)); err != nil {
		return err
	}
	return serve(ctx, newServer(h, log), ln, log, work{alive: places.alive(o.Store.Ping, log)})
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

func newOpener(ctx context.Context, l setup.Layout, p *places, list string, log *slog.Logger) (*opener.Opener, error) {
	var parts []record.Part
	for name := range strings.SplitSeq(list, ",") {
		if record.MaxPart(record.Part(name)) == 0 {
			return nil, fmt.Errorf("unknown part %q", name)
		}
		parts = append(parts, record.Part(name))
	}
	keys, err := opener.LoadKeysWith(func(p record.Part) ([]byte, error) {
		return credential.FromEnvironment().Read(credential.OpenPrefix+string(p), filepath.Join(l.Opener(), opener.FileOf(p)))
	}, parts...)
	if err != nil {
		return nil, err
	}
	receipts, err := sync.LoadReceiptKeys(filepath.Join(l.Opener(), sync.FileReceipts))
	if err != nil {
		return nil, err
	}
	records, err := p.reader(ctx, l, log)
	if err != nil {
		return nil, err
	}
	return &opener.Opener{Store: records, Keys: keys, Devices: device.Dir(l.Devices()), Receipts: receipts}, nil
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
