// Package record is the verification record: what is kept of one session, cut into parts by purpose so that each
// can be sealed to its own key. Its bytes are canonical: the same record always has the same bytes, and a decoder
// accepts no others. Only storage/... and daemon/... may import it.
package record

import (
	"time"

	"madoguchi/internal/secret"
)

// Version is the schema version of every part.
const Version = 1

// Part names a part of the record. Each has its own HQ key.
type Part string

// The parts. This list and Version are the contract with HQ.
const (
	PartIdentity    Part = "identity"
	PartImages      Part = "images"
	PartEvidence    Part = "evidence"
	PartCertificate Part = "certificate"
	PartMyNumber    Part = "my_number"
)

// Parts lists all parts in their order on the wire.
func Parts() []Part {
	return []Part{PartIdentity, PartImages, PartEvidence, PartCertificate, PartMyNumber}
}

// Record is one verification. Parts that were not taken are nil.
type Record struct {
	ID      string // UUIDv7, lower case
	Device  string // kiosk id, e.g. "branch-012-kiosk-1"
	Created time.Time
	Virtual []string // which parts were virtual: "card", "reader", "camera", "trust", "face"; empty in production

	Identity    *Identity
	Images      *Images
	Evidence    *Evidence
	Certificate *Certificate
	MyNumber    *MyNumber
}

// Wipe wipes every secret of the record.
func (r *Record) Wipe() {
	if r.Identity != nil {
		i := r.Identity
		secret.Wipe(i.Name, i.Address, i.Birth, i.Sex, i.CardSerial)
	}
	if r.Images != nil {
		secret.Wipe(r.Images.Name, r.Images.Address, r.Images.Face)
	}
	if r.Certificate != nil {
		secret.Wipe(r.Certificate.DER, r.Certificate.CMS, r.Certificate.Signature, r.Certificate.Document)
	}
	if r.Evidence != nil {
		r.Evidence.Representative.Name.Wipe()
	}
	if r.MyNumber != nil {
		r.MyNumber.Number.Wipe()
	}
}

// Identity is who the person is, as the chip says it.
type Identity struct {
	Name, Address *secret.Bytes // UTF-8
	Birth         *secret.Bytes // YYYYMMDD
	Sex           *secret.Bytes // one digit
	CardSerial    *secret.Bytes // 15 digits
	Municipality  string        // 5 digits
	CardExpiry    string        // YYYY-MM-DD
	Source        string        // "chip-text-by-number-b", "chip-text-by-pin" or "sign-certificate"
}

// Images are the images of the chip as stored there. Live frames are not kept by default (duty 8).
type Images struct {
	Name, Address *secret.Bytes // PNG
	Face          *secret.Bytes // JPEG 2000
}

// Evidence is how it was verified: no personal data beyond the case reference, staff ids and a representative's name.
type Evidence struct {
	Service     string // service profile id
	Method      Method
	Channel     string // "attended" or "unattended"
	PresentedTo string // staff id who took the presentation; empty when nobody was on duty
	Case        Case
	Started     time.Time
	Finished    time.Time
	Steps       []Step
	Consents    []Consent
	Card        CardEvidence
	Face        FaceEvidence
	Signed      Signed

	Representative Representative

	Decision Decision
	Software string // version of kioskd
	Reader   string
	Camera   string
}

// Method is the legal method, from a dated table.
type Method struct {
	Code    string // e.g. "in-person-chip"
	Statute string // e.g. "犯収法施行規則6条1項1号"
	Note    string // e.g. "presentation of the card, before 2027-04-01; to be confirmed by counsel"
}

// Case ties the record to the operator's own case.
type Case struct {
	Kind string // "number" or "none" (none on purpose)
	Ref  string
}

// Step is one step with its time.
type Step struct {
	Name string
	At   time.Time
	Note string // stable code, never free text
}

// Consent is one consent given or refused.
type Consent struct {
	ID, Version string
	SHA256      string // hex, of the text shown
	Lang        string
	Given       bool
	At          time.Time
}

// CardEvidence is what was proven of the card.
type CardEvidence struct {
	Kind        string
	Route       string // "number-b" or "pin"
	Genuineness string // card.Genuineness
	Reason      string
	Issuer      string
	Confirmed   bool // the customer confirmed what was shown
}

// FaceEvidence is the machine's result; scores are 1e-4.
type FaceEvidence struct {
	Match       string
	Score       int
	Threshold   int
	Live        string
	LiveScore   int
	Reasons     []string
	Model       string
	Calibration string
	VirtualOnly bool
	Frames      int
}

// Decision is the outcome. The machine's result above stays as it was, whatever people decide.
type Decision struct {
	Outcome string // "verified", "refused" or "pending_revocation": HQ or a platform has the last word
	By      string // "machine" or "staff"
	Staff   string
	Reason  string
	Note    string
	At      time.Time
}

// Representative is who acted for the customer (duty 20): a guardian of a child, or an agent. It is empty when nobody
// did. The codes are those of daemon/flow.
type Representative struct {
	Name     *secret.Bytes // UTF-8, as the document says
	Relation string
	Document string // by which document staff know the representative
	Reason   string
	Note     string // without runs of digits
}

// Signed is what the customer signed: the hash stays when the certificate and the signature are destroyed (duty 6).
// It is empty when nothing was signed.
type Signed struct {
	SHA256 string // hex, of the very document that was shown
	Scheme string // "rsa-pkcs1-sha256"
	Chain  string // the local pre-check: "pass", "unsure", "fail" or "not-checked"; never the deciding result
}

// Certificate is the short-lived part for the platform operator (duty 6). CMS is empty until the signature travels in
// one; then DER and Signature are in it too.
type Certificate struct {
	DER       *secret.Bytes
	CMS       *secret.Bytes
	Signature *secret.Bytes // over Document
	Document  *secret.Bytes // UTF-8, as it was shown
}

// MyNumber is the collected number with its purpose (duty 4).
type MyNumber struct {
	Number  *secret.Bytes
	Purpose string
}
