// Package console is the branch staff's page: who is signed in, what the kiosk is doing (a state name, never a
// mirror of the customer's screen), and the pending case with both photos side by side. It has its own listener,
// never the kiosk's. Only daemon/... may import it.
package console

import "madoguchi/internal/secret"

// View is everything one staff browser shows.
type View struct {
	Staff   string // staff id, empty when signed out
	Name    string // display name of the staff member
	Problem string // "bad-sign-in", "locked", "already-decided", "second-person" or empty
	Kiosk   Kiosk
	Case    *Case
	Virtual bool
	Lang    string // "ja" or "en"
}

// Kiosk is the state of the kiosk.
type Kiosk struct {
	State        string // phase name
	Since        int    // seconds in this state
	Reader       string // "ok" or a trouble code
	Camera       string
	Queue        int // records waiting for HQ
	OldestSecs   int // age of the oldest one
	HelpCalled   bool
	OutOfService string // trouble code or empty
}

// Case is one pending decision.
type Case struct {
	ID        string
	Reason    string // why it came to staff: a reason code
	Waiting   int    // seconds
	CaseRef   string
	Chip      string   // image handle of the chip's photo, empty when none was read
	Live      []string // image handles of the live frames
	Name      *secret.Bytes
	Birth     *secret.Bytes
	Address   *secret.Bytes
	Sex       *secret.Bytes
	Expiry    string
	Match     string // face.Outcome as text
	Score     int    // 1e-4
	Threshold int    // 1e-4
	Liveness  string
	Reasons   []string
	Proof     string // genuineness of the card's face
	Route     string
	Decided   string // "approved", "refused" or empty

	NeedsGuardian bool // a child: nobody may approve before a guardian was taken down
	Represented   bool // somebody who acts for the customer was taken down

	MayApprove bool // false: nothing was read and confirmed, so only a refusal is possible
}

// InputKind names something staff can do.
type InputKind string

// The inputs.
const (
	InSignIn  InputKind = "sign-in" // Staff and PIN
	InSignOut InputKind = "sign-out"
	InApprove InputKind = "approve" // Case, Reason, Note
	InRefuse  InputKind = "refuse"  // Case, Reason, Note
	InCancel  InputKind = "cancel"  // end the customer's session
	InOther   InputKind = "other"   // Reason: go on with this customer by another method, away from the kiosk

	// Case, Reason, Note, Relation, Document, Name: who acts for the customer.
	InRepresent InputKind = "represent"

	InHelped InputKind = "helped" // the help call was answered
	InLang   InputKind = "lang"   // Reason: "ja" or "en"
)

// ApproveReasons is the closed list for approvals.
func ApproveReasons() []string {
	return []string{"photo-same-person", "known-change-of-look", "document-checked"}
}

// RefuseReasons is the closed list for refusals.
func RefuseReasons() []string {
	return []string{"other-person", "card-not-accepted", "customer-withdrew", "suspected-fraud"}
}

// OtherMethods is the closed list of how staff go on without the kiosk.
func OtherMethods() []string { return []string{"by-documents", "by-mail", "another-day"} }

// Relations is the closed list of who may act for a customer.
func Relations() []string {
	return []string{"parent", "legal-guardian", "relative", "agent", "employee"}
}

// Documents is the closed list of how staff know a representative.
func Documents() []string {
	return []string{"my-number-card", "drivers-licence", "passport", "residence-card"}
}

// RepresentReasons is the closed list of why somebody acts for the customer.
func RepresentReasons() []string { return []string{"under-age", "illness", "disability", "absence"} }

// Input is one act of a staff member. Session names the connection it came from.
type Input struct {
	Kind    InputKind
	Session uint64
	Staff   string
	PIN     *secret.Bytes
	Case    string
	Reason  string
	Note    string

	Relation, Document string
	Name               *secret.Bytes // of the representative; the receiver wipes it
}
