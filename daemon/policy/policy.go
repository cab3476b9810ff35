// Package policy holds the rules of business: which routes a service allows, and what the facts of one session
// amount to. It is pure and imports nothing of ours but its own daemon/policy/methods; daemon/flow, daemon/session and
// what loads or shows rules import it.
package policy

import (
	"time"

	"madoguchi/daemon/policy/methods"
)

// Check is the result of one check. The zero value is NotChecked, which is never a pass.
type Check uint8

// The results.
const (
	NotChecked Check = iota
	Pass
	Unsure
	Fail
)

// String names the result for records and logs.
func (c Check) String() string { return [...]string{"not-checked", "pass", "unsure", "fail"}[c] }

// Channel says whether staff take the presentation in person (duty 5).
type Channel string

// The channels.
const (
	Attended   Channel = "attended"
	Unattended Channel = "unattended"
)

// Method is a legal method as it stands in a record.
type Method struct {
	Code    string
	Statute string
	Note    string
}

// Profile is one service as the operator configured it. It is comparable.
type Profile struct {
	ID               string
	Channel          Channel
	MachineMayDecide bool // a clean result needs no staff decision (staff on duty still take the presentation)
	PINRoute         bool // the 4-digit PIN of 券面事項入力補助 is offered beside 照合番号B; it never reads the face
	FaceTries        int  // captures before staff compare, at least 1
	CardTries        int  // unreadable cards before staff come, at least 1
	MinorAge         int  // below this age a guardian and staff are needed

	Service // the rest of its rules
}

// Facts is what one session established. The zero value is a session that established nothing.
type Facts struct {
	Read         bool // attributes were read from the chip
	Photo        bool // the chip's photo was read
	Confirmed    bool // the customer confirmed what was shown
	Minor        bool
	FaceConsent  bool
	FaceDeclined bool // the customer chose comparison by staff
	Proof        Check
	Match        Check
	Live         Check
	StaffOnDuty  bool

	Method     methods.Code // how it was done; empty is the in-person method
	Expired    bool         // the card, by its own date
	Revocation Check        // of the signature certificate; for the JPKI method only
}

// Verdict is what the rules say.
type Verdict uint8

// The verdicts.
const (
	ToStaff Verdict = iota // people decide; the zero value, so that a forgotten case lands here
	Accept
	Pend // complete, but HQ or a platform has the last word: never shown or recorded as verified
)

// Reason is a stable code, the same as the trouble codes people see.
type Reason string

// The reasons why people decide.
const (
	ReasonNone           Reason = ""
	ReasonNotRead        Reason = "card-unreadable"
	ReasonWrongData      Reason = "wrong-data"
	ReasonMinor          Reason = "under-15"
	ReasonForged         Reason = "card-not-genuine"
	ReasonProofUnchecked Reason = "proof-not-checked"
	ReasonNoPhoto        Reason = "face-not-checked"
	ReasonAttack         Reason = "face-attack"
	ReasonMismatch       Reason = "face-mismatch"
	ReasonUnsure         Reason = "face-unsure"
	ReasonNoStaff        Reason = "no-staff"
	ReasonService        Reason = "staff-needed"
	ReasonExpired        Reason = "card-expired"
	ReasonPending        Reason = "revocation-pending"
	ReasonRevoked        Reason = "certificate-revoked"
)

// Decide says whether the machine may accept, and if not, why people must look. The order is the order of
// weight: the first reason found is the one staff see first. Whatever is not a clean pass goes to people.
func Decide(p Profile, f Facts) (Verdict, Reason) {
	if r := against(p, f); r != ReasonNone {
		return ToStaff, r
	}
	if f.Method == methods.JPKISignature {
		return decideJPKI(p, f)
	}
	switch {
	case p.Channel != Attended, !p.MachineMayDecide:
		return ToStaff, ReasonService
	case !f.StaffOnDuty:
		return ToStaff, ReasonNoStaff
	}
	return Accept, ReasonNone
}

// against is the first thing that stands against the facts, whoever may decide.
func against(p Profile, f Facts) Reason {
	switch {
	case f.Proof == Fail:
		return ReasonForged
	case f.Revocation == Fail:
		return ReasonRevoked
	case f.Live == Fail:
		return ReasonAttack
	case f.Match == Fail:
		return ReasonMismatch
	case !f.Read:
		return ReasonNotRead
	case !f.Confirmed:
		return ReasonWrongData
	case f.Minor:
		return ReasonMinor
	case f.Expired:
		return ReasonExpired
	}
	if r := againstFace(p, f); r != ReasonNone {
		return r
	}
	if f.Proof != Pass {
		return ReasonProofUnchecked
	}
	return ReasonNone
}

// againstFace: a service without faces asks for none, and only that.
func againstFace(p Profile, f Facts) Reason {
	lively := p.Liveness == LivenessOff || f.Live == Pass
	switch {
	case p.Face == FaceNone:
		return ReasonNone
	case !f.Photo, !f.FaceConsent, f.FaceDeclined, f.Match == NotChecked, !lively && f.Live == NotChecked:
		return ReasonNoPhoto
	case f.Match != Pass, !lively:
		return ReasonUnsure
	}
	return ReasonNone
}

// decideJPKI: the method needs nobody who takes a presentation, but the word of whoever knows the revocations.
func decideJPKI(p Profile, f Facts) (Verdict, Reason) {
	switch {
	case !p.MachineMayDecide, !p.Uses(methods.JPKISignature):
		return ToStaff, ReasonService
	case f.Revocation == Pass:
		return Accept, ReasonNone
	case p.Offline.Pending:
		return Pend, ReasonPending
	}
	return ToStaff, ReasonPending
}

// MayApprove says whether staff may approve: the chip was read and shown, the customer confirmed it, and the
// card was not proven forged. Everything else ends in a refusal or at the counter.
func MayApprove(f Facts) bool { return f.Read && f.Confirmed && f.Proof != Fail }

// MethodAt gives the legal method of the in-person chip reading under the first act on a day (YYYYMMDD as an integer),
// from the table as shipped. A day without a row gives the zero Method, with which no record can be made. What knows its
// service and HQ's confirmations asks MethodOf instead.
func MethodAt(day int) Method {
	m, _ := MethodOf(methods.Builtin(), Service{Act: methods.AML}, methods.InPersonChip, methods.Day(day).Start()) //nolint:gosec // a day
	return m
}

// MethodOf gives the method for a record, with the revision of the rules in the note; the error is one of daemon/policy/methods.
func MethodOf(t methods.Table, s Service, code methods.Code, at time.Time) (Method, error) {
	r, err := t.Use(s.Act, code, at, s.RefuseUnconfirmed)
	if err != nil {
		return Method{}, err
	}
	note := "; to be confirmed by counsel"
	if c := r.Confirmed; c.Done() {
		note = "; confirmed by " + c.By + " on " + c.On.String()
	}
	return Method{Code: string(r.Code), Statute: r.Statute(), Note: r.Note + note + "; rules " + t.Revision()}, nil
}
