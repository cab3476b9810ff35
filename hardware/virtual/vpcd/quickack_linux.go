package vpcd

import (
	"net"
	"syscall"
)

// quick acknowledges every segment at once. The kernel forgets the setting, so it is made again at every read.
type quick struct{ net.Conn }

func (q quick) Read(b []byte) (int, error) {
	q.now()
	n, err := q.Conn.Read(b)
	q.now()
	return n, err
}

func (q quick) now() {
	tcp, ok := q.Conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
