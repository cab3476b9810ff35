// Package flow is the kiosk's machine: a pure function On(State, Event) (State, []Effect). It has no clock, no
// I/O and holds no secret; daemon/session owns its state in one goroutine and carries out its effects. It imports
// daemon/policy only; daemon/session and daemon/present import it.
package flow

import (
	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
)

// Phase is where the session is.
type Phase uint8

// The phases.
const (
	Idle Phase = iota
	Language
	CaseRef
	Consent
	PlaceCard
	CardCheck  // the card is asked what it is and how many tries it has
	Document   // what will be signed is shown in full, before the password
	Credential // the customer types; digits are in the session's vault
	LastTry    // one try is left: the customer must say so
	Reading    // spends a try; never interrupted
	PutBack    // the card was taken away too early and is waited for; another card begins nothing here
	Ways       // what was begun cannot go on; every other way is shown
	Confirm    // what was read is shown
	Face
	WaitStaff
	Deciding // the decision is known; the record is sealed and stored
	Result
	TakeCard
	OutOfService
)

// Phases lists all phases.
func Phases() []Phase {
	return []Phase{
		Idle, Language, CaseRef, Consent, PlaceCard, CardCheck, Document, Credential, LastTry, Reading, PutBack, Ways,
		Confirm, Face, WaitStaff, Deciding, Result, TakeCard, OutOfService,
	}
}

// String names the phase for logs, staff and the state diagram.
func (p Phase) String() string {
	return [...]string{
		"idle", "language", "case-reference", "consent", "place-card", "card-check", "document", "credential", "last-try",
		"reading", "put-back", "ways", "confirm", "face", "wait-staff", "deciding", "result", "take-card", "out-of-service",
	}[p]
}

// Level is what the reader sees, as a level and never an edge.
type Level uint8

// The levels.
const (
	ReaderDown Level = iota // no service or no reader
	ReaderEmpty
	ReaderMute // something that does not answer
	ReaderCard
)

// Route is how the card is opened.
type Route uint8

// The routes.
const (
	RouteB    Route = iota // 照合番号B
	RoutePIN               // 4-digit PIN: attributes only
	RouteSign              // signature password: the JPKI method, which no machine here ever verifies (duty 6)
)

// Case is how the session is tied to the operator's case (duty 21).
type Case uint8

// The cases. CaseNone is none on purpose.
const (
	CaseUnset Case = iota
	CaseNumber
	CaseNone
)

// Tries is the state of a counter as the card gave it at the last check.
type Tries struct {
	Left  int8
	Known bool
}

// Blocked is true when the card said that no try is left.
func (t Tries) Blocked() bool { return t.Known && t.Left == 0 }

// Code is a stable trouble code; the texts are in ui/i18n. Empty means no trouble.
type Code string

// The codes the machine itself uses.
const (
	CodeCardRemoved   Code = "card-removed"
	CodeCardMute      Code = "card-mute"
	CodeCardExpired   Code = "card-expired"
	CodeSignBlocked   Code = "sign-blocked"
	CodeNoSignCert    Code = "no-sign-certificate" // a child's card, or one whose holder declined it
	CodeWithoutPIN    Code = "card-without-pin"    // 顔認証マイナンバーカード
	CodeCertExpired   Code = "certificate-expired"
	CodePending       Code = "revocation-pending"
	CodeNoChip        Code = "no-chip"      // the customer has no card that can be read
	CodeCardSwapped   Code = "card-swapped" // another card was put back: the session begins anew
	CodeCardUnread    Code = "card-unreadable"
	CodeBBlocked      Code = "number-b-blocked"
	CodePINBlocked    Code = "pin-blocked"
	CodeReaderMissing Code = "reader-missing"
	CodeCameraMissing Code = "camera-missing"
	CodeFaceMismatch  Code = "face-mismatch"
	CodeFaceRetry     Code = "face-not-checked"
	CodeStorageFull   Code = "storage-full"
	CodeStorageFailed Code = "storage-failed"
	CodeNoStaff       Code = "no-staff"
	CodeStaffRefused  Code = "staff-refused"
	CodeStaffNeeded   Code = "staff-needed"
	CodeWrongData     Code = "wrong-data"
	CodeConsent       Code = "consent-needed"
	CodeTimeUp        Code = "time-up"
	CodeTimeout       Code = "timeout"
	CodeMaintenance   Code = "maintenance"
	CodeHQSilent      Code = "hq-silent"   // records could not be delivered for longer than the policy allows
	CodeHQRevoked     Code = "hq-revoked"  // HQ does not accept this kiosk
	CodeHQKeys        Code = "hq-keys"     // no valid key of HQ to seal to
	CodeClock         Code = "clock-wrong" // the clock is further from HQ's than the policy allows
	CodeAuditLog      Code = "audit-log"   // the audit log cannot be written
)

// Outcome is how a session ends.
type Outcome uint8

// The outcomes.
const (
	NoOutcome Outcome = iota
	Verified
	Refused
	Referred // staff go on at the counter; nothing was decided here
	Cancelled
	Pending // complete, but HQ has the last word: never shown as verified
)

// String names the outcome for logs.
func (o Outcome) String() string {
	return [...]string{"none", "verified", "refused", "referred", "cancelled", "pending"}[o]
}

// Decision is who decided what, and why.
type Decision struct {
	Outcome Outcome
	ByStaff bool
	Staff   string // staff id
	Reason  Code   // machine: trouble code; staff: their reason code
}

// Settings are the customer's choices of presentation. Slow doubles the times.
type Settings struct{ Lang, Size, Contrast, Slow uint8 }

// Read is what a successful reading established.
type Read struct {
	Done  bool
	Photo bool
	Minor bool
	Proof policy.Check
}

// Session is everything that belongs to one customer and is dropped with them. It holds no personal data.
type Session struct {
	Case          Case
	AgreeIdentity bool
	AgreeFace     bool
	Route         Route
	Shown         bool // the document was shown, and the customer went on to sign it
	Lift          bool // the card must be lifted before it is tried again
	Moved         bool // the card was moved while it was read
	Known         bool // the card was checked; no other one may take its place
	Expired       bool
	TriesB        Tries
	TriesPIN      Tries
	TriesSign     Tries
	NoSign        bool // the card has no signature certificate
	WithoutPIN    bool
	CardFailures  uint8
	Read          Read
	Confirmed     bool
	FaceDeclined  bool
	FaceTries     uint8
	Match, Live   policy.Check
	StaffReason   Code   // why people decide
	Represented   bool   // a guardian or an agent was taken down
	First         string // who approved first, where a second person is needed
	Decision      Decision
	Trouble       Code
	StaffCalled   bool
	AskCancel     bool
	Warned        bool // the question "more time?" is open
	CardLeft      bool // alarm: the card still lies there
}

// State is the whole machine. It is comparable.
type State struct {
	Profile *policy.Profile // never changed after New

	Phase   Phase
	Gen     uint32 // grows at each entry of a phase; results carry the one that asked for them
	Timer   uint32 // the only deadline that counts
	Dropped uint32 // events that meant nothing where they came

	Reader  Level
	CardSeq uint64
	Camera  bool
	Storage bool
	Why     Code   // why no record may be taken; empty: no room
	Duty    string // staff id on duty, empty when nobody is signed in

	// Maintenance keeps the kiosk out of service while staff work on it. It begins only where no customer is.
	Maintenance bool

	Settings Settings
	Session
}

// New is the machine at start: out of service until the devices have reported.
func New(p policy.Profile) (State, []Effect) {
	m := machine{State: State{Profile: &p}}
	m.outOfService(CodeReaderMissing)
	return m.State, m.effects
}

// Facts is what the session established, for the rules.
func (s State) Facts() policy.Facts {
	f := policy.Facts{
		Read: s.Read.Done, Photo: s.Read.Photo, Confirmed: s.Confirmed, Minor: s.Read.Minor,
		FaceConsent: s.AgreeFace, FaceDeclined: s.FaceDeclined, Proof: s.Read.Proof, Match: s.Match,
		Live: s.Live, StaffOnDuty: s.Duty != "", Expired: s.Expired, Method: methods.InPersonChip,
	}
	if s.Route == RouteSign {
		f.Method = methods.JPKISignature
	}
	return f
}

// TriesLeft is the counter of the route in use.
func (s State) TriesLeft() Tries {
	return s.triesOf(s.Route)
}

// routes lists all routes in the order in which they are offered.
func routes() []Route { return []Route{RouteB, RoutePIN, RouteSign} }

// OpenRoutes are the service's routes that the card is not known to have closed.
func (s State) OpenRoutes() []Route {
	var out []Route
	for _, r := range routes() {
		if s.open(r) {
			out = append(out, r)
		}
	}
	return out
}

func (s *State) open(r Route) bool { return s.offers(r) && s.closed(r) == "" }

// offers says whether a route is one of the service's. The in-person routes need staff who take the presentation
// (duty 5); a service that no configuration made has no other.
func (s *State) offers(r Route) bool {
	p := s.Profile
	inPerson := p.Kind == policy.KindUnset || p.Uses(methods.InPersonChip) && p.Channel == policy.Attended
	switch r {
	case RouteB:
		return inPerson
	case RoutePIN:
		return inPerson && p.PINRoute
	case RouteSign:
		return p.Uses(methods.JPKISignature)
	}
	return false
}

// first is the route of the method that the service prefers.
func (s *State) first() Route {
	for _, m := range s.Profile.Methods {
		if m == methods.JPKISignature {
			return RouteSign
		}
		if m == methods.InPersonChip && s.offers(RouteB) {
			break
		}
	}
	return RouteB
}

// closed says why the card does not let a route be used; empty when it may.
func (s *State) closed(r Route) Code {
	switch r {
	case RouteB:
		if s.TriesB.Blocked() {
			return CodeBBlocked
		}
	case RoutePIN:
		if s.TriesPIN.Blocked() {
			return s.orWithoutPIN(CodePINBlocked)
		}
	case RouteSign:
		if s.NoSign {
			return CodeNoSignCert
		}
		if s.TriesSign.Blocked() {
			return s.orWithoutPIN(CodeSignBlocked)
		}
	}
	return ""
}

func (s *State) orWithoutPIN(c Code) Code {
	if s.WithoutPIN {
		return CodeWithoutPIN
	}
	return c
}

func (s *State) triesOf(r Route) Tries {
	switch r {
	case RouteB:
		return s.TriesB
	case RoutePIN:
		return s.TriesPIN
	case RouteSign:
		return s.TriesSign
	}
	return Tries{}
}

// NeedsSecond says whether the service wants a second person against the reason of the case.
func (s State) NeedsSecond() bool {
	return s.Profile.Kind != policy.KindUnset && s.Profile.NeedsSecond(policy.Reason(s.StaffReason))
}

// MayApprove says whether staff may approve: what the rules want, and for a child also somebody who acts for it.
func (s State) MayApprove() bool {
	return policy.MayApprove(s.Facts()) && (!s.Read.Minor || s.Represented)
}

// CaseRequired says whether the service wants a case number and takes no session without one.
func (s State) CaseRequired() bool {
	return s.Profile.Kind != policy.KindUnset && s.Profile.Case == policy.CaseRequired
}
