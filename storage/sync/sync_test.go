package sync_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
)

// hq is a pretended HQ behind an http.Client.
type hq struct {
	mu       stdsync.Mutex
	t        *testing.T
	receipts *storagetest.Receipts
	answer   func(n int, id string) (status int, body string, header http.Header, err error) // status 0: take it
	tries    []time.Time
	took     []string
}

// seen gives what HQ took, in order, and when it was tried.
func (h *hq) seen() (took []string, tries []time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.took), slices.Clone(h.tries)
}

// RoundTrip implements http.RoundTripper.
func (h *hq) RoundTrip(r *http.Request) (*http.Response, error) {
	if !h.mu.TryLock() { // the test looks only while nothing moves
		h.t.Error("two at once")
		h.mu.Lock()
	}
	defer h.mu.Unlock()
	h.tries = append(h.tries, time.Now())
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	id, ok := strings.CutPrefix(r.URL.Path, "/v1/records/")
	sum := sha256.Sum256(body)
	if !ok || r.Method != http.MethodPut || r.Header.Get("Content-Digest") != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
		h.t.Errorf("wrong request: %s %s %v", r.Method, r.URL, r.Header)
	}
	status, text, header, err := h.answer(len(h.tries), id)
	if err != nil {
		return nil, err
	}
	if status == 0 {
		b, err := h.receipts.Sign(id, sum)
		if err != nil {
			return nil, err
		}
		status, text = http.StatusCreated, string(b)
		h.took = append(h.took, id)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(text))), Request: r}, nil
}

type kit struct {
	hq     *hq
	queue  *queue.Queue
	keys   *storagetest.Keys
	mu     stdsync.Mutex
	level  sync.Levels
	seq    uint64
	cancel context.CancelFunc
	done   chan error
}

// bubble runs f with an uploader under way, in a world where time is simulated.
func bubble(t *testing.T, answer func(n int, id string) (int, string, http.Header, error), f func(*testing.T, *kit)) {
	t.Helper()
	keys, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	receipts, err := storagetest.NewReceipts()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		k := &kit{keys: keys, hq: &hq{t: t, receipts: receipts, answer: answer}, done: make(chan error, 1)}
		k.queue, err = queue.Open(filepath.Join(dir, "q"), queue.Options{Now: time.Now, Room: queue.RoomOptions{Enough: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = k.queue.Close() }()
		u, err := sync.New(sync.Options{
			Queue: k.queue, Client: &http.Client{Transport: k.hq}, URL: "https://hq.test/", Device: storagetest.Device, Receipts: receipts.Keys(),
			Now: time.Now, Report: func(l sync.Levels) {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.level = l
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		k.cancel = cancel
		go func() { k.done <- u.Run(ctx) }()
		f(t, k)
		cancel()
		if err := <-k.done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func (k *kit) put(t *testing.T) string {
	t.Helper()
	k.seq++
	e, err := k.keys.Envelope(storagetest.NewID(), k.seq, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.queue.Put(e); err != nil {
		t.Fatal(err)
	}
	return e.Header.ID
}

func (k *kit) last() sync.Levels {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.level
}

func TestThreeDaysOffline(t *testing.T) {
	const outage = 72 * time.Hour
	var back time.Time
	bubble(t, func(int, string) (int, string, http.Header, error) {
		if time.Now().Before(back) {
			return 0, "", nil, errors.New("no route to host")
		}
		return 0, "", nil, nil
	}, func(t *testing.T, k *kit) {
		t.Helper()
		back = time.Now().Add(outage)
		var ids []string
		for range 30 {
			ids = append(ids, k.put(t))
			time.Sleep(2 * time.Hour)
			synctest.Wait()
		}
		l := k.last()
		if l.LastError != sync.CodeOffline || l.NextTry.IsZero() || l.Waiting != 30 || !l.LastSuccess.IsZero() || time.Since(l.Oldest) < 59*time.Hour {
			t.Fatalf("got %+v", l)
		}
		time.Sleep(time.Until(back) + 15*time.Minute + time.Second)
		synctest.Wait()
		took, tries := k.hq.seen()
		if !slices.Equal(took, ids) {
			t.Fatalf("HQ took %d of %d, or not in order", len(took), len(ids))
		}
		l = k.last()
		if l.Waiting != 0 || l.LastError != "" || !l.NextTry.IsZero() || !l.Oldest.IsZero() || !l.SkewKnown {
			t.Fatalf("got %+v", l)
		}
		// Full jitter over at most 15 minutes: 7.5 minutes on average.
		if n := len(tries) - len(ids); n < 400 || n > 800 {
			t.Fatalf("%d attempts in 72 h", n)
		}
	})
}

func TestBackoffGrowsAndStops(t *testing.T) {
	bubble(t, func(n int, _ string) (int, string, http.Header, error) {
		return 0, "", nil, errors.New("no route to host")
	}, func(t *testing.T, k *kit) {
		t.Helper()
		start := time.Now()
		k.put(t)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		limit := time.Second
		_, tries := k.hq.seen()
		for i, at := range tries[1:] {
			if gap := at.Sub(tries[i]); gap > limit {
				t.Fatalf("attempt %d came %v after the one before, want at most %v", i+1, gap, limit)
			}
			limit = min(2*limit, 15*time.Minute)
		}
		if first := tries[0].Sub(start); first != 0 {
			t.Fatalf("the first attempt came %v late", first)
		}
	})
}

func TestRefusalsGoToTheShelf(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{422, `{"code":"virtual"}`, "hq-virtual"},
		{409, `{"code":"conflict"}`, "hq-conflict"},
		{413, `{"code":"size"}`, "hq-size"},
		{422, `<script>alert(1)</script>`, "hq-refused"},
		{422, `{"code":"<b>"}`, "hq-refused"},
		{422, ``, "hq-refused"},
	} {
		t.Run(c.want+"-"+http.StatusText(c.status), func(t *testing.T) {
			var bad string
			bubble(t, func(_ int, id string) (int, string, http.Header, error) {
				if id == bad {
					return c.status, c.body, nil, nil
				}
				return 0, "", nil, nil
			}, func(t *testing.T, k *kit) {
				t.Helper()
				bad = storagetest.NewID()
				e, err := k.keys.Envelope(bad, 1, 2000)
				if err != nil {
					t.Fatal(err)
				}
				if err := k.queue.Put(e); err != nil {
					t.Fatal(err)
				}
				good := k.put(t)
				synctest.Wait()
				shelf, err := k.queue.Shelf()
				if err != nil || len(shelf) != 1 || shelf[0].ID != bad || shelf[0].Code != c.want {
					t.Fatalf("got %+v, %v", shelf, err)
				}
				if took, _ := k.hq.seen(); !slices.Equal(took, []string{good}) || k.last().Shelved != 1 {
					t.Fatal("the next record must not wait")
				}
			})
		})
	}
}

func TestAnswersThatMeanLater(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		code   string
		least  time.Duration
		most   time.Duration
	}{
		{"retry-after-seconds", 503, http.Header{"Retry-After": {"600"}}, "", sync.CodeBusy, 10 * time.Minute, 10*time.Minute + time.Second},
		{"retry-after-date", 429, http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:20:00 GMT"}}, "", sync.CodeBusy, 20 * time.Minute, 20*time.Minute + time.Second},
		{"retry-after-for-ever", 429, http.Header{"Retry-After": {"4000000000"}}, "", sync.CodeBusy, time.Hour, time.Hour},
		{"retry-after-nonsense", 429, http.Header{"Retry-After": {"soon"}}, "", sync.CodeBusy, 0, time.Second},
		{"revoked", 410, nil, "", sync.CodeRevoked, 15 * time.Minute, 15 * time.Minute},
		{"server-error", 500, nil, "", sync.CodeRefused, 0, time.Second},
		{"redirect", 307, http.Header{"Location": {"https://elsewhere.test/"}}, "", sync.CodeRefused, 0, time.Second},
		{"no-receipt", 200, nil, "thank you", sync.CodeReceipt, 0, time.Second},
		{"endless-answer", 200, nil, strings.Repeat("a", 1<<20), sync.CodeReceipt, 0, time.Second},
		{"accepted-is-not-stored", 202, nil, "", sync.CodeRefused, 0, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(n int, _ string) (int, string, http.Header, error) {
				if n == 1 {
					return c.status, c.body, c.header, nil
				}
				return 0, "", nil, nil
			}, func(t *testing.T, k *kit) {
				t.Helper()
				id := k.put(t)
				synctest.Wait()
				if l := k.last(); l.LastError != c.code || l.Waiting != 1 {
					t.Fatalf("got %+v", l)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				took, tries := k.hq.seen()
				if !slices.Equal(took, []string{id}) {
					t.Fatal("the record did not arrive")
				}
				if gap := tries[1].Sub(tries[0]); gap < c.least || gap > c.most {
					t.Fatalf("tried again after %v, want %v..%v", gap, c.least, c.most)
				}
			})
		})
	}
}

func TestStopWhileWaiting(t *testing.T) {
	bubble(t, func(int, string) (int, string, http.Header, error) {
		return 503, "", http.Header{"Retry-After": {"3000"}}, nil
	},
		func(t *testing.T, k *kit) {
			t.Helper()
			k.put(t)
			synctest.Wait()
			before := time.Now()
			k.cancel()
			k.done <- <-k.done
			if time.Since(before) != 0 {
				t.Fatal("stopping took time")
			}
		})
}

func TestLevelsFollowTheQueueDuringBackoff(t *testing.T) {
	bubble(t, func(int, string) (int, string, http.Header, error) { return 410, "", nil, nil }, func(t *testing.T, k *kit) {
		t.Helper()
		for n := range 3 {
			k.put(t)
			synctest.Wait()
			if l := k.last(); l.Waiting != n+1 || l.LastError != sync.CodeRevoked || l.NextTry.IsZero() {
				t.Fatalf("got %+v, want %d waiting", l, n+1)
			}
		}
		if _, tries := k.hq.seen(); len(tries) != 1 {
			t.Fatalf("%d attempts: a new record must not end the back-off", len(tries))
		}
	})
}

func TestNewChecksItsOptions(t *testing.T) {
	r, err := storagetest.NewReceipts()
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(filepath.Join(t.TempDir(), "q"), queue.Options{Now: storagetest.At})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	good := sync.Options{Queue: q, Client: http.DefaultClient, URL: "https://hq", Device: "d", Receipts: r.Keys(), Now: time.Now}
	if _, err := sync.New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*sync.Options){
		"no-queue":  func(o *sync.Options) { o.Queue = nil },
		"no-client": func(o *sync.Options) { o.Client = nil },
		"plain":     func(o *sync.Options) { o.URL = "http://hq" },
		"no-device": func(o *sync.Options) { o.Device = "" },
		"no-keys":   func(o *sync.Options) { o.Receipts = nil },
		"no-clock":  func(o *sync.Options) { o.Now = nil },
	} {
		o := good
		spoil(&o)
		if _, err := sync.New(o); err == nil {
			t.Error(name)
		}
	}
}
