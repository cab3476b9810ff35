package page

import (
	"context"
	"html/template"
	"io"
	"time"

	"github.com/a-h/templ"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/finding"
	"madoguchi/internal/secret"
)

// label gives a word of the page in Japanese or English; an unknown id is shown as it is, so that codes of records
// (routes, reasons) appear unchanged.
func label(lang, id string) string {
	ja, en := words(id)
	if lang == "en" {
		return en
	}
	return ja
}

// words holds the page's own words.
func words(id string) (ja, en string) {
	if ja, en = wordsOfPage(id); ja != "" {
		return ja, en
	}
	if ja, en = wordsOfRecord(id); ja != "" {
		return ja, en
	}
	if ja, en = wordsOfFinding(id); ja != "" {
		return ja, en
	}
	if ja, en = wordsOfRetention(id); ja != "" {
		return ja, en
	}
	if ja, en = wordsOfKakunin(id); ja != "" {
		return ja, en
	}
	return id, id
}

func wordsOfPage(id string) (ja, en string) {
	switch id {
	case "title":
		return "窓口 本部", "Madoguchi HQ"
	case "records":
		return "受信した記録", "Records received"
	case "record":
		return "記録", "Record"
	case "views":
		return "閲覧の履歴", "View log"
	case "sign-in":
		return "サインイン", "Sign in"
	case "sign-out":
		return "サインアウト", "Sign out"
	case "token":
		return "起動時に表示された鍵", "Token printed at start"
	case "refused-token":
		return "鍵が違います。", "The token is not right."
	case "loopback":
		return "この画面は本機（ループバック）専用の試用版です。閲覧はすべて履歴に残ります。", "For this machine only (loopback), a first stage. Every view is logged."
	case "device":
		return "端末", "Kiosk"
	case "created":
		return "作成", "Created"
	case "received":
		return "受信", "Received"
	case "parts":
		return "区分", "Parts"
	case "virtual":
		return "仮想", "Virtual"
	case "none-yet":
		return "まだ記録がありません。", "No records yet."
	case "missing":
		return "未着の番号", "Numbers not received"
	case "highest":
		return "最大番号", "Highest number"
	case "count":
		return "件数", "Records"
	case "older":
		return "前の記録", "Older"
	case "newer":
		return "新しい記録", "Newer"
	case "viewer":
		return "閲覧者", "Viewer"
	case "what":
		return "対象", "What"
	case "when":
		return "時刻", "When"
	case "back":
		return "一覧へ", "Back to the list"
	case "size":
		return "封緘後の大きさ", "Sealed size"
	case "key":
		return "鍵", "Key"
	case "state":
		return "状態", "State"
	}
	return "", ""
}

func wordsOfRecord(id string) (ja, en string) {
	switch id {
	case "verify":
		return "検証", "Verification"
	case "envelope":
		return "保存された封筒が受信時と同じ", "Stored envelope is the one received"
	case "digests":
		return "各区分のダイジェスト", "Digests of the parts"
	case "signature":
		return "端末の署名", "Kiosk's signature"
	case "receipt":
		return "本部の受領証", "HQ's receipt"
	case "columns":
		return "一覧の項目と署名済みヘッダーの一致", "Columns match the signed header"
	case "canonical":
		return "開封した区分の正規形", "Canonical form of the parts opened"
	case "complete":
		return "記録全体の整合", "The record as a whole"
	case "passed":
		return "合格", "passed"
	case "failed":
		return "不合格", "failed"
	case "":
		return "未確認", "not checked"
	case "opened":
		return "開封済み", "opened"
	case "no-key":
		return "この役割に鍵なし", "no key in this role"
	case "identity":
		return "本人特定事項", "Identity"
	case "images":
		return "券面の画像", "Images of the card"
	case "evidence":
		return "確認の記録", "Evidence"
	case "certificate":
		return "電子証明書", "Certificate"
	case "my_number":
		return "個人番号", "My Number"
	case "name":
		return "氏名", "Name"
	case "address":
		return "住所", "Address"
	case "birth":
		return "生年月日", "Date of birth"
	case "sex":
		return "性別", "Sex"
	case "male":
		return "男", "male"
	case "female":
		return "女", "female"
	case "other-sex":
		return "不明・その他", "unknown or other"
	case "card-serial":
		return "製造番号", "Card serial"
	case "municipality":
		return "市区町村コード", "Municipality"
	case "card-expiry":
		return "カードの有効期限", "Card expiry"
	case "source":
		return "読取元", "Source"
	case "face":
		return "顔写真", "Face"
	}
	return wordsOfEvidence(id)
}

func wordsOfFinding(id string) (ja, en string) {
	switch id {
	case "waiting":
		return "鍵を待っています", "waits for its key"
	case "not-asked":
		return "開封していません", "not opened"
	case "finding":
		return "受信後の自動検証", "Found after reception"
	case "not-yet-found":
		return "まだ検証していません。", "Not looked at yet."
	case "finding-opened":
		return "合格", "opened, all checks passed"
	case "finding-failed":
		return "不合格", "failed"
	case "finding-waiting":
		return "待機中", "waits"
	case "finding-closed":
		return "この役割の区分なし（外側のみ検証）", "no part of this role; checked from outside"
	}
	return "", ""
}

func wordsOfEvidence(id string) (ja, en string) {
	switch id {
	case "service":
		return "サービス", "Service"
	case "method":
		return "確認方法", "Method"
	case "statute":
		return "根拠", "Statute"
	case "channel":
		return "対面・非対面", "Channel"
	case "attended":
		return "係員あり", "attended"
	case "unattended":
		return "係員なし", "unattended"
	case "presented-to":
		return "提示を受けた者", "Presented to"
	case "case":
		return "案件", "Case"
	case "started":
		return "開始", "Started"
	case "finished":
		return "終了", "Finished"
	case "steps":
		return "手順", "Steps"
	case "consents":
		return "同意", "Consents"
	case "given":
		return "同意した", "given"
	case "refused-consent":
		return "同意しなかった", "refused"
	case "card":
		return "カードの真正性", "Card"
	case "route":
		return "読取方式", "Route"
	case "confirmed":
		return "本人が表示を確認", "Customer confirmed"
	case "face-check":
		return "顔照合", "Face check"
	case "liveness":
		return "生体検知", "Liveness"
	case "score":
		return "類似度", "Score"
	case "threshold":
		return "しきい値", "Threshold"
	case "model":
		return "モデル", "Model"
	case "decision":
		return "判定", "Decision"
	case "verified":
		return "確認済み", "verified"
	case "refused":
		return "確認不可", "refused"
	case "machine":
		return "機械", "machine"
	case "staff":
		return "係員", "staff"
	case "reason":
		return "理由", "Reason"
	case "note":
		return "備考", "Note"
	case "software":
		return "ソフトウェア", "Software"
	case "equipment":
		return "読取機・カメラ", "Reader and camera"
	case "yes":
		return "はい", "yes"
	case "no":
		return "いいえ", "no"
	}
	return "", ""
}

// reveal writes a secret's text, escaped, without making a Go string of it.
func reveal(s *secret.Bytes) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		template.HTMLEscape(w, s.Reveal())
		return nil
	})
}

// sexWord is the label id of the chip's digit.
func sexWord(s *secret.Bytes) string {
	b := s.Reveal()
	switch {
	case len(b) == 1 && b[0] == '1':
		return "male"
	case len(b) == 1 && b[0] == '2':
		return "female"
	}
	return "other-sex"
}

// japan shows times as staff read them.
func japan(t time.Time) string {
	return t.In(time.FixedZone("JST", 9*3600)).Format("2006-01-02 15:04:05")
}

// check is one line of the verification panel.
type check struct {
	ID      string
	Verdict opener.Verdict
}

func checks(v opener.Verification) []check {
	return []check{
		{"signature", v.Signature},
		{"digests", v.Digests},
		{"envelope", v.Envelope},
		{"receipt", v.Receipt},
		{"columns", v.Columns},
		{"canonical", v.Canonical},
		{"complete", v.Complete},
	}
}

// class is the colour of a verdict.
func class(v opener.Verdict) string {
	switch v {
	case opener.Passed:
		return "passed"
	case opener.Failed:
		return "failed"
	case opener.NotChecked:
	}
	return "unchecked"
}

// findingVerdict gives a finding the colour of a verdict.
func findingVerdict(s finding.State) opener.Verdict {
	switch s {
	case finding.Opened:
		return opener.Passed
	case finding.Failed:
		return opener.Failed
	case finding.Waiting, finding.Closed:
	}
	return opener.NotChecked
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// overall is the verdict over the whole record.
func overall(v opener.Verification) opener.Verdict {
	if v.Passed() {
		return opener.Passed
	}
	return opener.Failed
}
