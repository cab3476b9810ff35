package policy

import (
	"time"

	"madoguchi/daemon/policy/methods"
)

// Service is all the rules of one service, as plain comparable values: daemon/flow keeps it in its state. Its zero value
// is the strictest service. Names and texts that people read are not in it; daemon/service holds them.
type Service struct {
	Kind    Kind
	Act     methods.Act
	Methods [MaxMethods]methods.Code // in order of preference; empty ones at the end

	Reads     FieldSet
	FaceByPIN bool   // the PIN route may read the face, and with it the My Number (duty 1); needs PINBasis
	PINBasis  string // the statute that allows it

	Face     FaceRule
	Liveness LivenessRule
	MyNumber MyNumber
	Consents [MaxConsents]Consent // empty ones at the end

	Calibration string // id of the calibration whose thresholds count; empty: whichever is loaded
	Case        CaseRule
	Offline     Offline
	Retention   [Classes]Keep
	Overrides   [Grounds]Override
	Times       [Waits]uint16 // seconds
	Accessible  [Waits]uint16 // seconds, in accessible mode

	RefuseUnconfirmed bool // a legal method whose row nobody has confirmed may not be used
}

// The sizes of the lists of a service: arrays, so that a service is comparable.
const (
	MaxMethods  = 4
	MaxConsents = 6
)

// Kind is what a service is for.
type Kind uint8

// The kinds. KindUnset is a service that no configuration made.
const (
	KindUnset Kind = iota
	AccountOpening
	AddressChange
	TelecomContract
	ReturningCustomer
	StatusOnly
	MyNumberCollection
)

// Kinds lists the kinds that a configuration may name.
func Kinds() []Kind {
	return []Kind{AccountOpening, AddressChange, TelecomContract, ReturningCustomer, StatusOnly, MyNumberCollection}
}

// String names the kind as the configuration does.
func (k Kind) String() string {
	return [...]string{
		"", "account-opening", "address-change", "telecom-contract", "returning-customer", "status-only", "my-number",
	}[k]
}

// FieldSet is what is read from the chip.
type FieldSet uint16

// The fields.
const (
	FieldName FieldSet = 1 << iota
	FieldAddress
	FieldBirth
	FieldSex
	FieldExpiry
	FieldPhoto
)

// Has says whether all of want are in the set.
func (f FieldSet) Has(want FieldSet) bool { return f&want == want }

// FaceRule says whether the face is compared by the machine.
type FaceRule uint8

// The rules. FaceRequired: without the machine's comparison people decide. FaceOffered: the customer may choose staff
// instead, first-class (duty 18), and people decide then. FaceNone: the camera is not used.
const (
	FaceRequired FaceRule = iota
	FaceOffered
	FaceNone
)

// String names the rule as the configuration does.
func (f FaceRule) String() string { return [...]string{"required", "offered", "none"}[f] }

// LivenessRule says whether an attack check is needed for a comparison to count.
type LivenessRule uint8

// The rules.
const (
	LivenessRequired LivenessRule = iota
	LivenessOff
)

// MyNumber is the collection of the My Number (duty 4). Collect without Basis does not pass daemon/service.
type MyNumber struct {
	Collect bool
	Basis   string // the statute, e.g. "番号法9条3項 ..."
}

// Form is how a consent is given.
type Form uint8

// The forms.
const (
	Ticked Form = iota
	Signed      // with the signature key of the card: a binding 署名 (duty 9)
)

// String names the form as the configuration does.
func (f Form) String() string { return [...]string{"ticked", "signed"}[f] }

// Consent is one consent. An optional one may be refused without a worse path. The zero value is none. Its text and the
// hash of it are with daemon/service.
type Consent struct {
	ID, Version string
	Form        Form
	Required    bool
}

// CaseRule says how a session is tied to the operator's case (duty 21).
type CaseRule uint8

// The rules. CaseOptional: a number, or none on purpose. CaseNone: none on purpose, nobody is asked.
const (
	CaseRequired CaseRule = iota
	CaseOptional
	CaseNone
)

// String names the rule as the configuration does.
func (c CaseRule) String() string { return [...]string{"required", "optional", "none"}[c] }

// Offline says what happens when the revocation of a certificate cannot be asked. The zero value refuses.
type Offline struct {
	Pending  bool   // complete with revocation=pending, which is never "verified"
	MaxHours uint16 // how old the oldest pending one may be
	MaxCount uint16 // how many may be pending
}

// MayPend says whether one more may be pending, with n pending now of which the oldest is so old.
func (o Offline) MayPend(n int, oldest time.Duration) bool {
	return o.Pending && n < int(o.MaxCount) && oldest <= time.Duration(o.MaxHours)*time.Hour
}

// Class is a class of fields for retention.
type Class uint8

// The classes. LiveImages are frames of the customer; they are not kept by default (duty 8).
const (
	ClassIdentity Class = iota
	ClassImages
	ClassLiveImages
	ClassEvidence
	ClassConsents
	ClassCertificate
	ClassMyNumber
	Classes = iota
)

// String names the class as the configuration does.
func (c Class) String() string {
	return [...]string{"identity", "images", "live_images", "evidence", "consents", "certificate", "my_number"}[c]
}

// Keep is how long a class is kept. Years run from the end of the relation (duty 7), Hours from the taking, for what
// only waits for a platform's answer (duty 6). The zero value is not kept at all.
type Keep struct {
	Years uint8
	Hours uint16
}

// None says that the class is not kept.
func (k Keep) None() bool { return k == Keep{} }

// Wait is a phase whose time is a matter of policy; what machines do has its own limits.
type Wait uint8

// The waits.
const (
	WaitLanguage Wait = iota
	WaitCase
	WaitConsent
	WaitPlaceCard
	WaitCredential
	WaitLastTry
	WaitPutBack // a card taken away while it was read
	WaitConfirm
	WaitFace
	WaitStaff
	WaitResult
	WaitTakeCard
	WaitMore // the question "more time?" itself
	Waits    = iota
)

// String names the wait as the configuration does.
func (w Wait) String() string {
	return [...]string{
		"language", "case", "consent", "place_card", "credential", "last_try", "put_back", "confirm", "face", "staff",
		"result", "take_card", "more",
	}[w]
}

// DefaultWait is a wait that nobody configured.
func DefaultWait(w Wait) time.Duration {
	switch w {
	case WaitLanguage, WaitCase, WaitPlaceCard, WaitLastTry:
		return 60 * time.Second
	case WaitConsent, WaitCredential, WaitConfirm:
		return 120 * time.Second
	case WaitFace:
		return 45 * time.Second
	case WaitStaff:
		return 10 * time.Minute
	case WaitTakeCard:
		return 30 * time.Second
	case WaitPutBack, WaitResult, WaitMore:
	}
	return 20 * time.Second
}

// Wait gives a time; in accessible mode it is at least the double of the default, and never shorter than the other.
func (s *Service) Wait(w Wait, accessible bool) time.Duration {
	wait := time.Duration(s.Times[w]) * time.Second
	if wait == 0 {
		wait = DefaultWait(w)
	}
	if !accessible {
		return wait
	}
	if long := time.Duration(s.Accessible[w]) * time.Second; long >= wait {
		return long
	}
	return 2 * wait
}

// Uses says whether the service allows a method.
func (s *Service) Uses(c methods.Code) bool {
	for _, m := range s.Methods {
		if m == c && c != "" {
			return true
		}
	}
	return false
}

// Consent finds a consent by its id.
func (s *Service) Consent(id string) (Consent, bool) {
	for _, c := range s.Consents {
		if c.ID == id && id != "" {
			return c, true
		}
	}
	return Consent{}, false
}
