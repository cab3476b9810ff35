package kakunin_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
)

func TestTableHasThirtyItems(t *testing.T) {
	all := kakunin.Table()
	if len(all) != 30 {
		t.Fatal(len(all))
	}
	seen := map[string]bool{}
	groups := map[kakunin.Group]int{}
	for i, item := range all {
		if item.Number != i+1 || item.JA == "" || item.EN == "" || item.From == "" || seen[item.ID] || item.Note != "to be confirmed by counsel" {
			t.Errorf("%+v", item)
		}
		seen[item.ID] = true
		groups[item.Group]++
	}
	want := map[kakunin.Group]int{kakunin.GroupWho: 2, kakunin.GroupDates: 12, kakunin.GroupMeasures: 5, kakunin.GroupMatters: 6, kakunin.GroupOther: 5}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Fatal(diff)
	}
	for number, id := range map[int]string{1: "checked-by", 3: "presented-at", 7: "chip-received", 15: "transaction", 17: "document", 20: "identity", 21: "agent", 27: "search-key", 30: "short-stay"} {
		if all[number-1].ID != id {
			t.Errorf("item %d is %s", number, all[number-1].ID)
		}
	}
	// The marks of the reference table.
	for number, mark := range map[int]kakunin.Mark{7: "S", 8: "NV", 12: "NV", 15: "NV", 16: "S in 携帯法", 17: "S in 携帯法", 19: "NV", 20: "S", 27: "NV"} {
		if item := all[number-1]; item.Mark != mark || item.Confirmed != (mark != "NV") {
			t.Errorf("item %d: %+v", number, item)
		}
	}
}

func TestLevels(t *testing.T) {
	const before, after = "2027-03-31", "2027-04-01"
	for _, c := range []struct {
		act       kakunin.Act
		code, day string
		number    int
		want      kakunin.Level
	}{
		{"jp_aml", "in-person-chip", before, 3, "required"},
		{"jp_aml", "in-person-chip", before, 7, "if-applicable"},
		{"jp_aml", "in-person-chip", after, 7, "required"},
		{"jp_aml", "in-person-chip", before, 6, "not-of-method"},
		{"jp_aml", "in-person-chip", before, 12, "not-of-method"},
		{"jp_aml", "in-person-chip", before, 13, "required"},
		{"jp_aml", "in-person-chip", before, 21, "answer"},
		{"jp_aml", "in-person-chip", before, 22, "required"},
		{"jp_aml", "in-person-chip", before, 27, "required"},
		{"jp_aml", "in-person-chip", before, 29, "answer"},
		{"jp_aml", "in-person-chip", before, 30, "if-applicable"},
		{"jp_aml", "jpki-signature", after, 3, "if-applicable"},
		{"jp_aml", "jpki-signature", after, 7, "not-of-method"},
		{"jp_aml", "jpki-signature", after, 17, "required"},
		{"jp_mpiupa", "in-person-chip", before, 22, "not-of-method"},
		{"jp_mpiupa", "in-person-chip", before, 23, "not-of-method"},
		{"jp_mpiupa", "in-person-chip", before, 13, "not-of-method"},
		{"jp_mpiupa", "in-person-chip", before, 20, "required"},
		{"jp_mpiupa", "in-person-chip", after, 27, "required"},
		{"jp_mpiupa", "jpki-signature", after, 29, "not-of-method"},
	} {
		levels, ok := kakunin.Levels(c.act, c.code, c.day)
		if !ok || levels[c.number-1] != c.want {
			t.Errorf("%+v: got %q", c, levels[c.number-1])
		}
	}
	levels, ok := kakunin.Levels("jp_aml", "photo-upload", before)
	if ok || levels[0] != kakunin.Required || levels[29] != kakunin.Required {
		t.Fatal("an unknown method must require everything")
	}
}

func TestMethodOf(t *testing.T) {
	for _, c := range []struct{ code, statute, utc, act, article string }{
		{"in-person-chip", "犯罪収益移転防止法施行規則6条1項1号", "2026-11-20T01:00:00Z", "jp_aml", "6-1-1-イ"},
		{"jpki-signature", "犯罪収益移転防止法施行規則6条1項1号", "2025-06-23T14:59:59Z", "jp_aml", "6-1-1-ワ"},
		{"jpki-signature", "犯罪収益移転防止法施行規則6条1項1号", "2025-06-23T15:00:00Z", "jp_aml", "6-1-1-カ"}, // the 24th in Japan
		{"jpki-signature", "犯罪収益移転防止法施行規則6条1項1号", "2027-03-31T14:59:59Z", "jp_aml", "6-1-1-カ"},
		{"jpki-signature", "犯罪収益移転防止法施行規則6条1項1号", "2027-03-31T15:00:00Z", "jp_aml", ""},
		{"in-person-chip", "携帯電話不正利用防止法施行規則3条", "2026-11-20T01:00:00Z", "jp_mpiupa", ""},
	} {
		at, err := time.Parse(time.RFC3339, c.utc)
		if err != nil {
			t.Fatal(err)
		}
		m := kakunin.MethodOf(&record.Evidence{Method: record.Method{Code: c.code, Statute: c.statute}, Finished: at})
		if string(m.Act) != c.act || m.Article != c.article || m.Confirmed {
			t.Errorf("%+v: got %+v", c, m)
		}
	}
}

func TestFreshRecordNamesWhatIsMissing(t *testing.T) {
	v := build(real(), nil)
	if diff := cmp.Diff([]int{13, 21, 22, 23, 27, 29}, v.Missing); diff != "" || v.State() != "6 missing" || v.Complete() {
		t.Fatal(v.State(), diff)
	}
	for number, want := range map[int][]string{
		1:  {"staff=staff-tanuki-041", "kiosk=branch-012-kiosk-1"},
		2:  {"account=kioskd test", "kiosk=branch-012-kiosk-1"},
		3:  {"time=2026-11-20T10:01:23+09:00", "staff=staff-tanuki-041"},
		7:  {"chip_read=2026-11-20T10:01:23+09:00", "face_taken=2026-11-20T10:01:43+09:00"},
		15: {"service=account-opening"},
		16: {"code=in-person-chip", "statute=犯収法施行規則6条1項1号", "channel=attended", "time=2026-11-20T10:02:03+09:00"},
		17: {"document=my-number-card", "expiry=2031-02-28", "municipality=13101"},
		20: {"name=窓口 花子", "address=東京都千代田区霞が関一丁目2番3号", "birth=19840229", "sex=2", "source=chip-text-by-number-b"},
	} {
		if diff := cmp.Diff(want, values(t, v, number)); diff != "" {
			t.Errorf("item %d: %s", number, diff)
		}
	}
}

func TestComplete(t *testing.T) {
	v := build(real(), enough())
	if !v.Complete() || v.State() != "complete" || len(v.Missing) != 0 {
		t.Fatal(v.State(), v.Missing, v.Reasons)
	}
	if v.Items[20].Status != kakunin.DoesNotApply || v.Items[20].Entry.Author != "hq-officer-7" || v.Items[21].Status != kakunin.Present {
		t.Fatalf("%+v", v.Items[20])
	}
	for i := range enough() { // each of them is needed
		some := append(append([]kakunin.Entry{}, enough()[:i]...), enough()[i+1:]...)
		if v := build(real(), some); v.State() != "1 missing" || v.Missing[0] != enough()[i].Item {
			t.Errorf("without %d: %s", i, v.State())
		}
	}
}

func TestNotComplete(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*record.Record)
		missing []int
		reasons []string
	}{
		"refused":     {func(r *record.Record) { r.Evidence.Decision.Outcome = "refused" }, nil, []string{"outcome-refused"}},
		"virtual":     {func(r *record.Record) { r.Virtual = []string{"trust"} }, nil, []string{"virtual"}},
		"no-identity": {func(r *record.Record) { r.Identity = nil }, []int{20}, nil},
		"no-address":  {func(r *record.Record) { r.Identity.Address = nil }, []int{20}, nil},
		"nobody":      {func(r *record.Record) { r.Evidence.PresentedTo = "" }, []int{1, 3}, nil},
		"method":      {func(r *record.Record) { r.Evidence.Method.Code = "other" }, []int{4, 5, 6, 8, 9, 10, 11, 12, 14, 18, 19, 21, 24, 25, 26, 28, 29, 30}, []string{"method-unknown"}},
		"no-service":  {func(r *record.Record) { r.Evidence.Service = "" }, []int{15}, nil},
		"jpki-no-id":  {func(r *record.Record) { r.Evidence.Method.Code = "jpki-signature" }, []int{17}, nil},
		"after-no-chip": {func(r *record.Record) {
			r.Evidence.Steps = nil
			r.Evidence.Finished = time.Date(2027, 3, 31, 15, 0, 0, 0, time.UTC)
		}, []int{7}, nil},
		"sex-absent": {func(r *record.Record) { r.Identity.Sex = nil }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := real()
			c.change(r)
			v := build(r, enough())
			if diff := cmp.Diff(c.missing, v.Missing) + cmp.Diff(c.reasons, v.Reasons); diff != "" || v.Complete() != (c.missing == nil && c.reasons == nil) {
				t.Fatal(diff)
			}
		})
	}
	v := kakunin.Build(kakunin.Input{Record: real(), Entries: enough(), Method: kakunin.MethodOf(real().Evidence)})
	if v.Complete() || v.State() != "not complete" || v.Reasons[0] != "integrity" {
		t.Fatal("a record that was not proven is complete: ", v.Reasons)
	}
	if v := kakunin.Build(kakunin.Input{Record: &record.Record{ID: recordID}}); v.Complete() || len(v.Reasons) != 3 {
		t.Fatal("a record that was not opened is complete: ", v.Reasons)
	}
}

func TestHQAddsAndReplacesNothingOfTheKiosk(t *testing.T) {
	r := real()
	entries := append(enough(), entry(17, "certificate_id", "pf-1"), entry(22, "purpose", "貯蓄"))
	v := build(r, entries)
	if diff := cmp.Diff([]string{"document=my-number-card", "expiry=2031-02-28", "municipality=13101", "certificate_id=pf-1"}, values(t, v, 17)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]string{"purpose=貯蓄"}, values(t, v, 22)); diff != "" || len(v.History) != 8 {
		t.Fatal("the newest entry counts and all stay: ", diff, len(v.History))
	}
	r.Evidence.Channel, r.Evidence.PresentedTo, r.Evidence.Method.Code = "unattended", "", "jpki-signature"
	v = build(r, append(enough(), entry(1, "officer", "officer-3"), entry(17, "certificate_id", "pf-1")))
	if !v.Complete() {
		t.Fatal(v.Missing, v.Reasons)
	}
	if diff := cmp.Diff([]string{"kiosk=branch-012-kiosk-1", "officer=officer-3"}, values(t, v, 1)); diff != "" {
		t.Fatal(diff)
	}
}

func TestEntryCheck(t *testing.T) {
	levels, _ := kakunin.Levels("jp_aml", "in-person-chip", "2026-11-20")
	edit := func(e kakunin.Entry, f func(*kakunin.Entry)) kakunin.Entry { f(&e); return e }
	for name, c := range map[string]struct {
		e    kakunin.Entry
		want error
	}{
		"purpose":             {entry(22, "purpose", "貯蓄"), nil},
		"no-agent":            {entry(21), nil},
		"agent":               {entry(21, "name", "窓口 太郎", "relation", "父", "authority", "委任状"), nil},
		"not-a-matter":        {entry(31, "x", "y"), kakunin.ErrItem},
		"zero":                {entry(0), kakunin.ErrItem},
		"kiosk-identity":      {entry(20, "name", "別人"), kakunin.ErrItem},
		"kiosk-time":          {entry(3, "time", "2026-11-20"), kakunin.ErrItem},
		"other-method":        {entry(8, "date", "2026-11-20"), kakunin.ErrItem},
		"agent-half":          {entry(21, "name", "窓口 太郎"), kakunin.ErrField},
		"unknown-field":       {entry(22, "purpose", "貯蓄", "more", "x"), kakunin.ErrField},
		"twice":               {entry(22, "purpose", "貯蓄", "purpose", "投資"), kakunin.ErrField},
		"empty":               {entry(22, "purpose", " "), kakunin.ErrField},
		"control":             {entry(22, "purpose", "a\x00b"), kakunin.ErrField},
		"newline":             {entry(22, "purpose", "a\nb"), kakunin.ErrField},
		"no-utf8":             {entry(22, "purpose", "\xff"), kakunin.ErrField},
		"long":                {entry(22, "purpose", strings.Repeat("x", 1025)), kakunin.ErrField},
		"no-date":             {entry(13, "date", "2026-02-30"), kakunin.ErrField},
		"required-none":       {entry(22), kakunin.ErrAnswer},
		"does-not-and-values": {edit(entry(21, "name", "a"), func(e *kakunin.Entry) { e.DoesNotApply = true }), kakunin.ErrAnswer},
		"no-author":           {edit(entry(21), func(e *kakunin.Entry) { e.Author = "" }), kakunin.ErrAuthor},
		"no-reason":           {edit(entry(21), func(e *kakunin.Entry) { e.Reason = " " }), kakunin.ErrAuthor},
		"no-time":             {edit(entry(21), func(e *kakunin.Entry) { e.At = time.Time{} }), kakunin.ErrAuthor},
		"my-number":           {entry(27, "key", "123456789018"), kakunin.ErrMyNumber},
		"my-number-wide":      {entry(27, "key", "１２３４ ５６７８ ９０１８"), kakunin.ErrMyNumber},
		"my-number-dashes":    {entry(23, "occupation", "番号1234-5678-9018です"), kakunin.ErrMyNumber},
		"my-number-reason":    {edit(entry(21), func(e *kakunin.Entry) { e.Reason = "123456789018" }), kakunin.ErrMyNumber},
		"another-digit":       {entry(27, "key", "123456789017"), nil},
		"account":             {entry(27, "key", "0001-012-普通-1234567"), nil},
		"thirteen-digits":     {entry(27, "key", "1234567890180"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.e.Check(levels); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDatabase(t *testing.T) {
	db, err := kakunin.Open(t.Context(), t.TempDir()+"/additions.sqlite")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	levels, _ := kakunin.Levels("jp_aml", "in-person-chip", "2026-11-20")
	add := func(e kakunin.Entry) error { return db.Add(t.Context(), "kiosk-1", recordID, levels, &e) }
	if err := errors.Join(add(entry(22, "purpose", "貯蓄")), add(entry(21)), add(entry(27, "key", "7654321"))); err != nil {
		t.Fatal(err)
	}
	if err := add(entry(20, "name", "別人")); !errors.Is(err, kakunin.ErrItem) {
		t.Fatal(err)
	}
	if err := db.Remember(t.Context(), "kiosk-1", recordID, secret.New([]byte(storagetest.CaseRef))); err != nil {
		t.Fatal(err)
	}
	got, err := db.Entries(t.Context(), "kiosk-1", recordID)
	if err != nil || len(got) != 3 || got[0].Item != 22 || string(got[0].Values[0].Text.Reveal()) != "貯蓄" || !got[1].DoesNotApply || !got[0].At.Equal(entry(1).At) || got[0].Reason != "from the application form" {
		t.Fatalf("%+v, %v", got, err)
	}
	if other, err := db.Entries(t.Context(), "kiosk-2", recordID); err != nil || len(other) != 0 {
		t.Fatal(other, err)
	}
	for _, key := range []string{"7654321", storagetest.CaseRef} {
		refs, err := db.Find(t.Context(), secret.New([]byte(key)))
		if diff := cmp.Diff([]kakunin.Ref{{Device: "kiosk-1", ID: recordID}}, refs); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	}
	for range 2 { // a second time is harmless
		if _, err = db.Shred(t.Context(), "kiosk-1", recordID, entry(1).At, "7y"); err != nil {
			t.Fatal(err)
		}
	}
	got, err = db.Entries(t.Context(), "kiosk-1", recordID)
	refs, err2 := db.Find(t.Context(), secret.New([]byte("7654321")))
	if err := errors.Join(err, err2); err != nil || len(got) != 0 || len(refs) != 0 {
		t.Fatal(got, refs, err)
	}
	if err := add(entry(21)); !errors.Is(err, kakunin.ErrShredded) {
		t.Fatal("something was added to a shredded record: ", err)
	}
}
