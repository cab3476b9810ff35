package page

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/finding"
	"madoguchi/daemon/hq/store"
	"madoguchi/storage/record"
)

// rowJSON is one record of GET /v1/records.
type rowJSON struct {
	Device   string        `json:"device"`
	ID       string        `json:"id"`
	Seq      uint64        `json:"seq"`
	Created  time.Time     `json:"created"`
	Received time.Time     `json:"received"`
	Virtual  []string      `json:"virtual"`
	Parts    []record.Part `json:"parts"`
}

func toRow(r store.Row) rowJSON {
	v := r.Virtual
	if v == nil {
		v = []string{}
	}
	return rowJSON{Device: r.Device, ID: r.ID, Seq: r.Seq, Created: r.Created, Received: r.Received, Virtual: v, Parts: r.Parts}
}

// openedJSON answers GET /v1/opened/{device}/{id}.
type openedJSON struct {
	rowJSON
	Passed   bool                            `json:"passed"`
	Verified opener.Verification             `json:"verified"`
	States   []opener.PartState              `json:"part_states"`
	Opened   map[record.Part]json.RawMessage `json:"opened"` // canonical bytes of each part
	Finding  *findingJSON                    `json:"finding,omitempty"`
}

// findingJSON is what the worker found; absent: nothing yet.
type findingJSON struct {
	State finding.State `json:"state"`
	Part  record.Part   `json:"part,omitempty"`
	Code  string        `json:"code,omitempty"`
	Tries int           `json:"tries"`
	At    time.Time     `json:"at"`
}

// recordsJSON lists the newest thousand records: routing data only.
func (s *server) recordsJSON(w http.ResponseWriter, r *http.Request, _ string) {
	rows, err := s.Store.List(r.Context(), 1000, 0)
	if err != nil {
		s.fault(w, "list", err)
		return
	}
	list := make([]rowJSON, 0, len(rows))
	for _, row := range rows {
		list = append(list, toRow(row))
	}
	s.writeJSON(w, struct {
		Records []rowJSON `json:"records"`
	}{list})
}

// openedJSON gives one record opened, for tools and tests. It is logged like any view.
func (s *server) openedJSON(w http.ResponseWriter, r *http.Request, viewer string) {
	o, ok := s.open(w, r, viewer, "json")
	if !ok {
		return
	}
	defer o.Wipe()
	out := openedJSON{
		rowJSON: toRow(o.Row), Passed: o.Verified.Passed(), Verified: o.Verified, States: o.Parts, Opened: map[record.Part]json.RawMessage{},
	}
	f, err := s.found(r.Context(), o.Row.Device, o.Row.ID)
	if err != nil {
		s.fault(w, "finding", err)
		return
	}
	if f != nil {
		out.Finding = &findingJSON{f.State, f.Part, f.Code, f.Tries, f.At}
	}
	for p, b := range o.Canon {
		out.Opened[p] = b.Reveal()
	}
	s.writeJSON(w, out)
}

func (s *server) writeJSON(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	defer func() { clear(b.Bytes()[:b.Len()]) }()
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // leaves the canonical bytes of the parts as they are
	if err := e.Encode(v); err != nil {
		s.Log.Error("page", slog.String("what", "json"))
		http.Error(w, "error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}
