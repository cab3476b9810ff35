package retention_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/daemon/hq/retention"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/store/storetest"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

const account = "普通 7654321"

// kit is HQ with one record whose account number is known.
type kit struct {
	r   *retention.Runner
	w   *sqlitestore.Writer
	add *kakunin.DB
	row store.Row
	now time.Time
	log bytes.Buffer
}

func newKit(t *testing.T, parts ...record.Part) *kit {
	t.Helper()
	k := &kit{now: time.Date(2026, 4, 10, 3, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	w, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "records.sqlite"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := retention.Open(t.Context(), filepath.Join(dir, "retention.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if k.add, err = kakunin.Open(t.Context(), filepath.Join(dir, "kakunin.sqlite")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(w.Close(), db.Close(), k.add.Close()) })
	if len(parts) == 0 {
		parts = []record.Part{record.PartIdentity, record.PartImages, record.PartEvidence}
	}
	k.row = storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 500)
	k.row.Parts = parts
	if _, _, err := w.Insert(t.Context(), k.row); err != nil {
		t.Fatal(err)
	}
	levels, _ := kakunin.Levels(kakunin.ActAML, kakunin.MethodChip, "2026-04-01")
	e := kakunin.Entry{Item: 27, Values: []kakunin.Value{{Field: "key", Text: secret.New([]byte(account))}}, Author: "hq", At: k.now, Reason: "form"}
	if err := k.add.Add(t.Context(), k.row.Device, k.row.ID, levels, &e); err != nil {
		t.Fatal(err)
	}
	k.w = w
	k.r = &retention.Runner{
		DB: db, Records: w, Shredder: w, Additions: k.add, Policy: retention.Default(), Author: "hq-clerk-2",
		Now: func() time.Time { return k.now }, Log: slog.New(slog.NewJSONHandler(&k.log, nil)),
	}
	return k
}

func (k *kit) post(t *testing.T, kind retention.Kind, day string) {
	t.Helper()
	err := k.r.DB.Post(t.Context(), retention.Event{
		Kind: kind, Device: k.row.Device, ID: k.row.ID, Day: day, Source: "api", Author: "hq-clerk-2", Reason: "case 12", At: k.now,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run makes a run on a day (noon in Japan) and gives the outcome and the due day of the one record.
func (k *kit) run(t *testing.T, day string, dry bool) retention.Result {
	t.Helper()
	at, err := time.Parse(time.RFC3339, day+"T12:00:00+09:00")
	if err != nil {
		t.Fatal(err)
	}
	k.now = at
	rep, err := k.r.Run(t.Context(), dry)
	if err != nil || len(rep.Results) > 1 || rep.Dry != dry || rep.Policy != "default-1" {
		t.Fatalf("%+v, %v", rep, err)
	}
	if len(rep.Results) == 0 {
		return retention.Result{}
	}
	if rep.Counts[rep.Results[0].Outcome] != 1 {
		t.Fatal(rep.Counts)
	}
	return rep.Results[0]
}

func (k *kit) there(t *testing.T) bool {
	t.Helper()
	row, err := k.w.Find(t.Context(), k.row.Device, k.row.ID)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := k.add.Entries(t.Context(), k.row.Device, k.row.ID)
	if err != nil || (len(entries) == 0) == row.Shredded.IsZero() {
		t.Fatal("HQ's entries and the record must go together: ", err)
	}
	return row.Shredded.IsZero()
}

func TestNothingGoesWithoutAnEvent(t *testing.T) {
	k := newKit(t)
	if res := k.run(t, "2099-01-01", false); res.Outcome != "" || !k.there(t) {
		t.Fatalf("%+v", res)
	}
}

func TestSevenYearsFromTheEndOfTheRelation(t *testing.T) {
	k := newKit(t)
	k.post(t, retention.RelationEnd, "2026-03-31")
	for _, c := range []struct {
		day  string
		dry  bool
		want retention.Outcome
		stay bool
	}{
		{"2026-04-10", false, "waiting", true},
		{"2033-03-31", false, "waiting", true}, // the last day of the seven years
		{"2033-04-01", true, "would-go", true},
		{"2033-04-01", false, "shredded", false},
		{"2033-04-02", false, "", false}, // done: not looked at again
	} {
		res := k.run(t, c.day, c.dry)
		if res.Outcome != c.want || k.there(t) != c.stay {
			t.Fatalf("%+v: got %+v", c, res)
		}
		if c.want != "" && (res.Due != "2033-04-01" || res.Rule != "default-1:relation-end+7y:hq_items") {
			t.Fatalf("%+v", res)
		}
	}
	lines, err := k.r.DB.Log(t.Context(), 9)
	if err != nil || len(lines) != 2 || lines[0].Stage != "done" || lines[1].Stage != "begun" || lines[0].Entries != 1 ||
		lines[0].Parts != "identity,images,evidence" || lines[0].Author != "hq-clerk-2" || lines[0].Due != "2033-04-01" {
		t.Fatalf("%+v, %v", lines, err)
	}
	if !strings.Contains(k.log.String(), "a record was shredded") || strings.Contains(k.log.String(), "7654321") {
		t.Fatal(k.log.String())
	}
}

func TestHoldWinsAndARelationCanGoOn(t *testing.T) {
	k := newKit(t)
	k.post(t, retention.RelationEnd, "2026-03-31")
	k.post(t, retention.Hold, "2026-04-01")
	if res := k.run(t, "2040-01-01", false); res.Outcome != "held" || res.Why != "case 12" || !k.there(t) {
		t.Fatalf("%+v", res)
	}
	k.post(t, retention.Release, "2040-01-01")
	k.post(t, retention.RelationResumed, "2040-01-01")
	if res := k.run(t, "2060-01-01", false); res.Outcome != "goes-on" || !k.there(t) {
		t.Fatalf("%+v", res)
	}
	k.post(t, retention.RelationEnd, "2059-12-31")
	if res := k.run(t, "2066-12-31", true); res.Outcome != "waiting" || res.Due != "2067-01-01" {
		t.Fatalf("%+v", res)
	}
}

func TestMyNumber(t *testing.T) {
	t.Run("its-own-record-goes-when-its-need-ends", func(t *testing.T) {
		k := newKit(t, record.PartEvidence, record.PartMyNumber)
		k.post(t, retention.RelationEnd, "2026-03-31")
		if res := k.run(t, "2050-01-01", false); res.Outcome != "goes-on" || !k.there(t) {
			t.Fatalf("%+v", res)
		}
		k.post(t, retention.MyNumberEnd, "2050-01-01")
		if res := k.run(t, "2050-01-02", false); res.Outcome != "shredded" || res.Rule != "default-1:my-number-end+0y:my_number" || k.there(t) {
			t.Fatalf("%+v", res)
		}
	})
	t.Run("beside-an-identity-a-person-settles-it", func(t *testing.T) {
		k := newKit(t, record.PartIdentity, record.PartEvidence, record.PartMyNumber)
		k.post(t, retention.MyNumberEnd, "2026-04-01")
		if res := k.run(t, "2026-04-11", false); res.Outcome != "overdue" || res.Why != "my_number" || !k.there(t) {
			t.Fatalf("%+v", res)
		}
		k.post(t, retention.RelationEnd, "2026-04-02")
		if res := k.run(t, "2033-04-03", false); res.Outcome != "shredded" || k.there(t) {
			t.Fatalf("%+v", res)
		}
	})
	t.Run("the-relation-ended-but-the-need-did-not", func(t *testing.T) {
		k := newKit(t, record.PartIdentity, record.PartEvidence, record.PartMyNumber)
		k.post(t, retention.RelationEnd, "2026-04-02")
		if res := k.run(t, "2050-01-01", false); res.Outcome != "goes-on" || !k.there(t) {
			t.Fatalf("%+v", res)
		}
	})
}

func TestPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		years map[retention.Class]int
		ok    bool
	}{
		"default": {nil, true}, "longer": {map[retention.Class]int{"identity": 10}, true}, "images-sooner": {map[retention.Class]int{"images": 0}, true},
		"identity-sooner": {map[retention.Class]int{"identity": 6}, false}, "evidence-sooner": {map[retention.Class]int{"evidence": 0}, false},
		"hq-sooner": {map[retention.Class]int{"hq_items": 6}, false}, "unknown": {map[retention.Class]int{"faces": 7}, false}, "for-ever": {map[retention.Class]int{"identity": 101}, false},
	} {
		if err := (retention.Policy{Version: "v", Years: c.years}).Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (retention.Policy{}).Check() == nil || retention.Default().Check() != nil {
		t.Error("a policy without a version")
	}
	k := newKit(t)
	k.r.Policy.Years = map[retention.Class]int{"evidence": 10}
	k.post(t, retention.RelationEnd, "2026-03-31")
	if res := k.run(t, "2033-04-01", false); res.Outcome != "waiting" || res.Due != "2036-04-01" || res.Rule != "default-1:relation-end+10y:evidence" {
		t.Fatalf("the longest class decides: %+v", res)
	}
}

// broken fails once.
type broken struct {
	store.Shredder
	fails int
}

func (b *broken) Shred(ctx context.Context, device, id string, at time.Time, rule string) (store.Tombstone, error) {
	if b.fails > 0 {
		b.fails--
		return store.Tombstone{}, errors.New("the body store is away")
	}
	return b.Shredder.Shred(ctx, device, id, at, rule)
}

func TestAFailureIsTriedAgain(t *testing.T) {
	k := newKit(t)
	k.r.Shredder = &broken{k.r.Shredder, 1}
	k.post(t, retention.RelationEnd, "2026-03-31")
	if res := k.run(t, "2033-04-01", false); res.Outcome != "failed" {
		t.Fatalf("%+v", res)
	}
	if res := k.run(t, "2033-04-02", false); res.Outcome != "shredded" || k.there(t) {
		t.Fatalf("%+v", res)
	}
	lines, err := k.r.DB.Log(t.Context(), 9)
	var stages []string
	for _, l := range lines {
		stages = append(stages, l.Stage)
	}
	if diff := cmp.Diff([]string{"done", "begun", "failed", "begun"}, stages); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
}

func TestWhatCannotBeLoggedDoesNotGo(t *testing.T) {
	k := newKit(t)
	k.post(t, retention.RelationEnd, "2026-03-31")
	k.now = time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	_ = k.r.DB.Close()
	if _, err := k.r.Run(t.Context(), false); err == nil || !k.there(t) {
		t.Fatal("it went without a log")
	}
	k.r.Shredder = nil
	if _, err := k.r.Run(t.Context(), false); err == nil {
		t.Fatal("a real run without a shredder")
	}
}

func TestImport(t *testing.T) {
	k := newKit(t)
	file := "\ufeffkind,key,device,record,day,reason\r\n" +
		"relation-end," + account + ",,,2026-03-31,解約\r\n" +
		"hold,,kiosk-1," + k.row.ID + ",2026-04-01,\"訴訟, 第1号\"\r\n" +
		"relation-end,普通 0000000,,,2026-03-31,解約\r\n"
	got, err := k.r.DB.Import(t.Context(), strings.NewReader(file), k.add, "hq-clerk-2", k.now)
	if diff := cmp.Diff(retention.Imported{Lines: 3, Events: 2, Unmatched: []int{4}}, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	events, err := k.r.DB.Events(t.Context(), "kiosk-1", k.row.ID)
	if err != nil || len(events) != 2 || events[0].Kind != "relation-end" || events[0].Day != "2026-03-31" || events[1].Reason != "訴訟, 第1号" || events[1].Source != "csv" {
		t.Fatalf("%+v, %v", events, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "unknown-column": "kind,name\n", "repeated-column": "kind,kind\n", "unknown-kind": "kind,key,day,reason\nend,x,2026-03-31,r\n",
		"no-day": "kind,key,day,reason\nrelation-end,x,31.3.2026,r\n", "future": "kind,key,day,reason\nrelation-end,x,2026-04-11,r\n",
		"no-reason": "kind,key,day,reason\nrelation-end,x,2026-03-31,\n", "nothing-named": "kind,day,reason\nrelation-end,2026-03-31,r\n",
		"both-named": "kind,key,device,day,reason\nrelation-end,x,kiosk-1,2026-03-31,r\n", "short-line": "kind,key,day,reason\nrelation-end,x\n",
		"second-bad": "kind,device,record,day,reason\nhold,kiosk-1," + k.row.ID + ",2026-04-01,r\nhold,kiosk-1,x,2026-04-01,r\n",
	} {
		_, err := k.r.DB.Import(t.Context(), strings.NewReader(bad), k.add, "hq-clerk-2", k.now)
		if !errors.Is(err, retention.ErrCSV) || strings.Contains(err.Error(), account) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if events, err := k.r.DB.Events(t.Context(), "kiosk-1", k.row.ID); err != nil || len(events) != 2 {
		t.Fatal("a bad file was taken in part: ", len(events), err)
	}
	n, err := k.r.DB.PostKey(t.Context(), k.add, account, retention.Event{Kind: retention.Release, Day: "2026-04-02", Source: "api", Author: "a", Reason: "r", At: k.now})
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add("kind,key,day,reason\nrelation-end,x,2026-03-31,r\n")
	f.Add("\ufeffkind,device,record,day,reason\r\nhold,kiosk-1,019a9f00-0000-7000-8000-000000000001,2026-04-01,\"a,b\"\r\n")
	db, err := retention.Open(f.Context(), filepath.Join(f.TempDir(), "r.sqlite"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, text string) {
		got, err := db.Import(t.Context(), strings.NewReader(text), none{}, "a", time.Date(2026, 4, 10, 0, 0, 0, 0, time.UTC))
		if err != nil && (got.Events != 0 || !errors.Is(err, retention.ErrCSV)) {
			t.Fatal(got, err)
		}
	})
}

type none struct{}

func (none) Find(context.Context, *secret.Bytes) ([]kakunin.Ref, error) { return nil, nil }
