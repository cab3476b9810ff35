// Package s3test runs a real S3 server (versitygw) for tests, on loopback over a temporary directory. It judges our
// client, so it is nobody's mock. Only tests may import it.
package s3test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"madoguchi/daemon/hq/store/s3body"
)

// Server is a running S3 server with one bucket.
type Server struct {
	Files    string // the objects, as files below the bucket's directory
	Endpoint string
	Bucket   string
	Keys     s3body.Keys

	cmd *exec.Cmd
}

// Need finds the server's program below .cache, where make puts it. Without it the test is skipped, loudly; under CI it
// fails.
func Need(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if found, _ := filepath.Glob(filepath.Join(dir, ".cache", "versitygw-v*")); len(found) > 0 {
			slices.Sort(found)
			return found[len(found)-1]
		}
	}
	const missing = "the S3 server versitygw is not built (make .cache/versitygw)"
	if os.Getenv("CI") == "true" {
		tb.Fatal(missing)
	}
	tb.Skip("SKIPPED: " + missing)
	return ""
}

// Start runs the server until the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	program := Need(tb)
	s := &Server{Bucket: "bodies", Keys: s3body.Keys{Access: "hq-test", Secret: "kitsune-secret-0001"}}
	root := tb.TempDir()
	s.Files = filepath.Join(root, s.Bucket)
	if err := os.Mkdir(s.Files, 0o700); err != nil {
		tb.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	s.Endpoint = "http://" + addr
	var out bytes.Buffer
	s.cmd = exec.CommandContext(context.WithoutCancel(tb.Context()), program, "--port", addr, "--quiet", "posix", "--nometa", root)
	s.cmd.Env = []string{"ROOT_ACCESS_KEY_ID=" + s.Keys.Access, "ROOT_SECRET_ACCESS_KEY=" + s.Keys.Secret, "HOME=" + root}
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	tick := time.NewTicker(20 * time.Millisecond) // it tells nobody when it is ready
	defer tick.Stop()
	for range 1500 {
		if answers(tb, s.Endpoint) {
			return s
		}
		<-tick.C
	}
	s.Stop()
	tb.Fatal("versitygw does not come: ", out.String())
	return nil
}

func answers(tb testing.TB, endpoint string) bool {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, endpoint, nil)
	if err != nil {
		tb.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return true
}

// Stop ends the server.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Address of the bucket as hqd's configuration has it.
func (s *Server) Address() string {
	return fmt.Sprintf("s3://%s/records?endpoint=%s", s.Bucket, s.Endpoint)
}

// Store opens the bucket.
func (s *Server) Store(tb testing.TB) *s3body.Store {
	tb.Helper()
	a, err := s3body.ParseAddress(s.Address())
	if err != nil {
		tb.Fatal(err)
	}
	b, err := s3body.New(a, s.Keys, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
