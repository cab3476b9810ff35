package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("あ", 200)
	for _, c := range []struct {
		name, frame string
		want        Input
		n           uint64
		ok          bool
	}{
		{"sign-in", `{"t":"sign-in","n":1,"staff":"s-12","pin":"2468"}`, Input{Kind: InSignIn, Staff: "s-12"}, 1, true},
		{"approve", `{"t":"approve","n":7,"case":"c1","reason":"photo-same-person","note":"ok \"quoted\"\n"}`, Input{Kind: InApprove, Case: "c1", Reason: "photo-same-person", Note: "ok \"quoted\"\n"}, 7, true},
		{"refuse", `{"t":"refuse","n":8,"case":"c1","reason":"suspected-fraud","note":"` + long + `"}`, Input{Kind: InRefuse, Case: "c1", Reason: "suspected-fraud", Note: long}, 8, true},
		{"sign-out", `{"t":"sign-out","n":3}`, Input{Kind: InSignOut}, 3, true},
		{"helped", `{"t":"helped","n":3}`, Input{Kind: InHelped}, 3, true},
		{"cancel", `{"t":"cancel","n":3}`, Input{Kind: InCancel}, 3, true},
		{"lang", `{"t":"lang","n":3,"reason":"en"}`, Input{Kind: InLang, Reason: "en"}, 3, true},
		{"reason-of-the-other-list", `{"t":"approve","n":1,"case":"c","reason":"suspected-fraud","note":""}`, Input{}, 0, false},
		{"made-up-reason", `{"t":"refuse","n":1,"case":"c","reason":"because","note":""}`, Input{}, 0, false},
		{"no-reason", `{"t":"approve","n":1,"case":"c","reason":"","note":""}`, Input{}, 0, false},
		{"no-case", `{"t":"approve","n":1,"case":"","reason":"photo-same-person","note":""}`, Input{}, 0, false},
		{"note-too-long", `{"t":"refuse","n":1,"case":"c","reason":"other-person","note":"` + long + `x"}`, Input{}, 0, false},
		{"no-count", `{"t":"helped"}`, Input{}, 0, false},
		{"count-zero", `{"t":"helped","n":0}`, Input{}, 0, false},
		{"count-as-text", `{"t":"helped","n":"1"}`, Input{}, 0, false},
		{"unknown-kind", `{"t":"open-door","n":1}`, Input{}, 0, false},
		{"unknown-field", `{"t":"helped","n":1,"x":"1"}`, Input{}, 0, false},
		{"field-too-much", `{"t":"helped","n":1,"case":"c"}`, Input{}, 0, false},
		{"twice", `{"t":"helped","n":1,"n":2}`, Input{}, 0, false},
		{"unknown-language", `{"t":"lang","n":1,"reason":"fr"}`, Input{}, 0, false},
		{"empty-pin", `{"t":"sign-in","n":1,"staff":"s","pin":""}`, Input{}, 0, false},
		{"escaped-pin", `{"t":"sign-in","n":1,"staff":"s","pin":"\u0031"}`, Input{}, 0, false},
		{"pin-too-long", `{"t":"sign-in","n":1,"staff":"s","pin":"` + strings.Repeat("1", 33) + `"}`, Input{}, 0, false},
		{"auth-later", `{"t":"auth","k":""}`, Input{}, 0, false},
		{"not-an-object", `hello`, Input{}, 0, false},
		{"too-long", `{"t":"helped","n":1}` + strings.Repeat(" ", 4096), Input{}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, n, err := parse([]byte(c.frame))
			if (err == nil) != c.ok || n != c.n {
				t.Fatalf("got %d, %v", n, err)
			}
			if c.name == "sign-in" && string(got.PIN.Reveal()) != "2468" {
				t.Error("the PIN is lost")
			}
			got.PIN = nil
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParsedPINOutlivesTheFrame(t *testing.T) {
	frame := []byte(`{"t":"sign-in","n":1,"staff":"s-12","pin":"2468"}`)
	in, _, err := parse(frame)
	clear(frame)
	if err != nil || string(in.PIN.Reveal()) != "2468" || in.Staff != "s-12" {
		t.Errorf("got %v %q", err, in.PIN.Reveal())
	}
}

func TestParseAuth(t *testing.T) {
	for frame, want := range map[string]string{
		`{"t":"auth","k":""}`:                         "ok:",
		`{"t":"auth","k":"abcdefghijklmnopqrstuv"}`:   "ok:abcdefghijklmnopqrstuv",
		`{"t":"auth","k":"short"}`:                    "refused",
		`{"t":"auth"}`:                                "refused",
		`{"t":"auth","k":"","n":1}`:                   "refused",
		`{"t":"helped","k":"abcdefghijklmnopqrstuv"}`: "refused",
	} {
		key, err := parseAuth([]byte(frame))
		got := "ok:" + string(key)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s gave %s, want %s", frame, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"t":"sign-in","n":1,"staff":"s-12","pin":"2468"}`))
	f.Add([]byte(`{"t":"approve","n":7,"case":"c1","reason":"photo-same-person","note":"\ud83d\ude00"}`))
	f.Add([]byte(`{"t":"lang","n":3,"reason":"en"}  `))
	f.Fuzz(func(t *testing.T, frame []byte) {
		in, n, err := parse(frame)
		if err != nil {
			if in != (Input{}) || n != 0 {
				t.Fatalf("a refused frame gave %+v", in)
			}
			return
		}
		if n == 0 || len(in.Note) > 4*200 || len(in.Case) > 64 || len(in.Staff) > 64 || in.PIN.Len() > 32 {
			t.Fatalf("out of bounds: %d %d %d %d %d", n, len(in.Note), len(in.Case), len(in.Staff), in.PIN.Len())
		}
		if (in.Kind == InSignIn) != (in.PIN != nil) || (in.Kind == InApprove || in.Kind == InRefuse) != (in.Case != "") {
			t.Fatalf("fields do not fit the kind: %+v", in)
		}
	})
}
