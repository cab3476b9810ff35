package i18n

func staffJapanese() StaffText {
	return StaffText{
		Title: "係員の画面", SignInTitle: "係員のサインイン", StaffID: "係員番号", PIN: "係員の暗証番号", SignIn: "サインイン",
		SignOut:   "サインアウト",
		BadSignIn: "係員番号か暗証番号がちがいます。もう一度入力してください。",
		Locked:    "この係員番号はロックされました。管理者に連絡してください。", AlreadyDecided: "この案件は、ほかの係員が処理しました。",
		Kiosk: "端末の状態", State: "いまの画面", Since: "経過", Reader: "カード読み取り機", Camera: "カメラ", Queue: "本部への送信待ち",
		Oldest: "いちばん古いもの", OK: "正常", Seconds: "%d秒", Minutes: "%d分%02d秒",
		HelpCalled: "お客さまが係員を呼んでいます", Helped: "対応した", EndSession: "お客さまの手続きを終わらせる",
		NoCase: "確認待ちの案件はありません", NoCaseLead: "確認が必要になると、ここに写真が並びます。",
		CaseTitle: "写真を見比べてください", Waiting: "お待たせ時間", CaseRef: "受付番号", NoCaseRef: "なし（番号なしで受付）",
		WhyStaff:  "係員に回った理由",
		ChipPhoto: "カードの写真（ICチップ）", LivePhoto: "いまの顔", NoChipPhoto: "カードの写真はありません", NoLivePhoto: "撮影していません",
		Machine: "機械の判定（参考）", MachineNote: "決めるのは係員です。", Match: "顔の一致", Score: "類似度と基準", Liveness: "生体の検知",
		Why: "理由", Proof: "カードの真正性",
		Route: "読み取り方法", Name: "氏名", Birth: "生年月日", Address: "住所", Sex: "性別", Expiry: "有効期限", NotRead: "読み取っていません",
		Approve: "承認する", Refuse: "承認しない", ApproveTitle: "承認する理由", RefuseTitle: "承認しない理由",
		ChooseFirst: "先に理由を選んでください", Note: "メモ（任意）", NoteHelp: "200字まで。個人番号や暗証番号は書かないでください。",
		Approved: "承認しました", Refused: "承認しませんでした",
		Virtual: "体験版：仮想の機器です", OutOfService: "端末は休止中です", Connection: "接続が切れました。つなぎ直しています。",
		Outcomes: OutcomeText{
			Pass: "一致・問題なし", Unsure: "判断できない", Fail: "一致しない", NotChecked: "確認していない",
			Genuine: "真正", NotCheckable: "確認できない（発行者の鍵がない）", Forged: "署名が合わない",
			RouteB: "カードの表面の番号（照合番号B）", RoutePIN: "4けたの暗証番号",
		},
		Reasons: ReasonText{
			SamePerson: "写真と同じ人である", KnownChange: "髪型・眼鏡などは変わったが同じ人である", DocumentChecked: "ほかの書類でも確かめた",
			OtherPerson: "写真と別の人である", CardNotAccepted: "カードに問題がある", Withdrew: "お客さまが取りやめた",
			SuspectedFraud: "不正の疑いがある",
			NoModel:        "顔照合のモデルがない", NoCalibration: "顔照合の基準値がない", CalibrationModel: "基準値が別のモデル用である",
			CalibrationVirtual: "基準値が仮想の機器用である", NoCardFace: "カードの写真を読み取っていない",
			CardImage: "カードの写真を開けなかった", NoFace: "顔が写っていない", ManyFaces: "二人以上写っている",
			FewFrames: "使える画像が足りない", Below: "類似度が基準より低い", Attack: "写真や画面の映り込みの疑いがある",
			Engine: "顔照合が動かなかった", Declined: "お客さまが係員の確認を選んだ", Unsure: "機械では決められなかった",
			Always: "すべて係員が確認する設定である", IssuerUnknown: "発行者の鍵が登録されていない", NoKeys: "発行者の鍵がない",
		},
	}
}
