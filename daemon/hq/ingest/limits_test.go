package ingest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"madoguchi/daemon/hq/ingest"
	"madoguchi/daemon/hq/store"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
	hqsync "madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// slowStore is a store that does as the test says.
type slowStore struct {
	store.Writer
	insert func(ctx context.Context) error
}

func (s *slowStore) Insert(ctx context.Context, r store.Row) (store.Row, bool, error) {
	err := s.insert(ctx)
	r.Envelope = nil
	return r, err == nil, err
}

// withKiosk stands for the TLS layer that verified a certificate.
func withKiosk(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: storagetest.Device}}}}}
		h.ServeHTTP(w, r)
	})
}

func limited(t *testing.T, insert func(context.Context) error, l ingest.Limits, now func() time.Time) (*kit, *ingest.Receiver) {
	t.Helper()
	k := newKit(t, ingest.Demo, nil)
	o := k.options
	o.Limits, o.Store = l, &slowStore{insert: insert}
	if now != nil {
		o.Now = now
	}
	r := ingest.New(o)
	k.handler = r
	return k, r
}

func envelope(t *testing.T, k *kit, seq uint64, size int) *wire.Envelope {
	t.Helper()
	e, err := k.keys.Envelope(storagetest.NewID(), seq, size)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func send(t *testing.T, c *http.Client, to string, e *wire.Envelope, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPut, to+"/v1/records/"+e.Header.ID, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Digest", hqsync.ContentDigest(body))
	res, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get("Retry-After")
}

// Two hundred kiosks send two mebibytes each at the same time: 400 MiB pass through, and the memory stays near its
// limit. Those for whom there is no room in time are told to come again, and do.
func TestConstantMemory(t *testing.T) {
	const clients, budget = 200, 16 << 20
	var mu sync.Mutex
	var under, most, stored int
	var peak uint64
	sample := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	k, r := limited(t, func(ctx context.Context) error {
		mu.Lock()
		under++
		most = max(most, under)
		sample()
		mu.Unlock()
		hold := time.NewTimer(20 * time.Millisecond) // a disk that takes its time
		defer hold.Stop()
		select {
		case <-hold.C:
		case <-ctx.Done():
		}
		mu.Lock()
		defer mu.Unlock()
		under--
		stored++
		return nil
	}, ingest.Limits{Bytes: budget, Wait: 500 * time.Millisecond, DeviceAtOnce: clients, DeviceBurst: 1 << 30}, nil)
	s := httptest.NewServer(withKiosk(r))
	defer s.Close()
	c := s.Client()
	c.Transport.(*http.Transport).MaxIdleConnsPerHost = clients
	valid := envelope(t, k, 1, record.MaxPart(record.PartImages)) // takes a buffer of 2 MiB
	largest := make([]byte, wire.MaxEnvelope)                     // is read whole and then refused
	copy(largest, valid.Bytes[:100])
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	var again int
	for i := range clients {
		wg.Go(func() {
			body, want := valid.Bytes, http.StatusCreated
			if i%2 == 1 {
				body, want = largest, http.StatusUnprocessableEntity
			}
			for {
				code, after := send(t, c, s.URL, valid, body)
				if code == http.StatusServiceUnavailable && after != "" {
					mu.Lock()
					again++
					mu.Unlock()
					continue
				}
				if code != want {
					t.Errorf("got %d, want %d", code, want)
				}
				return
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	growth := (int64(peak) - int64(before.HeapInuse)) >> 20 //nolint:gosec // sizes of a heap
	t.Logf("%d stored, at most %d at once, %d times told to come again, heap grew by %d MiB", stored, most, again, growth)
	if stored != clients/2 || most > budget/(2<<20) || growth > 80 {
		t.Errorf("%d stored, %d at once, heap grew by %d MiB", stored, most, growth)
	}
}

func TestBackPressure(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	k, r := limited(t, func(context.Context) error { enter <- struct{}{}; <-leave; return nil }, ingest.Limits{Bytes: 1, Wait: time.Millisecond, DeviceAtOnce: 2}, nil)
	s := httptest.NewServer(withKiosk(r))
	defer s.Close()
	first := envelope(t, k, 1, record.MaxPart(record.PartImages))
	var wg sync.WaitGroup
	wg.Go(func() {
		if code, _ := send(t, s.Client(), s.URL, first, first.Bytes); code != http.StatusCreated {
			t.Errorf("got %d", code)
		}
	})
	<-enter
	t.Run("no-room-is-503", func(t *testing.T) {
		if code, after := send(t, s.Client(), s.URL, first, first.Bytes); code != http.StatusServiceUnavailable || after != "5" {
			t.Errorf("got %d, Retry-After %q", code, after)
		}
	})
	t.Run("draining-lets-nobody-in-and-waits", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if r.Drain(ctx) == nil {
			t.Error("drained with a request under way")
		}
		if code, after := send(t, s.Client(), s.URL, first, first.Bytes); code != http.StatusServiceUnavailable || after != "2" {
			t.Errorf("got %d, Retry-After %q", code, after)
		}
		leave <- struct{}{}
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}

func TestRateOfOneKiosk(t *testing.T) {
	now := storagetest.At()
	k, _ := limited(t, func(context.Context) error { return nil }, ingest.Limits{DeviceRate: 2, DeviceBurst: 3}, func() time.Time { return now })
	put := func(want int, after string) {
		t.Helper()
		e := envelope(t, k, 1, 100)
		w := httptest.NewRecorder()
		k.handler.ServeHTTP(w, request(http.MethodPut, e.Header.ID, storagetest.Device, e.Bytes))
		if w.Code != want || w.Header().Get("Retry-After") != after {
			t.Fatalf("got %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
	}
	for range 3 {
		put(http.StatusCreated, "")
	}
	put(http.StatusTooManyRequests, "1")
	now = now.Add(500 * time.Millisecond)
	put(http.StatusCreated, "")
	put(http.StatusTooManyRequests, "1")
	now = now.Add(-time.Hour) // the clock is set back: nothing is earned, and nobody is shut out for an hour
	put(http.StatusTooManyRequests, "1")
	now = now.Add(time.Minute)
	for range 3 {
		put(http.StatusCreated, "")
	}
	put(http.StatusTooManyRequests, "1")
}

func TestRequestsOfOneKioskAtOnce(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	k, r := limited(t, func(context.Context) error { enter <- struct{}{}; <-leave; return nil }, ingest.Limits{DeviceAtOnce: 1}, nil)
	s := httptest.NewServer(withKiosk(r))
	defer s.Close()
	e := envelope(t, k, 1, 100)
	var wg sync.WaitGroup
	wg.Go(func() { send(t, s.Client(), s.URL, e, e.Bytes) })
	<-enter
	if code, after := send(t, s.Client(), s.URL, e, e.Bytes); code != http.StatusTooManyRequests || after != "1" {
		t.Errorf("got %d, Retry-After %q", code, after)
	}
	leave <- struct{}{}
	wg.Wait()
}

// A store that hangs is given up, and the kiosk keeps its record.
func TestStoreThatHangs(t *testing.T) {
	k, _ := limited(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, ingest.Limits{Store: 20 * time.Millisecond}, nil)
	e := envelope(t, k, 1, 100)
	w := httptest.NewRecorder()
	k.handler.ServeHTTP(w, request(http.MethodPut, e.Header.ID, storagetest.Device, e.Bytes))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "30" {
		t.Fatalf("got %d", w.Code)
	}
}

// A client that brings its body too slowly gives its room back in time.
func TestSlowBody(t *testing.T) {
	k, r := limited(t, func(context.Context) error { return nil }, ingest.Limits{BodyGrace: 50 * time.Millisecond, BodyRate: 1 << 30}, nil)
	s := httptest.NewServer(withKiosk(r))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	e := envelope(t, k, 1, 1000)
	_, err = io.WriteString(c, "PUT /v1/records/"+e.Header.ID+" HTTP/1.1\r\nHost: x\r\nContent-Length: "+strconv.Itoa(len(e.Bytes))+"\r\n\r\nMDG")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) || !bytes.Contains(answer, []byte(`{"code":"slow"}`)) {
		t.Fatalf("%q, %v", answer, err)
	}
}

func TestBodiesOfUnknownLength(t *testing.T) {
	k, r := limited(t, func(context.Context) error { return nil }, ingest.Limits{}, nil)
	s := httptest.NewServer(withKiosk(r))
	defer s.Close()
	e := envelope(t, k, 1, 1000)
	for _, c := range []struct {
		name string
		body []byte
		want int
	}{
		{"whole", e.Bytes, http.StatusCreated},
		{"too-long", make([]byte, wire.MaxEnvelope+1), http.StatusRequestEntityTooLarge},
		{"empty", nil, http.StatusUnprocessableEntity},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/v1/records/"+e.Header.ID, io.MultiReader(bytes.NewReader(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Digest", hqsync.ContentDigest(c.body))
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != c.want {
				t.Fatalf("got %d", res.StatusCode)
			}
		})
	}
}
