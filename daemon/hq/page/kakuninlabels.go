package page

import (
	"madoguchi/daemon/hq/kakunin"
	"madoguchi/storage/record"
)

// itemName is the item's name in the viewer's language.
func itemName(lang string, i kakunin.Item) string {
	if lang == "en" {
		return i.EN
	}
	return i.JA
}

// fieldName is the name of a field: HQ's own, or a word of the record.
func fieldName(lang string, i kakunin.Item, id string) string {
	f, ok := i.Field(id)
	switch {
	case !ok:
		return label(lang, id)
	case lang == "en":
		return f.EN
	}
	return f.JA
}

func counselWord(confirmed bool) string {
	if confirmed {
		return "counsel-confirmed"
	}
	return "counsel-open"
}

func statusClass(s kakunin.Status) string {
	switch s {
	case kakunin.Present, kakunin.DoesNotApply:
		return "passed"
	case kakunin.Missing:
		return "failed"
	case kakunin.None:
	}
	return ""
}

// ownImages lists the images that the record has.
func ownImages(m *record.Images) []string {
	var all []string
	if m.Face.Len() > 0 {
		all = append(all, "face")
	}
	if m.Name.Len() > 0 {
		all = append(all, "name")
	}
	if m.Address.Len() > 0 {
		all = append(all, "address")
	}
	return all
}

func wordsOfKakunin(id string) (ja, en string) {
	switch id {
	case "kakunin":
		return "確認記録", "Verification record"
	case "complete-record":
		return "完成", "complete"
	case "n-missing":
		return "欠落 %d 件", "%d missing"
	case "not-complete":
		return "未完成", "not complete"
	case "outcome-refused":
		return "本人確認は成立していません", "nobody was verified"
	case "method-unknown":
		return "確認方法が不明", "method unknown"
	case "integrity":
		return "記録の検証に合格していません", "the stored record did not pass its checks"
	case "act":
		return "法律", "Act"
	case "jp_aml":
		return "犯罪収益移転防止法", "Act on Prevention of Transfer of Criminal Proceeds"
	case "jp_mpiupa":
		return "携帯電話不正利用防止法", "Mobile Phone Improper Use Prevention Act"
	case "day":
		return "確認の日（日本時間）", "Day of the session (Japan)"
	case "missing-items":
		return "欠落している項目", "Missing items"
	case "own-images":
		return "券面の画像（外字はこの画像を正とします）", "The card's own images (they hold characters that text cannot)"
	case "thirty-items":
		return "記録事項（施行規則20条1項各号）", "Items of Article 20(1)"
	case "counsel":
		return "各号の要否と文言は、導入事業者の法務による確認を要します。[S] 資料で確認 ／ [NV] 未確認", "Which items are required, and their wording, are to be confirmed by counsel. [S] seen in a source, [NV] not verified."
	case "counsel-open":
		return "法務確認待ち", "to be confirmed by counsel"
	case "counsel-confirmed":
		return "法務確認済み", "confirmed by counsel"
	case "entries":
		return "本部の追記（追記のみ・訂正は新しい追記）", "HQ's entries (only ever added)"
	case "printed":
		return "印刷", "printed"
	case "print":
		return "印刷用", "Print"
	case "watermark":
		return "未完成 INCOMPLETE", "INCOMPLETE 未完成"
	case "export-watermark":
		return "未完成のため、出力には「未完成」と表示されます。", "Exports are marked as incomplete."
	case "export-refused":
		return "未完成のため、出力できません。", "Exports are refused until the record is complete."
	}
	return wordsOfKakuninForm(id)
}

func wordsOfKakuninForm(id string) (ja, en string) {
	switch id {
	case "enter":
		return "記入する", "Enter"
	case "add":
		return "追記する", "Add"
	case "why-entered":
		return "追記の理由・根拠", "Reason for this entry"
	case "required":
		return "必須", "required"
	case "answer":
		return "該当の有無の回答が必須", "an answer is required"
	case "if-applicable":
		return "該当するとき", "if it applies"
	case "not-of-method":
		return "この方法では対象外", "not of this method"
	case "from-kiosk":
		return "端末", "kiosk"
	case "from-hq":
		return "本部", "HQ"
	case "from-kiosk-or-hq":
		return "端末または本部", "kiosk or HQ"
	case "status-present":
		return "記録あり", "present"
	case "status-missing":
		return "欠落", "missing"
	case "status-does-not-apply":
		return "該当なし", "does not apply"
	case "status-none":
		return "―", "none"
	case "trouble-my-number":
		return "個人番号と見られる12桁の数字があります。確認記録に個人番号は記入できません。", "This looks like a My Number, which a verification record never holds."
	case "trouble-field":
		return "記入内容に不足または誤りがあります。", "A field is missing or malformed."
	case "trouble-reason":
		return "追記の理由を記入してください。", "Please give the reason for this entry."
	case "trouble-answer":
		return "この項目は「該当なし」にできません。", "This item cannot be answered with “does not apply”."
	case "trouble-item":
		return "この項目は本部では記入できません。", "HQ cannot enter this item."
	case "trouble-shredded":
		return "この記録は廃棄済みです。", "This record was shredded."
	case "trouble-incomplete":
		return "未完成のため、出力できません。", "The record is not complete: it cannot be exported."
	case "account":
		return "作成アカウント", "Account"
	case "kiosk":
		return "端末", "Kiosk"
	case "time":
		return "日時", "Time"
	case "chip_read":
		return "ICチップ読取り", "Chip read"
	case "face_taken":
		return "顔の撮影", "Face taken"
	case "code":
		return "方法", "Method"
	case "document":
		return "書類", "Document"
	case "expiry":
		return "有効期限", "Expiry"
	}
	return "", ""
}
