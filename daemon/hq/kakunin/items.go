package kakunin

import "slices"

// Items is how many numbered items Article 20(1) of the Enforcement Regulation has.
const Items = 30

// Group is the kind of an item.
type Group string

// The groups.
const (
	GroupWho      Group = "who"      // 1-2: who checked, who recorded
	GroupDates    Group = "dates"    // 3-14
	GroupMeasures Group = "measures" // 15-19: transaction, method, documents
	GroupMatters  Group = "matters"  // 20-25: what was confirmed
	GroupOther    Group = "other"    // 26-30
)

// Source says where an item comes from.
type Source string

// The sources.
const (
	FromKiosk  Source = "kiosk" // the record, as the kiosk signed it
	FromHQ     Source = "hq"    // HQ's form
	FromEither Source = "kiosk-or-hq"
)

// Mark says how well an item's wording is known.
type Mark string

// The marks.
const (
	MarkSeen    Mark = "S"        // seen in a source on this rule or on a parallel one
	MarkTelecom Mark = "S in 携帯法" // seen in a source on the telecom act's rule
	MarkUnseen  Mark = "NV"       // general knowledge: to be compared with e-Gov 420M60000F5A001
	CounselNote      = "to be confirmed by counsel"
)

// Item is one row of Article 20(1).
type Item struct {
	Number    int
	ID        string
	JA, EN    string
	Group     Group
	Source    Source
	From      string // which field of the record, or what HQ enters
	Mark      Mark
	Confirmed bool   // the wording was seen in a source; counsel confirms every item all the same
	Note      string // CounselNote, always: no row is confirmed by having been built in
	Fields    []Field
}

// Kind is what a field of HQ's form holds.
type Kind string

// The kinds.
const (
	KindText Kind = "text" // at most MaxValue bytes of UTF-8 without control characters
	KindDate Kind = "date" // YYYY-MM-DD
)

// Field is one field of HQ's form.
type Field struct {
	ID       string
	JA, EN   string
	Kind     Kind
	Required bool
}

// Field finds a field that HQ may give.
func (i Item) Field(id string) (Field, bool) {
	n := slices.IndexFunc(i.Fields, func(f Field) bool { return f.ID == id })
	if n < 0 {
		return Field{}, false
	}
	return i.Fields[n], true
}

// ItemOf gives one item by its number; false when there is none.
func ItemOf(number int) (Item, bool) {
	if number < 1 || number > Items {
		return Item{}, false
	}
	return Table()[number-1], true
}

// Table lists all items in their order.
func Table() []Item {
	var all []Item
	for _, part := range [][]Item{itemsWho(), itemsDates(), itemsMeasures(), itemsMatters(), itemsOther()} {
		all = append(all, part...)
	}
	for i := range all {
		all[i].Number = i + 1
		all[i].Confirmed = all[i].Mark != MarkUnseen
		all[i].Note = CounselNote
	}
	return all
}

func text(id, ja, en string) Field {
	return Field{ID: id, JA: ja, EN: en, Kind: KindText, Required: true}
}

func date(ja, en string) []Field {
	return []Field{{ID: "date", JA: ja, EN: en, Kind: KindDate, Required: true}}
}

func itemsWho() []Item {
	return []Item{
		{
			ID: "checked-by", JA: "確認を行った者", EN: "Person who did the check", Group: GroupWho, Source: FromEither,
			From: "evidence.presented_to or evidence.decision.staff; unattended: the responsible officer, beside the kiosk", Mark: MarkSeen,
			Fields: []Field{text("officer", "責任者の氏名または識別情報", "Responsible officer")},
		},
		{
			ID: "recorded-by", JA: "確認記録を作成した者", EN: "Person who made the record", Group: GroupWho, Source: FromKiosk,
			From: "device and evidence.software (system account)", Mark: MarkSeen,
		},
	}
}

func itemsDates() []Item {
	d := func(id, ja, en string, src Source, from string, mark Mark, fields []Field) Item {
		return Item{ID: id, JA: ja, EN: en, Group: GroupDates, Source: src, From: from, Mark: mark, Fields: fields}
	}
	return []Item{
		d("presented-at", "本人確認書類の提示を受けた日付および時刻", "Date and time of the presentation", FromKiosk, "evidence.steps (reading), else evidence.started", MarkSeen, nil),
		d("documents-received", "書類または写しの送付を受けた日付", "Date documents or copies were received", FromHQ, "HQ's form", MarkSeen, date("受領日", "Date received")),
		d("mailed", "取引関係文書を送付した日付（転送不要）", "Date a transaction document was mailed", FromHQ, "HQ's form", MarkSeen, date("送付日", "Date mailed")),
		d("image-received", "画像情報の送信を受けた日付", "Date the image was received (image method)", FromHQ, "not produced by these methods", MarkSeen, nil),
		d("chip-received", "ICチップ情報および画像を得た日付", "Dates of the chip data and of the image", FromKiosk, "evidence.steps (reading, face)", MarkSeen, nil),
		d("reliance", "依拠による確認の日付", "Date, method of reliance", FromHQ, "not produced by these methods", MarkUnseen, nil),
		d("transfer", "振込による確認の日付", "Date, method by bank transfer", FromHQ, "not produced by these methods", MarkUnseen, nil),
		d("limited-mail", "本人限定受取郵便による確認の日付", "Date, method by limited mail", FromHQ, "not produced by these methods", MarkUnseen, nil),
		d("registry", "登記情報による確認の日付", "Date, method by registry", FromHQ, "not produced by these methods", MarkUnseen, nil),
		d("visit", "訪問による確認の日付", "Date, method by visit", FromHQ, "not produced by these methods", MarkUnseen, nil),
		d("matters-checked", "取引目的・職業等を確認した日付", "Date purpose and occupation were checked", FromHQ, "HQ's form", MarkUnseen, date("確認日", "Date checked")),
		d("assets-checked", "資産・収入を確認した日付", "Date assets were checked", FromHQ, "HQ's form", MarkUnseen, date("確認日", "Date checked")),
	}
}

func itemsMeasures() []Item {
	return []Item{
		{ID: "transaction", JA: "取引の種類", EN: "Kind of transaction", Group: GroupMeasures, Source: FromKiosk, From: "evidence.service", Mark: MarkUnseen},
		{ID: "method", JA: "確認の方法", EN: "Method used", Group: GroupMeasures, Source: FromKiosk, From: "evidence.method (dated code)", Mark: MarkTelecom},
		{
			ID: "document", JA: "本人確認書類または電子証明書の名称・記号番号等", EN: "Document or electronic certificate", Group: GroupMeasures, Source: FromEither,
			From: "evidence.card.kind, identity.card_expiry, identity.municipality; signature: the platform's opaque id. Never the My Number", Mark: MarkTelecom,
			Fields: []Field{text("certificate_id", "署名検証者の発行した識別子", "Platform's opaque certificate id")},
		},
		{
			ID: "supplementary", JA: "補完書類", EN: "Supplementary document", Group: GroupMeasures, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("document", "書類の名称・記号番号等", "Document")},
		},
		{
			ID: "current-address", JA: "現在の住居の確認方法", EN: "How the current address was confirmed", Group: GroupMeasures, Source: FromHQ, From: "HQ's form, when the card's address is old", Mark: MarkUnseen,
			Fields: []Field{text("how", "確認方法", "How")},
		},
	}
}

func itemsMatters() []Item {
	return []Item{
		{ID: "identity", JA: "本人特定事項（氏名・住居・生年月日）", EN: "Identity: name, address, date of birth", Group: GroupMatters, Source: FromKiosk, From: "identity (signed by the card's issuer)", Mark: MarkSeen},
		{
			ID: "agent", JA: "代理人・代表者等（本人特定事項・関係・権限の根拠）", EN: "Agent: identity, relation, why believed authorised", Group: GroupMatters, Source: FromHQ, From: "HQ's form, from the staff path", Mark: MarkUnseen,
			Fields: []Field{text("name", "氏名・住居・生年月日", "Identity"), text("relation", "顧客との関係", "Relation"), text("authority", "権限があると認めた理由", "Why authorised")},
		},
		{
			ID: "purpose", JA: "取引を行う目的", EN: "Purpose of the transaction", Group: GroupMatters, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("purpose", "目的", "Purpose")},
		},
		{
			ID: "occupation", JA: "職業または事業の内容", EN: "Occupation or business", Group: GroupMatters, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("occupation", "職業", "Occupation")},
		},
		{
			ID: "beneficial-owner", JA: "実質的支配者", EN: "Beneficial owner", Group: GroupMatters, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("owner", "実質的支配者", "Beneficial owner")},
		},
		{
			ID: "assets", JA: "資産および収入の状況と確認書類", EN: "Assets and income, and the document", Group: GroupMatters, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("assets", "資産・収入の状況", "Assets and income"), text("document", "確認した書類", "Document")},
		},
	}
}

func itemsOther() []Item {
	return []Item{
		{
			ID: "other-name", JA: "異なる名義とその理由", EN: "Other name used, and why", Group: GroupOther, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("name", "名義", "Name"), text("why", "理由", "Why")},
		},
		{
			ID: "search-key", JA: "取引記録を検索するための口座番号等", EN: "Account number or other key to the transaction records", Group: GroupOther, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("key", "口座番号等", "Account number or key")},
		},
		{
			ID: "earlier-record", JA: "以前の確認記録（再確認の場合）", EN: "Link to an earlier record", Group: GroupOther, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("ref", "確認記録の番号", "Record")},
		},
		{
			ID: "foreign-pep", JA: "外国の重要な公人等であるときその旨と理由", EN: "Foreign politically exposed person, and why", Group: GroupOther, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("position", "地位", "Position"), text("why", "認めた理由", "Why")},
		},
		{
			ID: "short-stay", JA: "短期在留者の上陸許可の証印等", EN: "Short-stay visitor's entry stamp", Group: GroupOther, Source: FromHQ, From: "HQ's form", Mark: MarkUnseen,
			Fields: []Field{text("stamp", "証印等", "Stamp")},
		},
	}
}
