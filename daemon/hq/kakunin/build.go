// Package kakunin is the verification record of Article 20(1) of the Enforcement Regulation (確認記録): its thirty items
// with their sources, which of them are required for a method on a day, what HQ adds to what the kiosk signed, whether
// the whole is complete, and its renderings as JSON, OpenID verified_claims and CSV. It never sees the My Number part.
// Only daemon/hq/... and daemon/hqd may import it.
package kakunin

import (
	"fmt"
	"slices"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// Status is how an item stands.
type Status string

// The statuses.
const (
	Present      Status = "present"
	Missing      Status = "missing"
	DoesNotApply Status = "does-not-apply" // HQ's answer
	None         Status = "none"           // not required, and nothing there
)

// ItemState is how an item stands in one verification record.
type ItemState struct {
	Item
	Level  Level
	Status Status
	Values []Value // the kiosk's first, HQ's after them
	Entry  *Entry  // HQ's newest, if any: author, time, reason
}

// Reasons beside missing items why a record is not complete.
const (
	WhyOutcome   = "outcome-refused" // nobody was verified
	WhyMethod    = "method-unknown"  // no row says what is required
	WhyIntegrity = "integrity"       // a check of the stored record did not pass
	WhyVirtual   = "virtual"         // a part of the verification was virtual
)

// Verification is a verification record. Wipe it after use.
type Verification struct {
	ID, Device string
	Created    time.Time
	Virtual    []string
	Method     Method
	Day        string // of the session, in Japan: which rules held
	Items      []ItemState
	Missing    []int    // numbers of the items missing
	Reasons    []string // further reasons, of the Why constants
	History    []Entry  // all of HQ's entries, oldest first

	evidence *record.Evidence
	identity *record.Identity // the caller's: not wiped here
	images   bool             // the card's own images of name and address are in the record
}

// Input of Build.
type Input struct {
	Record  *record.Record // as far as it was opened; it must live as long as the result
	Entries []Entry        // HQ's, oldest first
	Method  Method         // the row; MethodOf gives it from the record
	Passed  bool           // every check of the stored record passed
}

// Build puts the record and HQ's entries together. What could not be opened is missing, never assumed.
func Build(in Input) *Verification {
	r := in.Record
	v := &Verification{
		ID: r.ID, Device: r.Device, Created: r.Created, Virtual: slices.Clone(r.Virtual), Method: in.Method,
		History: in.Entries, evidence: r.Evidence, identity: r.Identity,
		images: r.Images != nil && (r.Images.Name.Len() > 0 || r.Images.Address.Len() > 0),
	}
	v.Day = dayOf(r.Created)
	if r.Evidence != nil {
		v.Day = dayOf(r.Evidence.Finished)
	}
	levels, known := Levels(in.Method.Act, in.Method.Code, v.Day)
	for _, item := range Table() {
		s := ItemState{Item: item, Level: levels[item.Number-1]}
		if s.Level != NotOfMethod {
			s.Values = v.kiosk(item.Number)
			s.add(in.Entries)
		}
		s.settle()
		if s.Status == Missing {
			v.Missing = append(v.Missing, item.Number)
		}
		v.Items = append(v.Items, s)
	}
	v.reasons(in.Passed, known)
	return v
}

func (v *Verification) reasons(passed, known bool) {
	for _, r := range []struct {
		why string
		is  bool
	}{
		{WhyOutcome, v.evidence == nil || v.evidence.Decision.Outcome != "verified"},
		{WhyMethod, !known},
		{WhyIntegrity, !passed},
		{WhyVirtual, len(v.Virtual) > 0},
	} {
		if r.is {
			v.Reasons = append(v.Reasons, r.why)
		}
	}
}

// add takes HQ's newest entry of the item. It stands beside the kiosk's values and replaces none of them.
func (s *ItemState) add(entries []Entry) {
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].Item != s.Number {
			continue
		}
		s.Entry = &entries[i]
		for _, v := range entries[i].Values {
			s.Values = append(s.Values, Value{v.Field, v.Text.Clone()})
		}
		return
	}
}

// settle finds the status.
func (s *ItemState) settle() {
	switch {
	case s.enough():
		s.Status = Present
	case s.Level == Required, s.Level == Answer && (s.Entry == nil || !s.Entry.DoesNotApply):
		s.Status = Missing
	case s.Entry != nil && s.Entry.DoesNotApply:
		s.Status = DoesNotApply
	default:
		s.Status = None
	}
}

// enough says whether the values make the item: of some items the kiosk alone cannot give all.
func (s *ItemState) enough() bool {
	has := func(field string) bool {
		return slices.ContainsFunc(s.Values, func(v Value) bool { return v.Field == field })
	}
	switch s.Number {
	case 1: // a kiosk checks nobody alone: there is a member of staff, or the officer in charge of it
		return has("staff") || has("officer")
	case 7: // the image may be missing where staff compared the person; the chip may not
		return has("chip_read")
	case 17:
		return has("document") || has("certificate_id")
	case 20:
		return has("name") && has("address") && has("birth")
	}
	return len(s.Values) > 0
}

// State is "complete", "n missing", or "not complete" when nothing is missing and something else stands against it.
func (v *Verification) State() string {
	switch {
	case v.Complete():
		return "complete"
	case len(v.Missing) > 0:
		return fmt.Sprintf("%d missing", len(v.Missing))
	}
	return "not complete"
}

// Complete says whether it is a verification record as the rule asks for, of real people and real cards.
func (v *Verification) Complete() bool { return len(v.Missing) == 0 && len(v.Reasons) == 0 }

// Wipe wipes what Build made and HQ's entries; the record is its owner's to wipe.
func (v *Verification) Wipe() {
	for _, i := range v.Items {
		for _, x := range i.Values {
			x.Text.Wipe()
		}
	}
	for i := range v.History {
		v.History[i].Wipe()
	}
}

// kiosk gives the values that the kiosk signed, for one item.
func (v *Verification) kiosk(number int) []Value {
	e, i := v.evidence, v.identity
	if number == 20 && i != nil {
		return some(
			Value{"name", i.Name.Clone()}, Value{"address", i.Address.Clone()}, Value{"birth", i.Birth.Clone()},
			Value{"sex", i.Sex.Clone()}, word("source", i.Source),
		)
	}
	if e == nil {
		return nil
	}
	switch number {
	case 1:
		staff := e.PresentedTo
		if staff == "" {
			staff = e.Decision.Staff
		}
		return some(word("staff", staff), word("kiosk", v.Device))
	case 2:
		return some(word("account", "kioskd "+e.Software), word("kiosk", v.Device))
	case 3:
		if e.PresentedTo == "" {
			return nil // nobody took a presentation
		}
		return some(moment("time", v.stepAt("reading", e.Started)), word("staff", e.PresentedTo))
	case 7:
		return some(moment("chip_read", v.stepAt("reading", time.Time{})), moment("face_taken", v.stepAt("face", time.Time{})))
	case 15:
		return some(word("service", e.Service))
	case 16:
		return some(word("code", e.Method.Code), word("statute", e.Method.Statute), word("channel", e.Channel), moment("time", e.Decision.At))
	case 17:
		return v.document()
	}
	return nil
}

// document is the card, never by a number of the person: its kind, its end, where it was issued.
func (v *Verification) document() []Value {
	if v.evidence.Card.Kind == "" || v.Method.Code == MethodJPKI { // a signature is proven by its certificate
		return nil
	}
	out := some(word("document", v.evidence.Card.Kind))
	if v.identity != nil {
		out = append(out, some(word("expiry", v.identity.CardExpiry), word("municipality", v.identity.Municipality))...)
	}
	return out
}

// stepAt is when a step was last entered.
func (v *Verification) stepAt(name string, otherwise time.Time) time.Time {
	at := otherwise
	for _, s := range v.evidence.Steps {
		if s.Name == name {
			at = s.At
		}
	}
	return at
}

func word(field, s string) Value { return Value{field, secret.New([]byte(s))} }

// moment is a time in Japan with its zone.
func moment(field string, t time.Time) Value {
	if t.IsZero() {
		return Value{field, nil}
	}
	return word(field, t.In(time.FixedZone("JST", 9*3600)).Format(time.RFC3339))
}

// some leaves out what is empty.
func some(all ...Value) []Value {
	return slices.DeleteFunc(all, func(v Value) bool { return v.Text.Len() == 0 })
}
