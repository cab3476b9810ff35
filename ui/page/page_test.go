package page_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"madoguchi/internal/secret"
	"madoguchi/ui/page"
	"madoguchi/ui/screen"
	"madoguchi/ui/screen/screentest"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // test flag

func render(t *testing.T, s screen.Screen) string {
	t.Helper()
	var b bytes.Buffer
	if err := page.Render(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func images() screentest.Images {
	return screentest.Images{Face: "FACE", Name: "NAME", Address: "ADDRESS"}
}

func TestGolden(t *testing.T) {
	for _, lang := range []string{"ja", "en"} {
		for _, s := range screentest.All(screen.Settings{Lang: lang}, images()) {
			t.Run(s.Name+"-"+lang, func(t *testing.T) {
				got := strings.ReplaceAll(render(t, s.Screen), "><", ">\n<") + "\n"
				path := filepath.Join("testdata", s.Name+"-"+lang+".html")
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.Split(got, "\n"), strings.Split(string(want), "\n")); diff != "" {
					t.Errorf("differs from %s (go test ./ui/page -update rewrites it): %s", path, diff)
				}
			})
		}
	}
}

func TestEveryKindHasASample(t *testing.T) {
	seen := map[screen.Kind]bool{}
	for _, s := range screentest.All(screen.Settings{}, images()) {
		seen[s.Screen.Kind] = true
	}
	for _, k := range screen.Kinds() {
		if !seen[k] {
			t.Errorf("%s has no sample", k)
		}
	}
}

// tag is one start tag with its attributes.
type tag struct {
	name  string
	attrs map[string]string
}

// parse checks that tags are closed in order and gives all start tags.
func parse(t *testing.T, text string) []tag {
	t.Helper()
	void := []string{"img", "input", "link", "meta", "br"}
	var open []string
	var tags []tag
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %v", open)
			}
			return tags
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			one := tag{tok.Data, map[string]string{}}
			for _, a := range tok.Attr {
				if _, twice := one.attrs[a.Key]; twice {
					t.Errorf("<%s> has %s twice", tok.Data, a.Key)
				}
				one.attrs[a.Key] = a.Val
			}
			tags = append(tags, one)
			if kind == html.StartTagToken && !slices.Contains(void, tok.Data) {
				open = append(open, tok.Data)
			}
		case html.EndTagToken:
			tok := z.Token()
			if len(open) == 0 || open[len(open)-1] != tok.Data {
				t.Fatalf("</%s> closes %v", tok.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestMarkupRules(t *testing.T) {
	stable := regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	for _, s := range screentest.All(screen.Settings{Lang: "en", Size: 2, Contrast: 1}, images()) {
		t.Run(s.Name, func(t *testing.T) {
			ids := map[string]bool{}
			tags := parse(t, render(t, s.Screen))
			count := map[string]int{}
			for _, tag := range tags {
				count[tag.name]++
				if id := tag.attrs["id"]; id != "" {
					if ids[id] || !stable.MatchString(id) {
						t.Errorf("id %q is not stable or not unique", id)
					}
					ids[id] = true
				}
				for name := range tag.attrs {
					if name == "style" || strings.HasPrefix(name, "on") && name != "on" {
						t.Errorf("<%s> has the attribute %s, which the CSP forbids", tag.name, name)
					}
				}
				checkControl(t, tag)
			}
			if count["main"] != 1 || count["h1"] != 1 {
				t.Errorf("got %d <main> and %d <h1>, want one of each", count["main"], count["h1"])
			}
			if tags[0].attrs["lang"] != "en" || !ids["main"] || !ids["title"] {
				t.Error("language or landmarks are missing")
			}
		})
	}
}

func checkControl(t *testing.T, tag tag) {
	t.Helper()
	switch tag.name {
	case "input", "textarea", "select", "a", "script", "style", "form", "iframe":
		t.Errorf("there is a <%s>", tag.name)
	case "button":
		kind := screen.InputKind(tag.attrs["data-t"])
		if !slices.Contains(screen.InputKinds(), kind) {
			t.Errorf("button %q sends %q", tag.attrs["id"], kind)
		}
		if _, err := strconv.ParseUint(tag.attrs["data-i"], 10, 7); err != nil || tag.attrs["id"] == "" || tag.attrs["type"] != "button" {
			t.Errorf("button %v has no id, index or type", tag.attrs)
		}
	}
}

func TestKeypadLayout(t *testing.T) {
	caps := regexp.MustCompile(`<button id="k(\d+)"[^>]*data-t="key" data-i="(\d+)">(\d)</button>`)
	for _, c := range []struct {
		name   string
		layout []int
		want   string
	}{
		{"usual", nil, "0:1 1:2 2:3 3:4 4:5 5:6 6:7 7:8 8:9 9:0"},
		{"shuffled", []int{4, 9, 1, 0, 7, 3, 8, 2, 6, 5}, "0:4 1:9 2:1 3:0 4:7 5:3 6:8 7:2 8:6 9:5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := screentest.PIN(2)
			e.Layout = c.layout
			var got []string
			for _, m := range caps.FindAllStringSubmatch(render(t, screen.Screen{Kind: screen.Credential, Entry: e}), -1) {
				if m[1] != m[2] {
					t.Errorf("key k%s sends position %s", m[1], m[2])
				}
				got = append(got, m[2]+":"+m[3])
			}
			if diff := cmp.Diff(strings.Join(got, " "), c.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownTriesAreNeverANumber(t *testing.T) {
	e := screentest.PIN(4)
	e.TriesKnown, e.TriesLeft = false, 0
	text := render(t, screen.Screen{Kind: screen.Credential, Entry: e, Settings: screen.Settings{Lang: "en"}})
	if !strings.Contains(text, "did not say how many tries are left") || strings.Contains(text, "0 tries") {
		t.Error("an unknown counter is shown as a number")
	}
}

func TestSecretsAreEscapedAndShownOnReviewOnly(t *testing.T) {
	review := screentest.Review(screentest.Images{})
	review.Name = secret.New([]byte(`<b>&"'CANARY`))
	for _, k := range screen.Kinds() {
		text := render(t, screen.Screen{Kind: k, Review: review})
		if strings.Contains(text, "<b>") || strings.Contains(text, secret.Hidden) {
			t.Errorf("%s: not escaped or hidden", k)
		}
		if got := strings.Contains(text, "&#60;b&#62;&#38;&#34;&#39;CANARY"); got != (k == screen.Review) {
			t.Errorf("%s shows the name: %v", k, got)
		}
	}
}

func TestDates(t *testing.T) {
	for _, c := range []struct{ lang, in, want string }{
		{"ja", "19800217", "1980年2月17日"},
		{"ja", "20201109", "2020年11月9日"},
		{"en", "19800207", "7 February 1980"},
		{"en", "19801331", "19801331"},
		{"en", "1980", "1980"},
		{"ja", "1980021x", "1980021x"},
	} {
		r := screentest.Review(screentest.Images{})
		r.Birth = secret.New([]byte(c.in))
		text := render(t, screen.Screen{Kind: screen.Review, Review: r, Settings: screen.Settings{Lang: c.lang}})
		if want := fmt.Sprintf(`<dd id="review-birth">%s</dd>`, c.want); !strings.Contains(text, want) {
			t.Errorf("%s in %s is not shown as %s", c.in, c.lang, c.want)
		}
	}
}

func TestUnknownConsentIsAnError(t *testing.T) {
	s := screen.Screen{Kind: screen.Consent, Consent: []screen.ConsentItem{{ID: "identity", Version: "99"}}}
	if err := page.Render(&bytes.Buffer{}, s); err == nil {
		t.Error("a consent without a text was rendered")
	}
}

func TestUnknownTroubleStillHelps(t *testing.T) {
	text := render(t, screen.Screen{Kind: screen.PlaceCard, Trouble: &screen.Trouble{Code: "brand-new"}, Settings: screen.Settings{Lang: "en"}})
	if !strings.Contains(text, "Please call staff") {
		t.Error("an unknown trouble leaves the customer without words")
	}
}

func TestOutOfRangeSettingsAreHarmless(t *testing.T) {
	text := render(t, screen.Screen{Kind: screen.Idle, Settings: screen.Settings{Lang: "xx", Size: 9, Contrast: -1}})
	if !strings.Contains(text, `class="app s2 c0" lang="ja"`) {
		t.Errorf("got %s", text[:120])
	}
}

func BenchmarkRender(b *testing.B) {
	s := screen.Screen{Kind: screen.Credential, Step: 5, Steps: 7, CanCancel: true, Entry: screentest.NumberB(8)}
	var out bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := page.Render(&out, s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()), "bytes/screen")
}
