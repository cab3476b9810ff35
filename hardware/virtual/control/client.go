package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
)

// ErrRefused is the error of a request that the kiosk did not carry out.
var ErrRefused = errors.New("control: the kiosk refused")

// Send makes one request to the kiosk that listens on the socket at path. A reply that says that the request
// failed is ErrRefused, with the reply.
func Send(ctx context.Context, path string, r Request) (Reply, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return Reply{}, fmt.Errorf("control: %w", err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	line, err := json.Marshal(r)
	if err != nil {
		return Reply{}, fmt.Errorf("control: %w", err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return Reply{}, fmt.Errorf("control: %w", err)
	}
	in := bufio.NewScanner(conn)
	in.Buffer(nil, 1<<20)
	if !in.Scan() {
		return Reply{}, errors.New("control: the kiosk did not answer")
	}
	var reply Reply
	if err := json.Unmarshal(in.Bytes(), &reply); err != nil {
		return Reply{}, fmt.Errorf("control: %w", err)
	}
	if reply.Error != "" {
		return reply, fmt.Errorf("%w: %s", ErrRefused, reply.Error)
	}
	return reply, nil
}
