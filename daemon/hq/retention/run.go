package retention

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"madoguchi/daemon/hq/store"
	"madoguchi/storage/record"
)

// Records finds a record's row, without its envelope: a store.Writer is one.
type Records interface {
	Find(ctx context.Context, device, id string) (store.Row, error)
}

// Additions are what HQ added to records: kakunin.DB. Shred gives how many entries went.
type Additions interface {
	Shred(ctx context.Context, device, id string, at time.Time, rule string) (int, error)
}

// Runner makes retention runs. All fields are required but Shredder and Additions, without which only dry runs are made.
type Runner struct {
	DB        *DB
	Records   Records
	Shredder  store.Shredder
	Additions Additions
	Policy    Policy
	Author    string // who runs it
	Now       func() time.Time
	Log       *slog.Logger
}

// Outcome of one record in a run.
type Outcome string

// The outcomes.
const (
	Shredded Outcome = "shredded"
	WouldGo  Outcome = "would-go" // of a dry run
	Held     Outcome = "held"     // due, but a legal hold wins
	Waiting  Outcome = "waiting"  // ended, and not due yet
	GoesOn   Outcome = "goes-on"  // the relation goes on
	Overdue  Outcome = "overdue"  // a class should be gone but is in one envelope with others: a person settles it
	Gone     Outcome = "not-found"
	Failed   Outcome = "failed"
)

// Result of one record.
type Result struct {
	Device  string        `json:"device"`
	ID      string        `json:"id"`
	Outcome Outcome       `json:"outcome"`
	Due     string        `json:"due"`
	Rule    string        `json:"rule"`
	Why     string        `json:"why"` // of the hold, or the class that is overdue
	Parts   []record.Part `json:"parts"`
	Entries int           `json:"entries"`
}

// Report of a run: what, when, by which rule, how many.
type Report struct {
	At      time.Time       `json:"at"`
	Dry     bool            `json:"dry"`
	Policy  string          `json:"policy"`
	Author  string          `json:"author"`
	Results []Result        `json:"results"`
	Counts  map[Outcome]int `json:"counts"`
}

var errNoShredder = errors.New("retention: only dry runs can be made here")

// Run looks at every record that has an event, and shreds what is due unless dry. One record's failure stops no other;
// it is logged and tried again by the next run.
func (r *Runner) Run(ctx context.Context, dry bool) (*Report, error) {
	if err := r.Policy.Check(); err != nil {
		return nil, err
	}
	if !dry && (r.Shredder == nil || r.Additions == nil || r.Author == "") {
		return nil, errNoShredder
	}
	open, err := r.DB.open(ctx)
	if err != nil {
		return nil, err
	}
	out := &Report{At: r.Now(), Dry: dry, Policy: r.Policy.Version, Author: r.Author, Counts: map[Outcome]int{}}
	for _, key := range open {
		res, err := r.one(ctx, key[0], key[1], dry, out.At)
		if err != nil {
			return out, err
		}
		out.Results = append(out.Results, res)
		out.Counts[res.Outcome]++
	}
	if out.Counts[Shredded] > 0 {
		if err := r.Shredder.Settle(ctx); err != nil {
			r.Log.Error("retention: the database keeps what was deleted a while longer", slog.Any("error", err))
		}
	}
	return out, nil
}

// one record; an error is of the database of events, without which nothing may go.
func (r *Runner) one(ctx context.Context, device, id string, dry bool, now time.Time) (Result, error) {
	res := Result{Device: device, ID: id, Outcome: GoesOn}
	events, err := r.DB.Events(ctx, device, id)
	if err != nil {
		return res, err
	}
	row, err := r.Records.Find(ctx, device, id)
	if errors.Is(err, store.ErrNotFound) {
		res.Outcome = Gone
		return res, nil
	}
	if err != nil {
		return res, err
	}
	s, today := stand(events), japan(now)
	d := r.Policy.due(s, row.Parts, today)
	res.Parts, res.Due, res.Rule = slices.Clone(row.Parts), d.Day, d.Rule
	switch {
	case d.Day != "" && d.Day <= today && s.Held, d.Overdue != "" && s.Held:
		res.Outcome, res.Why = Held, s.Why
	case d.Overdue != "":
		res.Outcome, res.Why = Overdue, string(d.Overdue)
	case d.Day != "" && d.Day > today:
		res.Outcome = Waiting
	case d.Day == "":
	case dry:
		res.Outcome = WouldGo
	default:
		return r.shred(ctx, res)
	}
	return res, nil
}

// shred one record: first the log says that it begins, then HQ's entries go, then the envelope, then the log says that it
// is done. Each step may be made again, so a run that broke off is finished by the next.
func (r *Runner) shred(ctx context.Context, res Result) (Result, error) {
	var parts []string
	for _, p := range res.Parts {
		parts = append(parts, string(p))
	}
	line := Line{
		Device: res.Device, ID: res.ID, Rule: res.Rule, Due: res.Due, Stage: "begun", Parts: strings.Join(parts, ","), Author: r.Author, At: r.Now(),
	}
	if err := r.DB.log(ctx, line); err != nil {
		return res, err // what cannot be logged does not go
	}
	n, err := r.Additions.Shred(ctx, res.Device, res.ID, r.Now(), res.Rule)
	if err == nil {
		_, err = r.Shredder.Shred(ctx, res.Device, res.ID, r.Now(), res.Rule)
	}
	res.Entries, res.Outcome, line.Stage, line.Entries, line.At = n, Shredded, "done", n, r.Now()
	if err != nil {
		res.Outcome, line.Stage = Failed, "failed"
		r.Log.Error("retention: a record was not shredded", slog.String("device", res.Device), slog.String("record", res.ID), slog.Any("error", err))
	} else {
		r.Log.Info("retention: a record was shredded", slog.String("device", res.Device), slog.String("record", res.ID), slog.String("rule", res.Rule), slog.Int("entries", n))
	}
	return res, r.DB.log(ctx, line)
}
