package methods

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxRows bounds a table, MaxText every text of it in bytes, and MaxName who has confirmed: a record has room for both.
const (
	MaxRows = 128
	MaxText = 512
	MaxName = 128
)

// WarnDays is how long before its first day an unconfirmed row warns.
const WarnDays = 90

// ErrTable is given for rows and confirmations that contradict themselves, each other or the table.
var ErrTable = errors.New("methods: the table of legal methods is refused")

// Table is a set of rows of which at most one covers a day for an act and a method. The zero value has none.
type Table struct {
	rows     []Row
	revision string
}

// Confirm is a confirmation of a row, as HQ signs it. It names the article that was read, so that it says nothing about
// a row that has changed since.
type Confirm struct {
	Act     Act
	Code    Code
	From    Day
	Article string
	Confirmation
}

// Rows lists the rows in order of act, method and first day.
func (t Table) Rows() []Row { return slices.Clone(t.rows) }

// Revision names these very rows with their confirmations: the date of research and a hash. It stands in every record.
func (t Table) Revision() string { return t.revision }

// At gives the one row that covers the day of an instant in Japan. Errors: ErrNoRow (which means that the method may not
// be used), ErrAmbiguous.
func (t Table) At(act Act, code Code, at time.Time) (Row, error) {
	day, found := DayOf(at), Row{}
	for _, r := range t.rows {
		if r.Act != act || r.Code != code || !r.Covers(day) {
			continue
		}
		if found != (Row{}) {
			return Row{}, fmt.Errorf("%w: %s/%s on %s", ErrAmbiguous, act, code, day)
		}
		found = r
	}
	if found == (Row{}) {
		return Row{}, fmt.Errorf("%w: %s/%s on %s", ErrNoRow, act, code, day)
	}
	return found, nil
}

// Use is At for a session: a policy that refuses unconfirmed rows gives ErrUnsure for one.
func (t Table) Use(act Act, code Code, at time.Time, refuseUnconfirmed bool) (Row, error) {
	r, err := t.At(act, code, at)
	if err == nil && refuseUnconfirmed && !r.Confirmed.Done() {
		return Row{}, fmt.Errorf("%w: %s", ErrUnsure, r.ID())
	}
	return r, err
}

// With gives the table with HQ's own rows and confirmations. A new row takes the place of the row with its act, method
// and first day; otherwise it cuts the row that covers its first day, and must reach at least as far as that one did, so
// that no day falls into a gap. Confirmations count last, and only with the article that the row has then.
func (t Table) With(rows []Row, confirms []Confirm) (Table, error) {
	out := slices.Clone(t.rows)
	for _, r := range rows {
		var err error
		if out, err = place(out, r); err != nil {
			return Table{}, err
		}
	}
	for _, c := range confirms {
		i := slices.IndexFunc(out, func(r Row) bool { return r.Act == c.Act && r.Code == c.Code && r.From == c.From })
		switch {
		case i < 0:
			return Table{}, fmt.Errorf("%w: a confirmation of %s/%s/%d, which is no row", ErrTable, c.Act, c.Code, c.From)
		case out[i].Article != c.Article:
			return Table{}, fmt.Errorf("%w: the confirmation of %s names %s, the row has %s", ErrTable, out[i].ID(), c.Article, out[i].Article)
		case !c.Done() || !c.On.Valid():
			return Table{}, fmt.Errorf("%w: the confirmation of %s needs who, when and from where", ErrTable, out[i].ID())
		}
		out[i].Confirmed = c.Confirmation
	}
	return newTable(out)
}

// place puts a row into rows.
func place(rows []Row, r Row) ([]Row, error) {
	for i, old := range rows {
		if old.Act != r.Act || old.Code != r.Code {
			continue
		}
		short := r.To != 0 && (old.To == 0 || r.To < old.To)
		switch {
		case old.From == r.From && short, old.From < r.From && old.Covers(r.From) && short:
			return nil, fmt.Errorf("%w: %s ends before %s did, which leaves days without a row", ErrTable, r.ID(), old.ID())
		case old.From == r.From:
			rows = slices.Clone(rows)
			rows[i] = r
			return rows, nil
		case old.From < r.From && old.Covers(r.From):
			rows = slices.Clone(rows)
			rows[i].To = r.From.Add(-1)
		}
	}
	return append(rows, r), nil
}

// newTable sorts and checks rows.
func newTable(rows []Row) (Table, error) {
	if len(rows) > MaxRows {
		return Table{}, fmt.Errorf("%w: more than %d rows", ErrTable, MaxRows)
	}
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Act, b.Act), cmp.Compare(a.Code, b.Code), cmp.Compare(a.From, b.From))
	})
	var text strings.Builder
	for i, r := range rows {
		if err := r.check(); err != nil {
			return Table{}, err
		}
		if i > 0 && rows[i-1].Act == r.Act && rows[i-1].Code == r.Code && (rows[i-1].To == 0 || rows[i-1].To >= r.From) {
			return Table{}, fmt.Errorf("%w: %s and %s overlap", ErrTable, rows[i-1].ID(), r.ID())
		}
		fmt.Fprintf(&text, "%q\n", []string{
			string(r.Act), string(r.Code), r.Article, r.From.String(), fmt.Sprint(int32(r.To)), r.Note, r.Source,
			r.Confirmed.By, fmt.Sprint(int32(r.Confirmed.On)), r.Confirmed.From,
		})
	}
	sum := sha256.Sum256([]byte(text.String()))
	return Table{rows: rows, revision: Version + "-" + hex.EncodeToString(sum[:6])}, nil
}

func (r Row) check() error {
	say := ""
	switch {
	case !slices.Contains(Acts(), r.Act):
		say = "act"
	case !slices.Contains(Codes(), r.Code):
		say = "method"
	case r.Article == "" || r.Source == "":
		say = "article or source is missing"
	case !r.From.Valid() || r.To != 0 && (!r.To.Valid() || r.To < r.From):
		say = "days"
	case r.Confirmed != (Confirmation{}) && (!r.Confirmed.Done() || !r.Confirmed.On.Valid()):
		say = "confirmation needs who, when and from where"
	}
	for _, s := range []string{r.Article, r.Note, r.Source, r.Confirmed.By, r.Confirmed.From} {
		if len(s) > MaxText || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			say = "a text is too long or not one line"
		}
	}
	if len(r.Confirmed.By) > MaxName {
		say = "the name of who confirms is too long"
	}
	if say != "" {
		return fmt.Errorf("%w: row %s: %s", ErrTable, r.ID(), say)
	}
	return nil
}

// Warning is what counsel must look at.
type Warning struct {
	Row  Row
	Days int  // until it bites; 0 or less: it is in force
	Ends bool // the row ends and no other follows it; Days is then the number of days it still lasts
}

// String is the warning in plain words.
func (w Warning) String() string {
	switch {
	case w.Ends:
		return fmt.Sprintf("%s %s ends in %d days (%s), and no row follows: the method may not be used after that", w.Row.ID(), w.Row.Article, w.Days, w.Row.To)
	case w.Days > 0:
		return fmt.Sprintf("%s %s begins in %d days (%s) and is not confirmed by counsel", w.Row.ID(), w.Row.Article, w.Days, w.Row.From)
	}
	return fmt.Sprintf("%s %s is in force since %s and is not confirmed by counsel", w.Row.ID(), w.Row.Article, w.Row.From)
}

// Warnings lists unconfirmed rows that are in force or begin within WarnDays, and rows that end within WarnDays with
// nothing after them.
func (t Table) Warnings(now time.Time) []Warning {
	var out []Warning
	today := DayOf(now)
	for i, r := range t.rows {
		if r.To != 0 && r.To < today {
			continue
		}
		if days := today.until(r.From); !r.Confirmed.Done() && days <= WarnDays {
			out = append(out, Warning{Row: r, Days: days})
		}
		followed := i+1 < len(t.rows) && t.rows[i+1].Act == r.Act && t.rows[i+1].Code == r.Code && t.rows[i+1].From == r.To.next()
		if days := today.until(r.To); r.To != 0 && !followed && r.From <= today && days <= WarnDays {
			out = append(out, Warning{Row: r, Days: days, Ends: true})
		}
	}
	return out
}

func (d Day) until(to Day) int { return int(to.Start().Sub(d.Start()) / (24 * time.Hour)) }

func (d Day) next() Day {
	if d == 0 {
		return 0
	}
	return d.Add(1)
}
