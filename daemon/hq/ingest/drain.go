package ingest

import (
	"context"
	"sync"
)

// gate counts the requests under way and lets no new ones in once it is shut.
type gate struct {
	mu    sync.Mutex
	shut  bool
	under int
	empty chan struct{} // closed when it is shut and nobody is inside
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.under++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under--; g.shut && g.under == 0 {
		close(g.empty)
	}
}

// close shuts the gate and waits until it is empty.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	if !g.shut {
		if g.shut = true; g.under == 0 {
			close(g.empty)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
