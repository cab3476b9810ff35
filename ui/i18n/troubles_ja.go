package i18n

func troubleJapanese(code string) (Trouble, bool) {
	for _, part := range []func(string) (Trouble, bool){
		troubleJapaneseMoved, troubleJapaneseSign, troubleJapaneseCard, troubleJapaneseNumber, troubleJapaneseDevice, troubleJapaneseRest,
	} {
		if t, ok := part(code); ok {
			return t, true
		}
	}
	return Trouble{}, false
}

func troubleJapaneseMoved(code string) (Trouble, bool) {
	switch code {
	case "card-removed":
		return Trouble{
			"カードが離れました",
			"読み取りの途中で、カードが機械から離れました。",
			"同じカードをもう一度置いてください。番号は、もう一度入力していただきます。",
		}, true
	case "card-swapped":
		return Trouble{
			"別のカードが置かれました",
			"初めに置いたカードではありませんでした。",
			"安全のため、読み取った内容は消しました。1枚のカードで、初めからお願いします。",
		}, true
	case "no-chip":
		return Trouble{
			"係員がいっしょに確認します",
			"ICチップを読み取れるカードがない、とのことです。",
			"お持ちの書類を係員にお見せください。使える書類は係員がご案内します。",
		}, true
	}
	return Trouble{}, false
}

// troubleJapaneseSign has what concerns the signature.
func troubleJapaneseSign(code string) (Trouble, bool) {
	switch code {
	case "sign-wrong":
		return Trouble{
			"パスワードがちがいます",
			"入力した文字が、カードの署名用パスワードと合いませんでした。",
			"残りの回数を確かめて、英大文字と数字でもう一度入力してください。自信がないときは別の方法を選べます。",
		}, true
	case "sign-blocked":
		return Trouble{
			"署名用パスワードがロックされています",
			"続けてまちがって入力されたため、カードがロックしました。",
			"三つの方法があります。①このままカードの番号や係員と手続きを続ける。②市区町村の窓口でロックを解く。③スマートフォンのアプリで申し込み、24時間以内にコンビニの端末で設定し直す。",
		}, true
	case "sign-format":
		return Trouble{
			"パスワードが足りません",
			"署名用パスワードは、英大文字と数字を両方使った6文字から16文字です。",
			"もう一度入力してください。回数は減っていません。",
		}, true
	case "no-sign-certificate":
		return Trouble{
			"署名用電子証明書がないカードです",
			"15歳未満の方のカードや、希望されなかった方のカードには入っていません。",
			"カードの番号を使うか、係員と続けてください。",
		}, true
	case "card-without-pin":
		return Trouble{
			"暗証番号を使わないカードです",
			"顔認証マイナンバーカードか、すべての番号がロックされています。",
			"カードの番号を使うか、係員と続けてください。暗証番号は市区町村の窓口で設定できます。",
		}, true
	case "certificate-expired":
		return Trouble{
			"署名用電子証明書の有効期限が切れています",
			"証明書は誕生日に終わり、カードより早く切れることがあります。",
			"カードの番号を使うか、係員と続けてください。更新は市区町村の窓口でできます。",
		}, true
	case "certificate-revoked":
		return Trouble{
			"署名用電子証明書は、いまは有効ではありません",
			"氏名や住所が変わると、証明書は終わります。",
			"係員が別の方法をご案内します。新しい証明書は市区町村の窓口で発行できます。",
		}, true
	case "revocation-pending":
		return Trouble{
			"会社で確認中です",
			"証明書がいまも有効かどうかを、これから問い合わせます。",
			"ここでお待ちいただく必要はありません。結果は後ほどお知らせします。下の番号をお控えください。",
		}, true
	}
	return Trouble{}, false
}

func troubleJapaneseCard(code string) (Trouble, bool) {
	switch code {
	case "card-unreadable":
		return Trouble{
			"カードを読み取れませんでした",
			"カードの位置がずれているか、ほかのカードや金属が近くにあります。",
			"カードケースから出して、1枚だけ置き直してください。うまくいかないときは係員をお呼びください。",
		}, true
	case "card-mute":
		return Trouble{
			"カードから返事がありません",
			"カードの向きや位置が合っていないか、ほかのカードが重なっているか、ICチップが壊れている可能性があります。",
			"ケースから出して、このカード1枚だけを置き直してください。続くときは係員が別の方法をご案内します。",
		}, true
	case "card-not-my-number":
		return Trouble{
			"マイナンバーカードではないようです",
			"置かれたカードに、マイナンバーカードの機能が見つかりませんでした。",
			"マイナンバーカードをお持ちでしたら置いてください。お持ちでないときは係員がご案内します。",
		}, true
	case "card-other-person":
		return Trouble{
			"先ほどと別のカードです",
			"手続きの途中で、別のカードが置かれました。",
			"初めに置いたカードを置いてください。やり直すときは「やめる」にさわってください。",
		}, true
	case "card-expired":
		return Trouble{
			"カードの有効期限が切れています",
			"カードに書かれた有効期限を過ぎています。",
			"本日の手続きは係員がご案内します。カードの更新は市区町村の窓口でできます。",
		}, true
	case "card-phone":
		return Trouble{
			"スマートフォンが置かれたようです",
			"スマートフォンのマイナンバーカードには、券面の情報が入っていません。",
			"プラスチックのマイナンバーカードを置いてください。お持ちでないときは係員がご案内します。",
		}, true
	case "card-juki":
		return Trouble{
			"住民基本台帳カードのようです",
			"住民基本台帳カードは、この手続きの対象ではありません。",
			"マイナンバーカードをお持ちでしたら置いてください。お持ちでないときは係員がご案内します。",
		}, true
	case "card-licence":
		return Trouble{
			"運転免許証が置かれたようです",
			"この手続きは、マイナンバーカードのICチップで行います。",
			"マイナンバーカードをお持ちでしたら置いてください。お持ちでないときは係員がご案内します。",
		}, true
	case "card-residence":
		return Trouble{
			"在留カードが置かれたようです",
			"この手続きは、マイナンバーカードのICチップで行います。",
			"マイナンバーカードをお持ちでしたら置いてください。お持ちでないときは係員がご案内します。",
		}, true
	case "card-passport":
		return Trouble{
			"パスポートが置かれたようです",
			"この手続きは、マイナンバーカードのICチップで行います。",
			"マイナンバーカードをお持ちでしたら置いてください。お持ちでないときは係員がご案内します。",
		}, true
	case "card-transit":
		return Trouble{
			"交通系やクレジットなどのカードのようです",
			"マイナンバーカードではないカードが置かれました。ほかのカードと重なっていることもあります。",
			"カードケースから出して、マイナンバーカードを1枚だけ置いてください。",
		}, true
	}
	return Trouble{}, false
}

func troubleJapaneseNumber(code string) (Trouble, bool) {
	switch code {
	case "number-b-wrong":
		return Trouble{
			"番号がカードと合いませんでした",
			"入力した番号が、カードの表面の番号とちがいます。",
			"カードを見ながら、印刷されている数字のとおりに入力してください。年は書きかえずに、そのままの2けたです。",
		}, true
	case "number-b-blocked":
		return Trouble{
			"カードの表面の番号がロックされています",
			"この番号が続けてまちがって入力されたため、カードがロックしました。",
			"三つの方法があります。①このまま係員と手続きを続ける。②市区町村の窓口でロックを解く。③署名用パスワードのロックなら、スマートフォンのアプリで申し込み、24時間以内にコンビニの端末で解く。",
		}, true
	case "number-b-format":
		return Trouble{
			"番号のけた数が合っていません",
			"入力が足りないか、日付として読めない数字があります。",
			"三つの欄をすべて、カードに印刷されているとおりに入力してください。回数は減っていません。",
		}, true
	case "pin-wrong":
		return Trouble{
			"暗証番号がちがいます",
			"入力した4けたが、カードの暗証番号と合いませんでした。",
			"残り回数をご確認のうえ、もう一度入力してください。覚えていないときは係員をお呼びください。",
		}, true
	case "pin-blocked":
		return Trouble{
			"暗証番号がロックされています",
			"暗証番号が続けてまちがって入力されたため、カードがロックしました。",
			"三つの方法があります。①このまま係員と手続きを続ける。②市区町村の窓口でロックを解く。③署名用パスワードのロックなら、スマートフォンのアプリで申し込み、24時間以内にコンビニの端末で解く。",
		}, true
	case "pin-format":
		return Trouble{
			"4けた入力してください",
			"暗証番号は数字4けたです。",
			"4けたを入力してから「決定」にさわってください。回数は減っていません。",
		}, true
	}
	return Trouble{}, false
}

func troubleJapaneseDevice(code string) (Trouble, bool) {
	switch code {
	case "reader-missing":
		return Trouble{
			"カード読み取り機につながりません",
			"機械の接続が切れています。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "reader-busy":
		return Trouble{
			"カード読み取り機が使用中です",
			"ほかの処理が読み取り機を使っています。",
			"しばらくそのままお待ちください。続くときは係員をお呼びください。",
		}, true
	case "card-service":
		return Trouble{
			"カードの読み取りを準備できませんでした",
			"読み取りのサービスが動いていません。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "camera-missing":
		return Trouble{
			"カメラにつながりません",
			"カメラの接続が切れています。",
			"係員が写真と見比べて確認します。このままお待ちください。",
		}, true
	case "camera-failing":
		return Trouble{
			"カメラの映像が出ません",
			"カメラから使える映像が届いていません。",
			"係員が写真と見比べて確認します。このままお待ちください。",
		}, true
	case "face-not-checked":
		return Trouble{
			"顔の確認は係員が行います",
			"機械では顔を確認していません。",
			"係員が写真と見比べて確認します。このままお待ちください。",
		}, true
	case "face-mismatch":
		return Trouble{
			"顔の確認は係員が行います",
			"機械だけでは、カードの写真と同じ方か分かりませんでした。",
			"係員が写真と見比べて確認します。このままお待ちください。",
		}, true
	case "face-attack":
		return Trouble{
			"顔の確認は係員が行います",
			"カメラの前の様子を、機械だけでは確かめられませんでした。",
			"係員が確認します。このままお待ちください。",
		}, true
	}
	return Trouble{}, false
}

func troubleJapaneseRest(code string) (Trouble, bool) {
	switch code {
	case "staff-refused":
		return Trouble{
			"今回は確認ができませんでした",
			"係員が確認した結果、手続きを進められませんでした。",
			"この後の手続きを係員がご案内します。窓口でお声がけください。",
		}, true
	case "staff-needed":
		return Trouble{
			"係員がご案内します",
			"この手続きは係員といっしょに進めます。",
			"このままお待ちください。係員がまいります。",
		}, true
	case "no-staff":
		return Trouble{
			"いま係員が離れています",
			"手続きには係員の確認が必要です。",
			"窓口でお声がけください。受付は残りますので、後から続けられます。",
		}, true
	case "storage-failed":
		return Trouble{
			"記録を保存できませんでした",
			"機械の記憶装置に書き込めませんでした。",
			"手続きは終わっていません。係員をお呼びください。",
		}, true
	case "storage-full":
		return Trouble{
			"記録の保存場所がいっぱいです",
			"本部へ送る前の記録がたまっています。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "timeout":
		return Trouble{
			"時間内に終わりませんでした",
			"カードや機械からの返事に時間がかかりました。",
			"もう一度お試しください。続くときは係員をお呼びください。",
		}, true
	case "internal":
		return Trouble{
			"手続きを続けられませんでした",
			"機械の中で予期しないことが起きました。",
			"入力した内容は消しました。係員をお呼びください。",
		}, true
	case "consent-needed":
		return Trouble{
			"必須の項目に同意が必要です",
			"必須の項目に、まだ同意されていません。",
			"お読みになって「同意する」にさわってください。同意しないときは「同意しない」を選べます。係員にもご相談いただけます。",
		}, true
	case "time-up":
		return Trouble{
			"時間が過ぎたので終わりました",
			"しばらく操作がありませんでした。",
			"入力した内容は消しました。初めからやり直せます。",
		}, true
	case "wrong-data":
		return Trouble{
			"内容がちがうとのお申し出です",
			"カードから読み取った内容が正しくないと選ばれました。",
			"係員が確認します。カードの内容の訂正は市区町村の窓口でできます。",
		}, true
	case "under-15":
		return Trouble{
			"保護者の方といっしょにお手続きください",
			"15歳未満の方の手続きには、保護者の方が必要です。",
			"係員がご案内します。保護者の方とお待ちください。",
		}, true
	}
	return troubleJapaneseClosed(code)
}

// troubleJapaneseClosed has the reasons for taking no customers.
func troubleJapaneseClosed(code string) (Trouble, bool) {
	switch code {
	case "hq-silent":
		return Trouble{
			"ただいまご利用いただけません",
			"本部へ記録を送れない状態が続いています。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "hq-revoked":
		return Trouble{
			"ただいまご利用いただけません",
			"この機械は本部で利用停止になっています。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "hq-keys":
		return Trouble{
			"ただいまご利用いただけません",
			"記録を守るための本部の鍵の期限が切れています。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "clock-wrong":
		return Trouble{
			"ただいまご利用いただけません",
			"機械の時計が合っていません。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "audit-log":
		return Trouble{
			"ただいまご利用いただけません",
			"機械が操作の記録を書き込めません。",
			"係員をお呼びください。係員が別の方法をご案内します。",
		}, true
	case "maintenance":
		return Trouble{
			"点検中です",
			"係員がこの機械を点検しています。",
			"お急ぎのときは係員にお声がけください。窓口で手続きができます。",
		}, true
	}
	return Trouble{}, false
}
