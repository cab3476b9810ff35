package kakunin_test

import (
	"testing"
	"time"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
)

const recordID = "019a9f00-0000-7000-8000-000000000001"

// real is a record without anything virtual, of 2026-11-20 10:02 in Japan, with the kiosk's steps.
func real() *record.Record {
	r := storagetest.Record(recordID, 100)
	r.Virtual = nil
	at := storagetest.At()
	r.Evidence.Steps = []record.Step{
		{Name: "consent", At: at.Add(-50 * time.Second)},
		{Name: "reading", At: at.Add(-40 * time.Second)},
		{Name: "face", At: at.Add(-20 * time.Second)},
	}
	return r
}

func entry(item int, fields ...string) kakunin.Entry {
	e := kakunin.Entry{
		Item: item, DoesNotApply: len(fields) == 0, Author: "hq-officer-7",
		At: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC), Reason: "from the application form",
	}
	for i := 0; i < len(fields); i += 2 {
		e.Values = append(e.Values, kakunin.Value{Field: fields[i], Text: secret.New([]byte(fields[i+1]))})
	}
	return e
}

// enough is what HQ must add for an account that is opened at the counter.
func enough() []kakunin.Entry {
	return []kakunin.Entry{
		entry(13, "date", "2026-11-20"), entry(21), entry(22, "purpose", "生計費決済"), entry(23, "occupation", "会社員"),
		entry(27, "key", "普通 7654321"), entry(29),
	}
}

func build(r *record.Record, entries []kakunin.Entry) *kakunin.Verification {
	return kakunin.Build(kakunin.Input{Record: r, Entries: entries, Method: kakunin.MethodOf(r.Evidence), Passed: true})
}

// values are the field=text pairs of an item.
func values(t *testing.T, v *kakunin.Verification, number int) (out []string) {
	t.Helper()
	for _, x := range v.Items[number-1].Values {
		out = append(out, x.Field+"="+string(x.Text.Reveal()))
	}
	return out
}
