package sync

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// paceChunk is how much is sent at once under a bandwidth cap, in bytes.
const paceChunk = 4 << 10

// newPace makes the cap; bytes a second of 0 is none.
func newPace(bytesPerSecond int) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), paceChunk)
}

// paced reads no faster than the cap allows.
type paced struct {
	ctx  context.Context //nolint:containedctx // a reader has no other way to end its waiting
	in   io.Reader
	pace *rate.Limiter
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	n, err := p.in.Read(b[:min(len(b), paceChunk)])
	if n > 0 {
		if wait := p.pace.WaitN(p.ctx, n); wait != nil {
			return 0, wait
		}
	}
	return n, err
}
