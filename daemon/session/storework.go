package session

import (
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/present"
	"madoguchi/hardware/card"
	"madoguchi/storage/record"
	"madoguchi/ui/i18n"
)

// store builds the record of the decision and hands it to the outbox; when that returns it is sealed and durable.
func (s *Session) store(e flow.Store) {
	ctx := s.ctx
	r, err := s.build(e.Decision)
	if err != nil {
		s.Log.Error("no record could be built", slog.Any("error", err))
		s.event(flow.Stored{Gen: e.Gen})
		return
	}
	s.vault.receipt = r.ID[len(r.ID)-8:]
	s.wg.Go(func() {
		defer r.Wipe()
		err := s.Store.Put(r)
		if err != nil {
			s.Log.Error("the record was not stored", slog.Any("error", err))
		}
		s.post(ctx, flow.Stored{Gen: e.Gen, OK: err == nil})
	})
}

// build makes the record from the vault, with secrets of its own.
func (s *Session) build(d flow.Decision) (*record.Record, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	r := &record.Record{ID: id.String(), Device: s.Device, Created: now, Virtual: s.virtualParts(), Evidence: s.evidence(d, now)}
	if !s.state.Read.Done {
		return r, nil
	}
	v := &s.vault
	r.Identity = &record.Identity{
		Name: v.attrs.Name.Clone(), Address: v.attrs.Address.Clone(), Birth: v.attrs.Birth.Clone(),
		Sex: v.attrs.Sex.Clone(), CardSerial: v.identity.Serial.Clone(), Municipality: v.identity.Municipality,
		CardExpiry: v.identity.Expiry.String(), Source: sourceOf(s.state.Route),
	}
	r.Certificate = v.certificatePart()
	if v.front.Face.Len() > 0 {
		r.Images = &record.Images{
			Name: v.front.NameImage.Clone(), Address: v.front.AddressImage.Clone(), Face: v.front.Face.Clone(),
		}
	}
	return r, nil
}

func sourceOf(r flow.Route) string {
	return map[flow.Route]string{
		flow.RouteB: "chip-text-by-number-b", flow.RoutePIN: "chip-text-by-pin", flow.RouteSign: "sign-certificate",
	}[r]
}

// routeName is the route in evidence and on the staff page.
func routeName(r flow.Route) string {
	return map[flow.Route]string{flow.RouteB: "number-b", flow.RoutePIN: "pin", flow.RouteSign: "sign"}[r]
}

// method is the legal method on the day, by the dated table.
func (s *Session) method() record.Method {
	code := s.state.Facts().Method
	now := s.Now()
	if s.Profile.Kind == policy.KindUnset || s.Profile.Act == methods.NoAct {
		if code == methods.InPersonChip {
			day := now.In(jst())
			m := policy.MethodAt(day.Year()*10000 + int(day.Month())*100 + day.Day())
			return record.Method{Code: m.Code, Statute: m.Statute, Note: m.Note}
		}
		return record.Method{Code: string(code), Note: "no act obliges to identify"}
	}
	row, err := s.Methods.Use(s.Profile.Act, code, now, s.Profile.RefuseUnconfirmed)
	if err != nil {
		s.Log.Error("no legal method", slog.String("method", string(code)), slog.Any("error", err))
		return record.Method{Code: string(code), Note: "no confirmed row of the table of methods on this day"}
	}
	note := row.Note
	if !row.Confirmed.Done() {
		note += "; to be confirmed by counsel"
	}
	return record.Method{Code: string(code), Statute: row.Statute(), Note: note}
}

func (s *Session) evidence(d flow.Decision, now time.Time) *record.Evidence {
	v := &s.vault
	e := &record.Evidence{
		Service: s.Profile.ID, Method: s.method(),
		Channel: string(s.Profile.Channel), PresentedTo: s.state.Duty, Case: s.caseOf(), Started: v.started.UTC(),
		Finished: now, Steps: slices.Clone(v.steps), Consents: s.consents(), Card: s.cardEvidence(),
		Face: s.faceEvidence(), Signed: v.signedEvidence(), Decision: decisionOf(d, now), Software: s.Version, Reader: s.Reader.Info().Name,
		Camera: s.Camera.Info().Name,
	}
	e.Decision.Note = v.note
	e.Representative = v.representative
	e.Representative.Name = v.representative.Name.Clone()
	if e.PresentedTo == "" {
		e.PresentedTo = d.Staff
	}
	if v.started.IsZero() {
		e.Started = now
	}
	return e
}

func (s *Session) caseOf() record.Case {
	if s.state.Case == flow.CaseNumber && len(s.vault.caseNo) > 0 {
		return record.Case{Kind: "number", Ref: string(s.vault.caseNo)}
	}
	return record.Case{Kind: "none"}
}

// consents notes what was agreed to, and the hash of the very text that was shown.
func (s *Session) consents() []record.Consent {
	lang := present.Lang(s.state.Settings)
	at := s.vault.started.UTC()
	for _, st := range s.vault.steps {
		if st.Name == flow.Consent.String() {
			at = st.At.UTC()
		}
	}
	var out []record.Consent
	for _, c := range present.ConsentItems(s.state) {
		_, _, sum := i18n.ConsentText(lang, c.ID, c.Version)
		out = append(out, record.Consent{ID: c.ID, Version: c.Version, SHA256: sum, Lang: lang, Given: c.Ticked, At: at})
	}
	return out
}

func (s *Session) cardEvidence() record.CardEvidence {
	v := &s.vault
	e := record.CardEvidence{
		Kind: string(v.identity.Kind), Route: routeName(s.state.Route), Genuineness: string(v.front.Proof.Verdict),
		Reason: v.front.Proof.Reason, Issuer: v.front.Proof.Issuer, Confirmed: s.state.Confirmed,
	}
	if e.Genuineness == "" {
		e.Genuineness = string(card.NotChecked)
	}
	return e
}

func (s *Session) faceEvidence() record.FaceEvidence {
	f := s.vault.verdict
	e := record.FaceEvidence{
		Match: check(f.Match).String(), Score: f.Score, Threshold: f.Threshold, Live: check(f.Live).String(),
		LiveScore: f.LiveScore, Model: f.Model, Calibration: f.Calibration, VirtualOnly: f.VirtualOnly, Frames: f.Frames,
	}
	for _, r := range f.Reasons {
		e.Reasons = append(e.Reasons, string(r))
	}
	return e
}

func decisionOf(d flow.Decision, now time.Time) record.Decision {
	out := record.Decision{Outcome: "refused", By: "machine", Reason: string(d.Reason), At: now}
	switch d.Outcome {
	case flow.Verified:
		out.Outcome = "verified"
	case flow.Pending:
		out.Outcome = "pending_revocation"
	case flow.NoOutcome, flow.Refused, flow.Referred, flow.Cancelled:
	}
	if d.ByStaff {
		out.By, out.Staff = "staff", d.Staff
	}
	return out
}

// virtualParts names every part of this verification that was not real (duty 11), in ascending order.
func (s *Session) virtualParts() []string {
	var out []string
	add := func(name string, is bool) {
		if is {
			out = append(out, name)
		}
	}
	reader := s.Reader.Info().Virtual
	add("camera", s.Camera.Info().Virtual)
	add("card", reader || s.vault.front.Proof.Virtual)
	add("face", s.vault.verdict.VirtualOnly)
	add("reader", reader)
	add("trust", s.TrustVirtual)
	return out
}
