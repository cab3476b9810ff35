package devicekey

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxResponse is the most bytes of a TPM's answer.
const maxResponse = 4096

// tpmHeader is tag (2), size (4) and response code (4).
const tpmHeader = 10

// rcRetry is TPM_RC_RETRY: the TPM was busy and did nothing.
const rcRetry = 0x922

// link is one connection to a TPM: a character device (the kernel's resource manager, /dev/tpmrm0) or the unix socket
// of a software TPM. No answer within the timeout breaks it: an answer that comes later would be taken for the next.
type link struct {
	fd      int
	timeout time.Duration
	device  bool // a character device
	broken  bool
}

func dial(path string, timeout time.Duration) (*link, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(ErrNoTPM, err)
	}
	l := &link{timeout: timeout}
	switch mode := info.Mode(); {
	case mode&os.ModeCharDevice != 0:
		l.device = true
		// O_NONBLOCK lets the kernel work on a command while poll waits for it with a limit.
		l.fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	case mode&os.ModeSocket != 0:
		if l.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			break
		}
		if err = unix.Connect(l.fd, &unix.SockaddrUnix{Name: path}); err != nil {
			_ = unix.Close(l.fd)
		}
	default:
		return nil, ErrNoTPM
	}
	if err != nil {
		return nil, errors.Join(ErrNoTPM, err)
	}
	return l, nil
}

func (l *link) close() {
	if l.fd >= 0 {
		_ = unix.Close(l.fd)
		l.fd = -1
	}
	l.broken = true
}

// Send implements go-tpm's transport.TPM.
func (l *link) Send(command []byte) ([]byte, error) {
	end := time.Now().Add(l.timeout)
	for pause := time.Millisecond; ; pause *= 2 {
		answer, err := l.exchange(command, end)
		if err != nil {
			l.close()
			return nil, errors.Join(ErrLost, err)
		}
		if binary.BigEndian.Uint32(answer[6:]) != rcRetry || time.Now().Add(pause).After(end) {
			return answer, nil
		}
		_, _ = unix.Poll(nil, int(pause/time.Millisecond)) // there is no event to wait for
	}
}

func (l *link) exchange(command []byte, end time.Time) ([]byte, error) {
	if l.broken {
		return nil, unix.EBADF
	}
	for rest := command; len(rest) > 0; {
		if err := l.wait(unix.POLLOUT, end); err != nil {
			return nil, err
		}
		n, err := unix.Write(l.fd, rest)
		if err == unix.EINTR || err == unix.EAGAIN { //nolint:errorlint // a plain errno
			continue
		}
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	buf := make([]byte, maxResponse)
	for got := 0; ; {
		if err := l.wait(unix.POLLIN, end); err != nil {
			return nil, err
		}
		n, err := unix.Read(l.fd, buf[got:])
		if err == unix.EINTR || err == unix.EAGAIN { //nolint:errorlint // a plain errno
			continue
		}
		if err == nil && n == 0 && l.device { // some kernels say "readable" before the answer is there
			_, _ = unix.Poll(nil, 1)
			continue
		}
		if err != nil || n == 0 {
			return nil, errors.Join(unix.EPIPE, err)
		}
		if got += n; got < tpmHeader {
			continue
		}
		switch size := binary.BigEndian.Uint32(buf[2:]); {
		case size < tpmHeader || size > maxResponse || int(size) < got:
			return nil, unix.EPROTO
		case int(size) == got:
			return buf[:got], nil
		}
	}
}

// wait waits until the TPM can be written to or read from, at most until end.
func (l *link) wait(events int16, end time.Time) error {
	for {
		left := time.Until(end)
		if left <= 0 {
			return unix.ETIMEDOUT
		}
		fds := []unix.PollFd{{Fd: int32(l.fd), Events: events}} //nolint:gosec // file descriptors are small
		n, err := unix.Poll(fds, int(left/time.Millisecond)+1)
		if err == unix.EINTR { //nolint:errorlint // a plain errno
			continue
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return nil // an error or a hang-up shows at the read or write
		}
	}
}
