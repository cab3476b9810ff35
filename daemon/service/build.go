package service

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
)

// builder makes one service of one table. The first rule that is broken stays.
type builder struct {
	t   *Table
	s   Service
	err error
}

func build(t *Table) (Service, error) {
	b := &builder{t: t}
	for _, step := range []func(){
		b.identity, b.howDone, b.whatIsRead, b.face, b.numbers, b.myNumber, b.consents, b.offline, b.retention, b.overrides,
		b.times, b.together,
	} {
		if step(); b.err != nil {
			return Service{}, b.err
		}
	}
	return b.s, nil
}

// refuse notes a broken rule.
func (b *builder) refuse(broken bool, rule, format string, args ...any) {
	if broken && b.err == nil {
		b.err = &RuleError{b.t.ID, rule, fmt.Sprintf(format, args...)}
	}
}

var validID = regexp.MustCompile(`^[a-z](-?[a-z0-9]){0,62}$`) //nolint:gochecknoglobals // read-only

// choose finds a word in a closed list; empty is the fallback.
func choose[T fmt.Stringer](b *builder, key, word string, fallback T, all ...T) T {
	if word == "" {
		return fallback
	}
	names := make([]string, 0, len(all))
	for _, v := range all {
		if v.String() == word {
			return v
		}
		names = append(names, v.String())
	}
	b.refuse(true, key, "%q is none of %s", word, strings.Join(names, ", "))
	return fallback
}

func (b *builder) identity() {
	t, p := b.t, &b.s.Profile
	b.refuse(!validID.MatchString(t.ID), "id", "service.id: a letter, then letters, digits and single hyphens, lower case, 63 at most")
	p.ID = t.ID
	b.refuse(t.Kind == "", "kind", "the kind is missing: %v", policy.Kinds())
	p.Kind = choose(b, "kind", t.Kind, policy.KindUnset, policy.Kinds()...)
	b.s.NameJA, b.s.NameEN = t.NameJA, t.NameEN
	b.refuse(t.NameJA == "" || t.NameEN == "", "names", "name_ja and name_en are what the customer chooses by; both are needed")
	p.Act = methods.AML
	if p.Kind == policy.TelecomContract {
		p.Act = methods.Telecom
	}
	if t.Act != nil {
		p.Act = methods.Act(*t.Act)
		if *t.Act == "none" {
			p.Act = methods.NoAct
		}
		b.refuse(p.Act != methods.NoAct && !slices.Contains(methods.Acts(), p.Act), "act", `act is "aml", "telecom" or "none"`)
	}
	b.refuse((p.Kind == policy.TelecomContract) != (p.Act == methods.Telecom) && (p.Kind == policy.TelecomContract || p.Kind == policy.AccountOpening),
		"act", "a telecom contract is under the telecom act, an account opening is not")
	b.refuse(p.Act == methods.NoAct && p.Kind == policy.AccountOpening, "act", "an account opening is under an act")
}

func (b *builder) howDone() {
	t, p := b.t, &b.s.Profile
	p.Channel, p.MachineMayDecide = policy.Channel(t.Channel), t.MachineMayDecide
	b.refuse(p.Channel != policy.Attended && p.Channel != policy.Unattended, "channel", `service.channel must be "attended" or "unattended"`)
	words := t.Methods
	if words == nil {
		words = []string{string(methods.InPersonChip)}
	}
	b.refuse(len(words) == 0 || len(words) > policy.MaxMethods, "methods", "one to %d methods", policy.MaxMethods)
	for i, w := range words {
		code := methods.Code(w)
		b.refuse(!slices.Contains(methods.Codes(), code), "methods", "%q is none of %v", w, methods.Codes())
		b.refuse(slices.Contains(words[:i], w), "methods", "%q is there twice", w)
		if b.err == nil {
			p.Methods[i] = code
		}
	}
	b.refuse(p.Channel == policy.Unattended && p.Uses(methods.InPersonChip), "unattended-in-person",
		"unattended: the in-person method needs staff who take the presentation (duty 5); offer jpki-signature alone")
	b.refuse(t.Unconfirmed != "" && t.Unconfirmed != "warn" && t.Unconfirmed != "refuse", "unconfirmed-methods", `unconfirmed_methods is "warn" or "refuse"`)
	p.RefuseUnconfirmed = t.Unconfirmed == "refuse"
}

func fieldOf(word string) policy.FieldSet {
	i := slices.Index(fields(), word)
	if i < 0 {
		return 0
	}
	return 1 << i
}

// fields are the words of policy.FieldSet, bit by bit.
func fields() []string { return []string{"name", "address", "birth", "sex", "expiry", "photo"} }

func (b *builder) whatIsRead() {
	t, p := b.t, &b.s.Profile
	words := t.Reads
	if words == nil {
		words = fields()
	}
	for _, w := range words {
		b.refuse(fieldOf(w) == 0, "reads", "%q is none of %s", w, strings.Join(fields(), ", "))
		p.Reads |= fieldOf(w)
	}
	b.refuse(p.Act != methods.NoAct && !p.Reads.Has(policy.FieldName|policy.FieldAddress|policy.FieldBirth), "reads-identity",
		"the act wants name, address and birth")
	b.refuse(!p.Reads.Has(policy.FieldExpiry), "reads-expiry", "without the expiry date an expired card would pass")
	p.PINRoute, p.FaceByPIN, p.PINBasis = t.PINRoute, t.PINReadsFace, strings.TrimSpace(t.PINBasis)
	b.refuse(p.FaceByPIN && !p.PINRoute, "pin-face", "pin_reads_face needs pin_route")
	b.refuse(p.FaceByPIN && p.Act == methods.Telecom, "pin-telecom", "the PIN route to the face reads the My Number: never in a telecom service (duty 1)")
	b.refuse(p.FaceByPIN && p.PINBasis == "", "pin-basis", "the PIN route to the face reads the My Number: pin_basis must name the statute that allows it (duty 1)")
	b.refuse(!p.FaceByPIN && p.PINBasis != "", "pin-basis", "pin_basis without pin_reads_face: say which is meant")
}

func (b *builder) face() {
	t, p := b.t, &b.s.Profile
	p.Face = choose(b, "face", t.Face, policy.FaceOffered, policy.FaceRequired, policy.FaceOffered, policy.FaceNone)
	if t.Liveness != nil && !*t.Liveness {
		p.Liveness = policy.LivenessOff
	}
	p.Calibration = t.Calibration
	b.refuse(p.Face != policy.FaceNone && !p.Reads.Has(policy.FieldPhoto), "face-photo", "a face is compared with the photo: reads must name photo")
	b.refuse(p.Face == policy.FaceNone && t.Liveness != nil && *t.Liveness, "face-liveness", "liveness without a face")
	b.refuse(p.Face == policy.FaceNone && p.Calibration != "", "face-calibration", "a calibration without a face")
	b.refuse(p.MachineMayDecide && p.Face == policy.FaceNone && p.Act != methods.NoAct && p.Uses(methods.InPersonChip), "machine-face",
		"the machine may not decide in person without a face")
	b.refuse(p.MachineMayDecide && p.Face != policy.FaceNone && p.Liveness == policy.LivenessOff, "machine-liveness",
		"the machine may not decide without liveness")
}

func (b *builder) numbers() {
	t, p := b.t, &b.s.Profile
	number := func(v *int, key string, fallback, least, most int) int {
		if v == nil {
			return fallback
		}
		b.refuse(*v < least || *v > most, key, "service.%s must be %d to %d", key, least, most)
		return *v
	}
	p.FaceTries = number(t.FaceTries, "face_tries", 2, 1, 5)
	p.CardTries = number(t.CardTries, "card_tries", 3, 1, 5)
	p.MinorAge = number(t.MinorAge, "minor_age", 15, 15, 20)
	switch t.Case {
	case "", "optional":
		p.Case = policy.CaseOptional
	default:
		p.Case = choose(b, "case", t.Case, policy.CaseRequired, policy.CaseRequired, policy.CaseNone)
	}
}

func (b *builder) myNumber() {
	t, p := b.t, &b.s.Profile
	b.refuse((p.Kind == policy.MyNumberCollection) != (t.MyNumber != nil) && p.Act != methods.Telecom, "my-number-own-journey",
		"the My Number is collected in a service of kind my-number, with [service.my_number], and in no other (duty 4)")
	if t.MyNumber == nil {
		return
	}
	m := t.MyNumber
	b.refuse(p.Act == methods.Telecom, "my-number-telecom", "a telecom service never collects the My Number (duty 1)")
	b.refuse(strings.TrimSpace(m.Basis) == "", "my-number-basis", "[service.my_number] basis must name the statute, e.g. 番号法...")
	b.refuse(strings.TrimSpace(m.PurposeJA) == "" || strings.TrimSpace(m.PurposeEN) == "", "my-number-purpose",
		"the purpose of use is shown to the customer: purpose_ja and purpose_en are needed")
	p.MyNumber = policy.MyNumber{Collect: true, Basis: m.Basis}
	b.s.PurposeJA, b.s.PurposeEN = m.PurposeJA, m.PurposeEN
}

func (b *builder) offline() {
	o, p := b.t.Offline, &b.s.Profile
	if o == nil {
		return
	}
	b.refuse(!o.Pending && (o.MaxHours != 0 || o.MaxCount != 0), "offline", "max_hours and max_count without pending")
	b.refuse(o.Pending && (o.MaxHours < 1 || o.MaxHours > 720), "offline", "max_hours must be 1 to 720")
	b.refuse(o.Pending && (o.MaxCount < 1 || o.MaxCount > 10000), "offline", "max_count must be 1 to 10000")
	b.refuse(o.Pending && !p.Uses(methods.JPKISignature), "offline-method", "only jpki-signature waits for a revocation")
	if b.err == nil {
		p.Offline = policy.Offline{Pending: o.Pending, MaxHours: uint16(o.MaxHours), MaxCount: uint16(o.MaxCount)} //nolint:gosec // checked
	}
}

// keepOf reads "7y", "24h" or "none".
func keepOf(s string) (policy.Keep, bool) {
	if s == "none" {
		return policy.Keep{}, true
	}
	number, unit := strings.TrimRight(s, "yh"), s[len(strings.TrimRight(s, "yh")):]
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != number {
		return policy.Keep{}, false
	}
	switch unit {
	case "y":
		return policy.Keep{Years: uint8(n)}, n <= 100
	case "h":
		return policy.Keep{Hours: uint16(n)}, true
	}
	return policy.Keep{}, false
}

// LeastYears is how long an act wants identity and evidence kept from the end of the relation: 犯収法6条 (seven years),
// and three years under the telecom act (to be confirmed by counsel).
func LeastYears(a methods.Act) uint8 {
	switch a {
	case methods.AML:
		return 7
	case methods.Telecom:
		return 3
	case methods.NoAct:
	}
	return 0
}

func (b *builder) retention() {
	p := &b.s.Profile
	least := policy.Keep{Years: max(LeastYears(p.Act), 1)}
	p.Retention = [policy.Classes]policy.Keep{
		policy.ClassIdentity: least, policy.ClassImages: least, policy.ClassEvidence: least, policy.ClassConsents: least,
	}
	if p.Uses(methods.JPKISignature) {
		p.Retention[policy.ClassCertificate] = policy.Keep{Hours: 24}
	}
	if p.MyNumber.Collect {
		p.Retention[policy.ClassMyNumber] = policy.Keep{Years: 7}
	}
	for word, value := range b.t.Retention {
		i := slices.IndexFunc(classes(), func(c policy.Class) bool { return c.String() == word })
		b.refuse(i < 0, "retention", "%q is none of %v", word, classes())
		k, ok := keepOf(value)
		b.refuse(!ok, "retention", `%s = %q: years like "7y" from the end of the relation, hours like "24h", or "none"`, word, value)
		if b.err != nil {
			return
		}
		p.Retention[i] = k
	}
	for c, k := range p.Retention {
		hours := policy.Class(c) == policy.ClassCertificate //nolint:gosec // a small index
		b.refuse(hours && k.Years != 0, "retention-certificate", "the certificate goes at the platform's answer or after hours (duty 6)")
		b.refuse(hours && k.Hours > 168, "retention-certificate", "the certificate waits 168 hours at most (duty 6)")
		b.refuse(!hours && k.Hours != 0, "retention", "%s: only the certificate is kept by the hour", policy.Class(c)) //nolint:gosec // a small index
	}
	for _, c := range []policy.Class{policy.ClassIdentity, policy.ClassEvidence} {
		b.refuse(p.Retention[c].Years < LeastYears(p.Act), "retention-act", "%s: the act wants %d years from the end of the relation", c, LeastYears(p.Act))
	}
	live := !p.Retention[policy.ClassLiveImages].None()
	b.refuse(live && strings.TrimSpace(b.t.LiveBasis) == "", "retention-live-images", "frames of customers are not kept (duty 8); what obliges you to stands in live_images_basis")
	b.refuse(!live && b.t.LiveBasis != "", "retention-live-images", "live_images_basis, but live_images are not kept")
	b.refuse(p.MyNumber.Collect == p.Retention[policy.ClassMyNumber].None(), "retention-my-number", "the My Number is kept where it is collected, and only there")
}

func classes() []policy.Class {
	out := make([]policy.Class, policy.Classes)
	for i := range out {
		out[i] = policy.Class(i) //nolint:gosec // a small index
	}
	return out
}
