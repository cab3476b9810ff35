package main

import (
	"flag"
	"runtime/debug"

	"madoguchi/daemon/hq/ingest"
)

// limitFlags are the limits that an operator may want to change; the others follow from the wire contract.
type limitFlags struct {
	memory, rate, burst *int
}

func limitsFlags(f *flag.FlagSet) limitFlags {
	return limitFlags{
		memory: f.Int("memory-mib", 64, "records in memory at once, in MiB; the process takes about three times as much"),
		rate:   f.Int("device-rate", 10, "requests per second that one kiosk may go on making"),
		burst:  f.Int("device-burst", 600, "requests that one kiosk may make at once after a rest"),
	}
}

// limits is called after the flags are parsed.
func (l limitFlags) limits() ingest.Limits {
	return ingest.Limits{Bytes: int64(*l.memory) << 20, DeviceRate: float64(*l.rate), DeviceBurst: *l.burst}
}

// tune lets the garbage collector rest while the heap is small and work hard near the limit: bodies come and go, and
// what is bounded is the whole, not the ratio.
func (l limitFlags) tune() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(int64(*l.memory) * 4 << 20)
}
