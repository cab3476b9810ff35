package e2e_test

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A stop in the middle of a session (SIGTERM, as systemd sends it), with the customer's data on the screen and with the
// camera running: it ends with status 0 within the 5 s that the unit gives, and nothing of the customer is left.
func TestStoppedInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name, id string
		to       func(*customer)
	}{
		{"read-and-shown", "sato", func(c *customer) { c.toReview("sato") }},
		{"before-the-camera", "suzuki", func(c *customer) { c.toReview("suzuki"); c.shows("ito"); c.press("confirm", "face") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, options{models: models(t)})
			c := b.customer()
			c.arrive(b)
			tt.to(c)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			stopsCleanly(ctx, t, b.kiosk.cmd)
			p := c.person(tt.id)
			searchFiles(t, b, map[string][]byte{
				"name": p.Name().Reveal(), "address": p.Address().Reveal(), "serial": p.Serial().Reveal(),
				"birth": p.Birth().Reveal(), "My Number": p.MyNumber().Reveal(), "photo": p.Face().Reveal()[200:600],
			})
			b.startKiosk()
			if got := b.arrived(); len(got) != 0 {
				t.Fatalf("an unfinished person is at HQ: %v", got)
			}
		})
	}
}

// stopsCleanly sends SIGTERM and waits for status 0.
func stopsCleanly(ctx context.Context, t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("it ended with %v", err)
		}
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		t.Fatalf("it did not end in 5 s, then: %v", <-ended)
	}
}
