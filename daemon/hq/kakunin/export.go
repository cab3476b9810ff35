package kakunin

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Policy says what may leave HQ while a record is not complete. The zero value refuses.
type Policy struct {
	Watermark bool // exports of what is not complete are allowed, and marked as such
}

// ErrIncomplete refuses an export.
var ErrIncomplete = errors.New("kakunin: the verification record is not complete")

// ErrNotVerified refuses claims about a person whom nobody verified.
var ErrNotVerified = errors.New("kakunin: nobody was verified in this record")

// Allow gives the watermark that an export must carry, empty when none, or ErrIncomplete.
func (p Policy) Allow(v *Verification) (watermark string, err error) {
	if v.Complete() {
		return "", nil
	}
	if !p.Watermark {
		return "", ErrIncomplete
	}
	return v.watermark(), nil
}

// watermark says in both languages why it is not complete; it holds numbers and codes only.
func (v *Verification) watermark() string {
	var why []string
	if len(v.Missing) > 0 {
		var n []string
		for _, m := range v.Missing {
			n = append(n, fmt.Sprint(m))
		}
		why = append(why, "欠落/missing "+strings.Join(n, ","))
	}
	return "未完成 INCOMPLETE: " + strings.Join(append(why, v.Reasons...), "; ")
}

// Export is one rendering to be made.
type Export struct {
	At        time.Time
	Watermark string // of Policy.Allow
}

// JSON renders the record as docs/schema/verification-record.json describes it. The caller wipes the bytes.
func (v *Verification) JSON(x Export) []byte {
	w := &writer{}
	w.open('{')
	w.text("schema", "madoguchi/verification-record/1")
	w.text("exported", clock(x.At))
	w.text("watermark", x.Watermark)
	w.text("state", v.state())
	w.numbers("missing", v.Missing)
	w.words("reasons", v.Reasons)
	w.text("record", v.ID)
	w.text("device", v.Device)
	w.text("created", clock(v.Created))
	w.words("virtual", v.Virtual)
	w.key("method")
	v.methodJSON(w)
	w.key("items")
	w.open('[')
	for i := range v.Items {
		v.Items[i].json(w)
	}
	w.close(']')
	w.key("history")
	w.open('[')
	for i := range v.History {
		v.History[i].json(w)
	}
	w.close(']')
	if v.evidence != nil {
		w.key("attachments")
		v.attachments(w)
	}
	w.close('}')
	return append(w.b, '\n')
}

// state is State as a closed word.
func (v *Verification) state() string {
	if v.Complete() {
		return "complete"
	}
	return "incomplete"
}

func (v *Verification) methodJSON(w *writer) {
	m := v.Method
	w.open('{')
	w.text("act", string(m.Act))
	w.text("code", m.Code)
	w.text("article", m.Article)
	w.text("statute", m.Statute)
	w.text("day", v.Day)
	w.text("from", m.From)
	w.text("to", m.To)
	w.boolean("confirmed", m.Confirmed)
	w.text("note", noteOf(m.Confirmed))
	w.close('}')
}

func noteOf(confirmed bool) string {
	if confirmed {
		return "confirmed at HQ"
	}
	return CounselNote
}

func (s *ItemState) json(w *writer) {
	w.open('{')
	w.number("number", s.Number)
	w.text("id", s.ID)
	w.text("ja", s.JA)
	w.text("en", s.EN)
	w.text("group", string(s.Group))
	w.text("source", string(s.Source))
	w.text("level", string(s.Level))
	w.text("status", string(s.Status))
	w.text("mark", string(s.Mark))
	w.boolean("confirmed", s.Confirmed)
	w.text("note", s.Note)
	w.values(s.Values)
	if e := s.Entry; e != nil {
		w.text("author", e.Author)
		w.text("at", clock(e.At))
		w.text("reason", e.Reason)
	}
	w.close('}')
}

func (e *Entry) json(w *writer) {
	w.open('{')
	w.number("item", e.Item)
	w.boolean("does_not_apply", e.DoesNotApply)
	w.values(e.Values)
	w.text("author", e.Author)
	w.text("at", clock(e.At))
	w.text("reason", e.Reason)
	w.close('}')
}

// attachments are what is kept beside the thirty items: what was agreed to, what was proven, who decided and why.
func (v *Verification) attachments(w *writer) {
	e := v.evidence
	w.open('{')
	w.text("case_kind", e.Case.Kind)
	w.text("case_ref", e.Case.Ref)
	w.text("started", clock(e.Started))
	w.text("finished", clock(e.Finished))
	w.key("consents")
	w.open('[')
	for _, c := range e.Consents {
		w.open('{')
		w.text("id", c.ID)
		w.text("version", c.Version)
		w.text("sha256", c.SHA256)
		w.text("lang", c.Lang)
		w.boolean("given", c.Given)
		w.text("at", clock(c.At))
		w.close('}')
	}
	w.close(']')
	w.key("card")
	w.open('{')
	w.text("kind", e.Card.Kind)
	w.text("route", e.Card.Route)
	w.text("genuineness", e.Card.Genuineness)
	w.text("reason", e.Card.Reason)
	w.text("issuer", e.Card.Issuer)
	w.boolean("confirmed", e.Card.Confirmed)
	w.close('}')
	w.key("face")
	w.open('{')
	w.text("match", e.Face.Match)
	w.number("score", e.Face.Score)
	w.number("threshold", e.Face.Threshold)
	w.text("live", e.Face.Live)
	w.number("live_score", e.Face.LiveScore)
	w.text("model", e.Face.Model)
	w.text("calibration", e.Face.Calibration)
	w.words("reasons", e.Face.Reasons)
	w.close('}')
	w.key("decision")
	w.open('{')
	w.text("outcome", e.Decision.Outcome)
	w.text("by", e.Decision.By)
	w.text("staff", e.Decision.Staff)
	w.text("reason", e.Decision.Reason)
	w.text("note", e.Decision.Note)
	w.text("at", clock(e.Decision.At))
	w.close('}')
	w.text("software", e.Software)
	w.text("reader", e.Reader)
	w.text("camera", e.Camera)
	w.boolean("own_images", v.images)
	w.close('}')
}

// clock is a time as our documents write it; empty for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}
