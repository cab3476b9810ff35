package console

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"madoguchi/ui/assets"
	"madoguchi/ui/push"
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nonce := ""
	if r.URL.Path == "/" {
		nonce = push.NewKey()
	}
	push.Headers(w.Header(), nonce)
	if !s.guard.Check(w, r, r.URL.Path == "/ws") {
		return
	}
	switch p := r.URL.Path; {
	case p == "/":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		scripts := []string{
			s.assets.Path("idiomorph.min.js"), s.assets.Path("link.js"), s.assets.Path("console.js"),
		}
		if err := shell(nonce, s.assets.Path("console.css"), scripts).Render(r.Context(), w); err != nil {
			s.log.Warn("the staff page was not delivered", slog.Any("err", err))
		}
	case p == "/ws":
		s.serveLink(w, r)
	case p == "/healthz":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	case p == "/favicon.ico":
		s.assets.Serve(w, s.assets.Path("favicon.svg"))
	case strings.HasPrefix(p, "/img/"):
		s.serveImage(w, strings.TrimPrefix(p, "/img/"))
	case strings.HasPrefix(p, assets.Prefix):
		s.assets.Serve(w, p)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// serveImage wants the session's own part of the address and a session that is signed in now.
func (s *Server) serveImage(w http.ResponseWriter, p string) {
	owner, handle, _ := strings.Cut(p, "/")
	if !s.signedIn(owner) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	s.images.Serve(w, handle)
}

func (s *Server) signedIn(images string) bool {
	want := push.HashKey([]byte(images))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.sessions {
		if one.signed && push.HashKey([]byte(one.images)).Equal(want) {
			return true
		}
	}
	return false
}

func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	conn, err := push.Upgrade(w, r, maxFrame)
	if err != nil {
		return
	}
	one, minted, err := s.open(conn)
	if err != nil {
		conn.Close(push.CloseRefused, "refused")
		return
	}
	if minted != "" {
		if err := conn.Write(false, push.KeyFrame(minted), push.DefaultWriteTimeout); err != nil {
			conn.Close(push.CloseDone, "write failed")
			return
		}
	}
	link := push.NewLink(conn, s.opt.Heartbeat, s.opt.WriteTimeout)
	defer s.unlink(one, link)
	s.takeOver(one, link)
	s.opt.Opened(one.id)
	buf := make([]byte, maxFrame+1)
	var last uint64
	err = link.Receive(buf, func(frame []byte) error {
		in, n, err := parse(frame)
		if err == nil && n <= last {
			err = push.ErrFrame
		}
		if err != nil {
			in.PIN.Wipe()
			return err
		}
		last, in.Session = n, one.id
		if in.Kind != InSignIn && in.Kind != InLang && !s.mayAct(one) {
			return nil // pressed before the page showed that the session is signed out
		}
		s.opt.Input(in)
		return nil
	})
	if errors.Is(err, push.ErrFrame) {
		s.log.Warn("a frame of a staff page was refused", slog.Uint64("session", one.id))
	}
}

func (s *Server) mayAct(one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return one.signed
}

// open reads the first frame: a known session secret resumes its session, none at all begins a new one.
func (s *Server) open(conn push.Conn) (one *session, minted string, err error) {
	conn.ReadTimeout(push.AuthTimeout)
	buf := make([]byte, maxFrame+1)
	defer clear(buf)
	n, err := conn.Read(buf)
	if err != nil {
		return nil, "", err
	}
	conn.ReadTimeout(0)
	key, err := parseAuth(buf[:n])
	if err != nil {
		return nil, "", err
	}
	hash := push.HashKey(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.sessions {
		if known.key.Equal(hash) {
			return known, "", nil
		}
	}
	minted = push.NewKey()
	s.next++
	one = &session{id: s.next, key: push.HashKey([]byte(minted)), images: push.NewKey()}
	s.forget()
	s.sessions[one.id] = one
	s.show(one, View{Lang: "ja"})
	return one, minted, nil
}

// forget makes room for one more session. The caller holds the lock.
func (s *Server) forget() {
	if len(s.sessions) < maxSessions {
		return
	}
	var oldest *session
	for _, one := range s.sessions {
		if one.link == nil && (oldest == nil || one.used < oldest.used) {
			oldest = one
		}
	}
	if oldest != nil {
		clear(oldest.html)
		delete(s.sessions, oldest.id)
	}
}

func (s *Server) takeOver(one *session, link *push.Link) {
	s.mu.Lock()
	old := one.link
	one.link = link
	s.clock++
	one.used = s.clock
	s.push(one)
	s.mu.Unlock()
	if old != nil {
		old.Close(push.CloseTakeover, "another page took over")
	}
}

func (s *Server) unlink(one *session, link *push.Link) {
	s.mu.Lock()
	if one.link == link {
		one.link = nil
	}
	s.mu.Unlock()
	link.Close(push.CloseDone, "closing")
}
