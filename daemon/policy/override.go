package policy

import "errors"

// Role is who decides.
type Role uint8

// The roles. Remote is a second person at HQ, for branches with one clerk (duty 19).
const (
	Clerk Role = 1 << iota
	Supervisor
	Remote
)

// String names the role as the configuration does.
func (r Role) String() string {
	switch r {
	case Clerk:
		return "clerk"
	case Supervisor:
		return "supervisor"
	case Remote:
		return "remote"
	}
	return ""
}

// Roles is a set of roles.
type Roles uint8

// Has says whether a role is in the set.
func (s Roles) Has(r Role) bool { return r != 0 && s&Roles(r) != 0 }

// Ground is a reason to which an override can be given, as an index.
type Ground uint8

// The grounds, each one a Reason.
const (
	GroundNotRead Ground = iota
	GroundWrongData
	GroundMinor
	GroundForged
	GroundProofUnchecked
	GroundNoPhoto
	GroundAttack
	GroundMismatch
	GroundUnsure
	GroundNoStaff
	GroundService
	GroundExpired
	GroundPending
	GroundRevoked
	Grounds = iota
)

// Reason is the stable code of the ground.
func (g Ground) Reason() Reason {
	return [...]Reason{
		ReasonNotRead, ReasonWrongData, ReasonMinor, ReasonForged, ReasonProofUnchecked, ReasonNoPhoto, ReasonAttack,
		ReasonMismatch, ReasonUnsure, ReasonNoStaff, ReasonService, ReasonExpired, ReasonPending, ReasonRevoked,
	}[g]
}

// GroundOf finds the ground of a reason.
func GroundOf(r Reason) (Ground, bool) {
	for g := range Ground(Grounds) {
		if g.Reason() == r {
			return g, true
		}
	}
	return 0, false
}

// Override says who may approve although a ground stands against it. The zero value is nobody.
type Override struct {
	By     Roles
	Second Roles // who may be the second person; empty: none is needed
}

// Why an approval does not count.
var (
	ErrNotAllowed   = errors.New("policy: this role may not approve against this ground")
	ErrNeedsSecond  = errors.New("policy: a second person is needed")
	ErrSelfApproval = errors.New("policy: the second person is the first")
	ErrNobody       = errors.New("policy: an approval without a person")
)

// Person is somebody who decides.
type Person struct {
	ID   string
	Role Role
}

// Never says whether nobody may ever override a ground, whatever a configuration says: a forged card, data that the
// customer did not recognise, a revoked certificate, and a card that was not read.
func Never(g Ground) bool {
	switch g {
	case GroundForged, GroundWrongData, GroundRevoked, GroundNotRead:
		return true
	case GroundMinor, GroundProofUnchecked, GroundNoPhoto, GroundAttack, GroundMismatch, GroundUnsure, GroundNoStaff,
		GroundService, GroundExpired, GroundPending, Grounds:
	}
	return false
}

// NeedsSecond says whether an approval against a reason needs a second person.
func (s *Service) NeedsSecond(r Reason) bool {
	g, ok := GroundOf(r)
	return !ok || s.Overrides[g].Second != 0
}

// Approval checks an approval against a reason; second is the zero Person while there is none. ErrNeedsSecond is not a
// refusal: the case is pending until the second person comes.
func (s *Service) Approval(r Reason, first, second Person) error {
	g, ok := GroundOf(r)
	switch {
	case !ok, Never(g), !s.Overrides[g].By.Has(first.Role):
		return ErrNotAllowed
	case first.ID == "":
		return ErrNobody
	case s.Overrides[g].Second == 0:
		return nil
	case second == Person{}:
		return ErrNeedsSecond
	case second.ID == "":
		return ErrNobody
	case second.ID == first.ID:
		return ErrSelfApproval
	case !s.Overrides[g].Second.Has(second.Role):
		return ErrNotAllowed
	}
	return nil
}

// DefaultOverride is who may override what when the configuration does not say: clerks decide what they can see for
// themselves; an attack, a mismatch, an expired card and a pending revocation need a second person, who may be remote.
func DefaultOverride(g Ground) Override {
	all := Roles(Clerk | Supervisor | Remote)
	switch g {
	case GroundMinor, GroundProofUnchecked, GroundNoPhoto, GroundUnsure, GroundNoStaff, GroundService:
		return Override{By: all}
	case GroundAttack, GroundMismatch, GroundExpired, GroundPending:
		return Override{By: all, Second: Roles(Supervisor | Remote)}
	case GroundForged, GroundWrongData, GroundRevoked, GroundNotRead, Grounds:
	}
	return Override{}
}
