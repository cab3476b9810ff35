package service

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
	"madoguchi/ui/i18n"
)

// The consents that the flow itself knows: reading the card, and the camera.
const (
	ConsentIdentity = "identity"
	ConsentFace     = "face"
)

func (b *builder) consents() {
	p, list := &b.s.Profile, b.t.Consents
	if list == nil {
		list = []ConsentTable{{ID: ConsentIdentity, Version: "1", Required: true}}
		if p.Face != policy.FaceNone {
			list = append(list, ConsentTable{ID: ConsentFace, Version: "1", Required: p.Face == policy.FaceRequired})
		}
	}
	b.refuse(len(list) > policy.MaxConsents, "consents", "%d at most", policy.MaxConsents)
	for i := range list {
		c := &list[i]
		b.refuse(!validID.MatchString(c.ID) || c.Version == "" || len(c.Version) > 16, "consents", "consent %q: id and version are needed", c.ID)
		_, twice := p.Consent(c.ID)
		b.refuse(twice, "consents", "%q is there twice: each consent is separate (duty 9)", c.ID)
		form := choose(b, "consents", c.Form, policy.Ticked, policy.Ticked, policy.Signed)
		b.refuse(form == policy.Signed && !p.Uses(methods.JPKISignature), "consent-signed", "%q is signed: that needs the method jpki-signature", c.ID)
		text := b.text(c)
		if b.err != nil {
			return
		}
		p.Consents[i] = policy.Consent{ID: c.ID, Version: c.Version, Form: form, Required: c.Required}
		b.s.Texts = append(b.s.Texts, text)
	}
	identity, _ := p.Consent(ConsentIdentity)
	face, asked := p.Consent(ConsentFace)
	b.refuse(!identity.Required, "consent-identity", "the consent %q is there and required: nothing is read without it", ConsentIdentity)
	b.refuse(asked != (p.Face != policy.FaceNone), "consent-face", "the consent %q is there exactly when faces are compared", ConsentFace)
	b.refuse(asked && face.Required != (p.Face == policy.FaceRequired), "consent-face",
		"face = %q, but its consent is required = %v: what is offered may be refused without a worse path (duty 9)", p.Face, face.Required)
}

// text is the text of a consent: the configuration's own, pinned by its hash, or the built-in one.
func (b *builder) text(c *ConsentTable) Text {
	out := Text{ID: c.ID, Version: c.Version}
	for _, l := range []struct {
		lang, title, body, want string
		to                      *Shown
	}{
		{"ja", c.TitleJA, c.BodyJA, c.HashJA, &out.JA},
		{"en", c.TitleEN, c.BodyEN, c.HashEN, &out.EN},
	} {
		own := l.title != "" || l.body != ""
		builtIn := i18n.HasConsent(l.lang, c.ID, c.Version) == nil
		switch {
		case own && builtIn:
			b.refuse(true, "consent-text", "%q version %s is built in: another text is another version", c.ID, c.Version)
		case own:
			sum := sha256.Sum256([]byte(l.title + "\n" + l.body))
			*l.to = Shown{l.title, l.body, hex.EncodeToString(sum[:])}
			b.refuse(l.title == "" || l.body == "", "consent-text", "%q needs a title and a body (%s)", c.ID, l.lang)
			b.refuse(l.want == "", "consent-hash", "%q: sha256_%s = %q pins its text", c.ID, l.lang, l.to.SHA256)
		case builtIn:
			l.to.Title, l.to.Body, l.to.SHA256 = i18n.ConsentText(l.lang, c.ID, c.Version)
		default:
			b.refuse(true, "consent-text", "%q version %s has no text (%s)", c.ID, c.Version, l.lang)
		}
		b.refuse(l.want != "" && l.want != l.to.SHA256, "consent-hash",
			"%q: the text is not the one of sha256_%s; a change of wording is a new version", c.ID, l.lang)
	}
	return out
}

func (b *builder) roles(rule string, words []string) policy.Roles {
	var out policy.Roles
	for _, w := range words {
		i := slices.IndexFunc(roles(), func(r policy.Role) bool { return r.String() == w })
		b.refuse(i < 0, rule, "%q is none of %v", w, roles())
		if i >= 0 {
			out |= policy.Roles(roles()[i])
		}
	}
	return out
}

func roles() []policy.Role { return []policy.Role{policy.Clerk, policy.Supervisor, policy.Remote} }

func (b *builder) overrides() {
	p := &b.s.Profile
	for g := range policy.Ground(policy.Grounds) {
		p.Overrides[g] = policy.DefaultOverride(g)
	}
	seen := map[string]bool{}
	for _, o := range b.t.Overrides {
		g, ok := policy.GroundOf(policy.Reason(o.Reason))
		b.refuse(!ok, "override", "%q is no reason that stands against an approval", o.Reason)
		b.refuse(seen[o.Reason], "override", "%q is there twice", o.Reason)
		b.refuse(ok && policy.Never(g) && len(o.By) > 0, "override-never", "nobody may approve against %q", o.Reason)
		b.refuse(len(o.By) == 0 && len(o.Second) > 0, "override", "%q: a second person without a first", o.Reason)
		v := policy.Override{By: b.roles("override", o.By), Second: b.roles("override", o.Second)}
		if b.err != nil {
			return
		}
		b.refuse(v.By != 0 && policy.DefaultOverride(g).Second != 0 && v.Second == 0, "override-second",
			"%q needs a second person; in a branch with one clerk it is remote (duty 19)", o.Reason)
		seen[o.Reason], p.Overrides[g] = true, v
	}
}

func (b *builder) times() {
	p := &b.s.Profile
	read := func(key string, from map[string]int, to *[policy.Waits]uint16) {
		for word, n := range from {
			i := slices.IndexFunc(waits(), func(w policy.Wait) bool { return w.String() == word })
			b.refuse(i < 0, "times", "%s: %q is none of %v", key, word, waits())
			b.refuse(n < 5 || n > 1800, "times", "%s.%s must be 5 to 1800 seconds", key, word)
			if b.err != nil {
				return
			}
			to[i] = uint16(n) //nolint:gosec // checked
		}
	}
	read("times", b.t.Times, &p.Times)
	read("times_accessible", b.t.Longer, &p.Accessible)
	for _, w := range waits() {
		usual := int(p.Wait(w, false).Seconds())
		b.refuse(p.Accessible[w] != 0 && int(p.Accessible[w]) < 2*usual, "times-accessible",
			"%s: accessible mode has at least the double of %d seconds", w, usual)
	}
}

func waits() []policy.Wait {
	out := make([]policy.Wait, policy.Waits)
	for i := range out {
		out[i] = policy.Wait(i) //nolint:gosec // a small index
	}
	return out
}

// together holds the rules between parts that no part can check alone.
func (b *builder) together() {
	p := &b.s.Profile
	b.refuse(p.Channel == policy.Unattended && !p.MachineMayDecide && !p.Offline.Pending, "unattended-decision",
		"unattended, and nobody decides: machine_may_decide or offline.pending is needed, or the kiosk ends in waiting (duty 15)")
	b.refuse(p.Case == policy.CaseRequired && p.Kind == policy.StatusOnly, "case-status", "a status is shown without a case: case = \"optional\" or \"none\"")
}
