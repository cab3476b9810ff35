package ingest

import (
	"context"
	"math"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"madoguchi/storage/wire"
)

// Limits of one receiver. Its memory is about three times Bytes at most, however many kiosks send. A zero field means
// the default.
type Limits struct {
	Bytes        int64         // of bodies in memory at once; 64 MiB
	Wait         time.Duration // how long a request waits for room before it is told to come again; 2 s
	DeviceRate   float64       // requests per second that one kiosk may go on making; 10
	DeviceBurst  int           // requests that it may make at once, after a rest; 600: the backlog of two days
	DeviceAtOnce int           // requests of one kiosk under way; 8 (a kiosk makes four at most)
	Store        time.Duration // how long storing may take; 20 s
	BodyGrace    time.Duration // how long any body may take to come; 10 s
	BodyRate     int64         // and how many bytes per second it must bring beyond that; 32 KiB
}

func (l *Limits) defaults() {
	set(&l.Bytes, 64<<20)
	l.Bytes = max(l.Bytes, wire.MaxEnvelope) // less could never take a large one
	set(&l.Wait, 2*time.Second)
	set(&l.DeviceRate, 10)
	set(&l.DeviceBurst, 600)
	set(&l.DeviceAtOnce, 8)
	set(&l.Store, 20*time.Second)
	set(&l.BodyGrace, 10*time.Second)
	set(&l.BodyRate, 32<<10)
}

func set[T int | int64 | float64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// devices holds one token bucket per kiosk. Only registered kiosks get this far, so that their number bounds the map.
type devices struct {
	mu    sync.Mutex
	rate  float64
	burst float64
	most  int
	all   map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
	under  int // requests under way
}

// enter takes a token, or tells how long to wait for one. After ok the caller must leave.
func (d *devices) enter(name string, now time.Time) (wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.all[name]
	if b == nil {
		b = &bucket{tokens: d.burst, at: now}
		d.all[name] = b
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(d.burst, b.tokens+passed.Seconds()*d.rate)
	}
	b.at = now // a clock that was set back earns nothing and costs nothing
	if b.under >= d.most {
		return time.Second, false
	}
	if b.tokens < 1 {
		return time.Duration(math.Ceil((1-b.tokens)/d.rate*1000)) * time.Millisecond, false
	}
	b.tokens--
	b.under++
	return 0, true
}

func (d *devices) leave(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all[name].under--
}

// memory bounds the bytes of all bodies in memory and lends the buffers for them.
type memory struct {
	room *semaphore.Weighted
	wait time.Duration
	free [maxClass + 1]sync.Pool // of *[]byte, by the logarithm of their size
}

// The sizes of buffers: powers of two from 64 KiB to what the largest envelope needs.
const (
	minClass = 16
	maxClass = 21
)

// take waits for room for n bytes and lends a buffer that is at least so long; nil when there is no room in time.
func (m *memory) take(ctx context.Context, n int) *[]byte {
	class := max(minClass, bits.Len(uint(max(n, 1)-1))) //nolint:gosec // n is at least 1 here
	ctx, cancel := context.WithTimeout(ctx, m.wait)
	defer cancel()
	if m.room.Acquire(ctx, 1<<class) != nil {
		return nil
	}
	if b, ok := m.free[class].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 1<<class)
	return &b
}

// give takes the buffer back. One that somebody may still read (clean is false) is left to the garbage collector.
func (m *memory) give(b *[]byte, clean bool) {
	if clean {
		m.free[bits.Len(uint(len(*b)))-1].Put(b)
	}
	m.room.Release(int64(len(*b)))
}
