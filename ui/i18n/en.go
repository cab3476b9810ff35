package i18n

func english() Catalog {
	return Catalog{
		Lang: English, Name: "English",
		Common:  commonEnglish(),
		Screens: screensEnglish(),
		Idle: IdleText{
			Start: "Start", Need: "What you need", NeedCard: "Your My Number Card",
			Time: "You can call a member of staff at any time.",
		},
		Case: CaseText{Label: "Reference number", None: "I have no number", Empty: "Nothing entered yet"},
		Consent: ConsentButtons{
			Required: "Required", Optional: "Optional", Agree: "I agree", Agreed: "Agreed", Refuse: "I do not agree",
			RefuseNote: "You can go on without agreeing to optional items.",
		},
		Card: CardText{
			Placed: "Your card is in the right place", Kinds: "One card only, photo side up.",
			Place: "Drawing: a card is put on the blue area", Hold: "Drawing: the card stays on the reader",
			Take: "Drawing: the card is taken from the reader", NoCard: "I have no card that can be read",
			Seconds: "%d seconds left",
		},
		Entry: entryEnglish(),
		Ways:  waysEnglish(),
		Document: DocumentText{
			Heading:   "Application and consent",
			Statement: "I sign this document (署名) with the signature certificate of my My Number Card. This signature binds me as one by hand does.",
			Service:   "Procedure: ", Case: "Reference: ", Kiosk: "Machine: ", At: "Time: ", Consent: "Consent: ",
			Sign: "Go on to sign this document", NotSign: "Do not sign; use the numbers on the card",
		},
		Review: reviewEnglish(),
		Face:   faceEnglish(),
		Result: ResultText{
			Verified: "Your identity is confirmed", VerifiedLead: "Thank you.",
			Referred: "Staff will help you with the rest", ReferredLead: "Please speak to a member of staff at the counter.",
			Refused: "We could not confirm your identity this time", RefusedLead: "A member of staff will tell you how to go on.",
			Cancelled: "You have stopped", CancelledLead: "What you entered has been erased.",
			Pending: "We have received your application", PendingLead: "Our company is checking it. This is not the result yet.",
			Receipt: "Number for enquiries", Done: "Finish",
		},
		Dev: DevText{
			Title: "Developer panel (virtual devices)", Note: "Choose a virtual person: place the card or stand before the camera.",
			Insert: "Place card", Remove: "Remove card", Face: "Before camera", OnReader: "Card on reader", Shown: "Before the camera",
			NoCard: "none",
		},
		Staff: staffEnglish(),
	}
}

func commonEnglish() CommonText {
	return CommonText{
		Product: "Identity check · Madoguchi", Steps: "Step %d of %d", Done: "done", Step: "current step",
		LanguageGroup: "Language", SizeGroup: "Text size", ContrastGroup: "Screen colours",
		SizeNormal: "Normal", SizeLarge: "Large", SizeLargest: "Largest",
		ContrastNormal: "Normal colours", ContrastHigh: "High contrast",
		Slow: "More time", SlowOn: "More time is on",
		Next: "Next", Back: "Back", Cancel: "Cancel", CallStaff: "Call staff", StaffCalled: "Staff called",
		StaffComing: "We have called a member of staff. Please wait here.",
		CancelTitle: "Do you want to stop?", CancelLead: "What you entered will be erased. You keep your card.",
		CancelYes: "Stop", CancelNo: "Go on",
		TimeLeft: "This will end in %d seconds", MoreTime: "More time",
		Virtual:      "Demonstration with virtual devices. This is not a real identity check.",
		CardOnReader: "Your card is on the reader",
		Trouble:      "Please check", WhatNext: "What to do next", Erase: "Delete", Submit: "Enter",
		Keypad: "Number buttons", Keyboard: "Letter and number buttons",
		LostTitle: "Please wait", LostLead: "If the screen does not change, please call staff.",
	}
}

func screensEnglish() ScreensText {
	return ScreensText{
		Idle:      ScreenText{"Touch the screen to begin", "We check your identity with your My Number Card.", "Start"},
		Language:  ScreenText{"Choose your language and text size", "You can change them at any time.", "Language"},
		Case:      ScreenText{"Enter your reference number", "It is on your form, or staff gave it to you.", "Reference"},
		Consent:   ScreenText{"Your consent", "Read each item and touch the ones you agree to.", "Consent"},
		PlaceCard: ScreenText{"Place your card", "Put your My Number Card on the blue area.", "Card"},
		CardCheck: ScreenText{"Checking your card", "Please do not move the card.", "Card"},
		Credential: ScreenText{
			"Enter the numbers on your card", "Look at your card while you type.", "Numbers",
		},
		LastTry:   ScreenText{"This is the last try", "If the number is wrong, it will be locked.", "Numbers"},
		Reading:   ScreenText{"Reading your card", "Please do not move the card.", "Reading"},
		PutBack:   ScreenText{"Please put the same card back", "What was read so far is kept for a moment.", "Card"},
		Document:  ScreenText{"Please read what you will sign", "Nothing is signed before you enter your password.", "Document"},
		Ways:      ScreenText{"How would you like to go on?", "Choose one of these ways.", "Ways"},
		Review:    ScreenText{"Check your details", "This is what your card says.", "Your details"},
		Face:      ScreenText{"Fit your face in the oval", "We compare it with the photo on your card.", "Face"},
		Deciding:  ScreenText{"Checking", "Please wait a moment.", "Decision"},
		WaitStaff: ScreenText{"A member of staff will check", "Someone is on the way. Please wait here.", "Staff"},
		Result:    ScreenText{"Result", "Thank you for your time.", "Result"},
		TakeCard:  ScreenText{"Please take your card", "Do not forget your belongings.", "Take card"},
		OutOfService: ScreenText{
			"Closed for the moment", "We are sorry. Please speak to a member of staff.", "Closed",
		},
	}
}

func entryEnglish() EntryText {
	return EntryText{
		TitleB: "Enter the numbers on your card", LeadB: "Look at the front and type them as printed.",
		TitlePIN: "Enter your 4-digit PIN", LeadPIN: "You chose it when you received the card.",
		Birth: "Date of birth", BirthHelp: "YY MM DD, the year as printed",
		Expiry: "Year of expiry", ExpiryHelp: "4 digits",
		Code: "Security code", CodeHelp: "4 digits, below the photo",
		PIN: "PIN", PINHelp: "4 digits",
		Filled: "Of %d digits, %d entered", TriesLeft: "Tries left",
		ManyTries: "%d tries left", OneTry: "Only 1 try left", TriesUnknown: "Your card did not say how many tries are left",
		UseB: "Use the card numbers", UsePIN: "Use the PIN",
		LastB:   "If the numbers on the front are wrong once more, they will be locked. Only your municipal office can unlock them.",
		LastPIN: "If the PIN is wrong once more, it will be locked. Only your municipal office can unlock it.",
		LastYes: "Try this number", LastBack: "Go back and type again",
		TitleSign: "Enter your signature password", LeadSign: "6 to 16 capital letters and numbers. With it you sign the document.",
		LastSign: "If the password is wrong once more, it will be locked. It can be reset at your municipal office, or with the app and a convenience store.",
		Password: "Signature password", PasswordHelp: "6 to 16 characters", UseSign: "Use a signature",
		CardDrawing: "Drawing of the front of the card with the places of the date of birth, expiry and security code",
	}
}

func waysEnglish() WaysText {
	return WaysText{
		Here: "Here and now", ByNumbers: "Go on with the numbers on the card", ByPIN: "Go on with the 4-digit PIN",
		BySign:  "Go on with a signature",
		ByStaff: "Go on with staff", StaffNote: "A member of staff checks with you.",
		Office: "At your municipal office", OfficeNote: "They unlock the number or issue it again. Take your card with you.",
		Store:     "With the app and a convenience store",
		StoreNote: "A signature password can be reset: apply in the app, then go to a convenience store kiosk within 24 hours.",
	}
}

func faceEnglish() FaceText {
	return FaceText{
		Starting: "Starting the camera", Good: "Good. Please hold still", NoFace: "Please fit your face in the oval",
		ManyFaces: "One person only, please", Closer: "Come a little closer", Back: "Move back a little",
		Centre: "Move your face to the middle of the oval", Dark: "It is a little dark. Turn your face to the light",
		Bright: "It is too bright. Turn a little", Still: "Please hold still", Straight: "Look straight ahead",
		Progress: "Of %d pictures, %d taken", Preview: "Camera picture", Skip: "Let staff check instead",
		SkipNote: "No camera: a member of staff compares you with the photo.",
	}
}

func reviewEnglish() ReviewText {
	return ReviewText{
		Name: "Name", Address: "Address", Birth: "Date of birth", Sex: "Sex", Expiry: "Card valid until", Photo: "Photo on your card",
		OnCard: "As on the card", NotRead: "Not read",
		Male: "Male", Female: "Female", OtherSex: "Other",
		Date: "{d} {m} {y}",
		Months: [12]string{
			"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
			"November", "December",
		},
		Confirm: "This is correct", Wrong: "Not correct",
	}
}
