package hub

import (
	"bytes"
	"net/http"
	"sync"

	"madoguchi/ui/push"
)

// credit is how many preview frames may be under way to the page.
const credit = 2

// camera is the preview's websocket: binary JPEG frames, the latest wins, each frame drawn gives one credit back.
type camera struct {
	conn   push.Conn
	mu     sync.Mutex
	next   chan []byte   // size 1
	credit chan struct{} // size credit
	done   chan struct{}
	once   sync.Once
}

// Preview opens or closes the way for preview frames. It is off at first, and must be off outside the face step.
func (h *Hub) Preview(on bool) {
	h.mu.Lock()
	cam := h.cam
	h.preview = on && !h.closed
	if !on {
		h.cam = nil
	}
	h.mu.Unlock()
	if !on && cam != nil {
		cam.close()
	}
}

// Frame offers one JPEG picture (not mirrored) for the preview; it never blocks and copies what it keeps.
// Nothing happens while the preview is off or nobody looks.
func (h *Hub) Frame(jpeg []byte) {
	h.mu.Lock()
	cam, on := h.cam, h.preview
	h.mu.Unlock()
	if on && cam != nil {
		cam.put(bytes.Clone(jpeg))
	}
}

func (h *Hub) serveCamera(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	on := h.preview
	h.mu.Unlock()
	if !on {
		w.WriteHeader(http.StatusConflict)
		return
	}
	conn, _ := h.open(w, r, false)
	if conn == nil {
		return
	}
	cam := &camera{
		conn: conn, next: make(chan []byte, 1), credit: make(chan struct{}, credit), done: make(chan struct{}),
	}
	for range credit {
		cam.credit <- struct{}{}
	}
	h.mu.Lock()
	old := h.cam
	if on = h.preview; on {
		h.cam = cam
	}
	h.mu.Unlock()
	if old != nil {
		old.close()
	}
	if on {
		go cam.write(h.sent)
		cam.read()
	}
	cam.close()
	h.mu.Lock()
	if h.cam == cam {
		h.cam = nil
	}
	h.mu.Unlock()
}

func (h *Hub) sent() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts.Frames++
}

func (c *camera) put(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		clear(frame)
		return
	case old := <-c.next:
		clear(old)
	default:
	}
	c.next <- frame
}

func (c *camera) write(sent func()) {
	for {
		select {
		case <-c.done:
			return
		case <-c.credit:
		}
		select {
		case <-c.done:
			return
		case frame := <-c.next:
			err := c.conn.Write(true, frame, push.DefaultWriteTimeout)
			clear(frame)
			if err != nil {
				c.close()
				return
			}
			sent()
		}
	}
}

// read takes the page's credits; anything else ends the preview.
func (c *camera) read() {
	var buf [push.UpSize + 1]byte
	for {
		n, err := c.conn.Read(buf[:])
		if err != nil {
			return
		}
		up, err := push.ParseUp(buf[:n])
		if err != nil || up.Type != "ack" {
			return
		}
		select {
		case c.credit <- struct{}{}:
		default:
			return // more credits than frames
		}
	}
}

func (c *camera) close() {
	c.once.Do(func() { close(c.done) })
	c.conn.Close(push.CloseDone, "preview off")
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case frame := <-c.next:
		clear(frame)
	default:
	}
}
