// Package pgtest starts a private PostgreSQL for tests: a new cluster in a temporary directory, on a Unix socket only,
// with fsync on, as an unprivileged user (PostgreSQL refuses to run as root). Only tests may import it.
package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL.
type Server struct {
	dir string // of the socket
	bin string
	env *syscall.Credential
	cmd *exec.Cmd
	out *bytes.Buffer
}

// Need finds PostgreSQL's programs. Without them the test is skipped, loudly; under CI it fails.
func Need(tb testing.TB) (bin string) {
	tb.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		const missing = "PostgreSQL is not installed (Debian packages postgresql, postgresql-client)"
		if os.Getenv("CI") == "true" {
			tb.Fatal(missing)
		}
		tb.Skip("SKIPPED: " + missing)
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// Start makes a cluster and runs it until the test ends. Settings are further "name=value" of postgresql.conf.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s := &Server{bin: Need(tb), env: unprivileged(tb), out: &bytes.Buffer{}}
	var err error
	if s.dir, err = os.MkdirTemp("/tmp", "pg"); err != nil { //nolint:usetesting // a socket's path has at most 107 bytes
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	if s.env != nil {
		if err := os.Chown(s.dir, int(s.env.Uid), int(s.env.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
	ctx := context.WithoutCancel(tb.Context())
	if out, err := s.command(ctx, "initdb", "-D", s.data(), "-U", "hq", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N").CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v: %s", err, out)
	}
	s.Run(tb, settings...)
	tb.Cleanup(func() { s.Stop(tb) })
	return s
}

// Run starts the server on its cluster, after Stop or Kill too.
func (s *Server) Run(tb testing.TB, settings ...string) {
	tb.Helper()
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=100"}
	for _, set := range settings {
		args = append(args, "-c", set)
	}
	s.cmd = s.command(context.WithoutCancel(tb.Context()), "postgres", args...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	s.until(tb, func() bool {
		c, err := pgx.Connect(tb.Context(), s.Address("postgres"))
		if err == nil {
			_ = c.Close(tb.Context())
		}
		return err == nil
	})
}

// Stop ends the server in an orderly way and breaks its connections.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.end(tb, syscall.SIGINT)
}

// Kill ends the server at once; the next start recovers from the log.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.end(tb, syscall.SIGQUIT)
}

func (s *Server) end(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...) //nolint:gosec // a test's own arguments
	c.Dir = s.dir
	c.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.env, Pdeathsig: syscall.SIGQUIT}
	return c
}

// unprivileged is the user nobody when the test runs as root.
func unprivileged(tb testing.TB) *syscall.Credential {
	tb.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		tb.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		tb.Fatal(err1, err2)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Address of a database of the server.
func (s *Server) Address(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {s.dir}, "user": {"hq"}}.Encode()
}

// Database makes an empty database and gives its address.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("d%d", time.Now().UnixNano())
	s.Exec(tb, s.Address("postgres"), "CREATE DATABASE "+name)
	return s.Address(name)
}

// Exec runs one statement.
func (s *Server) Exec(tb testing.TB, address, sql string) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Exec(ctx, sql); err != nil {
		tb.Fatal(err)
	}
}

// Passwords makes the server ask for passwords from now on.
func (s *Server) Passwords(tb testing.TB) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte("local all all scram-sha-256\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	s.Exec(tb, s.Address("postgres"), "SELECT pg_reload_conf()")
	s.until(tb, func() bool {
		c, err := pgx.Connect(tb.Context(), s.Address("postgres"))
		if err == nil {
			_ = c.Close(tb.Context())
		}
		return err != nil
	})
}

// until polls, because the server tells nobody when it is ready.
func (s *Server) until(tb testing.TB, done func() bool) {
	tb.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		if done() {
			return
		}
		<-tick.C
	}
	s.Stop(tb)
	tb.Fatal("PostgreSQL does not come: ", s.out.String())
}
