// Package screen is the closed list of what the kiosk's browser can show and what it can say back. It is pure:
// no text of any language, no HTML, no I/O. daemon/present makes screens, ui/page renders them, ui/hub carries
// them; all other packages keep away.
package screen

import "madoguchi/internal/secret"

// Kind names a screen.
type Kind string

// The screens.
const (
	Idle          Kind = "idle"
	Language      Kind = "language"
	CaseReference Kind = "case"
	Consent       Kind = "consent"
	PlaceCard     Kind = "place-card"
	CardCheck     Kind = "card-check"
	Document      Kind = "document" // what will be signed, in full
	Credential    Kind = "credential"
	LastTry       Kind = "last-try"
	Reading       Kind = "reading"
	PutBack       Kind = "put-back" // the card was taken away too early
	Ways          Kind = "ways"     // every other way, when one is closed
	Review        Kind = "review"
	Face          Kind = "face"
	Deciding      Kind = "deciding"
	WaitStaff     Kind = "wait-staff"
	Result        Kind = "result"
	TakeCard      Kind = "take-card"
	OutOfService  Kind = "out-of-service"
)

// Kinds lists every screen, for completeness tests.
func Kinds() []Kind {
	return []Kind{
		Idle, Language, CaseReference, Consent, PlaceCard, CardCheck, Document, Credential, LastTry, Reading, PutBack, Ways,
		Review, Face, Deciding, WaitStaff, Result, TakeCard, OutOfService,
	}
}

// Settings are the customer's choices of presentation; they are reset when the session ends.
type Settings struct {
	Lang     string // "ja" or "en"
	Size     int    // 0 normal, 1 large, 2 largest
	Contrast int    // 0 normal, 1 high contrast (dark)
	Slow     int    // 1 more time everywhere
}

// Screen is everything the browser shows. Parts that a Kind does not use are nil.
type Screen struct {
	Kind     Kind
	Instance uint64 // changes when the screen is a new one; taps carry the instance they were made on
	Settings Settings
	Step     int // 1..Steps while in the flow, 0 outside
	Steps    int

	SecondsLeft  int  // shown when above 0: "do you need more time?"
	CanBack      bool // a way to the step before
	CanCancel    bool
	CanCallStaff bool
	StaffCalled  bool
	AskCancel    bool // the cancel question is open over the screen
	Virtual      bool // show that this is a demonstration with virtual parts
	CardOnReader bool

	Countdown int // seconds that are shown without a question; 0 none

	Trouble  *Trouble // what went wrong on the way here, shown on top of the screen
	Case     *Case
	Consent  []ConsentItem
	Entry    *Entry
	Document Text    // what will be signed
	Ways     []Route // the routes that are open on Ways; the way to staff is always
	Review   *ReviewData
	Face     *FaceGuide
	Result   *ResultData
	Dev      *Dev // developer panel; only ever set when all devices are virtual
}

// Trouble is one failure a person meets. Code is stable and found in docs/failures.md and in ui/i18n: cause and
// way out are texts under that code.
type Trouble struct{ Code string }

// Case is the entry of the operator's case number; it is shown as typed.
type Case struct {
	Digits   string
	Required bool // "I have no number" is not offered
}

// ConsentItem is one purpose, agreed to separately. The text lives in ui/i18n under its ID and Version.
type ConsentItem struct {
	ID       string // "identity" or "face"
	Version  string
	Required bool
	Ticked   bool
}

// Route is how the customer opens the card.
type Route string

// The routes.
const (
	RouteB   Route = "number-b" // 照合番号B, three fields as printed
	RoutePIN Route = "pin"      // 4-digit PIN of 券面事項入力補助

	RouteSign Route = "sign" // signature password, 6 to 16 letters and digits
)

// Entry is the keypad. It holds counts only: digits never leave the daemon.
type Entry struct {
	Route      Route
	Fields     []EntryField
	Complete   bool
	TriesLeft  int
	TriesKnown bool
	Switch     []Route // the other routes that may be chosen
	Layout     []int   // digit on the key at each position 0..9; nil means the usual order 1..9, 0
	Codes      []int   // what the key at each position sends instead of its position; new for each screen; nil: the position
}

// EntryField is one field of an entry.
type EntryField struct {
	Name   string // "birth" (6), "expiry" (4), "code" (4), "pin" (4) or "password" (16, from 6)
	Length int
	Filled int
	Active bool
}

// Text is a secret that may be shown on this one screen. It prints as [hidden] elsewhere.
type Text = *secret.Bytes

// Image is a handle, valid while its screen is shown, under which ui/hub serves the bytes at /img/<handle>.
// Empty means no image.
type Image string

// ReviewData is what was read, for the customer to confirm.
type ReviewData struct {
	Name, Address, Birth, Sex Text // Birth YYYYMMDD, Sex one digit; empty when not read by this route
	Expiry                    string
	NameImage, AddressImage   Image // the card's own glyphs (外字)
	Face                      Image
}

// FaceGuide is the face step. Hint is a face.Hint value as text, or "starting".
type FaceGuide struct {
	Hint     string
	Good     int // good frames so far
	Need     int
	Declined bool
}

// Outcome is how a session ended.
type Outcome string

// The outcomes.
const (
	Verified  Outcome = "verified"
	Referred  Outcome = "referred" // staff handle it at the counter
	Refused   Outcome = "refused"
	Cancelled Outcome = "cancelled"
	Pending   Outcome = "pending" // complete, but the operator has the last word
)

// ResultData is the end of a session.
type ResultData struct {
	Outcome Outcome
	Code    string // a Trouble code when there is something to say, else empty
	Receipt string // short number the customer can name to staff: the first eight characters of the record's random tail
}

// Dev is the developer panel.
type Dev struct {
	People []DevPerson
	Card   string // id of the person whose card lies on the reader, or empty
	Shown  string // id of the person before the camera
}

// DevPerson is one virtual person.
type DevPerson struct{ ID, Label, Note string }

// InputKind names something the customer can do.
type InputKind string

// The inputs. Index is used where noted.
const (
	InStart      InputKind = "start"
	InLanguage   InputKind = "lang"     // Index: 0 ja, 1 en
	InSize       InputKind = "size"     // Index: Settings.Size
	InContrast   InputKind = "contrast" // Index: Settings.Contrast
	InSlow       InputKind = "slow"     // Index: Settings.Slow
	InNext       InputKind = "next"
	InBack       InputKind = "back"
	InNoCase     InputKind = "no-case"
	InTick       InputKind = "tick" // Index: consent item
	InRefuse     InputKind = "refuse"
	InKey        InputKind = "key" // Index: the code of the key, or its position where there are no codes
	InErase      InputKind = "erase"
	InSubmit     InputKind = "submit"
	InLastTryYes InputKind = "last-try"
	InRoute      InputKind = "route" // Index: 0 照合番号B, 1 PIN, 2 signature
	InConfirm    InputKind = "confirm"
	InWrong      InputKind = "wrong"      // what is shown is not mine or not right
	InSkipFace   InputKind = "skip-face"  // the equal alternative: staff compare
	InWithStaff  InputKind = "with-staff" // go on with staff
	InStaff      InputKind = "staff"
	InCancel     InputKind = "cancel"
	InCancelYes  InputKind = "cancel-yes"
	InCancelNo   InputKind = "cancel-no"
	InMore       InputKind = "more" // more time
	InDone       InputKind = "done"
	InDevInsert  InputKind = "dev-insert" // Index: into Dev.People
	InDevRemove  InputKind = "dev-remove"
	InDevFace    InputKind = "dev-face" // Index: into Dev.People
)

// InputKinds lists every input, for validation and tests.
func InputKinds() []InputKind {
	return []InputKind{
		InStart, InLanguage, InSize, InContrast, InSlow, InNext, InBack, InNoCase, InTick, InRefuse, InKey, InErase,
		InSubmit, InLastTryYes, InRoute, InConfirm, InWrong, InSkipFace, InWithStaff, InStaff, InCancel, InCancelYes,
		InCancelNo, InMore, InDone, InDevInsert, InDevRemove, InDevFace,
	}
}

// Input is one act of the customer.
type Input struct {
	Kind     InputKind
	Index    int
	Instance uint64 // the Screen.Instance on which it was made
}
