// Package hub is the kiosk's one browser as a device: screens go in, inputs come out. It serves the page and two
// websockets on loopback, to exactly one page at a time, under exact Host and Origin checks, and it drops whatever
// was pressed on a screen that is no longer shown. Only daemon/... may import it.
//
// Who may open the page: the launcher asks for a one-time token (MintToken) and opens /#t=<token>. The first
// websocket message trades the token for a session secret, which the page keeps in sessionStorage; only its hash is
// kept here and, when Options.HashFile is set, in a runtime directory, so that a reload and a restart of the daemon
// come back by themselves and a reboot needs a new token.
package hub

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/ui/assets"
	"madoguchi/ui/page"
	"madoguchi/ui/push"
	"madoguchi/ui/screen"
)

// Options configure a hub.
type Options struct {
	// Host is the exact Host header, e.g. "127.0.0.1:18080". Origin is "http://" + Host when empty.
	Host, Origin string
	// HashFile keeps the hash of the session secret over a restart; empty means memory only.
	HashFile string
	// Input receives each accepted input, in order, from one goroutine per connection; a slow receiver slows the
	// browser down, nothing is queued. Inputs may come while Show runs.
	Input func(screen.Input)
	// Log gets faults without any content of screens or inputs; nil means none.
	Log *slog.Logger
	// Heartbeat and WriteTimeout: zero means the defaults of ui/push.
	Heartbeat, WriteTimeout time.Duration
}

// Counts tell what happened, for tests and monitoring.
type Counts struct {
	Connected bool   // a page is live
	Accepted  uint64 // inputs delivered
	Stale     uint64 // inputs made on a screen that was no longer shown
	Refused   uint64 // connections or frames refused
	Takeovers uint64
	Frames    uint64 // preview frames sent
}

// Hub is one kiosk browser. All methods are safe for concurrent use; Show is meant for one goroutine.
type Hub struct {
	opt    Options
	guard  push.Guard
	assets *assets.Set
	images *push.Images
	boot   string
	log    *slog.Logger

	mu       sync.Mutex
	html     []byte // the current screen, for a page that connects later
	kind     screen.Kind
	instance uint64
	rev      uint64
	link     *push.Link
	token    push.KeyHash
	session  push.KeyHash
	preview  bool
	cam      *camera
	closed   bool
	counts   Counts
}

// New makes a hub. It serves HTTP at once, showing nothing until Show is called.
func New(opt Options) *Hub {
	if opt.Origin == "" {
		opt.Origin = "http://" + opt.Host
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Input == nil {
		opt.Input = func(screen.Input) {}
	}
	h := &Hub{
		opt: opt, guard: push.Guard{Host: opt.Host, Origin: opt.Origin}, assets: assets.New(),
		images: push.NewImages(), boot: push.NewKey(), log: opt.Log,
	}
	h.session = loadHash(opt.HashFile)
	return h
}

// MintToken gives a new one-time token for the page's address (/#t=<token>). An earlier unused one is void.
func (h *Hub) MintToken() string {
	token := push.NewKey()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token = push.HashKey([]byte(token))
	return token
}

// Show renders a screen and pushes it; it never blocks. The screen's secrets are read during the call only.
func (h *Hub) Show(s screen.Screen) {
	var b bytes.Buffer
	b.Grow(64 << 10) // room for any screen: growing would leave copies of names behind
	if err := page.Render(&b, s); err != nil {
		h.log.Error("a screen could not be rendered", slog.String("screen", string(s.Kind)), slog.Any("err", err))
		clear(b.Bytes())
		b.Reset()
		_ = page.Render(&b, screen.Screen{
			Kind: screen.OutOfService, Instance: s.Instance, Settings: s.Settings, CanCallStaff: s.CanCallStaff,
			StaffCalled: s.StaffCalled, Trouble: &screen.Trouble{Code: "internal"},
		})
		s.Kind = screen.OutOfService
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.html)
	h.html, h.kind, h.instance = b.Bytes(), s.Kind, s.Instance
	h.rev++
	h.push()
}

// push sends the current screen to the live page. The caller holds the lock.
func (h *Hub) push() {
	if h.link == nil || len(h.html) == 0 {
		return
	}
	h.link.Push(h.rev, push.Down{
		Boot: h.boot, Rev: h.rev, Screen: string(h.kind), Instance: h.instance, HTML: h.html,
	}.Encode())
}

// PutImage takes ownership of a PNG or JPEG picture and gives the handle under which the page may load it until
// DropImages. The handle is empty (no image) for any other type.
func (h *Hub) PutImage(mime string, data *secret.Bytes) screen.Image {
	return screen.Image(h.images.Put(mime, data))
}

// DropImages wipes all pictures.
func (h *Hub) DropImages() { h.images.Drop() }

// Counts gives a copy of the counters.
func (h *Hub) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.counts
	c.Connected = h.link != nil
	return c
}

// Close ends both connections and wipes what is shown. The hub refuses new connections afterwards.
func (h *Hub) Close() {
	h.Preview(false)
	h.mu.Lock()
	link := h.link
	h.link, h.closed = nil, true
	clear(h.html)
	h.html = nil
	h.mu.Unlock()
	if link != nil {
		link.Close(push.CloseDone, "closing")
	}
	h.images.Drop()
}

// accept decides about one frame of the live page. It gives an error for what a page of ours never sends.
func (h *Hub) accept(link *push.Link, last *uint64, up push.Up) (in screen.Input, ok bool, err error) {
	kind := screen.InputKind(up.Type)
	if !slices.Contains(screen.InputKinds(), kind) || up.N <= *last {
		return in, false, push.ErrFrame
	}
	*last = up.N
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.link != link:
		return in, false, push.ErrClosed
	case up.Instance != h.instance:
		// also keys: a digit meant for one entry must never land in another
		h.counts.Stale++
		return in, false, nil
	}
	h.counts.Accepted++
	return screen.Input{Kind: kind, Index: up.Index, Instance: up.Instance}, true, nil
}

func (h *Hub) refused() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts.Refused++
}

var _ http.Handler = (*Hub)(nil)
