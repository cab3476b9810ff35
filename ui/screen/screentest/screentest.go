// Package screentest has one sample of every screen, and of its notable states, for golden files, screenshots and
// browser tests. The people in it do not exist. Only tests may import it.
package screentest

import (
	"madoguchi/internal/secret"
	"madoguchi/ui/screen"
)

// Sample is a screen with a name that is good for a file.
type Sample struct {
	Name   string
	Screen screen.Screen
}

// Images are handles to put into the samples; empty ones leave the pictures out.
type Images struct{ Face, Name, Address screen.Image }

// All makes the samples anew, in the settings given.
func All(set screen.Settings, img Images) []Sample {
	list := append(begin(), entries()...)
	list = append(list, checks(img)...)
	list = append(list, endings()...)
	list = append(list, overlays(img)...)
	for i := range list {
		s := &list[i].Screen
		s.Settings, s.Instance = set, uint64(i+1)
		s.CanCallStaff = true
	}
	return list
}

func begin() []Sample {
	consents := func(first, second bool) []screen.ConsentItem {
		return []screen.ConsentItem{
			{ID: "identity", Version: "1", Required: true, Ticked: first},
			{ID: "face", Version: "1", Ticked: second},
		}
	}
	return []Sample{
		{"idle", screen.Screen{Kind: screen.Idle, Virtual: true, Dev: People()}},
		{"language", step(screen.Language, 1)},
		{"case", with(step(screen.CaseReference, 2), func(s *screen.Screen) { s.Case = &screen.Case{} })},
		{"case-typed", with(step(screen.CaseReference, 2), func(s *screen.Screen) {
			s.Case = &screen.Case{Digits: "204815"}
		})},
		{"consent", with(step(screen.Consent, 3), func(s *screen.Screen) { s.Consent = consents(false, false) })},
		{"consent-missing", with(step(screen.Consent, 3), func(s *screen.Screen) {
			s.Consent = consents(false, true)
			s.Trouble = &screen.Trouble{Code: "consent-needed"}
		})},
		{"place-card", step(screen.PlaceCard, 4)},
		{"place-card-wrong", with(step(screen.PlaceCard, 4), func(s *screen.Screen) {
			s.Trouble = &screen.Trouble{Code: "card-not-my-number"}
		})},
		{"card-check", with(step(screen.CardCheck, 4), func(s *screen.Screen) { s.CardOnReader = true })},
	}
}

func entries() []Sample {
	return []Sample{
		{"credential-b", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = NumberB(8)
		})},
		{"credential-b-wrong", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = NumberB(0)
			s.Entry.TriesLeft = 9
			s.Trouble = &screen.Trouble{Code: "number-b-wrong"}
		})},
		{"credential-pin", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = PIN(4)
		})},
		{"credential-pin-shuffled", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = PIN(1)
			s.Entry.Layout = []int{4, 9, 1, 0, 7, 3, 8, 2, 6, 5}
			s.Entry.TriesKnown = false
		})},
		{"credential-blocked", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = NumberB(0)
			s.Trouble = &screen.Trouble{Code: "pin-blocked"}
		})},
		{"last-try", with(step(screen.LastTry, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = PIN(4)
			s.Entry.TriesLeft = 1
		})},
		{"document", with(step(screen.Document, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Document = secret.Copy([]byte(Paper))
			s.Ways = []screen.Route{screen.RouteB}
		})},
		{"credential-sign", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = Password(7)
		})},
		{"credential-sign-wrong", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Entry = Password(0)
			s.Entry.TriesLeft = 2
			s.Trouble = &screen.Trouble{Code: "sign-wrong"}
		})},
		{"put-back", with(step(screen.PutBack, 5), func(s *screen.Screen) {
			s.Trouble = &screen.Trouble{Code: "card-removed"}
			s.Countdown = 17
		})},
		{"ways", with(step(screen.Ways, 5), func(s *screen.Screen) {
			s.Trouble = &screen.Trouble{Code: "number-b-blocked"}
		})},
		{"ways-numbers", with(step(screen.Ways, 5), func(s *screen.Screen) {
			s.Trouble = &screen.Trouble{Code: "pin-blocked"}
			s.Ways = []screen.Route{screen.RouteB}
		})},
		{"reading", with(step(screen.Reading, 5), func(s *screen.Screen) { s.CardOnReader = true })},
	}
}

func checks(img Images) []Sample {
	return []Sample{
		{"review", with(step(screen.Review, 6), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Review = Review(img)
		})},
		{"review-pin", with(step(screen.Review, 6), func(s *screen.Screen) {
			s.CardOnReader = true
			s.Review = Review(Images{})
			s.Review.Expiry = ""
		})},
		{"face", with(step(screen.Face, 7), func(s *screen.Screen) {
			s.Face = &screen.FaceGuide{Hint: "closer", Good: 1, Need: 3}
		})},
		{"face-good", with(step(screen.Face, 7), func(s *screen.Screen) {
			s.Face = &screen.FaceGuide{Hint: "good", Good: 2, Need: 3}
		})},
		{"face-declined", with(step(screen.Face, 7), func(s *screen.Screen) {
			s.Face = &screen.FaceGuide{Declined: true}
		})},
		{"deciding", step(screen.Deciding, 7)},
		{"wait-staff", with(step(screen.WaitStaff, 7), func(s *screen.Screen) {
			s.Trouble = &screen.Trouble{Code: "face-mismatch"}
		})},
	}
}

func endings() []Sample {
	result := func(o screen.Outcome, code string) screen.Screen {
		return screen.Screen{Kind: screen.Result, Result: &screen.ResultData{Outcome: o, Code: code, Receipt: "9F3C-01AB"}}
	}
	return []Sample{
		{"result-verified", result(screen.Verified, "")},
		{"result-pending", result(screen.Pending, "revocation-pending")},
		{"result-referred", result(screen.Referred, "no-staff")},
		{"result-refused", result(screen.Refused, "staff-refused")},
		{"result-cancelled", screen.Screen{Kind: screen.Result, Result: &screen.ResultData{Outcome: screen.Cancelled}}},
		{"take-card", screen.Screen{Kind: screen.TakeCard, CardOnReader: true}},
		{"out-of-service", screen.Screen{Kind: screen.OutOfService, Trouble: &screen.Trouble{Code: "reader-missing"}}},
	}
}

func overlays(img Images) []Sample {
	return []Sample{
		{"ask-cancel", with(step(screen.Review, 6), func(s *screen.Screen) {
			s.Review = Review(img)
			s.AskCancel = true
		})},
		{"time-left", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.Entry = NumberB(6)
			s.SecondsLeft = 20
			s.Virtual = true
			s.StaffCalled = true
		})},
		{"developer", with(step(screen.PlaceCard, 4), func(s *screen.Screen) {
			s.Virtual = true
			s.Dev = People()
		})},
		{"developer-entry", with(step(screen.Credential, 5), func(s *screen.Screen) {
			s.Virtual = true
			s.CardOnReader = true
			s.Entry = NumberB(9)
			s.Dev = People()
			s.Dev.Card, s.Dev.Shown = "tanaka", "suzuki"
		})},
	}
}

func step(k screen.Kind, n int) screen.Screen {
	return screen.Screen{Kind: k, Step: n, Steps: 7, CanBack: n > 1, CanCancel: true}
}

func with(s screen.Screen, change func(*screen.Screen)) screen.Screen {
	change(&s)
	return s
}

// NumberB is the entry of 照合番号B with so many of its 14 digits typed.
func NumberB(typed int) *screen.Entry {
	e := &screen.Entry{Route: screen.RouteB, TriesLeft: 10, TriesKnown: true, Switch: []screen.Route{screen.RoutePIN}, Complete: typed >= 14}
	for _, f := range []screen.EntryField{{Name: "birth", Length: 6}, {Name: "expiry", Length: 4}, {Name: "code", Length: 4}} {
		f.Filled = min(typed, f.Length)
		f.Active = f.Filled < f.Length && (len(e.Fields) == 0 || !e.Fields[len(e.Fields)-1].Active)
		if len(e.Fields) > 0 && e.Fields[0].Filled < e.Fields[0].Length {
			f.Active = false
		}
		typed -= f.Filled
		e.Fields = append(e.Fields, f)
	}
	return e
}

// PIN is the entry of the 4-digit PIN with so many digits typed.
func PIN(typed int) *screen.Entry {
	return &screen.Entry{
		Route: screen.RoutePIN, TriesLeft: 3, TriesKnown: true, Switch: []screen.Route{screen.RouteB}, Complete: typed == 4,
		Fields: []screen.EntryField{{Name: "pin", Length: 4, Filled: typed, Active: typed < 4}},
	}
}

// Password is the entry of the signature password with so many characters typed.
func Password(typed int) *screen.Entry {
	return &screen.Entry{
		Route: screen.RouteSign, TriesLeft: 5, TriesKnown: true, Switch: []screen.Route{screen.RouteB}, Complete: typed >= 6,
		Fields: []screen.EntryField{{Name: "password", Length: 16, Filled: typed, Active: typed < 16}},
	}
}

// Paper is a document to be signed.
const Paper = "申込みと同意の確認書\n私は、この文書に、署名用電子証明書で署名します。\n\n手続き: address-change\n受付番号: 204815\n" +
	"日時: 2026-11-22 10:00:00 +09:00\n\n同意: 本人確認のために情報を読み取ること (identity 1)\nカードのICチップから、氏名・住所・生年月日・性別を読み取ります。\n"

// Review is what was read of a person who does not exist.
func Review(img Images) *screen.ReviewData {
	return &screen.ReviewData{
		Name:    secret.Copy([]byte("窓口　花子")),
		Address: secret.Copy([]byte("東京都千代田区架空町一丁目二番三号　まどぐちハイツ一〇四号室")),
		Birth:   secret.Copy([]byte("19800217")), Sex: secret.Copy([]byte("2")), Expiry: "2035-02-17",
		NameImage: img.Name, AddressImage: img.Address, Face: img.Face,
	}
}

// People are the developer panel's virtual people.
func People() *screen.Dev {
	return &screen.Dev{
		People: []screen.DevPerson{
			{ID: "tanaka", Label: "田中 一郎", Note: "正常"},
			{ID: "suzuki", Label: "鈴木 花子", Note: "正常"},
			{ID: "sato", Label: "佐藤 実", Note: "期限切れ"},
			{ID: "ito", Label: "伊藤 さくら", Note: "15歳未満"},
			{ID: "kato", Label: "加藤 進", Note: "暗証番号ロック"},
			{ID: "yamada", Label: "山田 太郎", Note: "別人の顔"},
		},
		Shown: "tanaka",
	}
}
