package enroll

import (
	"net/netip"
	"sync"
	"time"
)

// Rates: a full bucket may be used at once, and fills again in its time.
const (
	perPlace  = 10 // attempts from one address (IPv4) or /64 (IPv6)
	perAll    = 200
	fillPlace = 10 * time.Minute
	fillAll   = time.Minute
	maxPlaces = 4096
)

// limiter bounds the attempts at enrolment. It forgets places whose bucket is full again, and never grows past
// maxPlaces: beyond that new places share one bucket.
type limiter struct {
	now func() time.Time

	mu     sync.Mutex
	all    bucket
	places map[netip.Prefix]*bucket
}

type bucket struct {
	used float64
	at   time.Time
}

// take takes one attempt, or says how long to wait.
func (b *bucket) take(now time.Time, size float64, fill time.Duration) (bool, time.Duration) {
	each := time.Duration(float64(fill) / size)
	if gone := now.Sub(b.at); gone > 0 { // a clock that jumps back gives nothing
		b.used = max(0, b.used-float64(gone)/float64(each))
	}
	b.at = now
	if b.used+1 > size {
		return false, each
	}
	b.used++
	return true, 0
}

func (l *limiter) allow(remote string) (bool, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if ok, wait := l.place(remote, now).take(now, perPlace, fillPlace); !ok {
		return false, wait
	}
	return l.all.take(now, perAll, fillAll)
}

func (l *limiter) place(remote string, now time.Time) *bucket {
	if l.places == nil {
		l.places = map[netip.Prefix]*bucket{}
	}
	var where netip.Prefix // zero: an address that cannot be read
	if a, err := netip.ParseAddrPort(remote); err == nil {
		bits := 64
		if addr := a.Addr().Unmap(); addr.Is4() {
			bits = 32
			where = netip.PrefixFrom(addr, bits)
		} else {
			where, _ = addr.WithZone("").Prefix(bits)
		}
	}
	if b := l.places[where]; b != nil {
		return b
	}
	if len(l.places) >= maxPlaces {
		for p, b := range l.places {
			if now.Sub(b.at) > fillPlace {
				delete(l.places, p)
			}
		}
	}
	if len(l.places) >= maxPlaces {
		where = netip.Prefix{}
		if b := l.places[where]; b != nil {
			return b
		}
	}
	b := &bucket{at: now}
	l.places[where] = b
	return b
}
