package card

import (
	"context"
	"slices"
)

// Counter is one counter with its reference.
type Counter struct {
	Ref   Ref
	Tries Tries
}

// Counters are counters as read, in the order of MainRefs or AllRefs.
type Counters []Counter

// Of is the counter of a reference; Known is false when it was not read.
func (c Counters) Of(r Ref) Tries {
	for _, x := range c {
		if x.Ref == r {
			return x.Tries
		}
	}
	return Tries{}
}

// MainRefs are the seven references that a holder may be asked for.
func MainRefs() []Ref {
	return []Ref{RefSignPass, RefAuthPIN, RefTextPIN, RefTextA, RefTextB, RefFaceA, RefFaceB}
}

// AllRefs are all eleven: MainRefs and the birth-date key, the PINs of the common application and of 住基, and the
// reserved reference 0408/0012, which is listed and never touched.
func AllRefs() []Ref {
	return append(MainRefs(), RefFaceBirth, RefCommonPIN, RefJukiPIN, RefTextReserved)
}

// MainTries queries the seven main counters in at most ten commands: three SELECTs and seven queries by direct
// reference. It never costs a try. Errors: ErrKind, the transport's own.
func (c *Card) MainTries(ctx context.Context) (Counters, error) {
	return c.counters(ctx, MainRefs())
}

// AllTries gives all eleven counters in at most fifteen commands: the application that is selected already is asked
// first, which saves one of five SELECTs. Of 住基 nothing but the counter is ever asked. The eleventh, RefTextReserved,
// is always unknown: no source says what it is for, it was blocked on every card seen, and the advice is never to
// touch it, not even by a query. It never costs a try. Errors as MainTries.
func (c *Card) AllTries(ctx context.Context) (Counters, error) {
	return c.counters(ctx, AllRefs())
}

// counters asks application by application and gives the counters in the order of refs.
func (c *Card) counters(ctx context.Context, refs []Ref) (Counters, error) {
	if c.identity.Kind != KindMyNumber {
		return nil, ErrKind
	}
	order := []app{appJPKI, appText, appFace, appCommon, appJuki}
	if i := slices.Index(order, c.current); i > 0 {
		order = slices.Concat([]app{c.current}, order[:i], order[i+1:])
	}
	out := make(Counters, len(refs))
	for _, a := range order {
		for i, r := range refs {
			entry, ok := c.profile.reference(r)
			if !ok || entry.app != a {
				continue
			}
			tries, err := c.Tries(ctx, r)
			if err != nil {
				return nil, err
			}
			out[i] = Counter{Ref: r, Tries: tries}
		}
	}
	return out, nil
}

// Finding is a fact about a card that changes what can be offered; the value is a stable message key.
type Finding string

// The findings.
const (
	FindingNoSignCertificate Finding = "no-sign-certificate" // a child under 15, or the holder declined
	FindingNoAuthCertificate Finding = "no-auth-certificate"
	FindingWithoutPIN        Finding = "without-pin" // 顔認証マイナンバーカード, by all its PINs being unusable
	FindingSignBlocked       Finding = "sign-password-blocked"
	FindingAuthBlocked       Finding = "auth-pin-blocked"
	FindingTextBlocked       Finding = "text-pin-blocked"
	FindingNumberBBlocked    Finding = "number-b-blocked" // in either application
)

// Findings derives what is special about a card from its flags and counters, without any command. A counter or flag
// that is not known gives no finding. A card without PIN cannot be told from one whose three PINs are all blocked by
// wrong tries: both are FindingWithoutPIN, and the way on is the same, 照合番号B.
func Findings(flags Availability, tries Counters) []Finding {
	var out []Finding
	add := func(yes bool, f Finding) {
		if yes {
			out = append(out, f)
		}
	}
	blocked := func(r Ref) bool { return tries.Of(r).Blocked() }
	none := flags.Known && !flags.Sign
	without := blocked(RefTextPIN) && blocked(RefAuthPIN) && (none || blocked(RefSignPass))
	add(none, FindingNoSignCertificate)
	add(flags.Known && !flags.Auth, FindingNoAuthCertificate)
	add(without, FindingWithoutPIN)
	add(!without && !none && blocked(RefSignPass), FindingSignBlocked)
	add(!without && blocked(RefAuthPIN), FindingAuthBlocked)
	add(!without && blocked(RefTextPIN), FindingTextBlocked)
	add(blocked(RefTextB) || blocked(RefFaceB), FindingNumberBBlocked)
	return out
}
