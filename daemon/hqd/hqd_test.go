package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"madoguchi/face/jp2"
	"madoguchi/internal/child"
	"madoguchi/storage/audit"
	"madoguchi/storage/outbox"
	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
)

// asHQD makes the test binary be hqd, so that the tests run the real program in processes of its own.
const asHQD = "MADOGUCHI_TEST_AS_HQD"

func TestMain(m *testing.M) {
	child.Main(jp2.Handlers())
	if os.Getenv(asHQD) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is one hqd under test.
type process struct {
	cmd  *exec.Cmd
	line string // what it printed at start
	log  bytes.Buffer
}

// start runs hqd until the test ends and waits for its first line.
func start(tb testing.TB, args ...string) *process {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	p := &process{cmd: exec.Command(exe, args...)}
	p.cmd.Env = append(os.Environ(), asHQD+"=1")
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.stop(syscall.SIGTERM) })
	if p.line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		p.stop(syscall.SIGTERM)
		tb.Fatalf("hqd %v said nothing: %s", args, p.log.String())
	}
	return p
}

func (p *process) stop(sig os.Signal) {
	_ = p.cmd.Process.Signal(sig)
	_ = p.cmd.Wait()
}

// address finds the URL in the line printed at start.
func (p *process) address(tb testing.TB) *url.URL {
	tb.Helper()
	u, err := url.Parse(strings.Fields(p.line)[2])
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// hq is an installation with one kiosk.
type hq struct {
	dir    string
	bundle *sync.Bundle
	queue  *queue.Queue
	outbox *outbox.Outbox
}

func newHQ(t *testing.T) *hq {
	t.Helper()
	dir := t.TempDir()
	start(t, "init", "-dir", dir, "-kiosk", storagetest.Device)
	h := &hq{dir: dir}
	var err error
	if h.bundle, err = sync.LoadBundle(filepath.Join(dir, "kiosk")); err != nil {
		t.Fatal(err)
	}
	h.queue, err = queue.Open(filepath.Join(dir, "outbox.bbolt"), queue.Options{Now: time.Now, Room: queue.RoomOptions{Enough: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.queue.Close() })
	h.outbox = &outbox.Outbox{Queue: h.queue, Keys: h.bundle.Keys, Signer: h.bundle.Signer, Device: h.bundle.Device, Now: time.Now, Audit: noAudit{}}
	return h
}

// receiver starts the receiver; the bundle then points to it.
func (h *hq) receiver(t *testing.T, listen, profile string) *process {
	t.Helper()
	p := start(t, "receiver", "-dir", h.dir, "-listen", listen, "-profile", profile)
	h.bundle.URL = "https://" + p.address(t).Host
	return p
}

// uploadUntil runs the uploader until enough says so.
func (h *hq) uploadUntil(t *testing.T, to string, enough func(sync.Levels) bool) sync.Levels {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last sync.Levels
	var reached bool
	u, err := sync.New(sync.Options{
		Queue: h.queue, Client: h.bundle.Client(), URL: to, Device: h.bundle.Device, Receipts: h.bundle.Receipts, Now: time.Now,
		Jitter: func(time.Duration) time.Duration { return 20 * time.Millisecond },
		Report: func(l sync.Levels) {
			last = l
			if enough(l) {
				reached = true
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = u.Run(ctx)
	if !reached {
		t.Fatalf("gave up at %+v", last)
	}
	return last
}

func sent(l sync.Levels) bool { return l.Waiting == 0 && !l.LastSuccess.IsZero() }

// viewer is HQ's page as a tool sees it.
type viewer struct {
	base  string
	token string
}

func (h *hq) opener(t *testing.T, more ...string) viewer {
	t.Helper()
	p := start(t, append([]string{"opener", "-dir", h.dir, "-listen", "127.0.0.1:0"}, more...)...)
	u := p.address(t)
	return viewer{base: "http://" + u.Host, token: strings.TrimPrefix(u.Fragment, "t=")}
}

func (p viewer) get(t *testing.T, path string, want int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != want {
		t.Fatalf("%s: got %d, want %d: %s", path, res.StatusCode, want, b)
	}
	return b
}

// ids lists the ids of the records at HQ.
func (p viewer) ids(t *testing.T) []string {
	t.Helper()
	var out struct {
		Records []struct {
			ID string `json:"id"`
		} `json:"records"`
	}
	if err := json.Unmarshal(p.get(t, "/v1/records", http.StatusOK), &out); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range out.Records {
		ids = append(ids, r.ID)
	}
	return ids
}

// counter counts something from several goroutines.
type counter = atomic.Int64

// noAudit stands for the kiosk's audit log, which is not HQ's matter here.
type noAudit struct{}

func (noAudit) Append(audit.Leaf) (int64, error) { return 0, nil }
