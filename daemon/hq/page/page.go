// Package page is HQ's page: the list of records, one record opened, the check of all that can be verified of it,
// and the log of who looked. It shows what the opener role may open and nothing else. In this stage it listens on
// loopback only and knows one viewer, who has the token printed at start; named staff, roles and TLS come with HQ's
// sign-in. Only daemon/hqd and tests may import it.
package page

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"image"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/finding"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/viewlog"
)

//go:embed assets/page.css assets/signin.js
var assets embed.FS

// perPage is how many records one page of the list has.
const perPage = 50

// Options of the page. All fields but Findings, Kakunin and Retention are required.
type Options struct {
	Opener *opener.Opener
	Store  store.Reader
	// Findings are the worker's results, shown beside what is opened for the viewer.
	Findings Findings
	// Kakunin serves the verification records; without it they have no pages.
	Kakunin *Verifications
	// Retention serves the page of events; without it there is none.
	Retention *Retention
	Views     *viewlog.Log
	Token     string   // who has it may sign in; at least 32 characters
	Hosts     []string // the exact Host headers that are answered
	// Face decodes the card's face image (JPEG 2000).
	Face func(ctx context.Context, b []byte) (image.Image, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// Findings gives what was found in a record, or finding.ErrNone.
type Findings interface {
	Of(ctx context.Context, device, id string) (finding.Finding, error)
}

type server struct {
	Options
	sessions *sessions
}

// Handler gives the page's HTTP handler.
func Handler(o Options) http.Handler {
	s := &server{Options: o, sessions: newSessions(o.Token, o.Now)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("POST /v1/session", s.signIn)
	mux.HandleFunc("POST /v1/session/end", s.signOut)
	mux.Handle("GET /assets/", http.FileServerFS(assets))
	mux.HandleFunc("GET /records/{device}/{id}", s.signedIn(s.record))
	mux.HandleFunc("GET /records/{device}/{id}/{image}", s.signedIn(s.image))
	mux.HandleFunc("GET /views", s.signedIn(s.views))
	mux.HandleFunc("GET /v1/records", s.signedIn(s.recordsJSON))
	mux.HandleFunc("GET /v1/opened/{device}/{id}", s.signedIn(s.openedJSON))
	s.kakuninRoutes(mux)
	s.retentionRoutes(mux)
	guard := http.NewCrossOriginProtection()
	return s.secure(guard.Handler(mux))
}

// secure answers known hosts only (against DNS rebinding) and sets the headers that keep the page to itself.
func (s *server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !slices.Contains(s.Hosts, r.Host) {
			http.Error(w, "unknown host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// found gives the worker's finding of a record; nil when there is none yet.
func (s *server) found(ctx context.Context, device, id string) (*finding.Finding, error) {
	if s.Findings == nil {
		return nil, nil //nolint:nilnil // a page without a worker
	}
	f, err := s.Findings.Of(ctx, device, id)
	if errors.Is(err, finding.ErrNone) {
		return nil, nil //nolint:nilnil // not yet
	}
	return &f, err
}

// frame is what every page needs.
type frame struct {
	Lang      string
	Title     string
	Retention bool // there is such a page
}

func (s *server) frame(w http.ResponseWriter, r *http.Request, title string) frame {
	return frame{Lang: language(w, r), Title: title, Retention: s.Retention != nil}
}

// language is the one asked for by ?lang=, else that of the cookie, else Japanese.
func language(w http.ResponseWriter, r *http.Request) string {
	const name = "madoguchi_hq_lang"
	if l := r.URL.Query().Get("lang"); l == "ja" || l == "en" {
		http.SetCookie(w, &http.Cookie{Name: name, Value: l, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		return l
	}
	if c, err := r.Cookie(name); err == nil && c.Value == "en" {
		return "en"
	}
	return "ja"
}

// render writes a page whole or not at all, and wipes its bytes: they hold what was opened.
func (s *server) render(w http.ResponseWriter, r *http.Request, c templ.Component) {
	var b bytes.Buffer
	defer func() { clear(b.Bytes()[:b.Len()]) }()
	if err := c.Render(r.Context(), &b); err != nil {
		s.Log.Error("page", slog.Any("error", err))
		http.Error(w, "error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

func (s *server) fault(w http.ResponseWriter, what string, err error) {
	if errors.Is(err, store.ErrNotThere) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "受信した記録のデータベースがまだありません。/ The database of received records is not there yet.", http.StatusServiceUnavailable)
		return
	}
	s.Log.Error("page", slog.String("what", what), slog.Any("error", err))
	http.Error(w, "error", http.StatusInternalServerError)
}
