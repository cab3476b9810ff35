// Package store is the contract of HQ's store of received envelopes: one row per record, its envelope as it came, and
// the receipt that was given for it. The clear columns are routing data; nothing personal is in them. Rows are never
// changed. Two implementations pass one suite (storetest): sqlitestore, embedded, and pgstore, for fleets with any
// number of receivers; bodies may lie outside the rows (Claims). Only daemon/hq/... and daemon/hqd may import it, and
// only daemon/hqd chooses the implementation.
package store

import (
	"context"
	"errors"
	"time"

	"madoguchi/storage/record"
	"madoguchi/storage/wire"
)

// Errors of every implementation; a fault of the database itself is any other error.
var (
	// ErrNotFound says that there is no such record.
	ErrNotFound = errors.New("store: no such record")
	// ErrVersion says that the database has a schema that this program does not know, or, for a Reader, one that the
	// receiver has not upgraded yet.
	ErrVersion = errors.New("store: the database has another schema version")
	// ErrNotDurable says that the database would lose what it acknowledged (fsync off): no receipt may be given on it.
	ErrNotDurable = errors.New("store: the database does not write durably")
	// ErrNotThere says that the receiver has not made the database yet, or that it cannot be opened yet.
	ErrNotThere = errors.New("store: not there yet")
	// ErrBody says that the body of a record is not what its row says, or not there.
	ErrBody = errors.New("store: the body of the record is missing or damaged")
)

// Row is one stored record. List leaves Envelope and Receipt empty, Find and Insert give none back.
type Row struct {
	Device, ID string // the key; ID is a UUIDv7
	Seq        uint64
	Created    time.Time // by the kiosk's clock, to the millisecond
	Received   time.Time // by HQ's clock, to the millisecond
	Virtual    []string
	Parts      []record.Part
	Digest     [32]byte // SHA-256 of the envelope
	Envelope   []byte   // empty when Body names where it is
	Body       string   // key in the body store; empty: the envelope is in the row
	Receipt    []byte
	Shredded   time.Time // when its envelope was removed for good; zero as long as it is there
}

// Virtually says whether any part of the record was virtual.
func (r Row) Virtually() bool { return len(r.Virtual) > 0 }

// NewRow makes the row of an envelope.
func NewRow(e *wire.Envelope, receipt []byte, received time.Time) Row {
	r := Row{
		Device: e.Header.Device, ID: e.Header.ID, Seq: e.Header.Seq, Created: e.Header.Created, Received: received.UTC(),
		Virtual: e.Header.Virtual, Digest: e.Digest, Envelope: e.Bytes, Receipt: receipt,
	}
	for _, p := range e.Header.Parts {
		r.Parts = append(r.Parts, p.Name)
	}
	return r
}

// Writer is the receiver's side of the store. Any number of goroutines may use it; whether any number of processes
// may is the implementation's word.
type Writer interface {
	// Insert stores the row durably, unless one of the same device and id is there already; then that one is given,
	// without its envelope, and fresh is false. Of any number of racing inserts exactly one is fresh, and all are
	// given the row of that one. It is up to the caller to compare the digests. The row's bytes are not kept.
	Insert(ctx context.Context, r Row) (stored Row, fresh bool, err error)
	// Find gives a row without its envelope, or ErrNotFound.
	Find(ctx context.Context, device, id string) (Row, error)
	// Known says which of these bodies a row names.
	Known(ctx context.Context, bodies []string) (map[string]bool, error)
	// Maintain does what must be done from time to time: every hour is enough, more often and from several processes
	// is harmless.
	Maintain(ctx context.Context) error
	// Health tells what an operator should look at.
	Health(ctx context.Context) (Health, error)
	// What HQ remembers of its kiosks beside their records.
	Witness
	// Ping fails when nothing could be stored now.
	Ping(ctx context.Context) error
	Close() error
}

// Reader is the opener's side: it cannot write.
type Reader interface {
	// Get reads one record whole, or ErrNotFound.
	Get(ctx context.Context, device, id string) (Row, error)
	// List lists records without envelopes and receipts, newest received first, at most limit after skipping skip.
	List(ctx context.Context, limit, skip int) ([]Row, error)
	// After lists records from after a place on, in an order by time of reception that never changes, without envelopes
	// and receipts, at most limit. A record may appear before a place that was passed: several receivers have several
	// clocks, and commits take time.
	After(ctx context.Context, p Place, limit int) ([]Row, error)
	// Gaps counts per device. A number missing for long means a record lost or held back at the kiosk.
	Gaps(ctx context.Context) ([]Gap, error)
	WitnessReader
	Ping(ctx context.Context) error
	Close() error
}

// Place is a place in the order of After; the zero one is before all records.
type Place struct {
	Received   time.Time
	Device, ID string
}

// PlaceOf is where a row is.
func PlaceOf(r Row) Place { return Place{r.Received, r.Device, r.ID} }

// Gap is what a device's sequence numbers say: how many numbers up to its highest have not come in.
type Gap struct {
	Device  string
	Records int
	Highest uint64
	Missing int
}
