package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"

	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
)

// Client is a connection to a running kioskd. It is used by one goroutine; Close ends a maintenance it began.
type Client struct {
	conn net.Conn
	in   *bufio.Reader
	stop func() bool
}

// Dial connects. When ctx ends, so does the connection.
func Dial(ctx context.Context, socket string) (*Client, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("kioskd cannot be reached: %w", err)
	}
	return &Client{conn: c, in: bufio.NewReader(c), stop: context.AfterFunc(ctx, func() { _ = c.Close() })}, nil
}

// Close closes the connection.
func (c *Client) Close() error {
	c.stop()
	return c.conn.Close()
}

// Do sends a request and reads the answer. A refusal is a *Refusal.
func (c *Client) Do(r Request) (Answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return Answer{}, err
	}
	defer clear(line)
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		return Answer{}, fmt.Errorf("kioskd is gone: %w", err)
	}
	raw, err := c.in.ReadBytes('\n')
	if err != nil {
		return Answer{}, fmt.Errorf("kioskd is gone: %w", err)
	}
	var a Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return Answer{}, errors.New("kioskd gave an answer that is none")
	}
	if a.Code != "" {
		return a, &Refusal{a.Code, errors.New(a.Error)}
	}
	return a, nil
}

// Maintain begins maintenance, which lasts until Close. The PIN stays the caller's.
func (c *Client) Maintain(staff string, pin *secret.Bytes) error {
	_, err := c.Do(Request{Do: DoMaintenance, Staff: staff, PIN: pin.Reveal()})
	return err
}

// Export reads the audit log: the answer with size and checkpoint, then leaf by leaf.
func (c *Client) Export(head func(Answer) error, visit func(leaf []byte) error) (Answer, error) {
	a, err := c.Do(Request{Do: DoAuditExport})
	if err != nil {
		return a, err
	}
	if err := head(a); err != nil {
		return a, err
	}
	for range a.Size {
		leaf, err := c.in.ReadSlice('\n')
		if err != nil || len(leaf) > audit.MaxLeaf+1 {
			return a, errors.New("kioskd ended in the middle of the log")
		}
		if err := visit(bytes.TrimSuffix(leaf, []byte("\n"))); err != nil {
			return a, err
		}
	}
	return a, nil
}
