// Package methods is the dated table of legal methods of identity verification: which article allows a method on which
// day in Japan, where that was read, and who has confirmed it. It is pure: no clock, no I/O. The rows are facts from
// public sources; a row without a confirmation is "to be confirmed" by the operator's counsel, and the product says so
// (Warnings). daemon/policy imports it, and so may everything in daemon/... .
package methods

import (
	"errors"
	"fmt"
	"time"
)

// Act is the statute under which a service identifies its customers.
type Act string

// The acts. NoAct is a service that no act obliges to identify, for example one that only shows a status.
const (
	NoAct   Act = ""
	AML     Act = "aml"     // 犯罪による収益の移転防止に関する法律施行規則
	Telecom Act = "telecom" // 携帯電話不正利用防止法施行規則
)

// Name is the act's own name.
func (a Act) Name() string {
	switch a {
	case AML:
		return "犯罪による収益の移転防止に関する法律施行規則"
	case Telecom:
		return "携帯音声通信事業者による契約者等の本人確認等及び携帯音声通信役務の不正な利用の防止に関する法律施行規則"
	case NoAct:
		return ""
	}
	return ""
}

// Acts lists the acts that have rows.
func Acts() []Act { return []Act{AML, Telecom} }

// Code names a method for configuration and records. It stays the same when its article is renumbered.
type Code string

// The methods that this product can carry out.
const (
	InPersonChip  Code = "in-person-chip" // staff take the presentation, the chip is read and shown
	JPKISignature Code = "jpki-signature" // a signature with the card's signature key
)

// Codes lists the methods.
func Codes() []Code { return []Code{InPersonChip, JPKISignature} }

// Confirmation is who says that a row is right. The zero value is nobody: the row is to be confirmed.
type Confirmation struct {
	By   string // a person or an office, e.g. "legal-1"
	On   Day    // the day in Japan on which they said so
	From string // where that was taken from, e.g. "kanpo 2026-03-06"
}

// Done says whether there is a confirmation.
func (c Confirmation) Done() bool { return c.By != "" && c.On != 0 && c.From != "" }

// Row is a method under an act between two days. From is the first day and To the last, both in Japan; 0 is open.
type Row struct {
	Act       Act
	Code      Code
	Article   string // e.g. "6条1項1号カ"; with "番号未確認" where the number is not known yet
	From, To  Day
	Note      string // what is special about it, in English
	Source    string // law and where it was read
	Confirmed Confirmation
}

// ID names a row: act, method and first day. Confirmations refer to it.
func (r Row) ID() string { return fmt.Sprintf("%s/%s/%d", r.Act, r.Code, r.From) }

// Statute is the act's name with the article, for the record.
func (r Row) Statute() string { return r.Act.Name() + r.Article }

// Covers says whether the row is in force on a day.
func (r Row) Covers(d Day) bool { return d != 0 && r.From <= d && (r.To == 0 || d <= r.To) }

// Why a method may not be used.
var (
	ErrNoRow     = errors.New("methods: no row allows this method under this act on this day")
	ErrAmbiguous = errors.New("methods: two rows allow this method on the same day")
	ErrUnsure    = errors.New("methods: the row is not confirmed, and the policy refuses unconfirmed rows")
)

// Day is a calendar day in Japan as YYYYMMDD. It is comparable and ordered; 0 is no day.
type Day int32

// DayOf gives the day in Japan of an instant. Japan has had UTC+9 without summer time since 1952.
func DayOf(t time.Time) Day {
	y, m, d := t.In(time.FixedZone("JST", 9*60*60)).Date()
	return Day(y*10000 + int(m)*100 + d) //nolint:gosec // a year of four digits
}

// Start is the first instant of the day in Japan.
func (d Day) Start() time.Time {
	return time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100, 0, 0, 0, 0, time.FixedZone("JST", 9*60*60))
}

// Valid says whether the day exists in the calendar.
func (d Day) Valid() bool { return d >= 19000101 && d <= 99991231 && DayOf(d.Start()) == d }

// Add gives the day n days later.
func (d Day) Add(n int) Day { return DayOf(d.Start().AddDate(0, 0, n)) }

// String writes the day as YYYY-MM-DD.
func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// ParseDay reads YYYY-MM-DD.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if d := DayOf(t); err == nil && t.Format(time.DateOnly) == s && d.Valid() {
		return d, nil
	}
	return 0, fmt.Errorf("methods: %q is not a day (YYYY-MM-DD)", s)
}
