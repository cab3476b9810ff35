package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrShredded says that the record was here and its envelope was removed for good: its retention had ended. It is an
// ErrNotFound too, for all who need not know the difference.
var ErrShredded = fmt.Errorf("%w: it was shredded", ErrNotFound)

// Tombstone is what stays of a shredded record: its routing data, digest and receipt, and why it went. It proves that
// the record was received and that nobody lost it, and nothing can be opened of it.
type Tombstone struct {
	Row
	Rule string
}

// Shredder removes records whose retention has ended. It is a narrow door beside Writer: the receiver never goes
// through it, and there is no other way to remove a record. Rows are still never changed: one is deleted, and its
// tombstone stands in its place, so that the kiosk's repeated PUT gets its old receipt and no number seems to be missing.
type Shredder interface {
	// Shred removes the envelope, in the row or in the body store, and leaves the tombstone. ErrNotFound when there is
	// no such record. On a record that was shredded already it gives the first tombstone and finishes what an
	// interrupted call may have left.
	Shred(ctx context.Context, device, id string, at time.Time, rule string) (Tombstone, error)
	// Tombstones lists them, newest first.
	Tombstones(ctx context.Context, limit, skip int) ([]Tombstone, error)
	// Settle makes the database give up what it keeps of deleted rows as far as it can. It is called after a run.
	Settle(ctx context.Context) error
}

var errNoShredder = errors.New("store: this store cannot shred")

// Shred implements Shredder over one that keeps the bodies elsewhere: the tombstone first, which names the body, and
// then the body. When that fails the call is made again.
func (c *claims) Shred(ctx context.Context, device, id string, at time.Time, rule string) (Tombstone, error) {
	s, ok := c.Writer.(Shredder)
	if !ok {
		return Tombstone{}, errNoShredder
	}
	t, err := s.Shred(ctx, device, id, at, rule)
	if err != nil || t.Body == "" {
		return t, err
	}
	return t, c.bodies.Delete(ctx, []string{t.Body})
}

// Tombstones implements Shredder.
func (c *claims) Tombstones(ctx context.Context, limit, skip int) ([]Tombstone, error) {
	if s, ok := c.Writer.(Shredder); ok {
		return s.Tombstones(ctx, limit, skip)
	}
	return nil, errNoShredder
}

// Settle implements Shredder.
func (c *claims) Settle(ctx context.Context) error {
	if s, ok := c.Writer.(Shredder); ok {
		return s.Settle(ctx)
	}
	return errNoShredder
}
