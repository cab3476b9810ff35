package push

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// ErrFrame is given for a frame that is not what the protocol allows.
var ErrFrame = errors.New("push: frame refused")

// wsConn is gorilla/websocket behind Conn.
type wsConn struct{ c *websocket.Conn }

// Upgrade turns a request into a Conn. The caller has checked Host and Origin with Guard; the library's own check,
// which accepts a missing Origin, is switched off. limit is the longest frame the browser may send.
func Upgrade(w http.ResponseWriter, r *http.Request, limit int) (Conn, error) {
	up := websocket.Upgrader{
		HandshakeTimeout: AuthTimeout, ReadBufferSize: 1024, WriteBufferSize: 4096,
		CheckOrigin: func(*http.Request) bool { return true },
		Error:       func(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) },
	}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return nil, errors.Join(ErrClosed, err)
	}
	c.SetReadLimit(int64(limit))
	return wsConn{c}, nil
}

func (w wsConn) Read(buf []byte) (int, error) {
	kind, r, err := w.c.NextReader()
	if err != nil {
		return 0, err
	}
	if kind != websocket.TextMessage {
		return 0, ErrFrame
	}
	n, err := io.ReadFull(r, buf)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return n, nil
	case err != nil:
		return 0, err
	}
	var more [1]byte
	if k, err := r.Read(more[:]); k != 0 || !errors.Is(err, io.EOF) {
		return 0, ErrFrame
	}
	return n, nil
}

func (w wsConn) ReadTimeout(d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = w.c.SetReadDeadline(at)
}

func (w wsConn) Write(binary bool, p []byte, d time.Duration) error {
	kind := websocket.TextMessage
	if binary {
		kind = websocket.BinaryMessage
	}
	if err := w.c.SetWriteDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	return w.c.WriteMessage(kind, p)
}

func (w wsConn) Close(code int, reason string) {
	bye := websocket.FormatCloseMessage(code, reason)
	_ = w.c.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
	_ = w.c.Close()
}
