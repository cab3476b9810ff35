package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/daemon/session"
	"madoguchi/ui/screen"
)

// doorkeeper is a browser whose Show waits while the door is closed: an owner that is stuck in its own work.
type doorkeeper struct {
	session.Kiosk
	door chan chan struct{} // holds one door; it is closed for good or open for good
}

func (d doorkeeper) Show(s screen.Screen) {
	door := <-d.door
	d.door <- door
	<-door
	d.Kiosk.Show(s)
}

func (d doorkeeper) set(door chan struct{}) {
	<-d.door
	d.door <- door
}

func openDoor() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Only an owner that goes on answers: an idle one does for ever, a stuck one does not, and one that comes loose does again.
func TestPing(t *testing.T) {
	keeper := doorkeeper{door: make(chan chan struct{}, 1)}
	keeper.door <- openDoor()
	run(t, func(d *session.Deps) { keeper.Kiosk = d.Kiosk; d.Kiosk = keeper }, func(t *testing.T, k *kiosk) {
		ping := func() error {
			ctx, cancel := context.WithTimeout(k.ctx, 20*time.Second)
			defer cancel()
			return k.session.Ping(ctx)
		}
		for range 100 { // idle: nobody comes for an hour
			k.pass(36 * time.Second)
			if err := ping(); err != nil {
				t.Fatalf("an idle owner: %v", err)
			}
		}
		closed := make(chan struct{})
		keeper.set(closed)
		k.session.Refresh(k.ctx)
		synctest.Wait() // the owner now waits at the door
		for range 5 {
			begin := time.Now()
			if err := ping(); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 20*time.Second {
				t.Fatalf("a stuck owner answered: %v after %v", err, time.Since(begin))
			}
		}
		keeper.set(openDoor())
		close(closed)
		if err := ping(); err != nil {
			t.Fatalf("an owner that came loose: %v", err)
		}
	})
}
