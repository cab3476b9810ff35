package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

func start(t *testing.T) (path string, r *virtual.Reader, c *virtual.Camera) {
	t.Helper()
	c, err := virtual.NewCamera()
	if err != nil {
		t.Fatal(err)
	}
	r = virtual.NewReader()
	s := &Server{Hand: r, Camera: c, Drawer: virtual.NewDrawer(nil)}
	path = filepath.Join(t.TempDir(), "virtual.sock")
	// A socket that a dead process left behind.
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if unix, ok := old.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	_ = old.Close()
	l, err := listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	listening, err := listen(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- s.accept(ctx, listening) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of ctx", err)
		}
	})
	return path, r, c
}

func TestRoundTrip(t *testing.T) {
	path, r, c := start(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a socket of its owner only", info.Mode(), err)
	}
	if _, err := listen(t.Context(), path); err == nil {
		t.Error("a socket in use must not be taken over")
	}
	got, err := Send(t.Context(), path, Request{Do: Insert, ID: "transit"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Reply{Card: "transit", Stats: &virtual.Stats{}}, got); d != "" {
		t.Error("(-want +got):", d)
	}
	if r.Card() == nil {
		t.Error("no card on the reader")
	}
	if got, err = Send(t.Context(), path, Request{Do: Insert, ID: "nobody"}); !errors.Is(err, ErrRefused) || got.Card != "transit" {
		t.Errorf("got %+v, %v, want a refusal and the old card", got, err)
	}
	if got, err = Send(t.Context(), path, Request{Do: Remove}); err != nil || got.Card != "" || r.Card() != nil {
		t.Errorf("got %+v, %v, want an empty reader", got, err)
	}
	for _, tc := range []struct {
		r    Request
		want string
	}{
		{Request{Do: ShowNothing}, ""},
		{Request{Do: ShowFolder, Path: "/nowhere"}, "refused"},
		{Request{Do: Show, ID: "../x"}, "refused"},
		{Request{Do: Renew, ID: "sato"}, ""},
		{Request{Do: FailCamera}, ""},
		{Request{Do: Status}, ""},
		{Request{Do: "explode"}, "refused"},
	} {
		_, err := Send(t.Context(), path, tc.r)
		if (tc.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", tc.r.Do, err, tc.want)
		}
	}
	if now, _ := c.Streaming(); now || r.Info() != (reader.Info{Name: virtual.ReaderName, Virtual: true}) {
		t.Error("nothing may stream")
	}
}

func TestParseRequest(t *testing.T) {
	tooLong := strings.Repeat(" ", 5000) + `{"do":"remove"}`
	for line, good := range map[string]bool{
		`{"do":"insert","id":"sato"}`:            true,
		`{"do":"remove"}`:                        true,
		`{"do":"show-folder","path":"/tmp"}`:     true,
		`{"do":"insert"}`:                        false,
		`{"do":"remove","id":"sato"}`:            false,
		`{"do":"insert","id":"sato","path":"x"}`: false,
		`{"do":"insert","id":"sato","pin":"1"}`:  false,
		`{"do":"insert","id":"sato"} {}`:         false,
		`{"do":"shutdown"}`:                      false,
		`{"do":"reset-stats"}`:                   true,
		`{"do":"reset-stats","id":"sato"}`:       false,
		`{"do":"faults","faults":{}}`:            true,
		`{"do":"faults"}`:                        false,
		`{"do":"remove","faults":{}}`:            false,
		`{"do":"faults","id":"sato","faults":{"remove_at":3,"remove_processed":true}}`:                       true,
		`{"do":"faults","faults":{"remove_at":-1}}`:                                                          false,
		`{"do":"faults","faults":{"remove_at":1.5}}`:                                                         false,
		`{"do":"faults","faults":{"delay_ms":600001}}`:                                                       false,
		`{"do":"faults","faults":{"explode":true}}`:                                                          false,
		`{"do":"faults","faults":{"mute_at":2},"path":"x"}`:                                                  false,
		`{"do":"faults","faults":{"rules":[{"prefix":"00B0","sw":"6F00","nth":2,"processed":true}]}}`:        true,
		`{"do":"faults","faults":{"rules":[{"prefix":"00B0","delay_ms":2500,"cut":3,"flip":true}]}}`:         true,
		`{"do":"faults","faults":{"rules":[{"prefix":""}]}}`:                                                 false,
		`{"do":"faults","faults":{"rules":[{"prefix":"0"}]}}`:                                                false,
		`{"do":"faults","faults":{"rules":[{"prefix":"00B0","sw":"6F"}]}}`:                                   false,
		`{"do":"faults","faults":{"rules":[{"prefix":"00B0","cut":-1}]}}`:                                    false,
		`{"do":"faults","faults":{"rules":[{"prefix":"` + strings.Repeat("00", 65) + `"}]}}`:                 false,
		`{"do":"faults","faults":{"rules":[` + strings.Repeat(`{"prefix":"00"},`, 32) + `{"prefix":"00"}]}}`: false,
		`[]`:    false,
		``:      false,
		tooLong: false,
		`{"do":"show","id":"` + strings.Repeat("a", 5000): false,
	} {
		if _, err := parseRequest([]byte(line)); (err == nil) != good {
			t.Errorf("%.60s: got %v, want good = %v", line, err, good)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"do":"insert","id":"sato"}`))
	f.Add([]byte(`{"do":"show-folder","path":"/tmp"}`))
	f.Add([]byte(`{"do":"faults","faults":{"remove_at":3,"rules":[{"prefix":"00B0","sw":"6F00"}]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseRequest(line)
		if err == nil && r.Do == "" {
			t.Fatal("got a request without a command")
		}
		if err != nil || r.Faults == nil {
			return
		}
		if got, err := r.Faults.card(); err != nil || got.RemoveAt < 0 || got.Delay < 0 || got.Delay > 10*time.Minute {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}
