package record

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// MaxDevice is the most bytes of a device name.
const MaxDevice = 64

// MethodInPerson is the method code that needs staff who took the presentation (duty 5).
const MethodInPerson = "in-person-chip"

// MethodSignature is the method code of the JPKI signature.
const MethodSignature = "jpki-signature"

// VirtualParts lists the words that Record.Virtual may hold, in ascending order.
func VirtualParts() []string { return []string{"camera", "card", "face", "reader", "trust"} }

// ValidID says whether s is a UUID version 7 (RFC 9562, 5.7) in lower case.
func ValidID(s string) bool {
	u, err := uuid.Parse(s)
	return err == nil && u.String() == s && u.Version() == 7 && u.Variant() == uuid.RFC4122
}

// ValidDevice says whether s is a device name: 1..64 of a-z, 0-9 and inner hyphens. The same rule holds for the
// common name of a device's certificate.
func ValidDevice(s string) bool {
	if len(s) == 0 || len(s) > MaxDevice || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, x := range []byte(s) {
		if x != '-' && (x < '0' || x > '9') && (x < 'a' || x > 'z') {
			return false
		}
	}
	return true
}

// Validate checks what a record needs before it may be sealed. It fails closed: a machine can have decided
// "verified" only over a passed face, a live person, a genuine card and a customer's confirmation.
func (r *Record) Validate() error {
	switch {
	case !ValidID(r.ID):
		return &Error{Code: CodeValue, Field: "record"}
	case !ValidDevice(r.Device):
		return &Error{Code: CodeValue, Field: "device"}
	case !validTime(r.Created):
		return &Error{Code: CodeRequired, Field: "created"}
	case r.Evidence == nil:
		return &Error{Code: CodeRequired, Part: PartEvidence}
	}
	for _, v := range r.Virtual {
		if !slices.Contains(VirtualParts(), v) {
			return &Error{Code: CodeValue, Field: "virtual"}
		}
	}
	if err := r.Evidence.validate(); err != nil {
		return err
	}
	if err := r.validateDecision(); err != nil {
		return err
	}
	return r.validateParts()
}

// need is one field that must not be empty.
type need struct {
	field string
	ok    bool
}

func check(p Part, needs ...need) error {
	for _, n := range needs {
		if !n.ok {
			return &Error{Code: CodeRequired, Part: p, Field: n.field}
		}
	}
	return nil
}

func (e *Evidence) validate() error {
	for _, c := range e.Consents {
		if !isHash(c.SHA256) || c.ID == "" || c.Version == "" || !validTime(c.At) {
			return &Error{Code: CodeValue, Part: PartEvidence, Field: "consents"}
		}
	}
	for _, s := range e.Steps {
		if s.Name == "" || !validTime(s.At) {
			return &Error{Code: CodeValue, Part: PartEvidence, Field: "steps"}
		}
	}
	switch {
	case e.Channel != "attended" && e.Channel != "unattended":
		return &Error{Code: CodeValue, Part: PartEvidence, Field: "channel"}
	case e.Case.Kind != "number" && e.Case.Kind != "none", (e.Case.Kind == "none") != (e.Case.Ref == ""):
		return &Error{Code: CodeValue, Part: PartEvidence, Field: "case"}
	case e.Finished.Before(e.Started):
		return &Error{Code: CodeValue, Part: PartEvidence, Field: "finished"}
	}
	return check(
		PartEvidence,
		need{"service", e.Service != ""},
		need{"method", e.Method.Code != ""},
		need{"started", validTime(e.Started)},
		need{"finished", validTime(e.Finished)},
		need{"software", e.Software != ""},
	)
}

// validateDecision compares the decision with the evidence (duties 5 and 23).
func (r *Record) validateDecision() error {
	e := r.Evidence
	d := e.Decision
	wrong := func(field string) error { return &Error{Code: CodeDecision, Part: PartEvidence, Field: field} }
	switch {
	case d.Outcome != "verified" && d.Outcome != "refused" && d.Outcome != "pending_revocation":
		return wrong("outcome")
	case d.By != "machine" && d.By != "staff":
		return wrong("by")
	case !validTime(d.At):
		return wrong("at")
	case (d.By == "staff") != (d.Staff != ""):
		return wrong("staff")
	case d.By == "staff" && d.Reason == "":
		return wrong("reason")
	}
	if d.Outcome == "refused" {
		return nil
	}
	if d.Outcome == "verified" && e.Method.Code == MethodSignature {
		return wrong("outcome") // no kiosk knows the revocations
	}
	if d.Outcome == "pending_revocation" && (r.Certificate == nil || !isHash(e.Signed.SHA256) || !e.Card.Confirmed || e.Signed.Chain == "fail") {
		return wrong("signed")
	}
	if r.Identity == nil {
		return &Error{Code: CodeRequired, Part: PartIdentity}
	}
	if e.Method.Code == MethodInPerson && (e.Channel != "attended" || e.PresentedTo == "") {
		return wrong("presented_to")
	}
	if d.By == "machine" && d.Outcome == "verified" {
		switch {
		case e.Face.Match != "pass" || e.Face.Live != "pass":
			return wrong("face")
		case e.Card.Genuineness != "genuine":
			return wrong("genuineness")
		case !e.Card.Confirmed:
			return wrong("confirmed")
		}
	}
	return nil
}

func (r *Record) validateParts() error {
	if i := r.Identity; i != nil {
		if !validBirth(i.Birth.Reveal()) {
			return &Error{Code: CodeValue, Part: PartIdentity, Field: "birth"}
		}
		if err := check(PartIdentity, need{"name", i.Name.Len() > 0}, need{"address", i.Address.Len() > 0}, need{"source", i.Source != ""}); err != nil {
			return err
		}
	}
	if c := r.Certificate; c != nil {
		if err := check(PartCertificate, need{"der", c.DER.Len() > 0}); err != nil {
			return err
		}
	}
	if m := r.MyNumber; m != nil {
		if !digits(m.Number.Reveal(), 12) {
			return &Error{Code: CodeValue, Part: PartMyNumber, Field: "number"}
		}
		return check(PartMyNumber, need{"purpose", m.Purpose != ""})
	}
	return nil
}

// validBirth wants YYYYMMDD; month and day may be 00, where the register does not know them.
func validBirth(b []byte) bool {
	return digits(b, 8) && string(b[4:6]) <= "12" && string(b[6:8]) <= "31"
}

func digits(b []byte, n int) bool {
	for _, x := range b {
		if x < '0' || x > '9' {
			return false
		}
	}
	return len(b) == n
}

// validTime admits the years whose canonical form has four digits; the zero time is never meant.
func validTime(t time.Time) bool { return !t.IsZero() && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 }

// isHash says whether s is a SHA-256 in lower-case hex.
func isHash(s string) bool {
	for _, x := range []byte(s) {
		if (x < '0' || x > '9') && (x < 'a' || x > 'f') {
			return false
		}
	}
	return len(s) == 64
}
