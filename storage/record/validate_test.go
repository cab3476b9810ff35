package record_test

import (
	"errors"
	"testing"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
)

func TestValidate(t *testing.T) {
	if err := small().Validate(); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		edit func(*record.Record)
		want record.Error
	}{
		{"no-id", func(r *record.Record) { r.ID = "" }, record.Error{Code: record.CodeValue, Field: "record"}},
		{"device-of-capitals", func(r *record.Record) { r.Device = "Branch" }, record.Error{Code: record.CodeValue, Field: "device"}},
		{"no-time", func(r *record.Record) { r.Created = time.Time{} }, record.Error{Code: record.CodeRequired, Field: "created"}},
		{"no-evidence", func(r *record.Record) { r.Evidence = nil }, record.Error{Code: record.CodeRequired, Part: record.PartEvidence}},
		{"unknown-virtual", func(r *record.Record) { r.Virtual = []string{"moon"} }, record.Error{Code: record.CodeValue, Field: "virtual"}},
		{"verified-without-identity", func(r *record.Record) { r.Identity = nil }, record.Error{Code: record.CodeRequired, Part: record.PartIdentity}},
		{"face-not-checked-is-not-passed", func(r *record.Record) { r.Evidence.Face.Match = "not-checked" }, record.Error{Code: record.CodeDecision, Field: "face"}},
		{"face-left-empty-is-not-passed", func(r *record.Record) { r.Evidence.Face.Match = "" }, record.Error{Code: record.CodeDecision, Field: "face"}},
		{"liveness-unsure-is-not-passed", func(r *record.Record) { r.Evidence.Face.Live = "unsure" }, record.Error{Code: record.CodeDecision, Field: "face"}},
		{"card-not-checkable-is-not-genuine", func(r *record.Record) { r.Evidence.Card.Genuineness = "not-checkable" }, record.Error{Code: record.CodeDecision, Field: "genuineness"}},
		{"customer-did-not-confirm", func(r *record.Record) { r.Evidence.Card.Confirmed = false }, record.Error{Code: record.CodeDecision, Field: "confirmed"}},
		{"in-person-without-a-person", func(r *record.Record) { r.Evidence.PresentedTo = "" }, record.Error{Code: record.CodeDecision, Field: "presented_to"}},
		{"in-person-unattended", func(r *record.Record) { r.Evidence.Channel = "unattended" }, record.Error{Code: record.CodeDecision, Field: "presented_to"}},
		{"staff-without-name", func(r *record.Record) { r.Evidence.Decision.By = "staff" }, record.Error{Code: record.CodeDecision, Field: "staff"}},
		{"staff-without-reason", func(r *record.Record) {
			r.Evidence.Decision.By, r.Evidence.Decision.Staff = "staff", "s1"
		}, record.Error{Code: record.CodeDecision, Field: "reason"}},
		{"pending-is-no-outcome", func(r *record.Record) { r.Evidence.Decision.Outcome = "pending" }, record.Error{Code: record.CodeDecision, Field: "outcome"}},
		{"case-none-with-a-number", func(r *record.Record) { r.Evidence.Case.Kind = "none" }, record.Error{Code: record.CodeValue, Field: "case"}},
		{"case-number-without-one", func(r *record.Record) { r.Evidence.Case.Ref = "" }, record.Error{Code: record.CodeValue, Field: "case"}},
		{"finished-before-started", func(r *record.Record) { r.Evidence.Finished = r.Evidence.Started.Add(-1) }, record.Error{Code: record.CodeValue, Field: "finished"}},
		{"consent-without-hash", func(r *record.Record) { r.Evidence.Consents[0].SHA256 = "zz" }, record.Error{Code: record.CodeValue, Field: "consents"}},
		{"birth-in-western-form", func(r *record.Record) { r.Identity.Birth = secret.New([]byte("1984-2-29")) }, record.Error{Code: record.CodeValue, Field: "birth"}},
		{"my-number-of-eleven", func(r *record.Record) { r.MyNumber.Number = secret.New([]byte("12345678901")) }, record.Error{Code: record.CodeValue, Field: "number"}},
		{"my-number-without-purpose", func(r *record.Record) { r.MyNumber.Purpose = "" }, record.Error{Code: record.CodeRequired, Field: "purpose"}},
		{"certificate-without-der", func(r *record.Record) { r.Certificate.DER = nil }, record.Error{Code: record.CodeRequired, Field: "der"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := small()
			c.edit(r)
			if err := r.Validate(); !errors.Is(err, &c.want) {
				t.Fatalf("got %v, want %v", err, &c.want)
			}
		})
	}
}

func TestStaffMayDecideWithoutTheMachine(t *testing.T) {
	r := storagetest.Record(id, 0)
	r.Evidence.Face = record.FaceEvidence{Match: "not-checked", Live: "not-checked", Reasons: []string{"no-model"}}
	r.Evidence.Card.Genuineness = "not-checked"
	r.Evidence.Decision = record.Decision{Outcome: "verified", By: "staff", Staff: "s1", Reason: "photo-compared", At: storagetest.At()}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	r.Identity, r.Images = nil, nil
	r.Evidence.Decision.Outcome = "refused" // a refusal before anything was read is a record as well
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
}
