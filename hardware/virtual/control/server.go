package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"madoguchi/hardware/virtual"
)

// Hand places cards: *virtual.Reader or *vpcd.Slot.
type Hand interface {
	Insert(card *virtual.Card) error
	Remove() error
}

// Server holds the devices that requests act on. Do may also be called directly, e.g. by a developer panel.
//
// With Hand a *vpcd.Slot it handles a card in a real pcscd. Camera may be nil: its requests are then refused.
type Server struct {
	Hand   Hand
	Camera *virtual.Camera
	Drawer *virtual.Drawer

	mu     sync.Mutex
	placed string
	card   *virtual.Card
}

// Serve listens on a unix socket at path until ctx ends, and returns ctx.Err(). A socket left behind by a process
// that died is replaced.
func (s *Server) Serve(ctx context.Context, path string) error {
	l, err := listen(ctx, path)
	if err != nil {
		return err
	}
	return s.accept(ctx, l)
}

func (s *Server) accept(ctx context.Context, l net.Listener) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // also when the listener broke: whoever still talks is hung up on
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return ctx.Err()
		}
		if err != nil {
			_ = l.Close()
			return fmt.Errorf("control: %w", err)
		}
		wait.Go(func() { s.talk(ctx, conn) })
	}
}

func listen(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "unix", path); err == nil {
			_ = conn.Close()
			return nil, errors.New("control: another process listens on the socket")
		}
		_ = os.Remove(path)
	}
	var c net.ListenConfig
	l, err := c.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("control: %w", err)
	}
	return l, nil
}

// talk answers the requests of one connection.
func (s *Server) talk(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	in := bufio.NewScanner(conn)
	in.Buffer(make([]byte, 0, maxLine), maxLine)
	for in.Scan() {
		reply := Reply{Error: errRequest.Error()}
		if r, err := parseRequest(in.Bytes()); err == nil {
			reply = s.Do(r)
		}
		line, err := json.Marshal(reply)
		if err != nil {
			return
		}
		if _, err := conn.Write(append(line, '\n')); err != nil {
			return
		}
	}
}

// Do carries out one request.
func (s *Server) Do(r Request) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reply Reply
	if s.card != nil && r.Do == ResetStats {
		stats := s.card.ResetStats()
		reply.Stats = &stats
	}
	if err := s.do(r); err != nil {
		reply.Error = err.Error()
	}
	reply.Card = s.placed
	if s.Camera != nil {
		reply.Scene = s.Camera.Scene()
	}
	if s.card == nil {
		return reply
	}
	if reply.Stats == nil {
		stats := s.card.Stats()
		reply.Stats = &stats
	}
	reply.Tries = s.card.Tries()
	if h, ok := s.Hand.(interface{ Card() *virtual.Card }); ok {
		reply.Gone = h.Card() != s.card
	}
	return reply
}

func (s *Server) do(r Request) error {
	switch r.Do {
	case Insert:
		card, err := s.Drawer.Card(r.ID)
		if err != nil {
			return err
		}
		s.placed, s.card = "", nil
		if err := s.Hand.Insert(card); err != nil {
			return err
		}
		s.placed, s.card = r.ID, card
		return nil
	case Remove:
		s.placed, s.card = "", nil
		return s.Hand.Remove()
	case Renew:
		s.Drawer.Renew(r.ID)
		return nil
	case Show, ShowFolder, ShowNothing, FailCamera:
		return s.show(r)
	case Fault:
		return s.fail(r)
	case ResetStats:
		if s.card == nil {
			return errNoCard
		}
		return nil
	case Status:
		return nil
	}
	return errRequest
}

// show does what concerns the camera.
func (s *Server) show(r Request) error {
	if s.Camera == nil {
		return errNoCamera
	}
	switch r.Do {
	case Show:
		return s.Camera.Show(r.ID)
	case ShowFolder:
		return s.Camera.ShowFolder(r.Path)
	case ShowNothing:
		return s.Camera.ShowNothing()
	default:
		s.Camera.Fail()
		return nil
	}
}

// fail sets the faults of the card placed, or of the one named, which may lie in the drawer still.
func (s *Server) fail(r Request) error {
	card := s.card
	if r.ID != "" {
		var err error
		if card, err = s.Drawer.Card(r.ID); err != nil {
			return err
		}
	}
	if card == nil {
		return errNoCard
	}
	if r.Faults == nil {
		return errRequest
	}
	f, err := r.Faults.card()
	if err != nil {
		return err
	}
	card.SetFaults(f)
	return nil
}
