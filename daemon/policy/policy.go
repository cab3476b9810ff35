// Package policy holds the rules of business: which routes a service allows, and what the facts of one session
// amount to. It is pure and imports nothing of ours; daemon/flow and daemon/session import it.
package policy

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

// Method is a legal method with the dates between which it may be used.
type Method struct {
	Code    string
	Statute string
	Note    string
}

// Profile is one service as the operator configured it.
type Profile struct {
	ID               string
	Channel          Channel
	MachineMayDecide bool // a clean result needs no staff decision (staff on duty still take the presentation)
	PINRoute         bool // the 4-digit PIN of 券面事項入力補助 is offered beside 照合番号B; it never reads the face
	FaceTries        int  // captures before staff compare, at least 1
	CardTries        int  // unreadable cards before staff come, at least 1
	MinorAge         int  // below this age a guardian and staff are needed
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
}

// Verdict is what the rules say.
type Verdict uint8

// The verdicts.
const (
	ToStaff Verdict = iota // people decide; the zero value, so that a forgotten case lands here
	Accept
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
)

// Decide says whether the machine may accept, and if not, why people must look. The order is the order of
// weight: the first reason found is the one staff see first. Whatever is not a clean pass goes to people.
func Decide(p Profile, f Facts) (Verdict, Reason) {
	switch {
	case f.Proof == Fail:
		return ToStaff, ReasonForged
	case f.Live == Fail:
		return ToStaff, ReasonAttack
	case f.Match == Fail:
		return ToStaff, ReasonMismatch
	case !f.Read:
		return ToStaff, ReasonNotRead
	case !f.Confirmed:
		return ToStaff, ReasonWrongData
	case f.Minor:
		return ToStaff, ReasonMinor
	case !f.Photo, !f.FaceConsent, f.FaceDeclined, f.Match == NotChecked, f.Live == NotChecked:
		return ToStaff, ReasonNoPhoto
	case f.Match == Unsure, f.Live == Unsure:
		return ToStaff, ReasonUnsure
	case f.Proof != Pass:
		return ToStaff, ReasonProofUnchecked
	case p.Channel != Attended, !p.MachineMayDecide:
		return ToStaff, ReasonService
	case !f.StaffOnDuty:
		return ToStaff, ReasonNoStaff
	}
	return Accept, ReasonNone
}

// MayApprove says whether staff may approve: the chip was read and shown, the customer confirmed it, and the
// card was not proven forged. Everything else ends in a refusal or at the counter.
func MayApprove(f Facts) bool { return f.Read && f.Confirmed && f.Proof != Fail }

// MethodAt gives the legal method of the in-person chip reading on a day (YYYYMMDD as an integer). The rows are
// facts from public sources and stay "to be confirmed" by the operator's counsel.
func MethodAt(day int) Method {
	if day < 20270401 {
		return Method{
			Code:    "in-person-chip",
			Statute: "犯罪収益移転防止法施行規則6条1項1号",
			Note:    "card presented in person, its chip read and shown; to be confirmed by counsel",
		}
	}
	return Method{
		Code:    "in-person-chip",
		Statute: "犯罪収益移転防止法施行規則6条1項1号 (2027-04-01)",
		Note:    "chip read and shown in person, mandatory from 2027-04-01; to be confirmed by counsel",
	}
}
