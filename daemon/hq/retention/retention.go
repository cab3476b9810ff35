// Package retention decides when a record may go and makes it go: it takes events (the end of a relation, a hold), counts
// the years that a policy gives to each class of data from the END of the relation, and shreds what is due through
// store.Shredder, with a report and a log of every record. Nothing is due without an event, and a hold always wins.
// Only daemon/hq/... and daemon/hqd may import it.
package retention

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"madoguchi/storage/record"
)

// Class is a class of data with a retention of its own: a part of the record, or what HQ added.
type Class string

// ClassHQ is what HQ entered into the verification record.
const ClassHQ Class = "hq_items"

// Statutory is how many years a verification record is kept from the end of the relation (犯罪収益移転防止法6条), to be
// confirmed by counsel.
const Statutory = 7

// Policy says how many years each class is kept from the end of its event. A class that is not named is kept Statutory
// years.
type Policy struct {
	Version string // stands in every report and log line
	Years   map[Class]int
}

// Default keeps everything for the statutory time, and the My Number no longer than its own statutory need: from its own
// event on it goes at once.
func Default() Policy {
	return Policy{Version: "default-1", Years: map[Class]int{Class(record.PartMyNumber): 0}}
}

// Check refuses a policy that keeps less of the verification record than the law asks for.
func (p Policy) Check() error {
	if p.Version == "" {
		return errors.New("retention: a policy needs a version")
	}
	for c, years := range p.Years {
		part := record.Part(c)
		if c != ClassHQ && !slices.Contains(record.Parts(), part) {
			return fmt.Errorf("retention: unknown class %q", c)
		}
		least := Statutory
		if part == record.PartMyNumber || part == record.PartImages || part == record.PartCertificate {
			least = 0 // these are no items of the verification record
		}
		if years < least || years > 100 {
			return fmt.Errorf("retention: class %q: %d years; at least %d and at most 100", c, years, least)
		}
	}
	return nil
}

// years of a class.
func (p Policy) years(c Class) int {
	if y, ok := p.Years[c]; ok {
		return y
	}
	return Statutory
}

// Kind of an event.
type Kind string

// The kinds of events.
const (
	RelationEnd     Kind = "relation-end"     // the contract or the last transaction ended on Day
	RelationResumed Kind = "relation-resumed" // it did not end after all, or began anew: no end holds any more
	MyNumberEnd     Kind = "my-number-end"    // no statutory duty needs the My Number after Day
	Hold            Kind = "hold"             // legal hold
	Release         Kind = "release"          // of the hold
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{RelationEnd, RelationResumed, MyNumberEnd, Hold, Release} }

// Event is something that happened to the relation behind a record. Events are only added; the newest decides.
type Event struct {
	Kind   Kind
	Device string
	ID     string
	Day    string // YYYY-MM-DD in Japan; the day of the end, or of the event
	Source string // "csv", "api" or "page"
	Author string
	Reason string
	At     time.Time // when HQ took it
}

// ErrEvent is given for an event that says too little, or nothing that we know.
var ErrEvent = errors.New("retention: malformed event")

// check says whether the event is whole.
func (e Event) check() error {
	day, err := time.Parse(time.DateOnly, e.Day)
	switch {
	case !slices.Contains(Kinds(), e.Kind):
		return fmt.Errorf("%w: unknown kind", ErrEvent)
	case !record.ValidDevice(e.Device), !record.ValidID(e.ID):
		return fmt.Errorf("%w: no record named", ErrEvent)
	case err != nil || day.Year() < 1950:
		return fmt.Errorf("%w: the day is not YYYY-MM-DD", ErrEvent)
	case e.At.IsZero(), e.Day > japan(e.At):
		return fmt.Errorf("%w: the day is in the future", ErrEvent)
	case e.Author == "" || strings.TrimSpace(e.Reason) == "" || len(e.Reason) > 256 || e.Source == "":
		return fmt.Errorf("%w: author, source and reason are needed", ErrEvent)
	}
	return nil
}

func japan(t time.Time) string { return t.In(time.FixedZone("JST", 9*3600)).Format(time.DateOnly) }

// Standing is what the events say about one record.
type Standing struct {
	Ended    string // day of the relation's end; empty: it goes on
	MyNumber string // day on which the need of the My Number ended
	Held     bool
	Why      string // of the hold
}

// stand folds events, oldest first.
func stand(events []Event) (s Standing) {
	for _, e := range events {
		switch e.Kind {
		case RelationEnd:
			s.Ended = e.Day
		case RelationResumed:
			s.Ended, s.MyNumber = "", ""
		case MyNumberEnd:
			s.MyNumber = e.Day
		case Hold:
			s.Held, s.Why = true, e.Reason
		case Release:
			s.Held, s.Why = false, ""
		}
	}
	return s
}

// Due is when a record may go, and by which rule.
type Due struct {
	Day   string // the first day on which it may go; empty: never as things stand
	Class Class  // that keeps it longest
	Rule  string
	// Overdue names a class that should have gone already but is in one envelope with others that may not: a person
	// must settle it.
	Overdue Class
}

// due of a record with these parts. Its envelope is one signed thing, so it goes when the last of its classes may go.
func (p Policy) due(s Standing, parts []record.Part, today string) Due {
	mine := p.dueOf(Class(record.PartMyNumber), MyNumberEnd, s.MyNumber)
	if ownMyNumber(parts) {
		return mine
	}
	d := p.dueOf(ClassHQ, RelationEnd, s.Ended)
	for _, part := range parts {
		if one := p.dueOf(Class(part), RelationEnd, s.Ended); part != record.PartMyNumber && one.Day > d.Day {
			d = one
		}
	}
	if !slices.Contains(parts, record.PartMyNumber) {
		return d
	}
	switch {
	case mine.Day == "":
		return Due{} // a statutory duty may still need the number
	case d.Day != "" && mine.Day > d.Day:
		return mine
	case mine.Day <= today && (d.Day == "" || d.Day > today):
		d.Overdue = mine.Class
	}
	return d
}

// ownMyNumber says whether a record holds a My Number and no verified person (duty 4): then the number's need decides
// alone. Wherever an identity is in the same envelope, a verification record may stand in it, and the law's years win.
func ownMyNumber(parts []record.Part) bool {
	return slices.Contains(parts, record.PartMyNumber) && !slices.Contains(parts, record.PartImages) && !slices.Contains(parts, record.PartIdentity)
}

// dueOf one class, from the day of its event; without a day there is none.
func (p Policy) dueOf(c Class, k Kind, end string) Due {
	day, err := time.Parse(time.DateOnly, end)
	if err != nil {
		return Due{}
	}
	years := p.years(c)
	// The first day is not counted (民法140条): a relation that ended on 2026-03-31 is kept through 2033-03-31.
	return Due{Day: day.AddDate(years, 0, 1).Format(time.DateOnly), Class: c, Rule: fmt.Sprintf("%s:%s+%dy:%s", p.Version, k, years, c)}
}
