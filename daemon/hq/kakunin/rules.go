package kakunin

import (
	"strings"
	"time"

	"madoguchi/storage/record"
)

// Act is the act under which a person was verified; its values are OpenID's names of trust frameworks.
type Act string

// The acts.
const (
	ActAML     Act = "jp_aml"    // 犯罪による収益の移転防止に関する法律
	ActTelecom Act = "jp_mpiupa" // 携帯電話不正利用防止法
)

// Method codes.
const (
	MethodChip = record.MethodInPerson
	MethodJPKI = "jpki-signature"
)

// Level says whether an item is required.
type Level string

// The levels.
const (
	Required     Level = "required"      // must have its value
	Answer       Level = "answer"        // must have its value, or the answer that it does not apply
	IfApplicable Level = "if-applicable" // recorded when it applies; its absence is no gap
	NotOfMethod  Level = "not-of-method" // this method does not produce it; HQ cannot enter it
)

// Method is one row of the dated table of methods, as far as a verification record needs it.
type Method struct {
	Act       Act
	Code      string
	Article   string // e.g. "6-1-1-カ"; empty when not known for that day
	From, To  string // first and last day, YYYY-MM-DD; empty: open
	Statute   string
	Confirmed bool // by counsel, at HQ; rows are built in unconfirmed
}

// dayMandatory is the day from which the chip must be read in person (8省共同命令 令和8年第1号), to be confirmed.
const dayMandatory = "2027-04-01"

// dayOf is the day in Japan.
func dayOf(t time.Time) string { return t.In(time.FixedZone("JST", 9*3600)).Format(time.DateOnly) }

// MethodOf reads the method row of a record from its evidence. The kiosk's code and statute are taken as they stand;
// the letter is looked up by the day of the session.
func MethodOf(e *record.Evidence) Method {
	m := Method{Act: ActAML, Code: e.Method.Code, Statute: e.Method.Statute}
	if strings.Contains(e.Method.Statute, "携帯") {
		m.Act = ActTelecom
		return m
	}
	day := dayOf(e.Finished)
	switch {
	case m.Code == MethodChip && day < dayMandatory:
		m.Article, m.To = "6-1-1-イ", "2027-03-31"
	case m.Code == MethodChip:
		m.Article, m.From = "6-1-1-イ", dayMandatory
	case m.Code == MethodJPKI && day < "2025-06-24":
		m.Article, m.To = "6-1-1-ワ", "2025-06-23"
	case m.Code == MethodJPKI && day < dayMandatory:
		m.Article, m.From, m.To = "6-1-1-カ", "2025-06-24", "2027-03-31"
	case m.Code == MethodJPKI:
		m.From = dayMandatory // renumbered; the letter is not known yet
	}
	return m
}

// row gives the levels of the 30 items in their order, five to a word: R required, A answer, I if applicable, "-" not of
// this method. Which items are required is our reading of the rule, for natural persons at a kiosk, and to be confirmed
// by counsel for every row. It is empty for a method that is not known.
func row(act Act, code, day string) string {
	switch {
	case act == ActAML && code == MethodChip && day < dayMandatory:
		return "RRRII -I--- --RIR RRIIR ARRII IRIAI"
	case act == ActAML && code == MethodChip:
		return "RRRII -R--- --RIR RRIIR ARRII IRIAI"
	case act == ActAML && code == MethodJPKI:
		return "RRIII ----- --RIR RRIIR ARRII IRIAI"
	case act == ActTelecom && code == MethodChip:
		return "RRRI- -I--- ----R RRIIR A---- IRI--"
	case act == ActTelecom && code == MethodJPKI:
		return "RRII- ----- ----R RRIIR A---- IRI--"
	}
	return ""
}

// Levels gives the level of each item (index 0 is item 1) for a method on a day (YYYY-MM-DD, Japan); false when the
// method is not known: then nothing may be called complete.
func Levels(act Act, code, day string) ([Items]Level, bool) {
	var out [Items]Level
	r := strings.ReplaceAll(row(act, code, day), " ", "")
	for i := range out {
		out[i] = Required
	}
	if len(r) != Items {
		return out, false
	}
	for i, x := range []byte(r) {
		switch x {
		case 'A':
			out[i] = Answer
		case 'I':
			out[i] = IfApplicable
		case '-':
			out[i] = NotOfMethod
		}
	}
	return out, true
}
