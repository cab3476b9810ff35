package main

import (
	"crypto/tls"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/hq/setup"
	"madoguchi/internal/secret"
	"madoguchi/storage/enroll"
	"madoguchi/storage/sync"
)

// From hqd's code to a kiosk that fetches HQ's keys, with hqd's own files, TLS and commands.
func TestEnrolmentWithTheCommands(t *testing.T) {
	dir := t.TempDir()
	must(t, "init", "-dir", dir)
	l := setup.Layout(dir)
	h, keys, err := enrolment(l, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	if s.TLS, err = receiverTLS(l); err != nil {
		t.Fatal(err)
	}
	s.TLS.ClientAuth = tls.VerifyClientCertIfGiven
	s.StartTLS()
	defer s.Close()
	out := must(t, "enroll-code", "-dir", dir, "-device", "branch-1")
	word := func(name string) string {
		for line := range strings.Lines(out) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				return strings.TrimSpace(rest)
			}
		}
		t.Fatalf("no %s in %s", name, out)
		return ""
	}
	ca, _, err := setup.Fingerprints(l)
	if err != nil {
		t.Fatal(err)
	}
	o := enroll.Options{
		URL: s.URL, Device: "branch-1", Trust: enroll.Trust{CAPin: ca}, Code: secret.New([]byte(word("code "))),
		Dir: filepath.Join(t.TempDir(), "bundle"), Now: time.Now,
	}
	if _, err := enroll.Enroll(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	b, err := sync.LoadBundle(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	store, err := b.OpenKeys(filepath.Join(state, sync.FileKeys))
	if err != nil {
		t.Fatal(err)
	}
	r, err := enroll.NewRenewer(b, store, state, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	draft, list := filepath.Join(dir, "draft"), filepath.Join(dir, "list")
	must(t, "keys", "rotate", "-dir", dir, "-out", draft)
	must(t, "keys", "sign-list", "-root", filepath.Join(dir, "root"), "-in", draft, "-out", list)
	must(t, "keys", "publish", "-dir", dir, "-list", list)
	if changed, err := r.FetchKeys(t.Context()); err != nil || !changed || store.List().Version != 2 || keys.List().Version != 2 {
		t.Fatal(changed, err)
	}
	must(t, "device", "revoke", "-dir", dir, "-device", "branch-1", "-reason", "retired")
	if _, err := r.FetchKeys(t.Context()); err == nil {
		t.Fatal("a revoked kiosk is served")
	}
}
