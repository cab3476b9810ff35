package retention

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/internal/secret"
)

// Caps of an import.
const (
	MaxCSV   = 16 << 20 // bytes
	maxLines = 200_000
)

// Keys finds the records of a key by which the operator's systems know a relation: kakunin.DB.
type Keys interface {
	Find(ctx context.Context, key *secret.Bytes) ([]kakunin.Ref, error)
}

// Imported is what became of a file.
type Imported struct {
	Lines     int   // read, without the header
	Events    int   // taken: a key may name several records
	Unmatched []int // lines whose key names no record; the key itself is not repeated
}

// ErrCSV is given for a file that is not as it should be; the text names the line, and no value.
var ErrCSV = errors.New("retention: malformed CSV")

// columns of a file, in any order. A line has either key or device and record.
func columns() []string { return []string{"kind", "key", "device", "record", "day", "reason"} }

// Import takes events from a CSV file (RFC 4180, UTF-8, with or without U+FEFF) whose first line names the columns. It
// takes all lines or none; a key that names no record is reported and stops nothing.
func (d *DB) Import(ctx context.Context, in io.Reader, keys Keys, author string, now time.Time) (Imported, error) {
	r := csv.NewReader(io.LimitReader(in, MaxCSV))
	head, err := r.Read()
	if err != nil {
		return Imported{}, fmt.Errorf("%w: line 1", ErrCSV)
	}
	if len(head[0]) >= 3 && head[0][:3] == "\ufeff" {
		head[0] = head[0][3:]
	}
	for i, h := range head {
		if !slices.Contains(columns(), h) || slices.Contains(head[:i], h) {
			return Imported{}, fmt.Errorf("%w: line 1: column %d is unknown or repeated", ErrCSV, i+1)
		}
	}
	var out Imported
	var events []Event
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		out.Lines++
		if err != nil || out.Lines > maxLines {
			return Imported{}, fmt.Errorf("%w: line %d", ErrCSV, out.Lines+1)
		}
		get := func(name string) string {
			if i := slices.Index(head, name); i >= 0 {
				return fields[i]
			}
			return ""
		}
		e := Event{
			Kind: Kind(get("kind")), Device: get("device"), ID: get("record"), Day: get("day"), Source: "csv",
			Author: author, Reason: get("reason"), At: now,
		}
		some, err := resolve(ctx, keys, e, get("key"))
		if err != nil {
			return Imported{}, fmt.Errorf("%w: line %d: %w", ErrCSV, out.Lines+1, err)
		}
		if len(some) == 0 {
			out.Unmatched = append(out.Unmatched, out.Lines+1)
		}
		events = append(events, some...)
	}
	out.Events = len(events)
	return out, d.Post(ctx, events...)
}

// PostKey takes one event for all records of a key, as the operator's systems know the relation. It gives how many.
func (d *DB) PostKey(ctx context.Context, keys Keys, key string, e Event) (int, error) {
	events, err := resolve(ctx, keys, e, key)
	if err != nil {
		return 0, err
	}
	return len(events), d.Post(ctx, events...)
}

// resolve makes the events of a line, and checks them.
func resolve(ctx context.Context, keys Keys, e Event, key string) ([]Event, error) {
	if key == "" {
		return []Event{e}, e.check()
	}
	if e.Device != "" || e.ID != "" {
		return nil, fmt.Errorf("%w: a key and a record", ErrEvent)
	}
	probe := e // so that a malformed line is found even when its key names nothing
	probe.Device, probe.ID = "kiosk", "00000000-0000-7000-8000-000000000000"
	if err := probe.check(); err != nil {
		return nil, err
	}
	k := secret.New([]byte(key))
	defer k.Wipe()
	refs, err := keys.Find(ctx, k)
	var out []Event
	for _, r := range refs {
		e.Device, e.ID = r.Device, r.ID
		out = append(out, e)
	}
	return out, err
}
