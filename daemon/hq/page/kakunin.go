package page

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/daemon/hq/opener"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// maxForm bounds what HQ's form sends: an item has three fields at most.
const maxForm = 16 << 10

// Verifications is what the pages of the verification record need.
type Verifications struct {
	DB     *kakunin.DB
	Policy kakunin.Policy // what may leave while a record is not complete
}

// kakuninView is the verification record of one record.
type kakuninView struct {
	frame
	*kakunin.Verification
	Images    *record.Images
	Watermark string
	Trouble   string // label id of what was wrong with an entry
	At        string // of printing
	Policy    kakunin.Policy
}

// path of the page and of what is below it.
func (v kakuninView) path(more string) string {
	return "/records/" + v.Device + "/" + v.ID + "/kakunin" + more
}

// kakuninRoutes are served when the wiring gives a database for HQ's entries.
func (s *server) kakuninRoutes(mux *http.ServeMux) {
	if s.Kakunin == nil {
		return
	}
	mux.HandleFunc("GET /records/{device}/{id}/kakunin", s.signedIn(s.kakunin))
	mux.HandleFunc("POST /records/{device}/{id}/kakunin", s.signedIn(s.kakuninAdd))
	mux.HandleFunc("GET /records/{device}/{id}/kakunin/print", s.signedIn(s.kakuninPrint))
	mux.HandleFunc("GET /records/{device}/{id}/kakunin/export/{form}", s.signedIn(s.kakuninExport))
}

// verification opens the record, logged as what, and builds its verification record. The caller wipes both.
func (s *server) verification(w http.ResponseWriter, r *http.Request, viewer, what string) (*kakunin.Verification, *opener.Opened, bool) {
	o, ok := s.open(w, r, viewer, what, record.PartIdentity, record.PartImages, record.PartEvidence)
	if !ok {
		return nil, nil, false
	}
	entries, err := s.Kakunin.DB.Entries(r.Context(), o.Row.Device, o.Row.ID)
	if err == nil && o.Record.Evidence != nil { // so that the relation's end can be told by the case's number
		err = s.Kakunin.DB.Remember(r.Context(), o.Row.Device, o.Row.ID, secret.New([]byte(o.Record.Evidence.Case.Ref)))
	}
	if err != nil {
		o.Wipe()
		s.fault(w, "kakunin", err)
		return nil, nil, false
	}
	in := kakunin.Input{Record: o.Record, Entries: entries, Passed: o.Verified.Passed()}
	in.Record.ID, in.Record.Device = o.Row.ID, o.Row.Device // where not even the header could be read
	if o.Record.Evidence != nil {
		in.Method = kakunin.MethodOf(o.Record.Evidence)
	}
	return kakunin.Build(in), o, true
}

func (s *server) kakuninView(w http.ResponseWriter, r *http.Request, v *kakunin.Verification, o *opener.Opened) kakuninView {
	return kakuninView{
		frame: s.frame(w, r, "kakunin"), Verification: v, Images: o.Record.Images, At: japan(s.Now()), Policy: s.Kakunin.Policy,
	}
}

// kakunin shows the thirty items with HQ's forms.
func (s *server) kakunin(w http.ResponseWriter, r *http.Request, viewer string) {
	v, o, ok := s.verification(w, r, viewer, "kakunin")
	if !ok {
		return
	}
	defer o.Wipe()
	defer v.Wipe()
	s.render(w, r, kakuninPage(s.kakuninView(w, r, v, o))) //nolint:contextcheck // components get the context in Render
}

// kakuninAdd adds an entry of HQ's. Nothing that the kiosk signed can be reached from here.
func (s *server) kakuninAdd(w http.ResponseWriter, r *http.Request, viewer string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "malformed form", http.StatusBadRequest)
		return
	}
	number, _ := strconv.Atoi(r.PostForm.Get("item"))
	v, o, ok := s.verification(w, r, viewer, fmt.Sprintf("kakunin add %d", number))
	if !ok {
		return
	}
	defer o.Wipe()
	defer v.Wipe()
	e := kakunin.Entry{
		Item: number, DoesNotApply: r.PostForm.Get("none") == "yes", Author: viewer, At: s.Now(), Reason: r.PostForm.Get("reason"),
	}
	defer e.Wipe()
	if item, ok := kakunin.ItemOf(number); ok && !e.DoesNotApply {
		for _, f := range item.Fields {
			e.Values = append(e.Values, kakunin.Value{Field: f.ID, Text: secret.New([]byte(r.PostForm.Get("v." + f.ID)))})
		}
	}
	levels, _ := kakunin.Levels(v.Method.Act, v.Method.Code, v.Day)
	err := s.Kakunin.DB.Add(r.Context(), v.Device, v.ID, levels, &e)
	if trouble := troubleOf(err); trouble != "" {
		view := s.kakuninView(w, r, v, o)
		view.Trouble = trouble
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusUnprocessableEntity)
		s.render(w, r, kakuninPage(view)) //nolint:contextcheck // components get the context in Render
		return
	}
	if err != nil {
		s.fault(w, "kakunin", err)
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/records/%s/%s/kakunin#item-%d", v.Device, v.ID, number), http.StatusSeeOther)
}

// troubleOf is the label of what a person can put right.
func troubleOf(err error) string {
	for _, t := range []struct {
		err   error
		label string
	}{
		{kakunin.ErrMyNumber, "trouble-my-number"},
		{kakunin.ErrField, "trouble-field"},
		{kakunin.ErrAuthor, "trouble-reason"},
		{kakunin.ErrAnswer, "trouble-answer"},
		{kakunin.ErrItem, "trouble-item"},
		{kakunin.ErrShredded, "trouble-shredded"},
	} {
		if errors.Is(err, t.err) {
			return t.label
		}
	}
	return ""
}

// kakuninPrint is the record for paper: the browser prints it, or makes a PDF of it.
func (s *server) kakuninPrint(w http.ResponseWriter, r *http.Request, viewer string) {
	v, o, ok := s.verification(w, r, viewer, "kakunin print")
	if !ok {
		return
	}
	defer o.Wipe()
	defer v.Wipe()
	mark, err := s.Kakunin.Policy.Allow(v)
	if err != nil {
		s.refuseExport(w, r, v, o)
		return
	}
	view := s.kakuninView(w, r, v, o)
	view.Watermark = mark
	s.render(w, r, kakuninPrintPage(view)) //nolint:contextcheck // components get the context in Render
}

func (s *server) refuseExport(w http.ResponseWriter, r *http.Request, v *kakunin.Verification, o *opener.Opened) {
	view := s.kakuninView(w, r, v, o)
	view.Trouble = "trouble-incomplete"
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusConflict)
	s.render(w, r, kakuninPage(view)) //nolint:contextcheck // components get the context in Render
}

// kakuninExport gives the record as a file.
func (s *server) kakuninExport(w http.ResponseWriter, r *http.Request, viewer string) {
	form := r.PathValue("form")
	name, kind := exportForm(form)
	if name == "" {
		http.NotFound(w, r)
		return
	}
	v, o, ok := s.verification(w, r, viewer, "kakunin "+form)
	if !ok {
		return
	}
	defer o.Wipe()
	defer v.Wipe()
	mark, err := s.Kakunin.Policy.Allow(v)
	if err != nil {
		s.refuseExport(w, r, v, o)
		return
	}
	b, err := rendering(v, form, kakunin.Export{At: s.Now(), Watermark: mark})
	if err != nil {
		s.refuseExport(w, r, v, o) // nobody was verified: there are no claims
		return
	}
	defer clear(b)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s"`, v.ID, name))
	_, _ = bytes.NewReader(b).WriteTo(w)
}

func exportForm(form string) (name, kind string) {
	switch form {
	case "json":
		return "verification-record.json", "application/json"
	case "openid":
		return "verified-claims.json", "application/json"
	case "csv":
		return "verification-record.csv", "text/csv; charset=utf-8"
	case "excel":
		return "verification-record-excel.csv", "text/csv; charset=utf-8"
	}
	return "", ""
}

func rendering(v *kakunin.Verification, form string, x kakunin.Export) ([]byte, error) {
	switch form {
	case "openid":
		return v.OpenID(x)
	case "csv", "excel":
		return v.CSV(x, form == "excel"), nil
	}
	return v.JSON(x), nil
}
