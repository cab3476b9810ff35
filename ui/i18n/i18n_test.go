package i18n_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"madoguchi/ui/i18n"
	"madoguchi/ui/screen"
)

// walk calls f with the path and value of every string in v.
func walk(v reflect.Value, path string, f func(path, text string)) {
	switch v.Kind() {
	case reflect.String:
		f(path, v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
	case reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), path+"[]", f)
		}
	}
}

func texts(lang string) map[string]string {
	all := map[string]string{}
	walk(reflect.ValueOf(i18n.For(lang)), "", func(path, text string) {
		for all[path] != "" {
			path += "+"
		}
		all[path] = text
	})
	return all
}

func TestCataloguesAreComplete(t *testing.T) {
	verb := regexp.MustCompile(`%[0-9]*[a-z]|\{[a-z]\}`)
	ja, en := texts("ja"), texts("en")
	if len(ja) < 200 {
		t.Fatalf("only %d texts were found", len(ja))
	}
	for path, text := range ja {
		other := en[path]
		if strings.TrimSpace(text) == "" || strings.TrimSpace(other) == "" {
			t.Errorf("%s is empty: %q, %q", path, text, other)
		}
		a, b := verb.FindAllString(text, -1), verb.FindAllString(other, -1)
		slices.Sort(a)
		slices.Sort(b)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s has other placeholders: %q, %q", path, text, other)
		}
		foreign := strings.ContainsFunc(other, func(r rune) bool { return unicode.In(r, unicode.Hiragana, unicode.Katakana) })
		if foreign {
			t.Errorf("%s has Japanese in the English text: %q", path, other)
		}
	}
}

func TestEveryKindOfScreenHasItsOwnTexts(t *testing.T) {
	for _, lang := range i18n.Languages() {
		c := i18n.For(lang)
		for _, k := range screen.Kinds() {
			if k != screen.OutOfService && c.Screen(k) == c.Screens.OutOfService {
				t.Errorf("%s: %s has no texts of its own", lang, k)
			}
		}
		if c.Screen("no-such-screen") != c.Screens.OutOfService {
			t.Errorf("%s: an unknown screen must show a way to staff", lang)
		}
	}
}

func TestEveryFaceHintHasItsOwnText(t *testing.T) {
	c := i18n.For("ja")
	seen := map[string]string{}
	for _, hint := range []string{
		"starting", "good", "no-face", "many-faces", "closer", "back", "centre", "dark", "bright", "still", "straight",
	} {
		text := c.Face.Hint(hint)
		if seen[text] != "" {
			t.Errorf("%s and %s have the same text %q", hint, seen[text], text)
		}
		seen[text] = hint
	}
	if c.Face.Hint("something-new") != c.Face.NoFace {
		t.Error("an unknown hint must give the general guidance")
	}
}

func TestTroubles(t *testing.T) {
	codes := i18n.TroubleCodes()
	if len(codes) != 53 || len(slices.Compact(slices.Sorted(slices.Values(codes)))) != 53 {
		t.Fatalf("got %d codes, want 53 different ones", len(codes))
	}
	titles := map[string]bool{}
	for _, lang := range i18n.Languages() {
		for _, code := range codes {
			tr, ok := i18n.TroubleFor(lang, code)
			if !ok || tr.Title == "" || tr.Cause == "" || tr.WayOut == "" {
				t.Errorf("%s %s is not complete: %+v", lang, code, tr)
			}
			titles[tr.Title] = true
			for _, never := range []string{"使えません", "cannot be used", "エラー", "rror", "無効", "nvalid", "不正"} {
				if strings.Contains(tr.Title+tr.Cause+tr.WayOut, never) {
					t.Errorf("%s %s says %q", lang, code, never)
				}
			}
			if strings.ContainsAny(tr.Title+tr.Cause+tr.WayOut, "|\n") {
				t.Errorf("%s %s would break the table of docs/failures.md", lang, code)
			}
		}
		if _, ok := i18n.TroubleFor(lang, "no-such-code"); ok {
			t.Errorf("%s: an unknown code must not be found", lang)
		}
	}
}

func TestLocksNameAllThreeWaysOut(t *testing.T) {
	for _, code := range []string{"pin-blocked", "number-b-blocked"} {
		ja, _ := i18n.TroubleFor("ja", code)
		en, _ := i18n.TroubleFor("en", code)
		for _, way := range []string{"係員", "市区町村の窓口", "アプリ", "24時間以内", "コンビニ", "署名用パスワード"} {
			if !strings.Contains(ja.WayOut, way) {
				t.Errorf("%s does not name %s", code, way)
			}
		}
		for _, way := range []string{"staff", "municipal office", "phone app", "24 hours", "convenience store", "signature password"} {
			if !strings.Contains(en.WayOut, way) {
				t.Errorf("%s does not name %s", code, way)
			}
		}
	}
}

// The digests were computed with sha256sum from the texts as they were approved. A text that changes needs a new
// version beside the old one, because records keep the digest of what the customer was shown.
func TestConsentTextsNeverChange(t *testing.T) {
	want := map[string]string{
		"ja/identity/1": "e2c8ec0eb7455781b20e6fea6d6527c6229a125a9dd2be0871f5ee6c93a09cbf", "en/identity/1": "4d1613e125bfb1c9f6c1d540ed81420d5b4fc791d10a7e4215ae73d7c552ea8a", "ja/face/1": "26db6790a6d644a07e1f34282f220f08bb9e17d94ff31588bde057901e037469", "en/face/1": "f92cf7f4991ca93fce904e3a304e7abf50c72d6463c49196222b4a02fbd3b725",
	}
	for _, lang := range i18n.Languages() {
		for _, c := range i18n.Consents() {
			title, body, sum := i18n.ConsentText(lang, c.ID, c.Version)
			if title == "" || body == "" || i18n.HasConsent(lang, c.ID, c.Version) != nil {
				t.Errorf("%s %v has no text", lang, c)
			}
			if name := lang + "/" + c.ID + "/" + c.Version; sum != want[name] {
				t.Errorf("%s: got digest %s, want %s", name, sum, want[name])
			}
		}
	}
	if title, body, sum := i18n.ConsentText("ja", "identity", "0"); title+body+sum != "" {
		t.Error("an unknown version must have no text")
	}
	if i18n.HasConsent("ja", "identity", "0") == nil {
		t.Error("an unknown version must be an error")
	}
}

func TestFailuresMarkdown(t *testing.T) {
	text := i18n.FailuresMarkdown()
	for _, code := range i18n.TroubleCodes() {
		if strings.Count(text, "\n## "+code+"\n") != 1 {
			t.Errorf("%s has no chapter", code)
		}
	}
	if !strings.Contains(text, "| way out | Please place the same card again. You will be asked for the number once more. | 同じカードをもう一度置いてください。番号は、もう一度入力していただきます。 |") {
		t.Error("the way out of card-removed is not in the text")
	}
}

func TestStaffTexts(t *testing.T) {
	for _, lang := range i18n.Languages() {
		c := i18n.For(lang)
		for _, code := range []string{
			"photo-same-person", "known-change-of-look", "document-checked", "other-person", "card-not-accepted",
			"customer-withdrew", "suspected-fraud", "no-model", "no-calibration", "calibration-of-another-model",
			"virtual-calibration-with-real-camera", "no-card-face", "card-image-unreadable", "no-face",
			"more-than-one-face", "too-few-good-frames", "similarity-below-threshold",
			"presentation-attack-suspected", "engine-error", "face-mismatch",
		} {
			if got := c.Staff.Reason(code, lang); got == code {
				t.Errorf("%s: %s has no text", lang, code)
			}
		}
		if got := c.Staff.Outcome("made-up"); got != "made-up" {
			t.Errorf("an unknown outcome must be shown as it is, got %q", got)
		}
		if c.Staff.Outcome("") != c.Staff.Outcomes.NotChecked || c.Staff.Outcome("") == c.Staff.Outcomes.Pass {
			t.Error("nothing checked must say so")
		}
	}
}
