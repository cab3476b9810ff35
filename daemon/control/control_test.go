package control_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi/daemon/control"
	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
)

// hand is a kiosk of the test's own.
type hand struct {
	log  *audit.Log
	mu   sync.Mutex
	pin  string // that was handed in
	in   bool   // in maintenance
	ends chan struct{}
}

func (h *hand) Maintain(_ context.Context, staff string, pin *secret.Bytes) (func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pin = string(pin.Reveal())
	switch {
	case staff != "tanuki" || h.pin != "258025":
		return nil, &control.Refusal{Code: control.CodeStaff, Err: errors.New("wrong")}
	case h.in:
		return nil, &control.Refusal{Code: control.CodeBusy, Err: errors.New("a customer")}
	}
	h.in = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.in = false
		h.ends <- struct{}{}
	}, nil
}

func (h *hand) Note(l audit.Leaf) error {
	_, err := h.log.Append(l)
	return err
}
func (h *hand) Audit() *audit.Log { return h.log }
func (h *hand) QueueStatus() control.QueueStatus {
	return control.QueueStatus{Waiting: 3, Shelved: 1, Room: "ok"}
}

func (h *hand) Shelf() ([]control.Shelved, error) {
	return []control.Shelved{{ID: "a", Reason: "hq-virtual"}}, nil
}

func (h *hand) Retry(id string) error {
	if id != "019a9f5e-1c00-7abc-8def-0123456789ab" {
		return errors.New("no such record on the shelf")
	}
	return nil
}

func (h *hand) Salvage(string) (int, error) { return 2, nil }

func newHand(t *testing.T) (*hand, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(t.TempDir(), audit.Options{Device: "kiosk-1", Signer: key, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{log: log, ends: make(chan struct{}, 8)}
	socket := filepath.Join(t.TempDir(), control.Socket)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, socket, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		_ = log.Close()
	})
	for range 500 {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			return h, socket
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("the socket does not come")
	return nil, ""
}

func dial(t *testing.T, socket string) *control.Client {
	t.Helper()
	c, err := control.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func code(err error) string {
	if r, ok := errors.AsType[*control.Refusal](err); ok {
		return r.Code
	}
	return ""
}

// Maintenance lasts exactly as long as the connection; a reading is noted only within it.
func TestMaintenanceIsALease(t *testing.T) {
	h, socket := newHand(t)
	c := dial(t, socket)
	if _, err := c.Do(control.Request{Do: control.DoCardRead, Route: "b"}); code(err) != control.CodeMaintenance {
		t.Fatalf("got %v", err)
	}
	if err := c.Maintain("tanuki", secret.Copy([]byte("000000"))); code(err) != control.CodeStaff {
		t.Fatalf("got %v", err)
	}
	if err := c.Maintain("佐藤花子", secret.Copy([]byte("258025"))); code(err) != control.CodeStaff {
		t.Fatalf("got %v", err)
	}
	if err := c.Maintain("tanuki", secret.Copy([]byte("258025"))); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, socket).Maintain("tanuki", secret.Copy([]byte("258025"))); code(err) != control.CodeBusy {
		t.Fatalf("a second one: %v", err)
	}
	if _, err := c.Do(control.Request{Do: control.DoCardRead, Route: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(control.Request{Do: control.DoCardRead, Route: "1357 9012"}); code(err) != control.CodeRequest {
		t.Fatalf("got %v", err)
	}
	var last audit.Leaf
	if err := h.log.Each(0, func(_ int64, b []byte) bool {
		last, _ = audit.ParseLeaf(b)
		return true
	}); err != nil || last.Kind != audit.CardRead || last.Staff != "tanuki" || last.Word != "b" {
		t.Fatalf("%+v, %v", last, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	<-h.ends
}

func TestQueueRequests(t *testing.T) {
	h, socket := newHand(t)
	c := dial(t, socket)
	a, err := c.Do(control.Request{Do: control.DoQueueStatus})
	if err != nil || a.Queue == nil || a.Queue.Waiting != 3 || a.Queue.Room != "ok" {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err = c.Do(control.Request{Do: control.DoQueueShelf}); err != nil || len(a.Shelf) != 1 || a.Shelf[0].Reason != "hq-virtual" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err = c.Do(control.Request{Do: control.DoQueueRetry, ID: "x"}); code(err) != control.CodeFailed {
		t.Fatalf("got %v", err)
	}
	if _, err = c.Do(control.Request{Do: control.DoQueueRetry, ID: "019a9f5e-1c00-7abc-8def-0123456789ab"}); err != nil {
		t.Fatal(err)
	}
	if a, err = c.Do(control.Request{Do: control.DoQueueSalvage, Path: "/x"}); err != nil || a.Count != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	if h.log.Size() != 3 {
		t.Fatalf("%d entries: both changes are noted, nothing else", h.log.Size())
	}
}

func TestExport(t *testing.T) {
	h, socket := newHand(t)
	for range 50 {
		if err := h.Note(audit.Leaf{Kind: audit.StaffIn, Staff: "tanuki"}); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, socket)
	var leaves []string
	head, err := c.Export(func(control.Answer) error { return nil }, func(leaf []byte) error {
		leaves = append(leaves, string(leaf))
		return nil
	})
	if err != nil || head.Size != 52 || len(leaves) != 52 {
		t.Fatalf("%d leaves of %d, %v", len(leaves), head.Size, err)
	}
	if !strings.Contains(leaves[51], `"kind":"audit-exported"`) || !json.Valid([]byte(leaves[51])) {
		t.Fatalf("the export does not show itself: %s", leaves[51])
	}
	if a, err := c.Do(control.Request{Do: control.DoAuditVerify}); err != nil || a.Size != 52 || !strings.HasPrefix(a.Checkpoint, "madoguchi/audit/kiosk-1/") {
		t.Fatalf("the connection goes on: %+v, %v", a, err)
	}
}

// Garbage gets an answer or the end of the connection, and the next connection is served.
func TestGarbage(t *testing.T) {
	_, socket := newHand(t)
	for name, send := range map[string]string{
		"no-json": "hello\n", "array": "[1]\n", "unknown": `{"do":"format-disk"}` + "\n", "bad-pin": `{"do":"maintenance","staff":"tanuki","pin":"***"}` + "\n",
		"long": strings.Repeat("x", 1<<16) + "\n", "nothing": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = c.Write([]byte(send))
			b := make([]byte, 512)
			n, err := c.Read(b)
			if err == nil && !strings.Contains(string(b[:n]), `"code":"request"`) {
				t.Fatalf("got %q", b[:n])
			}
			if _, err := dial(t, socket).Do(control.Request{Do: control.DoQueueStatus}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestSocketIsPrivate(t *testing.T) {
	_, socket := newHand(t)
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{`{"do":"queue-status"}`, `{"do":"maintenance","staff":"a","pin":"MTIz"}`, `{"do":"card-read","route":"b"}`} {
		f.Add([]byte(s))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	log, err := audit.Open(f.TempDir(), audit.Options{Device: "kiosk-1", Signer: key, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		a := control.Answering(&hand{log: log, ends: make(chan struct{}, 8)}, line)
		codes := []string{
			"", control.CodeRequest, control.CodeStaff, control.CodeLocked, control.CodeBusy, control.CodeMaintenance, control.CodeFailed,
		}
		if !slices.Contains(codes, a.Code) {
			t.Fatalf("code %q", a.Code)
		}
	})
}
