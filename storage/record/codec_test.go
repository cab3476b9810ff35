package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
)

const id = "019a9f5e-1c00-7abc-8def-0123456789ab"

// frameHead and frameTail were written by hand from the package's description.
const (
	frameHead = `{"created":"2026-11-20T01:02:03.456Z","device":"branch-012-kiosk-1","part":"`
	frameMid  = `","record":"019a9f5e-1c00-7abc-8def-0123456789ab","schema":1,"value":`
	frameTail = `,"virtual":["camera","card","reader","trust"]}`
)

// golden gives the bytes of each part of the record made by small, written by hand.
func golden(p record.Part) string {
	switch p {
	case record.PartIdentity:
		return frameHead + `identity` + frameMid + `{"address":"東京都千代田区霞が関一丁目2番3号","birth":"19840229","card_expiry":"2031-02-28",` +
			`"card_serial":"123456789012345","municipality":"13101","name":"窓口 \"花子\"\\\u0001\n","sex":"2","source":"chip-text-by-number-b"}` + frameTail
	case record.PartImages:
		return frameHead + `images` + frameMid + `{"address":"AAEC","face":"/+8=","name":""}` + frameTail
	case record.PartEvidence:
		return frameHead + `evidence` + frameMid + `{"camera":"virtual","card":{"confirmed":true,"genuineness":"genuine","issuer":"39","kind":"my-number-card",` +
			`"reason":"","route":"number-b"},"case":{"kind":"number","ref":"CASE-7788-KITSUNE"},"channel":"attended","consents":[{"at":"2026-11-20T01:01:13.456Z",` +
			`"given":true,"id":"read","lang":"ja","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","version":"1"}],` +
			`"decision":{"at":"2026-11-20T01:02:03.456Z","by":"machine","note":"","outcome":"verified","reason":"","staff":""},` +
			`"face":{"calibration":"virtual-1","frames":5,"live":"pass","live_score":9001,"match":"pass","model":"test-model","reasons":["a","b"],"score":-8123,` +
			`"threshold":6300,"virtual_only":true},"finished":"2026-11-20T01:02:03.456Z","method":{"code":"in-person-chip","note":"to be confirmed by counsel",` +
			`"statute":"犯収法施行規則6条1項1号"},"presented_to":"staff-tanuki-041","reader":"virtual","representative":{"document":"","name":"","note":"","reason":"","relation":""},` +
			`"service":"account-opening","signed":{"chain":"","scheme":"","sha256":""},"software":"test",` +
			`"started":"2026-11-20T01:01:03.456Z","steps":[{"at":"2026-11-20T01:01:13.456Z","name":"consent","note":""},` +
			`{"at":"2026-11-20T01:01:23.456Z","name":"card","note":"number-b"}]}` + frameTail
	case record.PartCertificate:
		return frameHead + `certificate` + frameMid + `{"cms":"","der":"MAA=","document":"","signature":""}` + frameTail
	case record.PartMyNumber:
		return frameHead + `my_number` + frameMid + `{"number":"123456789018","purpose":"payment report"}` + frameTail
	}
	return ""
}

func small() *record.Record {
	r := storagetest.Record(id, 0)
	r.Identity.Name = secret.New([]byte("窓口 \"花子\"\\\x01\n"))
	r.Images = &record.Images{Address: secret.New([]byte{0, 1, 2}), Face: secret.New([]byte{0xff, 0xef})}
	r.Evidence.Face.Score = -8123
	r.Evidence.Face.Reasons = []string{"a", "b"}
	r.Certificate = &record.Certificate{DER: secret.New([]byte{0x30, 0})}
	r.MyNumber = &record.MyNumber{Number: secret.New([]byte("123456789018")), Purpose: "payment report"}
	r.Created = r.Created.Add(999 * time.Microsecond).In(time.FixedZone("JST", 9*3600)) // cut off and brought to UTC
	r.Virtual = []string{"trust", "card", "reader", "camera", "card"}
	return r
}

func TestGoldenBytes(t *testing.T) {
	for _, p := range record.Parts() {
		t.Run(string(p), func(t *testing.T) {
			got, err := record.EncodePart(small(), p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(golden(p), string(got.Reveal())); diff != "" {
				t.Fatal(diff)
			}
			if !json.Valid(got.Reveal()) {
				t.Fatal("encoding/json does not accept the bytes")
			}
			requireSortedKeys(t, json.NewDecoder(bytes.NewReader(got.Reveal())))
			if err := record.DecodePart(p, []byte(golden(p)), &record.Record{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// requireSortedKeys walks any JSON by the standard library's tokens, an independent reader.
func requireSortedKeys(t *testing.T, d *json.Decoder) {
	t.Helper()
	tok, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for object := tok == json.Delim('{'); (object || tok == json.Delim('[')) && d.More(); {
		if object {
			k, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			if k.(string) <= last {
				t.Fatalf("key %q after %q", k, last)
			}
			last = k.(string)
		}
		requireSortedKeys(t, d)
	}
	if tok == json.Delim('{') || tok == json.Delim('[') {
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	}
}

func revealing() cmp.Option {
	return cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b *secret.Bytes) bool { return bytes.Equal(a.Reveal(), b.Reveal()) })}
}

func TestRoundTrip(t *testing.T) {
	want := small()
	got := &record.Record{}
	for _, p := range record.Parts() {
		b, err := record.EncodePart(want, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := record.DecodePart(p, b.Reveal(), got); err != nil {
			t.Fatal(p, err)
		}
	}
	want.Created = storagetest.At()
	want.Virtual = []string{"camera", "card", "reader", "trust"}
	if diff := cmp.Diff(want, got, revealing()); diff != "" {
		t.Fatal(diff)
	}
}

func TestStrictDecoder(t *testing.T) {
	ok := golden(record.PartMyNumber)
	edit := func(old, fresh string) string {
		out := strings.Replace(ok, old, fresh, 1)
		if out == ok {
			t.Fatalf("%q does not occur", old)
		}
		return out
	}
	cases := []struct {
		name string
		in   string
		want record.Code
	}{
		{"unknown-key-at-the-end", edit(`"purpose":"payment report"`, `"purpose":"payment report","x":1`), record.CodeKey},
		{"unknown-key-at-the-beginning", edit(`{"number"`, `{"aa":1,"number"`), record.CodeKey},
		{"missing-key", edit(`,"purpose":"payment report"`, ``), record.CodeKey},
		{"repeated-key", edit(`"number":"123456789018"`, `"number":"123456789018","number":"123456789018"`), record.CodeKey},
		{"wrong-order", edit(`"number":"123456789018","purpose":"payment report"`, `"purpose":"payment report","number":"123456789018"`), record.CodeKey},
		{"white-space", edit(`,"schema"`, `, "schema"`), record.CodeKey},
		{"white-space-after", ok + "\n", record.CodeSyntax},
		{"escaped-letter", edit(`payment`, `p\u0061yment`), record.CodeSyntax},
		{"upper-case-escape", edit(`payment`, `p\u000Byment`), record.CodeSyntax},
		{"long-escape-of-newline", edit(`payment`, `p\u000ayment`), record.CodeSyntax},
		{"raw-control", edit(`payment`, "p\nyment"), record.CodeSyntax},
		{"bad-utf8", edit(`payment`, "p\xffyment"), record.CodeValue},
		{"next-version", edit(`"schema":1`, `"schema":2`), record.CodeVersion},
		{"version-as-float", edit(`"schema":1`, `"schema":1.0`), record.CodeSyntax},
		{"version-with-zero", edit(`"schema":1`, `"schema":01`), record.CodeSyntax},
		{"other-part", edit(`"part":"my_number"`, `"part":"identity"`), record.CodeValue},
		{"time-with-offset", edit(`03.456Z`, `03.456+00:00`), record.CodeLimit},
		{"time-without-millis", edit(`03.456Z`, `03Z`), record.CodeValue},
		{"thirteenth-month", edit(`2026-11-20`, `2026-13-20`), record.CodeValue},
		{"upper-case-id", edit(`-7abc-`, `-7ABC-`), record.CodeValue},
		{"id-of-version-4", edit(`-7abc-`, `-4abc-`), record.CodeValue},
		{"device-with-space", edit(`branch-012`, `branch 012`), record.CodeValue},
		{"unknown-virtual-part", edit(`"camera"`, `"bananas"`), record.CodeValue},
		{"virtual-unsorted", edit(`"camera","card"`, `"card","camera"`), record.CodeValue},
		{"virtual-twice", edit(`"camera","card"`, `"card","card"`), record.CodeValue},
		{"null", edit(`"123456789018"`, `null`), record.CodeSyntax},
		{"not-closed", ok[:len(ok)-1], record.CodeSyntax},
		{"empty", "", record.CodeSyntax},
		{"too-long-purpose", edit(`payment`, strings.Repeat("p", 1100)), record.CodeLimit},
		{"too-large", ok + strings.Repeat(" ", 5000), record.CodeSize},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var into record.Record
			err := record.DecodePart(record.PartMyNumber, []byte(c.in), &into)
			var e *record.Error
			if !errors.As(err, &e) || e.Code != c.want {
				t.Fatalf("got %v, want code %s", err, c.want)
			}
			if into.ID != "" || into.MyNumber != nil {
				t.Fatal("the record was changed by a refused part")
			}
			if strings.Contains(err.Error(), "123456789018") {
				t.Fatal("the error tells the value")
			}
		})
	}
}

func TestBlobsAreStrict(t *testing.T) {
	ok := golden(record.PartImages)
	for _, bad := range []string{`/+9=`, `/+8`, `/+8==`, `_-8=`, `/+\n8=`, `/+8=AAAA`} { // trailing bits, padding, alphabet, line end
		if err := record.DecodePart(record.PartImages, []byte(strings.Replace(ok, `/+8=`, bad, 1)), &record.Record{}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestPartOfAnotherRecordIsRefused(t *testing.T) {
	other := strings.Replace(golden(record.PartMyNumber), "0123456789ab", "0123456789ac", 1)
	r := small()
	before := r.MyNumber
	if err := record.DecodePart(record.PartMyNumber, []byte(other), r); !errors.Is(err, &record.Error{Code: record.CodeBinding}) {
		t.Fatalf("got %v", err)
	}
	if r.MyNumber != before {
		t.Fatal("the record was changed")
	}
}

func TestEncodeCaps(t *testing.T) {
	r := small()
	r.Images.Face = secret.New(make([]byte, 300<<10))
	if _, err := record.EncodePart(r, record.PartImages); !errors.Is(err, &record.Error{Code: record.CodeLimit, Field: "face"}) {
		t.Fatalf("got %v", err)
	}
	r.Identity.Name = secret.New([]byte("\xff"))
	if _, err := record.EncodePart(r, record.PartIdentity); !errors.Is(err, &record.Error{Code: record.CodeValue, Field: "name"}) {
		t.Fatalf("got %v", err)
	}
	if _, err := record.EncodePart(&record.Record{}, record.PartIdentity); !errors.Is(err, &record.Error{Code: record.CodePart}) {
		t.Fatalf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for i, p := range record.Parts() {
		f.Add(i, []byte(golden(p)))
	}
	f.Fuzz(func(t *testing.T, i int, b []byte) {
		parts := record.Parts()
		p := parts[uint(i)%uint(len(parts))]
		var r record.Record
		if record.DecodePart(p, b, &r) != nil {
			return
		}
		again, err := record.EncodePart(&r, p)
		if err != nil || !bytes.Equal(again.Reveal(), b) {
			t.Fatalf("decoded, but encodes differently: %v", err)
		}
		if !json.Valid(b) {
			t.Fatal("decoded, but encoding/json says it is no JSON")
		}
	})
}

func TestPartsAreComplete(t *testing.T) {
	if !slices.Equal(record.Parts(), []record.Part{"identity", "images", "evidence", "certificate", "my_number"}) {
		t.Fatal("the list of parts is the contract with HQ")
	}
	for _, p := range record.Parts() {
		if record.MaxPart(p) == 0 || !small().Has(p) {
			t.Fatal(p)
		}
	}
}
