package methods_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/policy/methods"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The days on which a method changes its article, to the second, in Japan and as UTC.
func TestBoundaries(t *testing.T) {
	table := methods.Builtin()
	const none = ""
	for _, tt := range []struct {
		act  methods.Act
		code methods.Code
		at   string
		want string
	}{
		{"aml", "jpki-signature", "2025-06-23T23:59:59+09:00", "6条1項1号ワ"},
		{"aml", "jpki-signature", "2025-06-24T00:00:00+09:00", "6条1項1号カ"},
		{"aml", "jpki-signature", "2025-06-23T14:59:59Z", "6条1項1号ワ"},
		{"aml", "jpki-signature", "2025-06-23T15:00:00Z", "6条1項1号カ"},
		{"aml", "jpki-signature", "2027-03-31T23:59:59+09:00", "6条1項1号カ"},
		{"aml", "jpki-signature", "2027-03-31T14:59:59Z", "6条1項1号カ"},
		{"aml", "jpki-signature", "2027-04-01T00:00:00+09:00", "6条1項1号ヌ（号番号未確認）"},
		{"aml", "jpki-signature", "2027-03-31T15:00:00Z", "6条1項1号ヌ（号番号未確認）"},
		{"aml", "in-person-chip", "2027-03-31T23:59:59+09:00", "6条1項1号イ"},
		{"aml", "in-person-chip", "2027-04-01T00:00:00+09:00", "6条1項1号（号番号未確認）"},
		{"aml", "in-person-chip", "2024-12-31T23:59:59+09:00", none},
		{"aml", "in-person-chip", "2025-01-01T00:00:00+09:00", "6条1項1号イ"},
		{"aml", "in-person-chip", "2099-01-01T00:00:00+09:00", "6条1項1号（号番号未確認）"},
		{"telecom", "jpki-signature", "2026-03-31T23:59:59+09:00", none},
		{"telecom", "jpki-signature", "2026-04-01T00:00:00+09:00", "3条1項1号ト"},
		{"telecom", "in-person-chip", "2026-03-31T23:59:59+09:00", none},
		{"telecom", "in-person-chip", "2026-04-01T00:00:00+09:00", "3条1項1号イ"},
		{"telecom", "in-person-chip", "2027-04-01T00:00:00+09:00", "3条1項1号イ"},
		{"", "in-person-chip", "2026-11-22T00:00:00+09:00", none},
		{"aml", "", "2026-11-22T00:00:00+09:00", none},
		{"aml", "image-and-selfie", "2026-11-22T00:00:00+09:00", none},
	} {
		t.Run(string(tt.act)+"-"+string(tt.code)+"-"+tt.at, func(t *testing.T) {
			r, err := table.At(tt.act, tt.code, at(t, tt.at))
			if tt.want == none {
				if !errors.Is(err, methods.ErrNoRow) {
					t.Fatalf("got %+v, %v; want no row", r, err)
				}
				return
			}
			if err != nil || r.Article != tt.want {
				t.Fatalf("got %q, %v; want %q", r.Article, err, tt.want)
			}
		})
	}
}

// Every day of some years: never two rows, and never none between the first and the last.
func TestExactlyOneRowADay(t *testing.T) {
	table := methods.Builtin()
	for d := at(t, "2026-04-01T12:00:00+09:00"); d.Year() < 2029; d = d.AddDate(0, 0, 1) {
		for _, act := range []methods.Act{"aml", "telecom"} {
			for _, code := range []methods.Code{"in-person-chip", "jpki-signature"} {
				if _, err := table.At(act, code, d); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// As shipped nothing is confirmed, and what is not known says so in the text that stands in the record.
func TestNothingIsConfirmedAsShipped(t *testing.T) {
	rows := methods.Builtin().Rows()
	if len(rows) != 7 {
		t.Fatalf("got %d rows", len(rows))
	}
	for _, r := range rows {
		if r.Confirmed != (methods.Confirmation{}) || r.Source == "" {
			t.Errorf("%s: %+v", r.ID(), r)
		}
		if r.From == 20270401 && !strings.Contains(r.Article, "未確認") {
			t.Errorf("%s does not say that its number is not confirmed", r.ID())
		}
		if _, err := methods.Builtin().Use(r.Act, r.Code, r.From.Start(), true); !errors.Is(err, methods.ErrUnsure) {
			t.Errorf("%s: got %v", r.ID(), err)
		}
		if _, err := methods.Builtin().Use(r.Act, r.Code, r.From.Start(), false); err != nil {
			t.Errorf("%s: got %v", r.ID(), err)
		}
	}
	if _, err := (methods.Table{}).At("aml", "in-person-chip", at(t, "2026-11-22T00:00:00Z")); !errors.Is(err, methods.ErrNoRow) {
		t.Fatal("the empty table allows something")
	}
}

func confirm(act methods.Act, code methods.Code, from methods.Day, article string) methods.Confirm {
	return methods.Confirm{
		Act: act, Code: code, From: from, Article: article,
		Confirmation: methods.Confirmation{By: "legal-1", On: 20261201, From: "kanpo"},
	}
}

// Warnings begin 90 days before 2027-04-01, which is 2027-01-01, at midnight in Japan, and end with a confirmation.
func TestWarnings(t *testing.T) {
	table, err := methods.Builtin().With(nil, []methods.Confirm{
		confirm("aml", "in-person-chip", 20250101, "6条1項1号イ"), confirm("aml", "jpki-signature", 20250624, "6条1項1号カ"),
		confirm("telecom", "in-person-chip", 20260401, "3条1項1号イ"), confirm("telecom", "jpki-signature", 20260401, "3条1項1号ト"),
	})
	if err != nil {
		t.Fatal(err)
	}
	say := func(table methods.Table, when string) []string {
		var out []string
		for _, w := range table.Warnings(at(t, when)) {
			out = append(out, w.String())
		}
		return out
	}
	if got := say(table, "2026-12-31T23:59:59+09:00"); got != nil {
		t.Fatalf("91 days before: %q", got)
	}
	want := []string{
		"aml/in-person-chip/20270401 6条1項1号（号番号未確認） begins in 90 days (2027-04-01) and is not confirmed by counsel",
		"aml/jpki-signature/20270401 6条1項1号ヌ（号番号未確認） begins in 90 days (2027-04-01) and is not confirmed by counsel",
	}
	if diff := cmp.Diff(want, say(table, "2027-01-01T00:00:00+09:00")); diff != "" {
		t.Fatal(diff)
	}
	want = []string{
		"aml/in-person-chip/20270401 6条1項1号（号番号未確認） is in force since 2027-04-01 and is not confirmed by counsel",
		"aml/jpki-signature/20270401 6条1項1号ヌ（号番号未確認） is in force since 2027-04-01 and is not confirmed by counsel",
	}
	if diff := cmp.Diff(want, say(table, "2027-04-01T00:00:00+09:00")); diff != "" {
		t.Fatal(diff)
	}
	ahead, err := table.With(
		[]methods.Row{{Act: "aml", Code: "in-person-chip", Article: "6条1項1号イ", From: 20270401, Source: "kanpo"}},
		[]methods.Confirm{confirm("aml", "in-person-chip", 20270401, "6条1項1号イ"), confirm("aml", "jpki-signature", 20270401, "6条1項1号ヌ（号番号未確認）")},
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := say(ahead, "2027-04-01T00:00:00+09:00"); got != nil {
		t.Fatalf("confirmed ahead of the day: %q", got)
	}
	if r, err := ahead.Use("aml", "in-person-chip", at(t, "2027-04-01T00:00:00+09:00"), true); err != nil || r.Confirmed.By != "legal-1" {
		t.Fatal(r, err)
	}
	if ahead.Revision() == table.Revision() {
		t.Fatal("another table has the same revision")
	}
}

// A method that comes to its end says so.
func TestAnEndWarns(t *testing.T) {
	table, err := (methods.Table{}).With([]methods.Row{{
		Act: "telecom", Code: "jpki-signature", Article: "a", From: 20260401, To: 20261231, Source: "s",
		Confirmed: methods.Confirmation{By: "b", On: 20260401, From: "f"},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := table.Warnings(at(t, "2026-12-21T00:00:00+09:00"))
	if len(got) != 1 || !got[0].Ends || got[0].Days != 10 {
		t.Fatalf("got %+v", got)
	}
	if len(table.Warnings(at(t, "2026-09-01T00:00:00+09:00"))) != 0 || len(table.Warnings(at(t, "2027-01-01T00:00:00+09:00"))) != 0 {
		t.Fatal("a warning on another day")
	}
}

// A new row cuts the old one to the day.
func TestANewRowCuts(t *testing.T) {
	table, err := methods.Builtin().With([]methods.Row{{Act: "telecom", Code: "in-person-chip", Article: "3条1項1号ロ", From: 20280101, Source: "kanpo"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	before, err1 := table.At("telecom", "in-person-chip", at(t, "2027-12-31T23:59:59+09:00"))
	after, err2 := table.At("telecom", "in-person-chip", at(t, "2028-01-01T00:00:00+09:00"))
	if err1 != nil || err2 != nil || before.Article != "3条1項1号イ" || before.To != 20271231 || after.Article != "3条1項1号ロ" {
		t.Fatal(before, after, err1, err2)
	}
}

func TestRefusedTables(t *testing.T) {
	row := func(edit func(*methods.Row)) []methods.Row {
		r := methods.Row{Act: "telecom", Code: "in-person-chip", Article: "x", From: 20280101, Source: "kanpo"}
		edit(&r)
		return []methods.Row{r}
	}
	half := confirm("telecom", "in-person-chip", 20260401, "3条1項1号イ")
	half.By = ""
	for _, tt := range []struct {
		name     string
		rows     []methods.Row
		confirms []methods.Confirm
		want     string
	}{
		{"odd-act", row(func(r *methods.Row) { r.Act = "tax" }), nil, "act"},
		{"odd-method", row(func(r *methods.Row) { r.Code = "selfie" }), nil, "method"},
		{"no-article", row(func(r *methods.Row) { r.Article = "" }), nil, "article"},
		{"no-source", row(func(r *methods.Row) { r.Source = "" }), nil, "source"},
		{"no-such-day", row(func(r *methods.Row) { r.From = 20280230 }), nil, "days"},
		{"backwards", row(func(r *methods.Row) { r.Code, r.From, r.To = "jpki-signature", 20270102, 20270101 }), nil, "ends before"},
		{"gap", row(func(r *methods.Row) { r.To = 20281231 }), nil, "without a row"},
		{"shorter-than-before", row(func(r *methods.Row) { r.From, r.To = 20260401, 20261231 }), nil, "without a row"},
		{"before-another", row(func(r *methods.Row) { r.From = 20250101 }), nil, "overlap"},
		{"two-lines", row(func(r *methods.Row) { r.Note = "a\nb" }), nil, "one line"},
		{"long", row(func(r *methods.Row) { r.Note = strings.Repeat("a", 513) }), nil, "too long"},
		{"half-confirmed", row(func(r *methods.Row) { r.Confirmed.By = "me" }), nil, "who, when"},
		{"confirms-nothing", nil, []methods.Confirm{confirm("telecom", "in-person-chip", 20260402, "3条1項1号イ")}, "no row"},
		{"confirms-another-article", nil, []methods.Confirm{confirm("telecom", "in-person-chip", 20260401, "3条1項1号ロ")}, "names"},
		{"confirmed-by-nobody", nil, []methods.Confirm{half}, "who, when"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := methods.Builtin().With(tt.rows, tt.confirms)
			if !errors.Is(err, methods.ErrTable) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want something about %q", err, tt.want)
			}
		})
	}
}

func TestDays(t *testing.T) {
	for s, want := range map[string]methods.Day{"2027-04-01": 20270401, "2024-02-29": 20240229} {
		if d, err := methods.ParseDay(s); err != nil || d != want || d.String() != s {
			t.Errorf("%s: %v %v", s, d, err)
		}
	}
	for _, s := range []string{"", "2027-4-1", "20270401", "2025-02-29", "2027-04-01 ", "0000-00-00", "１２"} {
		if d, err := methods.ParseDay(s); err == nil {
			t.Errorf("%q is %v", s, d)
		}
	}
	if methods.DayOf(at(t, "2026-12-31T15:00:00Z")) != 20270101 {
		t.Error("the new year begins at 15:00 UTC")
	}
}
