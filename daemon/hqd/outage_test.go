package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// put queues n records and gives their ids.
func (h *hq) put(t *testing.T, n int) (ids []string) {
	t.Helper()
	for range n {
		r := storagetest.Record(storagetest.NewID(), 1000)
		if err := h.outbox.Put(r); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

func requireIDs(t *testing.T, p viewer, want []string) {
	t.Helper()
	got := p.ids(t)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestReceiverDownThenUp(t *testing.T) {
	h := newHQ(t)
	first := h.receiver(t, "127.0.0.1:0", "demo")
	addr := first.address(t).Host
	first.stop(syscall.SIGTERM)
	ids := h.put(t, 3)
	h.uploadUntil(t, h.bundle.URL, func(l sync.Levels) bool { return l.LastError == sync.CodeOffline && l.Waiting == 3 })
	second := h.receiver(t, addr, "demo")
	h.uploadUntil(t, h.bundle.URL, sent)
	second.stop(syscall.SIGKILL) // what has a receipt must survive the receiver's death
	requireIDs(t, h.opener(t), ids)
}

func TestLostAnswer(t *testing.T) {
	h := newHQ(t)
	recv := h.receiver(t, "127.0.0.1:0", "demo")
	var cut counter
	proxy := cutAnswers(t, recv.address(t).Host, 2, &cut)
	ids := h.put(t, 1)
	h.uploadUntil(t, "https://"+proxy, sent)
	if cut.Load() != 2 {
		t.Fatalf("%d answers were cut, want 2", cut.Load())
	}
	recv.stop(syscall.SIGTERM)
	if n := bytes.Count(recv.log.Bytes(), []byte(`"status":201`)); n != 1 {
		t.Fatalf("%d times 201, want 1: %s", n, recv.log.String())
	}
	requireIDs(t, h.opener(t), ids)
}

// cutAnswers forwards connections; of the first n it lets the request through whole and waits for the answer's bytes,
// but cuts the line instead of delivering them.
func cutAnswers(t *testing.T, to string, n int64, cut *counter) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				return
			}
			go forward(c, s, n, cut)
		}
	}()
	return ln.Addr().String()
}

// envelopeSent is more than a handshake and less than a handshake and an envelope.
const envelopeSent = 6000

func forward(c, s net.Conn, n int64, cut *counter) {
	var up counter
	go func() {
		defer func() { _ = s.Close() }()
		_, _ = io.Copy(io.MultiWriter(&countWriter{&up}, s), c) // counted before it can be answered
	}()
	defer func() { _ = c.Close() }()
	buf := make([]byte, 64<<10)
	for {
		m, err := s.Read(buf)
		if err != nil {
			return
		}
		if up.Load() > envelopeSent && cut.Load() < n && bodyAnswered(m) {
			cut.Add(1)
			return
		}
		if _, err := c.Write(buf[:m]); err != nil {
			return
		}
	}
}

// bodyAnswered tells an answer with a receipt from HTTP/2's small frames.
func bodyAnswered(m int) bool { return m > 300 }

type countWriter struct{ n *counter }

func (w *countWriter) Write(b []byte) (int, error) {
	w.n.Add(int64(len(b)))
	return len(b), nil
}

func TestProductionRefusesVirtualRecords(t *testing.T) {
	h := newHQ(t)
	h.receiver(t, "127.0.0.1:0", "production")
	virtual := h.put(t, 1)
	r := storagetest.Record(storagetest.NewID(), 100)
	r.Virtual = nil
	if err := h.outbox.Put(r); err != nil {
		t.Fatal(err)
	}
	l := h.uploadUntil(t, h.bundle.URL, sent) // the refused one does not hold up the next
	shelf, err := h.queue.Shelf()
	if err != nil || l.Shelved != 1 || len(shelf) != 1 || shelf[0].ID != virtual[0] || shelf[0].Code != "hq-virtual" {
		t.Fatalf("got %+v, %v", shelf, err)
	}
	requireIDs(t, h.opener(t), []string{r.ID})
}

func TestWrongCertificates(t *testing.T) {
	h, other := newHQ(t), newHQ(t)
	h.receiver(t, "127.0.0.1:0", "demo")
	h.put(t, 1)
	t.Run("kiosk-of-another-ca", func(t *testing.T) {
		mine := h.bundle.TLS.Certificates
		h.bundle.TLS.Certificates = other.bundle.TLS.Certificates
		defer func() { h.bundle.TLS.Certificates = mine }()
		h.uploadUntil(t, h.bundle.URL, func(l sync.Levels) bool { return l.LastError == sync.CodeTLS })
	})
	t.Run("no-certificate", func(t *testing.T) {
		mine := h.bundle.TLS.Certificates
		h.bundle.TLS.Certificates = nil
		defer func() { h.bundle.TLS.Certificates = mine }()
		h.uploadUntil(t, h.bundle.URL, func(l sync.Levels) bool { return l.LastError == sync.CodeTLS })
	})
	t.Run("receiver-of-another-ca", func(t *testing.T) {
		mine := h.bundle.TLS.RootCAs
		h.bundle.TLS.RootCAs = other.bundle.TLS.RootCAs
		defer func() { h.bundle.TLS.RootCAs = mine }()
		h.uploadUntil(t, h.bundle.URL, func(l sync.Levels) bool { return l.LastError == sync.CodeTLS })
	})
	t.Run("receipt-of-another-hq", func(t *testing.T) {
		mine := h.bundle.Receipts
		h.bundle.Receipts = other.bundle.Receipts
		defer func() { h.bundle.Receipts = mine }()
		h.uploadUntil(t, h.bundle.URL, func(l sync.Levels) bool { return l.LastError == sync.CodeReceipt && l.Waiting == 1 })
	})
	h.uploadUntil(t, h.bundle.URL, sent)
}

func TestAnotherKiosksEnvelope(t *testing.T) {
	h := newHQ(t)
	recv := h.receiver(t, "127.0.0.1:0", "demo")
	second := filepath.Join(h.dir, "second")
	if err := setup.Init(setup.Options{Dir: h.dir, Kiosk: "branch-099-kiosk-9", URL: h.bundle.URL, Bundle: second, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	b, err := sync.LoadBundle(second)
	if err != nil {
		t.Fatal(err)
	}
	h.put(t, 1)
	item, _, err := h.queue.Peek()
	if err != nil {
		t.Fatal(err)
	}
	if code, body := rawPut(t, b, "https://"+recv.address(t).Host, item.ID, item.Envelope); code != http.StatusUnprocessableEntity || body != `{"code":"device"}` {
		t.Fatalf("got %d %s", code, body)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "receiver", "devices", storagetest.Device+".toml"),
		bytes.Replace(read(t, filepath.Join(h.dir, "receiver", "devices", storagetest.Device+".toml")), []byte("active"), []byte("revoked"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	h.uploadUntil(t, h.bundle.URL, func(l sync.Levels) bool { return l.LastError == sync.CodeRevoked && l.Waiting == 1 })
}

func TestTamperedEnvelopes(t *testing.T) {
	h := newHQ(t)
	h.receiver(t, "127.0.0.1:0", "demo")
	ids := h.put(t, 1)
	item, _, err := h.queue.Peek()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(item.Envelope); i += 97 {
		bad := bytes.Clone(item.Envelope)
		bad[i] ^= 1
		if code, body := rawPut(t, h.bundle, h.bundle.URL, item.ID, bad); code != http.StatusUnprocessableEntity {
			t.Fatalf("byte %d: got %d %s", i, code, body)
		}
	}
	h.uploadUntil(t, h.bundle.URL, sent)
	// Another envelope under an id that is taken, properly sealed and signed.
	env, err := wire.Build(storagetest.Record(ids[0], 500), h.bundle.Keys, h.bundle.Signer, 7, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.queue.Put(env); err != nil {
		t.Fatal(err)
	}
	h.uploadUntil(t, h.bundle.URL, func(l sync.Levels) bool { return l.LastError == "hq-conflict" && l.Shelved == 1 && l.Waiting == 0 })
	requireIDs(t, h.opener(t), ids)
}

func rawPut(t *testing.T, b *sync.Bundle, to, id string, body []byte) (int, string) {
	t.Helper()
	c := b.Client()
	defer c.CloseIdleConnections()
	return putWith(t, c, to, id, body)
}

func putWith(tb testing.TB, c *http.Client, to, id string, body []byte) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(tb.Context()), http.MethodPut, to+"/v1/records/"+id, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Digest", sync.ContentDigest(body))
	res, err := c.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode, string(bytes.TrimSpace(answer))
}
