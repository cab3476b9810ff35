package hub

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"madoguchi/ui/assets"
	"madoguchi/ui/page"
	"madoguchi/ui/push"
)

// ServeHTTP implements http.Handler.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	socket := r.URL.Path == "/ws" || r.URL.Path == "/cam"
	nonce := ""
	if r.URL.Path == "/" {
		nonce = push.NewKey()
	}
	push.Headers(w.Header(), nonce)
	if !h.guard.Check(w, r, socket) {
		h.refused()
		return
	}
	switch p := r.URL.Path; {
	case p == "/":
		h.servePage(w, r, nonce)
	case p == "/ws":
		h.serveLink(w, r)
	case p == "/cam":
		h.serveCamera(w, r)
	case p == "/healthz":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	case p == "/favicon.ico":
		h.assets.Serve(w, h.assets.Path("favicon.svg"))
	case strings.HasPrefix(p, "/img/"):
		h.images.Serve(w, strings.TrimPrefix(p, "/img/"))
	case strings.HasPrefix(p, assets.Prefix):
		h.assets.Serve(w, p)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (h *Hub) servePage(w http.ResponseWriter, r *http.Request, nonce string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	scripts := []string{
		h.assets.Path("idiomorph.min.js"), h.assets.Path("link.js"), h.assets.Path("kiosk.js"),
	}
	if err := page.Shell(nonce, h.assets.Path("kiosk.css"), scripts).Render(r.Context(), w); err != nil {
		h.log.Warn("the page was not delivered", slog.Any("err", err))
	}
}

// open upgrades a request and reads the first frame, which must carry a known key. The connection is nil when it
// was refused; minted is a new session secret when the key was the token.
func (h *Hub) open(w http.ResponseWriter, r *http.Request, tokens bool) (conn push.Conn, minted string) {
	conn, err := push.Upgrade(w, r, push.UpSize)
	if err != nil {
		h.refused()
		return nil, ""
	}
	conn.ReadTimeout(push.AuthTimeout)
	var buf [push.UpSize]byte
	defer clear(buf[:])
	n, err := conn.Read(buf[:])
	if err == nil {
		var up push.Up
		if up, err = push.ParseUp(buf[:n]); err == nil && up.Type != push.TypeAuth {
			err = push.ErrFrame
		}
		if err == nil {
			minted, err = h.login(up.Key[:], tokens)
		}
		clear(up.Key[:])
	}
	if err != nil {
		h.refused()
		code := push.CloseProtocol
		if errors.Is(err, errUnknownKey) {
			code = push.CloseRefused
		}
		conn.Close(code, "refused")
		return nil, ""
	}
	conn.ReadTimeout(0)
	return conn, minted
}

func (h *Hub) serveLink(w http.ResponseWriter, r *http.Request) {
	conn, minted := h.open(w, r, true)
	if conn == nil {
		return
	}
	if minted != "" {
		if err := conn.Write(false, push.KeyFrame(minted), push.DefaultWriteTimeout); err != nil {
			conn.Close(push.CloseDone, "write failed")
			return
		}
	}
	link := push.NewLink(conn, h.opt.Heartbeat, h.opt.WriteTimeout)
	defer h.unlink(link)
	if !h.takeOver(link) {
		return
	}
	var buf [push.UpSize + 1]byte
	var last uint64
	err := link.Receive(buf[:], func(frame []byte) error {
		up, err := push.ParseUp(frame)
		if err != nil {
			return err
		}
		in, ok, err := h.accept(link, &last, up)
		if ok {
			h.opt.Input(in)
		}
		return err
	})
	if errors.Is(err, push.ErrFrame) {
		h.refused()
		h.log.Warn("a frame of the kiosk page was refused")
	}
}

// takeOver makes link the live one and shows it the current screen.
func (h *Hub) takeOver(link *push.Link) bool {
	h.mu.Lock()
	old, closed := h.link, h.closed
	if !closed {
		h.link = link
		h.push()
	}
	if old != nil {
		h.counts.Takeovers++
	}
	h.mu.Unlock()
	if old != nil {
		old.Close(push.CloseTakeover, "another page took over")
	}
	return !closed
}

func (h *Hub) unlink(link *push.Link) {
	h.mu.Lock()
	if h.link == link {
		h.link = nil
	}
	h.mu.Unlock()
	link.Close(push.CloseDone, "closing")
}
