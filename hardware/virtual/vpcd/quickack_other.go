//go:build !linux

package vpcd

import "net"

// quick does nothing special where TCP_QUICKACK does not exist.
type quick struct{ net.Conn }
