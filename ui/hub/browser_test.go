package hub_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"madoguchi/ui/browsertest"
	"madoguchi/ui/hub"
	"madoguchi/ui/screen"
)

// kiosk is a hub on loopback whose inputs come out of a channel.
type kiosk struct {
	*hub.Hub
	url    string
	inputs chan screen.Input
}

func newKiosk(tb testing.TB, change func(*hub.Options)) *kiosk {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	k := &kiosk{url: "http://" + l.Addr().String(), inputs: make(chan screen.Input, 256)}
	opt := hub.Options{Host: l.Addr().String(), Input: func(in screen.Input) { k.inputs <- in }}
	if change != nil {
		change(&opt)
	}
	k.Hub = hub.New(opt)
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: k.Hub}}
	srv.Start()
	tb.Cleanup(srv.Close)
	tb.Cleanup(k.Close)
	return k
}

// open starts a browser on the kiosk page and waits until the first screen is there.
func (k *kiosk) open(tb testing.TB) context.Context {
	tb.Helper()
	ctx := browsertest.Start(tb, 1080, 1920)
	browsertest.Do(tb, ctx, chromedp.Navigate(k.url+"/#t="+k.MintToken()))
	browsertest.Wait(tb, ctx, "document.getElementById('title')")
	return ctx
}

// show shows a screen and waits until the page has drawn it.
func (k *kiosk) show(tb testing.TB, ctx context.Context, s screen.Screen) {
	tb.Helper()
	k.Show(s)
	browsertest.Wait(tb, ctx, fmt.Sprintf("link.instance === %d && [...document.images].every(i => i.complete)", s.Instance))
}
