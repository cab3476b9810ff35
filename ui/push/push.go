// Package push is the engine that keeps a browser's page equal to a state in this process: whole rendered screens
// go down one websocket, the latest one wins, and small strictly checked frames come up. It also holds what every
// listener of ours needs: exact Host and Origin checks, response headers, random keys and image handles. It knows
// no kiosk rules and no screens. Only ui/hub, ui/console and daemon/hq pages may import it.
package push

import (
	"errors"
	"sync"
	"time"
)

// Times of the engine.
const (
	// DefaultHeartbeat is how often a silent connection says that it lives; the page warns after 5 s of silence.
	DefaultHeartbeat = 2 * time.Second
	// DefaultWriteTimeout is how long one write may take before the connection counts as lost.
	DefaultWriteTimeout = 2 * time.Second
	// AuthTimeout is how long a new connection may take for its first frame.
	AuthTimeout = 5 * time.Second
)

// Close codes that the page understands (RFC 6455: 4000-4999 are private use).
const (
	CloseDone     = 4000 // nothing wrong: no longer needed
	CloseRefused  = 4401 // the key is not known
	CloseProtocol = 4400 // a frame that we do not understand
	CloseTakeover = 4409 // another page took over: do not connect again
)

// ErrClosed is given by a connection that is closed.
var ErrClosed = errors.New("push: connection closed")

// Conn is one websocket. The only implementation outside tests wraps gorilla/websocket.
type Conn interface {
	// Read reads one text message into buf. A message that does not fit, or is not text, is an error.
	Read(buf []byte) (int, error)
	// ReadTimeout limits the reads that follow; zero means no limit.
	ReadTimeout(d time.Duration)
	// Write sends one message within d.
	Write(binary bool, p []byte, d time.Duration) error
	// Close says goodbye and closes. It may be called more than once and from any goroutine.
	Close(code int, reason string)
}

// message is one rendered frame with its revision.
type message struct {
	rev  uint64
	data []byte
}

// Link drives the way down of one connection: a channel of size 1 in which the latest frame wins.
type Link struct {
	conn      Conn
	heartbeat time.Duration
	timeout   time.Duration

	mu     sync.Mutex
	closed bool
	next   chan message
	done   chan struct{}
}

// NewLink makes a link and starts its writer. Zero durations mean the defaults. The caller must call Close.
func NewLink(conn Conn, heartbeat, timeout time.Duration) *Link {
	if heartbeat <= 0 {
		heartbeat = DefaultHeartbeat
	}
	if timeout <= 0 {
		timeout = DefaultWriteTimeout
	}
	l := &Link{
		conn: conn, heartbeat: heartbeat, timeout: timeout,
		next: make(chan message, 1), done: make(chan struct{}),
	}
	go l.write()
	return l
}

// Push queues a frame in place of one that was not sent yet; it never blocks. It takes ownership of data and wipes
// it when it was sent or superseded, for frames hold names and addresses.
func (l *Link) Push(rev uint64, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		clear(data)
		return
	}
	select {
	case old := <-l.next:
		clear(old.data)
	default:
	}
	l.next <- message{rev, data} // has room: only this function fills it, under the lock
}

// Close ends the link and its connection. It may be called more than once.
func (l *Link) Close(code int, reason string) {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	l.mu.Unlock()
	if first {
		close(l.done)
	}
	l.conn.Close(code, reason)
}

func (l *Link) write() {
	defer l.drain()
	tick := time.NewTicker(l.heartbeat)
	defer tick.Stop()
	var rev uint64
	for {
		var err error
		select {
		case <-l.done:
			return
		case m := <-l.next:
			rev = m.rev
			err = l.conn.Write(false, m.data, l.timeout)
			clear(m.data)
			tick.Reset(l.heartbeat)
		case <-tick.C:
			err = l.conn.Write(false, Heartbeat(rev), l.timeout)
		}
		if err != nil {
			l.Close(CloseDone, "write failed")
			return
		}
	}
}

func (l *Link) drain() {
	select {
	case m := <-l.next:
		clear(m.data)
	default:
	}
}

// Receive reads frames until the connection ends or handle gives an error, which closes the connection as a
// protocol fault. The buffer is wiped after each frame, so handle must not keep it.
func (l *Link) Receive(buf []byte, handle func(frame []byte) error) error {
	for {
		n, err := l.conn.Read(buf)
		if err == nil {
			err = handle(buf[:n])
		} else {
			err = errors.Join(ErrClosed, err)
		}
		clear(buf)
		if err != nil {
			l.Close(CloseProtocol, "frame refused")
			return err
		}
	}
}
