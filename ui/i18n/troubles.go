package i18n

import "strings"

// Trouble is one failure that a person meets: what happened, why, and what to do next.
type Trouble struct{ Title, Cause, WayOut string }

// TroubleCodes is the closed list of failures. The codes are stable: they stand in records, in docs/failures.md and
// in conversations with support.
func TroubleCodes() []string {
	return []string{
		"card-removed", "card-swapped", "no-chip", "card-unreadable", "card-mute", "card-not-my-number", "card-other-person", "card-expired",
		"card-phone", "card-juki", "card-licence", "card-residence", "card-passport", "card-transit", "number-b-wrong", "number-b-blocked", "number-b-format", "pin-wrong",
		"pin-blocked", "pin-format", "sign-wrong", "sign-blocked", "sign-format", "no-sign-certificate", "card-without-pin",
		"certificate-expired", "certificate-revoked", "revocation-pending", "reader-missing", "reader-busy", "card-service", "camera-missing",
		"camera-failing", "face-not-checked", "face-mismatch", "face-attack", "staff-refused", "staff-needed",
		"no-staff", "storage-failed", "storage-full", "hq-silent", "hq-revoked", "hq-keys", "clock-wrong", "audit-log", "maintenance", "timeout", "internal", "consent-needed", "time-up",
		"wrong-data", "under-15",
	}
}

// TroubleFor gives the texts of a trouble code; ok is false when the code is not in the list.
func TroubleFor(lang, code string) (t Trouble, ok bool) {
	if lang == English {
		return troubleEnglish(code)
	}
	return troubleJapanese(code)
}

// FailuresMarkdown makes the text of docs/failures.md: every code with cause and way out in both languages.
func FailuresMarkdown() string {
	var b strings.Builder
	b.WriteString("# Failures\n\n")
	b.WriteString("Every failure that a person can meet at the kiosk, by its stable code. The texts are the ones the kiosk shows.\n")
	b.WriteString("This file is generated from `ui/i18n`; edit the texts there.\n")
	for _, code := range TroubleCodes() {
		en, _ := TroubleFor(English, code)
		ja, _ := TroubleFor(Japanese, code)
		b.WriteString("\n## " + code + "\n\n")
		b.WriteString("| | English | 日本語 |\n|---|---|---|\n")
		b.WriteString("| what happened | " + en.Title + " | " + ja.Title + " |\n")
		b.WriteString("| cause | " + en.Cause + " | " + ja.Cause + " |\n")
		b.WriteString("| way out | " + en.WayOut + " | " + ja.WayOut + " |\n")
	}
	return b.String()
}
