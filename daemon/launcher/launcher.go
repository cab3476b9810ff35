// Package launcher is how the kiosk's own browser session gets the page's address: a unix socket that answers with a
// one-time token. Only daemon/kiosk and daemon/kioskctl import it.
package launcher

import (
	"context"
	"errors"
	"net"
	"os"
)

// Serve answers each connection on a unix socket with the page's address and a new one-time token. The
// socket lies in a directory that only the kiosk's user may enter; that is the whole of its protection.
func Serve(ctx context.Context, path string, address func() string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		_, _ = c.Write([]byte(address() + "\n"))
		_ = c.Close()
	}
}

// Ask asks a running kiosk for its page's address.
func Ask(ctx context.Context, path string) (string, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	b := make([]byte, 512)
	n, err := c.Read(b)
	if err != nil {
		return "", err
	}
	for n > 0 && b[n-1] == '\n' {
		n--
	}
	return string(b[:n]), nil
}
