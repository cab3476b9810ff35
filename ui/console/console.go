package console

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/ui/assets"
	"madoguchi/ui/push"
)

// maxSessions bounds how many staff browsers are remembered; the longest unconnected one is forgotten first.
const maxSessions = 64

// Options configure a server.
type Options struct {
	// Host is the exact Host header, e.g. "branch-012.example:18443". Origin is "https://" + Host when empty; on
	// loopback without TLS give it in full.
	Host, Origin string
	// Input receives each accepted input. Its PIN belongs to the receiver, who wipes it. Decisions come with a
	// reason of the closed lists; whether the case is still open is the receiver's business.
	Input func(Input)
	// Opened is called when a session connects, also after a reload, so that its view can be shown; it may be nil.
	Opened func(session uint64)
	// Log gets faults without any content of views or inputs; nil means none.
	Log *slog.Logger
	// Heartbeat and WriteTimeout: zero means the defaults of ui/push.
	Heartbeat, WriteTimeout time.Duration
}

// Server is the staff page for any number of staff browsers. All methods are safe for concurrent use.
type Server struct {
	opt    Options
	guard  push.Guard
	assets *assets.Set
	images *push.Images
	boot   string
	log    *slog.Logger

	mu       sync.Mutex
	sessions map[uint64]*session
	next     uint64
	clock    uint64 // counts connections, to know the longest unconnected session
}

// session is one staff browser. It outlives its connections, so that a reload comes back signed in; signing out
// and the time after which it happens are the integrator's, through the view.
type session struct {
	id     uint64
	key    push.KeyHash
	images string // part of the address of pictures, known to this session only
	html   []byte
	rev    uint64
	signed bool
	link   *push.Link
	used   uint64
}

// New makes a server.
func New(opt Options) *Server {
	if opt.Origin == "" {
		opt.Origin = "https://" + opt.Host
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Input == nil {
		opt.Input = func(in Input) { in.PIN.Wipe() }
	}
	if opt.Opened == nil {
		opt.Opened = func(uint64) {}
	}
	return &Server{
		opt: opt, guard: push.Guard{Host: opt.Host, Origin: opt.Origin}, assets: assets.New(),
		images: push.NewImages(), boot: push.NewKey(), log: opt.Log, sessions: map[uint64]*session{},
	}
}

// Sessions lists the sessions that are remembered, connected or not.
func (s *Server) Sessions() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]uint64, 0, len(s.sessions))
	for id := range s.sessions {
		list = append(list, id)
	}
	return list
}

// Show renders a view for one session and pushes it; it never blocks. Secrets are read during the call only.
// A session that is not known (any more) is ignored.
func (s *Server) Show(id uint64, v View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.sessions[id]; one != nil {
		s.show(one, v)
	}
}

// ShowAll shows every session its own view. The function runs under the server's lock and must not call the server.
func (s *Server) ShowAll(view func(session uint64) View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, one := range s.sessions {
		s.show(one, view(id))
	}
}

func (s *Server) show(one *session, v View) {
	var b bytes.Buffer
	b.Grow(64 << 10)
	if err := app(newPage(v, one.images)).Render(context.Background(), &b); err != nil {
		s.log.Error("a staff view could not be rendered", slog.Any("err", err))
		clear(b.Bytes())
		return
	}
	clear(one.html)
	one.html, one.signed = b.Bytes(), v.Staff != ""
	one.rev++
	s.push(one)
}

// push sends the session's view. The caller holds the lock.
func (s *Server) push(one *session) {
	if one.link != nil && len(one.html) > 0 {
		one.link.Push(one.rev, push.Down{Boot: s.boot, Rev: one.rev, Screen: "staff", HTML: one.html}.Encode())
	}
}

// PutImage takes ownership of a PNG or JPEG picture and gives a handle for a view's Case. Only sessions that are
// signed in can load it. The handle is empty (no image) for any other type.
func (s *Server) PutImage(mime string, data *secret.Bytes) string { return s.images.Put(mime, data) }

// DropImages wipes the pictures under the handles given, or all when none is given.
func (s *Server) DropImages(handles ...string) { s.images.Drop(handles...) }

// Close ends all connections, forgets all sessions and wipes what they showed.
func (s *Server) Close() {
	s.mu.Lock()
	var links []*push.Link
	for _, one := range s.sessions {
		clear(one.html)
		if one.link != nil {
			links = append(links, one.link)
		}
	}
	s.sessions = map[uint64]*session{}
	s.mu.Unlock()
	for _, l := range links {
		l.Close(push.CloseDone, "closing")
	}
	s.images.Drop()
}

var _ http.Handler = (*Server)(nil)
