package i18n

func japanese() Catalog {
	return Catalog{
		Lang: Japanese, Name: "日本語",
		Common:  commonJapanese(),
		Screens: screensJapanese(),
		Idle: IdleText{
			Start: "始める", Need: "お持ちいただくもの", NeedCard: "マイナンバーカード",
			Time: "お困りのときは、いつでも係員を呼べます。",
		},
		Case: CaseText{Label: "受付番号", None: "番号がない", Empty: "まだ入力されていません"},
		Consent: ConsentButtons{
			Required: "必須", Optional: "任意", Agree: "同意する", Agreed: "同意しました", Refuse: "同意しない",
			RefuseNote: "任意の項目は、同意しなくても手続きを続けられます。",
		},
		Card: CardText{
			Placed: "カードを読み取れる位置に置かれています", Kinds: "表面を上にして、1枚だけ置いてください。",
			Place: "カードを機械の青い所に置く絵", Hold: "カードを置いたまま待つ絵", Take: "カードを機械から取る絵",
			NoCard: "読み取れるカードがない", Seconds: "あと%d秒",
		},
		Entry: entryJapanese(),
		Ways:  waysJapanese(),
		Document: DocumentText{
			Heading:   "申込みと同意の確認書",
			Statement: "私は、マイナンバーカードの署名用電子証明書を使い、この文書に署名します。この署名は、自筆の署名と同じように本人の意思を示すものです。",
			Service:   "手続き: ", Case: "受付番号: ", Kiosk: "機械: ", At: "日時: ", Consent: "同意: ",
			Sign: "この文書に署名する（次へ）", NotSign: "署名しないで、カードの番号で続ける",
		},
		Review: reviewJapanese(),
		Face:   faceJapanese(),
		Result: ResultText{
			Verified: "本人確認ができました", VerifiedLead: "ご協力ありがとうございました。",
			Referred: "続きは係員がご案内します", ReferredLead: "窓口で係員にお声がけください。",
			Refused: "今回は本人確認ができませんでした", RefusedLead: "この後の手続きは係員がご案内します。",
			Cancelled: "手続きを終わりました", CancelledLead: "入力した内容は消しました。",
			Pending: "お申込みを受け付けました", PendingLead: "会社で確認中です。まだ結果は決まっていません。",
			Receipt: "お問い合わせ番号", Done: "終わる",
		},
		Dev: DevText{
			Title: "開発者パネル（仮想の機器）", Note: "仮想の人を選んで、カードを置くか、カメラの前に立たせます。",
			Insert: "カードを置く", Remove: "カードを取る", Face: "カメラの前", OnReader: "置いてあるカード", Shown: "カメラの前の人",
			NoCard: "なし",
		},
		Staff: staffJapanese(),
	}
}

func commonJapanese() CommonText {
	return CommonText{
		Product: "本人確認 まどぐち", Steps: "手順 %d / %d", Done: "済み", Step: "いまの手順",
		LanguageGroup: "言語", SizeGroup: "文字の大きさ", ContrastGroup: "画面の色",
		SizeNormal: "標準", SizeLarge: "大", SizeLargest: "特大",
		ContrastNormal: "標準の色", ContrastHigh: "白黒反転",
		Slow: "ゆっくり", SlowOn: "時間を2倍にしています",
		Next: "次へ", Back: "戻る", Cancel: "やめる", CallStaff: "係員をよぶ", StaffCalled: "呼び出し中",
		StaffComing: "係員を呼びました。そのままお待ちください。",
		CancelTitle: "手続きをやめますか", CancelLead: "入力した内容は消えます。カードはお返しします。",
		CancelYes: "やめる", CancelNo: "続ける",
		TimeLeft: "あと%d秒で終わります", MoreTime: "時間をのばす",
		Virtual:      "体験版：仮想の機器で動いています。本当の本人確認はできません。",
		CardOnReader: "カードが置かれています",
		Trouble:      "ご確認ください", WhatNext: "次にすること", Erase: "1字消す", Submit: "決定",
		Keypad: "数字のボタン", Keyboard: "英字と数字のボタン",
		LostTitle: "お待ちください", LostLead: "画面が変わらないときは、係員をお呼びください。",
	}
}

func screensJapanese() ScreensText {
	return ScreensText{
		Idle:      ScreenText{"画面にさわって始めてください", "マイナンバーカードで本人確認をします。", "はじめ"},
		Language:  ScreenText{"言語と文字の大きさを選んでください", "あとから、いつでも変えられます。", "言語"},
		Case:      ScreenText{"受付番号を入力してください", "係員から受け取った番号、または申込書の番号です。", "受付番号"},
		Consent:   ScreenText{"同意の確認", "一つずつお読みになり、同意する項目にさわってください。", "同意"},
		PlaceCard: ScreenText{"カードを置いてください", "機械の青い所に、マイナンバーカードを置いてください。", "カード"},
		CardCheck: ScreenText{"カードを確認しています", "カードを動かさないでください。", "カード"},
		Credential: ScreenText{
			"カードの番号を入力してください", "カードを見ながら入力してください。", "番号",
		},
		LastTry:   ScreenText{"最後の1回です", "番号がちがうと、ロックされます。", "番号"},
		Reading:   ScreenText{"読み取っています", "カードを動かさないでください。", "読み取り"},
		PutBack:   ScreenText{"同じカードを置いてください", "読み取った内容は、少しの間だけ残してあります。", "カード"},
		Document:  ScreenText{"署名する文書をお読みください", "パスワードを入力するまで、署名はされません。", "文書"},
		Ways:      ScreenText{"どの方法で続けますか", "次の方法から選べます。", "方法"},
		Review:    ScreenText{"内容を確認してください", "カードから読み取った内容です。", "内容の確認"},
		Face:      ScreenText{"顔を枠に合わせてください", "カードの写真と比べます。", "顔"},
		Deciding:  ScreenText{"確認しています", "このままお待ちください。", "判定"},
		WaitStaff: ScreenText{"係員が確認します", "係員がまいります。このままお待ちください。", "係員"},
		Result:    ScreenText{"手続きの結果", "ご利用ありがとうございました。", "結果"},
		TakeCard:  ScreenText{"カードを取ってください", "お忘れ物のないようお願いします。", "カード返却"},
		OutOfService: ScreenText{
			"ただいま休止しています", "お手数ですが、係員にお声がけください。", "休止",
		},
	}
}

func entryJapanese() EntryText {
	return EntryText{
		TitleB: "カードの番号を入力してください", LeadB: "表面を見て、印刷のとおりに入力してください。",
		TitlePIN: "4けたの暗証番号を入力してください", LeadPIN: "カードを受け取ったときに決めた番号です。",
		Birth: "生年月日", BirthHelp: "年月日を2けたずつ。年は印刷のまま",
		Expiry: "有効期限の年", ExpiryHelp: "西暦4けた",
		Code: "セキュリティコード", CodeHelp: "写真の下の4けた",
		PIN: "暗証番号", PINHelp: "数字4けた",
		Filled: "%dけたのうち%dけた入力しました", TriesLeft: "残り回数",
		ManyTries: "あと%d回入力できます", OneTry: "あと1回だけ入力できます", TriesUnknown: "残り回数は確認できませんでした",
		UseB: "カードの番号を使う", UsePIN: "暗証番号を使う",
		LastB:   "カードの表面の番号をもう一度まちがえると、この番号はロックされます。ロックを解くには市区町村の窓口での手続きが必要です。",
		LastPIN: "暗証番号をもう一度まちがえると、ロックされます。ロックを解くには市区町村の窓口での手続きが必要です。",
		LastYes: "この番号で確かめる", LastBack: "戻って入力しなおす",
		TitleSign: "署名用パスワードを入力してください", LeadSign: "英大文字と数字、6文字から16文字です。入力すると、先ほどの文書に署名します。",
		LastSign: "パスワードをもう一度まちがえると、ロックされます。市区町村の窓口か、アプリとコンビニで設定し直せます。",
		Password: "署名用パスワード", PasswordHelp: "6〜16文字", UseSign: "署名を使う",
		CardDrawing: "カードの表面。生年月日、有効期限、セキュリティコードの場所を示す絵",
	}
}

func waysJapanese() WaysText {
	return WaysText{
		Here: "いま、ここで", ByNumbers: "カードの番号で続ける", ByPIN: "4けたの暗証番号で続ける",
		BySign:  "署名で続ける",
		ByStaff: "係員と続ける", StaffNote: "係員がいっしょに確認します。",
		Office: "市区町村の窓口で", OfficeNote: "ロックの解除や、番号の設定し直しができます。カードをお持ちください。",
		Store:     "アプリとコンビニで",
		StoreNote: "署名用パスワードは、アプリで申し込み、24時間以内にコンビニの機械で設定し直せます。",
	}
}

func faceJapanese() FaceText {
	return FaceText{
		Starting: "カメラを準備しています", Good: "そのままお待ちください", NoFace: "枠の中に顔を入れてください",
		ManyFaces: "お一人で写ってください", Closer: "少し近づいてください", Back: "少し離れてください",
		Centre: "顔を枠の真ん中に合わせてください", Dark: "少し暗いようです。顔に光が当たるようにしてください",
		Bright: "まぶしすぎるようです。少し向きを変えてください", Still: "動かずにお待ちください", Straight: "正面を向いてください",
		Progress: "%d枚のうち%d枚撮れました", Preview: "カメラの映像", Skip: "係員に確認してもらう",
		SkipNote: "カメラを使わず、係員が写真と見比べます。",
	}
}

func reviewJapanese() ReviewText {
	return ReviewText{
		Name: "氏名", Address: "住所", Birth: "生年月日", Sex: "性別", Expiry: "カードの有効期限", Photo: "カードの写真",
		OnCard: "カードの文字", NotRead: "読み取っていません",
		Male: "男", Female: "女", OtherSex: "その他",
		Date: "{y}年{m}{d}日",
		Months: [12]string{
			"1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月",
		},
		Confirm: "この内容で正しい", Wrong: "ちがう",
	}
}
