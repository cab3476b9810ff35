package flow

import (
	"time"

	"madoguchi/daemon/policy"
)

// Event is something that happened. The list is closed.
type Event interface{ event() }

// Act is something the customer did; Arg as noted.
type Act uint8

// The acts.
const (
	Start       Act = iota
	SetLanguage     // Arg: language
	SetSize         // Arg: size
	SetContrast     // Arg: contrast
	SetSlow         // Arg: 1 more time everywhere
	Next            // on with what is on the screen; for CaseRef a number was typed
	Back            //
	NoCase          // no case number, on purpose
	Tick            // Arg: 0 identity, 1 face
	Refuse          // the consent is not given
	Touched         // a key: nothing changes but the deadline
	SetRoute        // Arg: Route
	LastTryYes      // the last try shall be spent
	ConfirmData     // what is shown is right
	WrongData       // what is shown is not right
	SkipFace        // staff shall compare
	WithStaff       // go on with staff
	AskStaff        // call staff
	AskCancel       // open the question
	CancelYes       //
	CancelNo        //
	More            // more time
	Done            // the end was read
)

// Acts lists all acts.
func Acts() []Act {
	return []Act{
		Start, SetLanguage, SetSize, SetContrast, SetSlow, Next, Back, NoCase, Tick, Refuse, Touched, SetRoute,
		LastTryYes, ConfirmData, WrongData, SkipFace, WithStaff, AskStaff, AskCancel, CancelYes, CancelNo, More, Done,
	}
}

type (
	// Customer is an act of the customer.
	Customer struct {
		Act Act
		Arg uint8
	}
	// Submitted says that the typed credential was handed in. Trouble is set when its format is wrong;
	// nothing was sent to the card then.
	Submitted struct{ Trouble Code }
	// ReaderLevel is a report of the reader. Seq grows when a card was lifted or placed.
	ReaderLevel struct {
		Level Level
		Seq   uint64
	}
	// CameraLevel is a report of the camera.
	CameraLevel struct{ Ready bool }
	// StorageLevel is a report of the queue: may another record be taken, and if not, why (empty: no room)?
	StorageLevel struct {
		Room bool
		Why  Code
	}
	// MaintenanceLevel is a report of the operator's hand: is the kiosk being worked on? While a customer is served
	// the beginning is dropped.
	MaintenanceLevel struct{ On bool }
	// Duty is a report of the staff page: who is signed in.
	Duty struct{ Staff string }
	// Identified is the answer to Identify. Trouble is set when the card is not one to go on with. Other is set when
	// this is not proven to be the card that was checked before.
	Identified struct {
		Gen              uint32
		Trouble          Code
		Other            bool
		Expired          bool
		TriesB, TriesPIN Tries
		TriesSign        Tries
		NoSign           bool // no signature certificate
		WithoutPIN       bool
	}
	// ReadDone is the answer to ReadCard.
	ReadDone struct {
		Gen     uint32
		Trouble Code // empty when read
		Again   bool // the credential was wrong: ask the card for its counters before the next prompt
		Read    Read
	}
	// FaceDone is the answer to Capture.
	FaceDone struct {
		Gen         uint32
		Match, Live policy.Check
	}
	// Stored is the answer to Store.
	Stored struct {
		Gen uint32
		OK  bool
	}
	// StaffDecides is a decision of staff about the pending case.
	StaffDecides struct {
		Gen     uint32
		Approve bool
		Staff   string
		Reason  Code
	}
	// Represented says that staff have taken who acts for the customer (duty 20).
	Represented struct {
		Gen   uint32
		Staff string
	}
	// StaffRefers ends the session at the kiosk; staff go on at the counter.
	StaffRefers struct {
		Staff string
		How   Code // the other method; empty: the counter
	}
	// HelpAnswered says that staff came.
	HelpAnswered struct{}
	// Timeout is the end of a deadline.
	Timeout struct{ Timer uint32 }
)

func (Customer) event()         {}
func (Submitted) event()        {}
func (ReaderLevel) event()      {}
func (CameraLevel) event()      {}
func (StorageLevel) event()     {}
func (MaintenanceLevel) event() {}
func (Duty) event()             {}
func (Identified) event()       {}
func (ReadDone) event()         {}
func (FaceDone) event()         {}
func (Stored) event()           {}
func (StaffDecides) event()     {}
func (StaffRefers) event()      {}
func (Represented) event()      {}
func (HelpAnswered) event()     {}
func (Timeout) event()          {}

// Effect is something the session must do. The list is closed.
type Effect interface{ effect() }

type (
	// Identify asks the card what it is; costs no try.
	Identify struct{ Gen uint32 }
	// ReadCard spends one try of the route and reads. It is not cancelled by a change of phase.
	ReadCard struct {
		Gen   uint32
		Route Route
	}
	// Capture films, guides, and judges. It ends with the phase.
	Capture struct{ Gen uint32 }
	// Store seals and stores the record of the decision. It is not cancelled by a change of phase.
	Store struct {
		Gen      uint32
		Decision Decision
	}
	// ClearEntry wipes what was typed.
	ClearEntry struct{}
	// ForgetCard wipes what was read so far and which card it was.
	ForgetCard struct{}
	// Wipe wipes everything of the customer.
	Wipe struct{}
	// SetTimer replaces the deadline.
	SetTimer struct {
		Timer uint32
		After time.Duration
	}
	// StopTimer ends the deadline (idle only).
	StopTimer struct{}
)

func (Identify) effect()   {}
func (ReadCard) effect()   {}
func (Capture) effect()    {}
func (Store) effect()      {}
func (ClearEntry) effect() {}
func (ForgetCard) effect() {}
func (Wipe) effect()       {}
func (SetTimer) effect()   {}
func (StopTimer) effect()  {}

// Deadline gives the time after which the phase asks "more time?" and the time it then waits; warn 0 means that it
// does not ask. Idle has no deadline. What people do takes the service's times, doubled for those who asked for that;
// what machines do has MachineTime.
func (s *State) Deadline() (wait, warn time.Duration) {
	w, asks, ok := waitOf(s.Phase)
	if !ok {
		return MachineTime(s.Phase), 0
	}
	slow := s.Settings.Slow == 1
	if asks {
		warn = s.Profile.Wait(policy.WaitMore, slow)
	}
	return s.Profile.Wait(w, slow), warn
}

// waitOf names the policy's wait of a phase, and whether it asks for more time before its end.
func waitOf(p Phase) (w policy.Wait, asks, ok bool) {
	switch p {
	case Language:
		return policy.WaitLanguage, true, true
	case CaseRef:
		return policy.WaitCase, true, true
	case Consent, Document:
		return policy.WaitConsent, true, true
	case PlaceCard:
		return policy.WaitPlaceCard, true, true
	case Credential, Ways:
		return policy.WaitCredential, true, true
	case LastTry:
		return policy.WaitLastTry, true, true
	case PutBack:
		return policy.WaitPutBack, false, true
	case Confirm:
		return policy.WaitConfirm, true, true
	case Face:
		return policy.WaitFace, false, true
	case WaitStaff:
		return policy.WaitStaff, false, true
	case Result:
		return policy.WaitResult, false, true
	case TakeCard:
		return policy.WaitTakeCard, false, true
	case Idle, CardCheck, Reading, Deciding, OutOfService:
	}
	return 0, false, false
}

// MachineTime is the limit of what machines do in a phase, 0 for the phases of people.
func MachineTime(p Phase) time.Duration {
	switch p {
	case CardCheck:
		return 20 * time.Second
	case Reading:
		return 40 * time.Second
	case Deciding, OutOfService:
		return 30 * time.Second
	case Idle, Language, CaseRef, Consent, PlaceCard, Document, Credential, LastTry, PutBack, Ways, Confirm, Face,
		WaitStaff, Result, TakeCard:
	}
	return 0
}
