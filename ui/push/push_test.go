package push_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/ui/push"
)

// fake is a connection that records what is written and blocks while gate is closed.
type fake struct {
	mu     sync.Mutex
	sent   []string
	closed []int
	fail   error
	gate   chan struct{}
	reads  chan string
}

func (f *fake) Read(buf []byte) (int, error) {
	s, ok := <-f.reads
	if !ok {
		return 0, push.ErrClosed
	}
	return copy(buf, s), nil
}

func (f *fake) ReadTimeout(time.Duration) {}

func (f *fake) Write(_ bool, p []byte, _ time.Duration) error {
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, string(p))
	return f.fail
}

// frames gives a copy of what was sent.
func (f *fake) frames() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.sent...)
}

func (f *fake) Close(code int, _ string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = append(f.closed, code)
}

func TestLatestFrameWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &fake{gate: make(chan struct{})}
		link := push.NewLink(conn, 0, 0)
		defer link.Close(push.CloseDone, "")
		link.Push(1, []byte("one"))
		synctest.Wait() // the writer holds frame one and waits at the gate
		middle := []byte("two")
		link.Push(2, middle)
		link.Push(3, []byte("three"))
		if !bytes.Equal(middle, make([]byte, 3)) {
			t.Errorf("a superseded frame must be wiped, got %q", middle)
		}
		close(conn.gate)
		synctest.Wait()
		if diff := cmp.Diff(conn.frames(), []string{"one", "three"}); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSentFramesAreWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &fake{}
		link := push.NewLink(conn, 0, 0)
		frame := []byte("a name")
		link.Push(1, frame)
		synctest.Wait()
		if !bytes.Equal(frame, make([]byte, 6)) || conn.frames()[0] != "a name" {
			t.Errorf("got %q after sending %q", frame, conn.frames())
		}
		link.Close(push.CloseDone, "")
		late := []byte("late")
		link.Push(2, late)
		if !bytes.Equal(late, make([]byte, 4)) {
			t.Errorf("a frame for a closed link must be wiped, got %q", late)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &fake{}
		link := push.NewLink(conn, 0, 0)
		defer link.Close(push.CloseDone, "")
		link.Push(7, []byte("{}"))
		synctest.Wait()
		<-time.After(1900 * time.Millisecond) // in the bubble's time
		synctest.Wait()
		if len(conn.frames()) != 1 {
			t.Fatalf("too early: %q", conn.frames())
		}
		<-time.After(2200 * time.Millisecond)
		synctest.Wait()
		if diff := cmp.Diff(conn.frames(), []string{"{}", `{"hb":7}`, `{"hb":7}`}); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFailedWriteClosesTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &fake{fail: errors.New("gone")}
		link := push.NewLink(conn, 0, 0)
		link.Push(1, []byte("x"))
		synctest.Wait()
		if len(conn.closed) == 0 {
			t.Error("the connection is still open")
		}
	})
}

func TestReceiveStopsAtTheFirstFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &fake{reads: make(chan string, 3)}
		conn.reads <- "good"
		conn.reads <- "bad"
		conn.reads <- "never seen"
		link := push.NewLink(conn, 0, 0)
		var got []string
		buf := make([]byte, 16)
		err := link.Receive(buf, func(frame []byte) error {
			got = append(got, string(frame))
			if string(frame) == "bad" {
				return push.ErrFrame
			}
			return nil
		})
		if !errors.Is(err, push.ErrFrame) || strings.Join(got, ",") != "good,bad" {
			t.Errorf("got %v after %q", err, got)
		}
		if diff := cmp.Diff(conn.closed, []int{push.CloseProtocol}); diff != "" {
			t.Error(diff)
		}
		if !bytes.Equal(buf, make([]byte, 16)) {
			t.Errorf("the buffer still holds %q", buf)
		}
	})
}

func TestDownIsJSON(t *testing.T) {
	html := "<p class=\"x\">\\ 窓口\u2028 \t\x01 𠮷 </p>"
	frame := push.Down{Boot: "b", Rev: 18446744073709551615, Screen: "pin", Instance: 9, HTML: []byte(html + "\xff")}.Encode()
	var got struct {
		Boot, Screen, HTML string
		Rev, Inst          uint64
	}
	dec := json.NewDecoder(bytes.NewReader(frame))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Boot != "b" || got.Screen != "pin" || got.Rev != 18446744073709551615 || got.Inst != 9 || got.HTML != html+"\ufffd" {
		t.Errorf("got %+v", got)
	}
}
