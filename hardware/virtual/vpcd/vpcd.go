// Package vpcd puts virtual cards into a real pcscd: it dials the vpcd driver of vsmartcard over TCP and speaks
// for the card. Connected is inserted, disconnected is removed.
//
// Frames are a 2-byte big-endian length and a body. One-byte bodies are control codes (00 off, 01 on, 02 reset,
// 04 get ATR), longer ones command APDUs. Only get ATR and APDUs are answered. An empty frame hangs pcscd, so none
// is ever sent. vpcd writes length and body apart, which costs 40 ms for each APDU unless the card acknowledges at
// once: TCP_QUICKACK is set before and after every read.
//
// Only daemon/kioskctl, hardware/hardwaretest and tests may import it.
package vpcd

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"madoguchi/hardware/virtual"
)

// ErrRemoved says that the card left by its own faults.
var ErrRemoved = errors.New("vpcd: the card left the reader")

// The control codes.
const (
	powerOff = 0x00
	powerOn  = 0x01
	reset    = 0x02
	getATR   = 0x04
)

const maxBody = 0xFFFF

// Serve puts the card into the vpcd slot that listens on addr ("127.0.0.1:35963") and speaks for it until ctx
// ends (nil), the card leaves by its faults (ErrRemoved) or the connection breaks.
func Serve(ctx context.Context, addr string, card *virtual.Card) error {
	conn, err := dial(ctx, addr)
	if ctx.Err() != nil {
		if err == nil {
			_ = conn.Close()
		}
		return nil
	}
	if err != nil {
		return err
	}
	return serve(ctx, conn, card)
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("vpcd: %w", err)
	}
	return conn, nil
}

func serve(ctx context.Context, conn net.Conn, card *virtual.Card) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() {
		_ = conn.Close()
		card.PowerOff() // out of the field
	}()
	in := bufio.NewReader(quick{conn})
	for {
		body, err := readFrame(in)
		if err == nil {
			err = reply(ctx, conn, card, body)
			clear(body) // it may hold a PIN
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

// readFrame reads one frame. An empty one is skipped by reply.
func readFrame(in io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, fmt.Errorf("vpcd: %w", err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, fmt.Errorf("vpcd: %w", err)
	}
	return body, nil
}

// reply does what one frame asks for.
func reply(ctx context.Context, out io.Writer, card *virtual.Card, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if len(body) == 1 {
		return control(out, card, body[0])
	}
	if own, ok := card.ReaderCommand(body); ok {
		return writeFrame(out, own)
	}
	a := card.Exchange(body)
	if a.Gone || a.Broken { // vpcd has no other transport error than the end of the connection
		return ErrRemoved
	}
	if a.Mute { // no answer; the next frame, or the end of the connection, is waited for
		return nil
	}
	if a.Delay > 0 {
		timer := time.NewTimer(a.Delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
	return writeFrame(out, a.Data)
}

func control(out io.Writer, card *virtual.Card, code byte) error {
	switch code {
	case powerOff:
		card.PowerOff()
	case powerOn:
		card.PowerOn()
	case reset:
		card.Reset()
	case getATR:
		return writeFrame(out, card.ATR())
	}
	return nil
}

// writeFrame sends length and body in one write. What cannot be sent as it is becomes a status word.
func writeFrame(out io.Writer, body []byte) error {
	switch {
	case len(body) == 0:
		return errors.New("vpcd: a dead card cannot be served")
	case len(body) > maxBody:
		body = []byte{0x67, 0x00}
	}
	frame := binary.BigEndian.AppendUint16(nil, uint16(len(body)))
	if _, err := out.Write(append(frame, body...)); err != nil {
		return fmt.Errorf("vpcd: %w", err)
	}
	return nil
}

// Slot is one slot of vpcd with the same hand as the virtual reader: Insert and Remove.
type Slot struct {
	addr string

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
	card   *virtual.Card
}

// NewSlot makes the hand for the slot that listens on addr. Nothing is dialled yet.
func NewSlot(addr string) *Slot { return &Slot{addr: addr} }

// Insert puts a card into the slot; one that lies there is taken out first. It returns when vpcd has taken the
// connection; pcscd notices it within half a second.
func (s *Slot) Insert(card *virtual.Card) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove()
	ctx, cancel := context.WithCancel(context.Background())
	dialling, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	conn, err := dial(dialling, s.addr)
	if err != nil {
		cancel()
		return err
	}
	done := make(chan struct{})
	s.cancel, s.done, s.card = cancel, done, card
	go func() {
		defer close(done)
		_ = serve(ctx, conn, card) // whatever ended it, the slot is empty now
	}()
	return nil
}

// Remove takes the card out and waits until the connection is closed. Removing nothing is no error.
func (s *Slot) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove()
	return nil
}

func (s *Slot) remove() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	<-s.done
	s.cancel, s.done, s.card = nil, nil, nil
}

// Card is the card in the slot, or nil: also when the card left by its faults or vpcd closed the connection.
func (s *Slot) Card() *virtual.Card {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel == nil {
		return nil
	}
	select {
	case <-s.done:
		return nil
	default:
		return s.card
	}
}

// Done is closed when the card that lies in the slot now is out again, whoever took it out; for an empty slot it
// is closed already.
func (s *Slot) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		gone := make(chan struct{})
		close(gone)
		return gone
	}
	return s.done
}
