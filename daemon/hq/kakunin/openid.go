package kakunin

import (
	"bytes"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// ArticleMember is our extension of verified_claims: the item of the Enforcement Regulation, e.g. "6-1-1-イ".
const ArticleMember = "jp.aml.article"

// OpenID renders verified_claims of OpenID Identity Assurance Schema Definition 1.0. Claims about a person are made only
// where somebody was verified; what is missing of the record is named in our own member. The certificate's serial number
// is never in it (a service provider may not keep it): the platform's opaque id stands as txn. The caller wipes the bytes.
func (v *Verification) OpenID(x Export) ([]byte, error) {
	if v.evidence == nil || v.identity == nil || v.evidence.Decision.Outcome != "verified" {
		return nil, ErrNotVerified
	}
	w := &writer{}
	w.open('{')
	w.key("verified_claims")
	w.open('{')
	w.key("verification")
	v.verification(w, x)
	w.key("claims")
	v.claims(w)
	w.close('}')
	w.close('}')
	return append(w.b, '\n'), nil
}

// openTime is an ISO 8601 time as the specification's examples write it.
func openTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }

func (v *Verification) verification(w *writer, x Export) {
	w.open('{')
	w.text("trust_framework", string(v.Method.Act))
	w.text("time", openTime(v.evidence.Decision.At))
	w.text("verification_process", v.ID)
	w.key("assurance_process")
	w.open('{')
	w.text("procedure", v.Method.Code)
	w.close('}')
	if v.Method.Act == ActAML && v.Method.Article != "" {
		w.text(ArticleMember, v.Method.Article)
	}
	if x.Watermark != "" {
		w.text("madoguchi.watermark", x.Watermark)
	}
	w.key("evidence")
	w.open('[')
	if v.Method.Code == MethodJPKI {
		v.signature(w)
	} else {
		v.documentEvidence(w)
	}
	w.close(']')
	w.close('}')
}

// check is one entry of check_details.
func (v *Verification) check(w *writer, method, organisation, txn string, at time.Time) {
	w.open('{')
	w.text("check_method", method)
	if organisation != "" {
		w.text("organization", organisation)
	}
	if txn != "" {
		w.text("txn", txn)
	}
	w.text("time", openTime(at))
	w.close('}')
}

// documentEvidence is the card: its data proven by the issuer's signature, the person by machine or by staff.
func (v *Verification) documentEvidence(w *writer) {
	e := v.evidence
	w.open('{')
	w.text("type", "document")
	w.key("check_details")
	w.open('[')
	if e.Card.Genuineness == "genuine" {
		v.check(w, "vcrypt", v.Device, v.ID, v.stepAt("reading", e.Started))
	}
	if e.Face.Match == "pass" && e.Face.Live == "pass" {
		v.check(w, "bvp", v.Device, v.ID, e.Decision.At)
	}
	if e.Decision.By == "staff" { // a person compared the faces
		v.check(w, "pvp", e.Decision.Staff, v.ID, e.Decision.At)
	}
	w.close(']')
	w.key("document_details")
	w.open('{')
	w.text("type", documentType(e.Card.Kind))
	if v.identity.CardExpiry != "" {
		w.text("date_of_expiry", v.identity.CardExpiry)
	}
	w.close('}')
	w.close('}')
}

// documentType is the predefined name of a kind of card.
func documentType(kind string) string {
	switch kind {
	case "my-number", "my-number-card":
		return "jp_individual_number_card"
	case "residence-card":
		return "jp_residency_card_for_foreigner"
	case "drivers-licence":
		return "jp_drivers_license"
	}
	return kind
}

// signature is a JPKI signature: chain and signature, the password, and the answer about revocation.
func (v *Verification) signature(w *writer) {
	e := v.evidence
	w.open('{')
	w.text("type", "electronic_signature")
	w.text("signature_type", "jpki")
	w.text("issuer", "J-LIS")
	w.text("created_at", openTime(v.stepAt("signing", e.Finished)))
	if id := v.certificateID(); id != "" { // without the platform's answer nothing was checked
		w.key("check_details")
		w.open('[')
		v.check(w, "vcrypt", "", id, e.Decision.At)
		v.check(w, "token", "", id, e.Decision.At)
		v.check(w, "data", "J-LIS", id, e.Decision.At)
		w.close(']')
	}
	w.close('}')
}

// certificateID is the platform's opaque id, which is no secret.
func (v *Verification) certificateID() string {
	for _, x := range v.Items[16].Values {
		if x.Field == "certificate_id" {
			return string(x.Text.Reveal())
		}
	}
	return ""
}

// claims are the person's, as the card says them. Sex may be absent.
func (v *Verification) claims(w *writer) {
	i := v.identity
	w.open('{')
	w.secret("name", i.Name)
	w.key("birthdate")
	birth := birthdate(i)
	w.quote(birth.Reveal())
	birth.Wipe()
	w.key("address")
	w.open('{')
	w.secret("formatted", i.Address)
	w.text("country", "JP")
	w.close('}')
	switch {
	case bytes.Equal(i.Sex.Reveal(), []byte("1")):
		w.text("gender", "male")
	case bytes.Equal(i.Sex.Reveal(), []byte("2")):
		w.text("gender", "female")
	}
	w.close('}')
}

// birthdate is YYYY-MM-DD, or YYYY where the register does not know the day (OpenID Connect Core 1.0, 5.1).
func birthdate(i *record.Identity) *secret.Bytes {
	b := i.Birth.Reveal()
	if len(b) != 8 {
		return nil
	}
	if string(b[4:6]) == "00" || string(b[6:8]) == "00" {
		return secret.Copy(b[:4])
	}
	out := make([]byte, 0, 10)
	out = append(append(append(append(append(out, b[:4]...), '-'), b[4:6]...), '-'), b[6:8]...)
	return secret.New(out)
}
