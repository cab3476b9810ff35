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
		Start, SetLanguage, SetSize, SetContrast, Next, Back, NoCase, Tick, Refuse, Touched, SetRoute,
		LastTryYes, ConfirmData, WrongData, SkipFace, AskStaff, AskCancel, CancelYes, CancelNo, More, Done,
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
	// Identified is the answer to Identify. Trouble is set when the card is not one to go on with.
	Identified struct {
		Gen              uint32
		Trouble          Code
		Expired          bool
		TriesB, TriesPIN Tries
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
	// StaffRefers ends the session at the kiosk; staff go on at the counter.
	StaffRefers struct{ Staff string }
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
func (Wipe) effect()       {}
func (SetTimer) effect()   {}
func (StopTimer) effect()  {}

// Deadline gives the time after which a phase asks "more time?" and the time it then waits; warn 0 means that it
// does not ask. Idle has no deadline.
func Deadline(p Phase) (wait, warn time.Duration) {
	const warning = 20 * time.Second
	switch p {
	case Idle:
		return 0, 0
	case Language, CaseRef, PlaceCard, LastTry:
		return 60 * time.Second, warning
	case Consent, Credential, Confirm:
		return 120 * time.Second, warning
	case CardCheck:
		return 20 * time.Second, 0
	case Reading:
		return 40 * time.Second, 0
	case Face:
		return 45 * time.Second, 0
	case WaitStaff:
		return 10 * time.Minute, 0
	case Deciding:
		return 30 * time.Second, 0
	case Result:
		return 20 * time.Second, 0
	case TakeCard:
		return 30 * time.Second, 0
	case OutOfService:
		return 30 * time.Second, 0
	}
	return time.Second, 0
}
