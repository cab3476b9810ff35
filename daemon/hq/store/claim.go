package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Bodies is a store of envelopes outside the rows ("claim check"). Keys are made by Claims and never used twice.
type Bodies interface {
	// Put stores a body durably. sum is its SHA-256, for the store to check on arrival.
	Put(ctx context.Context, key string, body []byte, sum [32]byte) error
	// Get reads a body of at most limit bytes, or ErrBody.
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	// List calls visit with pages of the keys that begin with prefix, until it gives an error.
	List(ctx context.Context, prefix string, visit func(keys []string) error) error
	// Delete removes bodies; one that is not there is no error.
	Delete(ctx context.Context, keys []string) error
}

// dayLayout begins every key, so that a sweep looks at some days and not at years.
const dayLayout = "2006-01-02"

// bodyKey names a body: day, content hash, and a number of this very attempt. Two attempts never share a key, so that
// sweeping the body of a failed one can never take that of a later one which succeeded.
func bodyKey(now time.Time, sum [32]byte) string {
	attempt := uuid.New()
	return now.UTC().Format(dayLayout) + "/" + hex.EncodeToString(sum[:]) + "." + hex.EncodeToString(attempt[:8])
}

// claims is a Writer that puts the body first and then the row.
type claims struct {
	Writer
	bodies Bodies
	now    func() time.Time
}

// Claims makes a writer keep the bodies in a store of their own: first the body, then the row that names it. A row
// therefore never names a body that is not there; a body without a row is an orphan, and Sweep removes it.
func Claims(w Writer, b Bodies, now func() time.Time) Writer { return &claims{w, b, now} }

func (c *claims) Insert(ctx context.Context, r Row) (Row, bool, error) {
	old, err := c.Find(ctx, r.Device, r.ID) // a repeated PUT sends no body again
	if !errors.Is(err, ErrNotFound) {
		return old, false, err
	}
	if sha256.Sum256(r.Envelope) != r.Digest {
		return Row{}, false, ErrBody
	}
	key := bodyKey(c.now(), r.Digest)
	if err := c.bodies.Put(ctx, key, r.Envelope, r.Digest); err != nil {
		return Row{}, false, err
	}
	r.Body, r.Envelope = key, nil
	return c.Writer.Insert(ctx, r)
}

// claimed is a Reader that fetches bodies.
type claimed struct {
	Reader
	bodies Bodies
	most   int64
}

// Claimed makes a reader fetch the bodies of rows that name one, at most limit bytes each. Bodies in the rows are read
// as before, so that a store can be switched over.
func Claimed(r Reader, b Bodies, limit int64) Reader { return &claimed{r, b, limit} }

func (c *claimed) Get(ctx context.Context, device, id string) (Row, error) {
	r, err := c.Reader.Get(ctx, device, id)
	if err != nil || r.Body == "" {
		return r, err
	}
	b, err := c.bodies.Get(ctx, r.Body, c.most)
	if err != nil {
		return Row{}, err
	}
	if sha256.Sum256(b) != r.Digest {
		return Row{}, fmt.Errorf("%w: another hash", ErrBody)
	}
	r.Envelope = b
	return r, nil
}

// sweepDays is how far back a sweep looks; it is to run every day.
const sweepDays = 14

// SweepAfter is how old a body without a row must be at least: far longer than an insert may take, so that no attempt
// can still be between its body and its row.
const SweepAfter = 48 * time.Hour

// Sweep removes the bodies of the last days that no row names, and gives their number.
func Sweep(ctx context.Context, w Writer, b Bodies, now time.Time) (removed int, err error) {
	first := now.Add(-SweepAfter).UTC()
	for i := 1; i <= sweepDays; i++ { // only days that are over, and for SweepAfter
		day := first.AddDate(0, 0, -i).Format(dayLayout)
		err := b.List(ctx, day+"/", func(keys []string) error {
			known, err := w.Known(ctx, keys)
			if err != nil {
				return err
			}
			var orphans []string
			for _, k := range keys {
				if !known[k] {
					orphans = append(orphans, k)
				}
			}
			removed += len(orphans)
			if len(orphans) == 0 {
				return nil
			}
			return b.Delete(ctx, orphans)
		})
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}
