package i18n

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ErrNoConsent is given for a consent that has no text in that language and version.
var ErrNoConsent = errors.New("i18n: no such consent text")

// ConsentID names one consent text. Versions are never edited: a change of wording is a new version, because the
// digest of the text shown is kept in the record.
type ConsentID struct{ ID, Version string }

// Consents lists every consent text there is.
func Consents() []ConsentID {
	return []ConsentID{{"identity", "1"}, {"face", "1"}}
}

// ConsentText gives a consent's title and body, and the SHA-256 (hex) of title, line feed, body in UTF-8.
// Everything is empty when there is no such text; HasConsent tells.
func ConsentText(lang, id, version string) (title, body, sha256hex string) {
	title, body = consentText(lang, id, version)
	if title == "" {
		return "", "", ""
	}
	sum := sha256.Sum256([]byte(title + "\n" + body))
	return title, body, hex.EncodeToString(sum[:])
}

// HasConsent gives ErrNoConsent when a consent has no text in that language and version. Callers ask at start-up,
// so that a service profile cannot name a consent that nobody can read.
func HasConsent(lang, id, version string) error {
	if title, _ := consentText(lang, id, version); title == "" {
		return ErrNoConsent
	}
	return nil
}

func consentText(lang, id, version string) (title, body string) {
	switch lang + "/" + id + "/" + version {
	case "ja/identity/1":
		return "本人確認のために情報を読み取ること",
			"カードのICチップから、氏名・住所・生年月日・性別・有効期限・顔写真を読み取ります。" +
				"法令で定められた本人確認のためだけに使います。個人番号（マイナンバー）は保存しません。" +
				"記録は暗号化して本部に送り、法令で定められた期間が過ぎたら消します。"
	case "en/identity/1":
		return "Reading your details to check your identity",
			"We read your name, address, date of birth, sex, expiry date and photo from the chip of your card. " +
				"We use them only for the identity check that the law requires. We do not keep your My Number. " +
				"The record is encrypted, sent to our headquarters and deleted after the period set by law."
	case "ja/face/1":
		return "カメラで顔を確認すること",
			"カメラの映像とカードの顔写真を、この機械の中で比べます。映像と顔の特徴データは、確認が終わったら消します。" +
				"同意しないときは、係員が写真と見比べます。手続きは同じように進みます。"
	case "en/face/1":
		return "Checking your face with the camera",
			"This machine compares the camera picture with the photo on your card. The pictures and the facial data are " +
				"erased when the check is done. If you do not agree, a member of staff compares you with the photo " +
				"instead, and everything else stays the same."
	}
	return "", ""
}
