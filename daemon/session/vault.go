package session

import (
	"image"
	"time"

	"madoguchi/daemon/flow"
	"madoguchi/face"
	"madoguchi/hardware/card"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/ui/console"
	"madoguchi/ui/screen"
)

// maxSteps bounds the steps of one record; a session that wanders more keeps the first ones.
const maxSteps = 200

// maxCase is the longest case number.
const maxCase = 16

// vault holds everything that belongs to the customer. The owner's goroutine alone touches it; effects get
// copies and give their results back as messages.
type vault struct {
	entry   entry
	caseNo  []byte
	started time.Time
	steps   []record.Step
	note    string // of staff, beside their decision
	receipt string // not personal: part of the record's random id

	identity card.Identity
	attrs    card.Attributes
	front    card.Front
	photo    *image.Gray
	review   *screen.ReviewData
	chipPNG  *secret.Bytes
	live     []*secret.Bytes // JPEG, best first
	verdict  face.Verdict
	draft    *secret.Bytes // of the document, while it is on the screen
	document *secret.Bytes // as it was shown
	signed   signed

	representative record.Representative
}

// wipe empties the vault. The receipt stays until the next customer: it is what they may name to staff.
func (v *vault) wipe() {
	v.entry.clear()
	clear(v.caseNo)
	v.identity.Wipe()
	v.attrs.Wipe()
	v.front.Wipe()
	v.chipPNG.Wipe()
	secret.Wipe(v.draft, v.document)
	v.signed.wipe()
	v.representative.Name.Wipe()
	secret.Wipe(v.live...)
	wipeImage(v.photo)
	*v = vault{receipt: v.receipt}
}

// first notes who approved first, where two people are needed; the decision itself names the second.
func (v *vault) first(staff string, at time.Time) {
	if len(v.steps) < maxSteps {
		v.steps = append(v.steps, record.Step{Name: "first-approval", At: at, Note: staff})
	}
}

// forgetCard wipes what was read, and which card it was.
func (v *vault) forgetCard() {
	v.identity.Wipe()
	v.identity = card.Identity{}
	v.setRead(readResult{})
	v.review = nil
}

func wipeImage(img *image.Gray) {
	if img != nil {
		clear(img.Pix)
	}
}

// step notes a phase with its time.
func (v *vault) step(s flow.State, at time.Time) {
	switch s.Phase {
	case flow.Idle, flow.OutOfService:
		v.receipt = ""
		return
	case flow.Language:
		if v.started.IsZero() {
			v.started = at
			v.receipt = ""
		}
	case flow.CaseRef, flow.Consent, flow.PlaceCard, flow.CardCheck, flow.Document, flow.Credential, flow.LastTry, flow.Reading,
		flow.PutBack, flow.Ways, flow.Confirm, flow.Face, flow.WaitStaff, flow.Deciding, flow.Result, flow.TakeCard:
	}
	note := string(s.Trouble)
	if s.Phase == flow.WaitStaff {
		note = string(s.StaffReason) // why people decide
	}
	if len(v.steps) < maxSteps {
		v.steps = append(v.steps, record.Step{Name: s.Phase.String(), At: at, Note: note})
	}
}

// setRead takes what a reading gave; whatever was there before is wiped.
func (v *vault) setRead(r readResult) {
	v.attrs.Wipe()
	v.front.Wipe()
	v.chipPNG.Wipe()
	wipeImage(v.photo)
	v.signed.wipe()
	v.attrs, v.front, v.photo, v.chipPNG, v.signed = r.attrs, r.front, r.photo, r.png, r.signed
}

// discard wipes a message that nobody will read.
func discard(m message) {
	switch m := m.(type) {
	case identified:
		m.id.Wipe()
	case readResult:
		m.wipe()
	case faceResult:
		secret.Wipe(m.live...)
	case console.Input:
		wipeInput(m)
	}
}
