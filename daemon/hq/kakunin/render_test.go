package kakunin_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"madoguchi/daemon/hq/kakunin"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// schema compiles the published schema with a library that is not ours.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../../../docs/schema/verification-record.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func export(t *testing.T, v *kakunin.Verification) kakunin.Export {
	t.Helper()
	mark, err := kakunin.Policy{Watermark: true}.Allow(v)
	if err != nil {
		t.Fatal(err)
	}
	return kakunin.Export{At: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), Watermark: mark}
}

func valid(t *testing.T, s *jsonschema.Schema, doc []byte) error {
	t.Helper()
	x, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatalf("no JSON: %v", err)
	}
	return s.Validate(x)
}

func TestSchema(t *testing.T) {
	s := schema(t)
	jpki := real()
	jpki.Evidence.Method.Code = "jpki-signature"
	telecom := real()
	telecom.Evidence.Method.Statute = "携帯電話不正利用防止法施行規則3条"
	refused := real()
	refused.Evidence.Decision.Outcome = "refused"
	unread := real()
	unread.Identity, unread.Images = nil, nil
	odd := real()
	odd.Identity.Name = secret.New([]byte("\"<b>&\\\u2028\x7f\xff𠮷"))
	for name, v := range map[string]*kakunin.Verification{
		"complete": build(real(), enough()), "fresh": build(real(), nil), "jpki": build(jpki, enough()), "telecom": build(telecom, nil),
		"refused": build(refused, enough()), "unread": build(unread, nil), "odd": build(odd, nil),
		"not-opened": kakunin.Build(kakunin.Input{Record: &record.Record{ID: recordID, Device: "kiosk-1", Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, Method: kakunin.Method{Act: "jp_aml"}}),
	} {
		t.Run(name, func(t *testing.T) {
			doc := v.JSON(export(t, v))
			if err := valid(t, s, doc); err != nil {
				t.Fatalf("%v\n%s", err, doc)
			}
			var back struct {
				State string
				Items []struct{ Number int }
			}
			if err := json.Unmarshal(doc, &back); err != nil || len(back.Items) != 30 || (back.State == "complete") != (name == "complete") {
				t.Fatal(err, back)
			}
		})
	}
}

// A schema that accepts anything proves nothing.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	v := build(real(), enough())
	good := string(v.JSON(export(t, v)))
	for name, change := range map[string][2]string{
		"complete-with-missing":   {`"missing":[]`, `"missing":[22]`},
		"complete-with-watermark": {`"watermark":""`, `"watermark":"x"`},
		"complete-but-missing":    {`"status":"present"`, `"status":"missing"`},
		"incomplete-for-nothing":  {`"state":"complete"`, `"state":"incomplete"`},
		"unknown-member":          {`"history":`, `"my_number":"x","history":`},
		"item-31":                 {`"number":30`, `"number":31`},
		"required-none":           {`"level":"required","status":"present"`, `"level":"required","status":"none"`},
		"counsel":                 {`"note":"to be confirmed by counsel"`, `"note":""`},
		"no-reason":               {`"reason":"from the application form"`, `"reason":""`},
		"present-without-values":  {`"values":[{"field":"service","text":"account-opening"}]`, `"values":[]`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Errorf("%s changes nothing", name)
		} else if valid(t, s, []byte(bad)) == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestExportIsRefusedUntilComplete(t *testing.T) {
	complete, fresh := build(real(), enough()), build(real(), nil)
	if mark, err := (kakunin.Policy{}).Allow(complete); mark != "" || err != nil {
		t.Fatal(mark, err)
	}
	if _, err := (kakunin.Policy{}).Allow(fresh); !errors.Is(err, kakunin.ErrIncomplete) {
		t.Fatal(err)
	}
	if mark, err := (kakunin.Policy{Watermark: true}).Allow(fresh); err != nil || mark != "未完成 INCOMPLETE: 欠落/missing 13,21,22,23,27,29" {
		t.Fatal(mark, err)
	}
}

func TestOpenIDGolden(t *testing.T) {
	staff := real()
	staff.Evidence.Method.Statute = "携帯電話不正利用防止法施行規則3条"
	staff.Evidence.Decision.By, staff.Evidence.Decision.Staff = "staff", "staff-tanuki-041"
	staff.Evidence.Face.Match = "unsure"
	staff.Identity.Birth, staff.Identity.Sex = secret.New([]byte("19840000")), nil
	jpki := real()
	jpki.Evidence.Method.Code = "jpki-signature"
	for name, v := range map[string]*kakunin.Verification{
		"chip": build(real(), enough()), "staff-telecom": build(staff, []kakunin.Entry{entry(21), entry(27, "key", "090-0000-0000")}),
		"jpki": build(jpki, append(enough()[:4:4], entry(29), entry(17, "certificate_id", "pf-opaque-1"))),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := v.OpenID(export(t, v))
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile("testdata/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if err := errors.Join(json.Unmarshal(file, &a), json.Unmarshal(got, &b)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Fatal(diff)
			}
		})
	}
	refused := real()
	refused.Evidence.Decision.Outcome = "refused"
	if _, err := build(refused, enough()).OpenID(kakunin.Export{}); !errors.Is(err, kakunin.ErrNotVerified) {
		t.Fatal(err)
	}
	unchecked := real()
	unchecked.Evidence.Card.Genuineness, unchecked.Evidence.Face.Live = "not-checked", "not-checked"
	if got, err := build(unchecked, enough()).OpenID(kakunin.Export{}); err != nil || !bytes.Contains(got, []byte(`"check_details":[]`)) {
		t.Fatalf("what was not checked is claimed: %s, %v", got, err)
	}
}

func TestCSV(t *testing.T) {
	r := real()
	r.Identity.Name = secret.New([]byte(`=HYPERLINK("http://evil.test")`))
	v := build(r, append(enough(), entry(26, "name", "  ＝1+1", "why", "@SUM(A1)")))
	b := v.CSV(export(t, v), true)
	text, ok := bytes.CutPrefix(b, []byte{0xef, 0xbb, 0xbf})
	if !ok || bytes.HasPrefix(v.CSV(export(t, v), false), []byte{0xef}) {
		t.Fatal("the mark at the beginning")
	}
	if n := bytes.Count(text, []byte("\n")); n != bytes.Count(text, []byte("\r\n")) {
		t.Fatal("lines end with CR LF")
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"record", "device", "state", "watermark", "number", "item", "項目", "level", "status", "source", "confirmed", "field", "value", "author", "at", "reason"}, rows[0]); diff != "" {
		t.Fatal(diff)
	}
	var got [][]string
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		seen[row[4]] = true
		if n := row[4]; n == "20" || n == "21" || n == "22" || n == "26" {
			got = append(got, append([]string{n, row[8]}, row[11:]...))
		}
	}
	const at = "2026-11-21T03:00:00.000Z"
	const by, why = "hq-officer-7", "from the application form"
	want := [][]string{
		{"20", "present", "name", `'=HYPERLINK("http://evil.test")`, "", "", ""},
		{"20", "present", "address", "東京都千代田区霞が関一丁目2番3号", "", "", ""},
		{"20", "present", "birth", "19840229", "", "", ""},
		{"20", "present", "sex", "2", "", "", ""},
		{"20", "present", "source", "chip-text-by-number-b", "", "", ""},
		{"21", "does-not-apply", "", "", by, at, why},
		{"22", "present", "purpose", "生計費決済", by, at, why},
		{"26", "present", "name", "'  ＝1+1", by, at, why},
		{"26", "present", "why", "'@SUM(A1)", by, at, why},
	}
	if diff := cmp.Diff(want, got); diff != "" || len(seen) != 30 {
		t.Fatal(len(seen), diff)
	}
}

// The canary: a record that holds a My Number, and every rendering searched for it and its disguises.
func TestNoRenderingHoldsTheMyNumber(t *testing.T) {
	const number = "123456789018"
	r := real()
	r.MyNumber = &record.MyNumber{Number: secret.New([]byte(number)), Purpose: "canary purpose"}
	r.Certificate = &record.Certificate{DER: secret.New([]byte("canary-certificate")), CMS: secret.New([]byte("canary-cms"))}
	v := build(r, enough())
	x := export(t, v)
	claims, err := v.OpenID(x)
	if err != nil {
		t.Fatal(err)
	}
	file := append([]byte{0x10, 0x0c}, number...) // EF 0001 of the 券面事項入力補助 application: a tag, a length, the digits
	sum, sumFile := sha256.Sum256([]byte(number)), sha256.Sum256(file)
	wide := strings.NewReplacer("1", "１", "2", "２", "3", "３", "4", "４", "5", "５", "6", "６", "7", "７", "8", "８", "9", "９", "0", "０").Replace(number)
	canaries := [][]byte{
		[]byte(number), []byte(wide), []byte("1234 5678 9018"), []byte("1234-5678-9018"), []byte("canary"), sum[:], sumFile[:],
	}
	for name, doc := range map[string][]byte{"json": v.JSON(x), "openid": claims, "csv": v.CSV(x, true)} {
		if !bytes.Contains(doc, []byte("窓口 花子")) {
			t.Fatalf("%s is empty: this test proves nothing", name)
		}
		low := bytes.ToLower(doc)
		for i, c := range canaries {
			for _, form := range [][]byte{
				c, bytes.ToLower([]byte(hex.EncodeToString(c))), bytes.ToLower([]byte(base64.StdEncoding.EncodeToString(c))),
				bytes.ToLower([]byte(base64.RawURLEncoding.EncodeToString(c))),
			} {
				if bytes.Contains(low, form) {
					t.Errorf("%s holds canary %d", name, i)
				}
			}
		}
	}
}
