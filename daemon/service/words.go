package service

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
)

// BuiltIn says whether this version of the kiosk can carry out a method.
func BuiltIn(c methods.Code) bool { return c == methods.InPersonChip || c == methods.JPKISignature }

// Supported says whether this version of the kiosk can carry out a service: an unattended one only loads and is
// described, until its journey without staff is walked and played.
func Supported(s *Service) error {
	p := &s.Profile
	switch {
	case !slices.ContainsFunc(p.Methods[:], BuiltIn):
		return &RuleError{p.ID, "built-in", "none of its methods is built into this version"}
	case p.Channel == policy.Unattended:
		return &RuleError{p.ID, "built-in", "unattended kiosks are not built into this version"}
	}
	return nil
}

// Describe prints what services mean in plain words: how, what is read, what is kept.
func Describe(w io.Writer, services []Service, table methods.Table, now time.Time) error {
	var b strings.Builder
	for i := range services {
		describe(&b, &services[i], table, now)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func describe(b *strings.Builder, s *Service, table methods.Table, now time.Time) {
	p := &s.Profile
	line := func(key, format string, args ...any) {
		fmt.Fprintf(b, "  %-13s "+format+"\n", append([]any{key}, args...)...)
	}
	fmt.Fprintf(b, "service %s: %s / %s (%s, %s)\n", p.ID, s.NameJA, s.NameEN, p.Kind, p.Channel)
	for i, m := range p.Methods {
		if m == "" {
			break
		}
		article := "no act asks for it"
		if p.Act != methods.NoAct {
			article = "MAY NOT BE USED today: no row of the table of methods"
			if r, err := table.At(p.Act, m, now); err == nil {
				article = r.Statute()
			}
		}
		line([]string{"method", "or"}[min(i, 1)], "%s (%s)", m, article)
	}
	line("reads", "%s", strings.Join(set(p.Reads), ", "))
	line("opened by", "%s", credentials(p))
	line("face", "%s", faceWords(p))
	line("tries", "%d captures, %d readings; below %d years with a guardian and staff", p.FaceTries, p.CardTries, p.MinorAge)
	line("My Number", "%s", myNumberWords(s))
	for _, c := range p.Consents {
		if c.ID != "" {
			line("consent", "%s version %s, %s, %s", c.ID, c.Version, c.Form, map[bool]string{true: "required", false: "may be refused; staff then do the same by hand"}[c.Required])
		}
	}
	line("case number", "%s", p.Case)
	line("decides", "%s", map[bool]string{true: "the machine, when every check passes; otherwise people", false: "people, always"}[p.MachineMayDecide])
	for g := range policy.Ground(policy.Grounds) {
		if o := p.Overrides[g]; o.By != 0 {
			line("may approve", "%s: %s", g.Reason(), overrideWords(o))
		}
	}
	line("offline", "%s", offlineWords(p.Offline))
	for _, c := range classes() {
		line("keeps", "%s: %s", c, keepWords(p.Retention[c]))
	}
	line("idle time", "%s; accessible mode %s", timeWords(p, false), timeWords(p, true))
}

func set(f policy.FieldSet) []string {
	var out []string
	for i, w := range fields() {
		if f.Has(1 << i) {
			out = append(out, w)
		}
	}
	return out
}

func credentials(p *policy.Profile) string {
	switch {
	case p.FaceByPIN:
		return "照合番号B, or the 4-digit PIN, which reads the My Number with the face on the basis of " + p.PINBasis
	case p.PINRoute:
		return "照合番号B, or the 4-digit PIN for the attributes alone (the face is then compared by staff)"
	}
	return "照合番号B"
}

func faceWords(p *policy.Profile) string {
	live := ", with liveness"
	if p.Liveness == policy.LivenessOff {
		live = ", without liveness: people decide"
	}
	switch p.Face {
	case policy.FaceNone:
		return "not compared; the camera is not used"
	case policy.FaceOffered:
		return "compared by the machine or by staff, as the customer likes" + live
	case policy.FaceRequired:
	}
	return "compared by the machine; staff compare when that fails" + live
}

func myNumberWords(s *Service) string {
	if !s.Profile.MyNumber.Collect {
		return "never collected"
	}
	return "collected on the basis of " + s.Profile.MyNumber.Basis + ", for: " + s.PurposeJA + " / " + s.PurposeEN
}

func overrideWords(o policy.Override) string {
	names := func(set policy.Roles) string {
		var out []string
		for _, r := range roles() {
			if set.Has(r) {
				out = append(out, r.String())
			}
		}
		return strings.Join(out, " or ")
	}
	if o.Second == 0 {
		return names(o.By)
	}
	return names(o.By) + ", and a second person: " + names(o.Second)
}

func offlineWords(o policy.Offline) string {
	if !o.Pending {
		return "a certificate whose revocation cannot be asked is not accepted"
	}
	return fmt.Sprintf("complete with revocation=pending (never \"verified\"), %d at most, none older than %d hours", o.MaxCount, o.MaxHours)
}

func keepWords(k policy.Keep) string {
	switch {
	case k.Years == 1:
		return "1 year from the end of the relation"
	case k.Years > 0:
		return fmt.Sprintf("%d years from the end of the relation", k.Years)
	case k.Hours > 0:
		return fmt.Sprintf("until the platform answers, %d hours at most", k.Hours)
	}
	return "not kept"
}

func timeWords(p *policy.Profile, accessible bool) string {
	var out []string
	for _, w := range []policy.Wait{policy.WaitConsent, policy.WaitCredential, policy.WaitConfirm, policy.WaitFace, policy.WaitMore} {
		out = append(out, fmt.Sprintf("%s %s", w, p.Wait(w, accessible)))
	}
	return strings.Join(out, ", ")
}

// Warnings are what stands against using services today or soon, in plain words. The calibrated argument says whether a
// calibration is configured.
func Warnings(services []Service, table methods.Table, now time.Time, calibrated bool) []string {
	var out []string
	acts := map[methods.Act]map[methods.Code]bool{methods.AML: {}, methods.Telecom: {}}
	for i := range services {
		p := &services[i].Profile
		say := func(format string, args ...any) { out = append(out, "service "+p.ID+": "+fmt.Sprintf(format, args...)) }
		for _, m := range p.Methods {
			if m == "" {
				break
			}
			if p.Act != methods.NoAct {
				acts[p.Act][m] = true
				if _, err := table.Use(p.Act, m, now, p.RefuseUnconfirmed); err != nil {
					say("%s may not be used today: %v", m, err)
				}
			}
			if !BuiltIn(m) {
				say("%s is configured but this version does not carry it out: it is not offered", m)
			}
		}
		if p.MachineMayDecide && p.Face != policy.FaceNone && !calibrated {
			say("the machine may decide, but no calibration is configured: faces are not checked and people decide")
		}
		if p.Act == methods.Telecom && p.Retention[policy.ClassIdentity].Years == LeastYears(methods.Telecom) {
			say("three years from the end of the contract is to be confirmed by counsel")
		}
		if p.MyNumber.Collect || p.FaceByPIN {
			say("the basis in the My Number Act is the operator's word: to be confirmed by counsel")
		}
	}
	for _, w := range table.Warnings(now) {
		if acts[w.Row.Act][w.Row.Code] {
			out = append(out, "legal method "+w.String())
		}
	}
	return out
}
