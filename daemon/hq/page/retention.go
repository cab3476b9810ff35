package page

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"madoguchi/daemon/hq/retention"
	"madoguchi/daemon/hq/store"
)

// Retention is what the page of retention needs: it takes events and shows what a run would do. It cannot shred.
type Retention struct {
	DB     *retention.DB
	Keys   retention.Keys
	Policy retention.Policy
}

// retentionView is the page of retention.
type retentionView struct {
	frame
	Events  []retention.Event
	Lines   []retention.Line
	Report  *retention.Report
	Trouble string
	Done    string // how many records an event was taken for
}

func (s *server) retentionRoutes(mux *http.ServeMux) {
	if s.Retention == nil {
		return
	}
	mux.HandleFunc("GET /retention", s.signedIn(s.retention))
	mux.HandleFunc("POST /retention", s.signedIn(s.retentionPost))
	mux.HandleFunc("POST /retention/csv", s.signedIn(s.retentionCSV))
}

// finder finds rows on the side that only reads.
type finder struct{ store.Reader }

func (f finder) Find(ctx context.Context, device, id string) (store.Row, error) {
	r, err := f.Get(ctx, device, id)
	r.Envelope = nil
	return r, err
}

func (s *server) retention(w http.ResponseWriter, r *http.Request, _ string) {
	s.retentionPage(w, r, http.StatusOK, "", r.URL.Query().Get("done"))
}

func (s *server) retentionPage(w http.ResponseWriter, r *http.Request, code int, trouble, done string) {
	v := retentionView{frame: s.frame(w, r, "retention"), Trouble: trouble}
	if n, err := strconv.Atoi(done); err == nil {
		v.Done = strconv.Itoa(n)
	}
	var err1, err2, err3 error
	v.Events, err1 = s.Retention.DB.Newest(r.Context(), 50)
	v.Lines, err2 = s.Retention.DB.Log(r.Context(), 50)
	run := retention.Runner{DB: s.Retention.DB, Records: finder{s.Store}, Policy: s.Retention.Policy, Now: s.Now, Log: s.Log}
	v.Report, err3 = run.Run(r.Context(), true)
	if err := errors.Join(err1, err2, err3); err != nil {
		s.fault(w, "retention", err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	s.render(w, r, retentionPage(v)) //nolint:contextcheck // components get the context in Render
}

// retentionPost takes one event from the form.
func (s *server) retentionPost(w http.ResponseWriter, r *http.Request, viewer string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "malformed form", http.StatusBadRequest)
		return
	}
	get := r.PostForm.Get
	n, err := s.Retention.DB.PostKey(r.Context(), s.Retention.Keys, get("key"), retention.Event{
		Kind: retention.Kind(get("kind")), Device: get("device"), ID: get("record"), Day: get("day"), Source: "page",
		Author: viewer, Reason: get("reason"), At: s.Now(),
	})
	s.retentionDone(w, r, n, err)
}

// retentionCSV takes a file of events.
func (s *server) retentionCSV(w http.ResponseWriter, r *http.Request, viewer string) {
	r.Body = http.MaxBytesReader(w, r.Body, retention.MaxCSV+maxForm)
	file, _, err := r.FormFile("file")
	if err != nil {
		http.Error(w, "malformed form", http.StatusBadRequest)
		return
	}
	defer func() { _ = file.Close() }()
	got, err := s.Retention.DB.Import(r.Context(), file, s.Retention.Keys, viewer, s.Now())
	if err == nil && len(got.Unmatched) > 0 {
		s.retentionPage(w, r, http.StatusOK, "trouble-unmatched", strconv.Itoa(got.Events))
		return
	}
	s.retentionDone(w, r, got.Events, err)
}

func (s *server) retentionDone(w http.ResponseWriter, r *http.Request, n int, err error) {
	switch {
	case errors.Is(err, retention.ErrCSV):
		s.retentionPage(w, r, http.StatusUnprocessableEntity, "trouble-csv", "")
	case errors.Is(err, retention.ErrEvent):
		s.retentionPage(w, r, http.StatusUnprocessableEntity, "trouble-event", "")
	case err != nil:
		s.fault(w, "retention", err)
	case n == 0:
		s.retentionPage(w, r, http.StatusUnprocessableEntity, "trouble-unmatched", "")
	default:
		http.Redirect(w, r, "/retention?done="+strconv.Itoa(n), http.StatusSeeOther)
	}
}

func wordsOfRetention(id string) (ja, en string) {
	switch id {
	case "retention":
		return "保存期間", "Retention"
	case "retention-note":
		return "保存期間は取引終了日から数えます。終了の連絡がない記録は廃棄されません。法的保全が優先します。廃棄の実行は別の操作（hqd retention）で行います。",
			"Years count from the end of the relation. Nothing goes without an event, a legal hold wins, and shredding itself is another operation (hqd retention)."
	case "event":
		return "連絡を登録", "Enter an event"
	case "kind":
		return "種類", "Kind"
	case "relation-end":
		return "取引終了", "relation ended"
	case "relation-resumed":
		return "取引継続・再開", "relation goes on"
	case "my-number-end":
		return "個人番号の事務終了", "need of the My Number ended"
	case "hold":
		return "法的保全", "legal hold"
	case "release":
		return "保全解除", "hold released"
	case "relation-key":
		return "口座番号・案件番号", "Account or case number"
	case "or-record":
		return "または端末と記録番号", "or kiosk and record"
	case "event-day":
		return "日付", "Day"
	case "csv-file":
		return "CSVで登録（kind,key,device,record,day,reason）", "CSV file (kind,key,device,record,day,reason)"
	case "upload":
		return "取り込む", "Import"
	case "dry-run":
		return "今日実行した場合", "What a run would do today"
	case "outcome":
		return "結果", "Outcome"
	case "due":
		return "廃棄できる日", "May go from"
	case "rule":
		return "規則", "Rule"
	case "would-go":
		return "廃棄対象", "would go"
	case "held":
		return "保全中", "held"
	case "waiting-retention":
		return "保存期間中", "kept"
	case "goes-on":
		return "取引継続中", "goes on"
	case "overdue":
		return "要判断（個人番号の廃棄期限超過）", "overdue: a person must settle it"
	case "not-found":
		return "記録なし", "no such record"
	case "recent-events":
		return "最近の連絡", "Newest events"
	case "shredding-log":
		return "廃棄の履歴", "Shredding log"
	case "taken":
		return "登録した記録の数", "Records taken"
	case "trouble-csv":
		return "CSVの形式に誤りがあります。何も登録していません。", "The CSV file is malformed. Nothing was taken."
	case "trouble-event":
		return "種類・日付（将来は不可）・対象・理由を確認してください。何も登録していません。", "Please check kind, day (not in the future), record and reason. Nothing was taken."
	case "trouble-unmatched":
		return "該当する記録が見つからない番号があります。", "A number names no record here."
	}
	return "", ""
}

// outcomeWord is the label of an outcome; "waiting" means something else elsewhere on these pages.
func outcomeWord(o retention.Outcome) string {
	if o == retention.Waiting {
		return "waiting-retention"
	}
	return string(o)
}
