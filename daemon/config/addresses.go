package config

import (
	"net"
	"os"
	"regexp"
)

// The addresses of the packaged configuration.
const (
	defaultListen      = "127.0.0.1:18080"
	defaultStaffListen = "127.0.0.1:18081"
)

// Addresses finds the loopback addresses of the two pages in a file that need not be a good configuration, or be there
// at all; what it cannot find is that of the packaged configuration. It is for the out-of-service page alone.
func Addresses(path string) (customer, staff string) {
	b, _ := os.ReadFile(path) //nolint:gosec // the operator names the file; without one the defaults hold
	return address(b, "listen", defaultListen), address(b, "staff_listen", defaultStaffListen)
}

func address(b []byte, key, fallback string) string {
	m := regexp.MustCompile(`(?m)^[ \t]*` + key + `[ \t]*=[ \t]*["']([^"'\n]*)["']`).FindSubmatch(b)
	if m == nil {
		return fallback
	}
	host, port, err := net.SplitHostPort(string(m[1]))
	if ip := net.ParseIP(host); err != nil || port == "" || ip == nil || !ip.IsLoopback() {
		return fallback
	}
	return string(m[1])
}
