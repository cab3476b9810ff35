package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// cookieName of the session. Cookies do not know ports: other servers of this host see it, which is one reason why
// this page is for loopback only.
const cookieName = "madoguchi_hq_session"

// Limits of sessions.
const (
	sessionIdle = 30 * time.Minute
	sessionLife = 10 * time.Hour
	maxSessions = 32
)

// sessions are the browsers signed in, in memory only.
type sessions struct {
	token [32]byte // SHA-256, so that comparing takes the same time for any length
	now   func() time.Time

	mu   sync.Mutex
	live map[string]*session
}

type session struct {
	viewer string
	began  time.Time
	used   time.Time
}

func newSessions(token string, now func() time.Time) *sessions {
	s := &sessions{token: sha256.Sum256([]byte(token)), now: now, live: map[string]*session{}}
	if len(token) < 32 {
		_, _ = rand.Read(s.token[:]) // a weak token admits nobody
	}
	return s
}

func (s *sessions) tokenOK(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
}

// begin makes a session and gives its cookie value; empty when too many are live.
func (s *sessions) begin() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	id := hex.EncodeToString(raw)
	sum := sha256.Sum256(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for k, v := range s.live {
		if v.over(now) {
			delete(s.live, k)
		}
	}
	if len(s.live) >= maxSessions {
		return ""
	}
	s.live[id] = &session{viewer: "token-" + hex.EncodeToString(sum[:4]), began: now, used: now}
	return id
}

func (v *session) over(now time.Time) bool {
	return now.Sub(v.used) > sessionIdle || now.Sub(v.began) > sessionLife
}

// viewer names who is signed in on this request: by the cookie, or, for tools, by the token as bearer.
func (s *sessions) viewer(r *http.Request) (string, bool) {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return "token-bearer", s.tokenOK(t)
	}
	c, err := r.Cookie(cookieName)
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.live[c.Value]
	if !ok || v.over(s.now()) {
		delete(s.live, c.Value)
		return "", false
	}
	v.used = s.now()
	return v.viewer, true
}

func (s *sessions) end(r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, c.Value)
	}
}

// signIn takes the token that the page's script found in the fragment, which browsers never send by themselves.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"token"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10))
	d.DisallowUnknownFields()
	if d.Decode(&in) != nil || !s.sessions.tokenOK(in.Token) {
		s.Log.Warn("sign-in refused")
		http.Error(w, "refused", http.StatusForbidden)
		return
	}
	id := s.sessions.begin()
	if id == "" {
		http.Error(w, "too many sessions", http.StatusTooManyRequests)
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // no Secure: loopback without TLS
		Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife / time.Second),
	})
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request) {
	s.sessions.end(r)
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1}) //nolint:gosec // as above
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// viewed is a handler that knows who looks.
type viewed func(w http.ResponseWriter, r *http.Request, viewer string)

// signedIn lets only signed-in viewers through. Browsers are sent to the sign-in page, tools get 401.
func (s *server) signedIn(next viewed) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		viewer, ok := s.sessions.viewer(r)
		switch {
		case ok:
			next(w, r, viewer)
		case strings.HasPrefix(r.URL.Path, "/v1/"):
			http.Error(w, "sign in", http.StatusUnauthorized)
		default:
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	}
}
