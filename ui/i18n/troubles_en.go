package i18n

func troubleEnglish(code string) (Trouble, bool) {
	for _, part := range []func(string) (Trouble, bool){
		troubleEnglishMoved, troubleEnglishSign, troubleEnglishCard, troubleEnglishNumber, troubleEnglishDevice, troubleEnglishRest,
	} {
		if t, ok := part(code); ok {
			return t, true
		}
	}
	return Trouble{}, false
}

func troubleEnglishMoved(code string) (Trouble, bool) {
	switch code {
	case "card-removed":
		return Trouble{
			"The card was moved",
			"The card left the reader while it was being read.",
			"Please place the same card again. You will be asked for the number once more.",
		}, true
	case "card-swapped":
		return Trouble{
			"A different card was placed",
			"It is not the card with which you began.",
			"For your protection everything was erased. Please begin again with one card.",
		}, true
	case "no-chip":
		return Trouble{
			"Staff will check with you",
			"There is no card here whose chip can be read.",
			"Please show staff the documents that you have. They know which ones will do.",
		}, true
	}
	return Trouble{}, false
}

// troubleEnglishSign has what concerns the signature.
func troubleEnglishSign(code string) (Trouble, bool) {
	switch code {
	case "sign-wrong":
		return Trouble{
			"The password is not right",
			"What you typed is not the signature password of the card.",
			"Please check how many tries are left and type it again in capital letters. If you are not sure, please choose another way.",
		}, true
	case "sign-blocked":
		return Trouble{
			"The signature password is locked",
			"It was typed wrongly too often, so the card locked it.",
			"There are three ways. 1: go on here with the numbers on the card or with staff. 2: have it unlocked at your municipal office. 3: reset it with the phone app, then at a convenience store within 24 hours.",
		}, true
	case "sign-format":
		return Trouble{
			"The password is not complete",
			"The signature password has 6 to 16 capital letters and numbers, with at least one of each.",
			"Please type it again. No try was used.",
		}, true
	case "no-sign-certificate":
		return Trouble{
			"This card has no signature certificate",
			"A card of a child under 15 has none, and some people chose not to have one.",
			"Please go on with the numbers on the card, or with staff.",
		}, true
	case "card-without-pin":
		return Trouble{
			"This card works without PINs",
			"It is a card for identification by face, or all its PINs are locked.",
			"Please go on with the numbers on the card, or with staff. Your municipal office can set PINs.",
		}, true
	case "certificate-expired":
		return Trouble{
			"The signature certificate has expired",
			"It ends on a birthday, often before the card does.",
			"Please go on with the numbers on the card, or with staff. Your municipal office renews it.",
		}, true
	case "certificate-revoked":
		return Trouble{
			"The signature certificate is no longer in force",
			"It ends when the name or the address changes.",
			"Staff will go on with you in another way. Your municipal office issues a new one.",
		}, true
	case "revocation-pending":
		return Trouble{
			"Our company is checking",
			"Whether the certificate is still in force is asked after this.",
			"You need not wait here. We will tell you the result. Please keep the number below.",
		}, true
	}
	return Trouble{}, false
}

func troubleEnglishCard(code string) (Trouble, bool) {
	switch code {
	case "card-unreadable":
		return Trouble{
			"The card could not be read",
			"It may lie in the wrong place, or another card or metal is near it.",
			"Take the card out of its case and place it alone. If that does not help, please call staff.",
		}, true
	case "card-mute":
		return Trouble{
			"The card does not answer",
			"It may not lie flat, another card may lie with it, or its chip may be damaged.",
			"Please place this one card again, out of its case. If it still does not answer, staff will offer another way.",
		}, true
	case "card-not-my-number":
		return Trouble{
			"This seems to be another kind of card",
			"We did not find the functions of a My Number Card on it.",
			"If you have your My Number Card, please place it. If not, staff will help you.",
		}, true
	case "card-other-person":
		return Trouble{
			"This is a different card",
			"Another card was placed during the procedure.",
			"Please place the first card again, or touch Cancel to start over.",
		}, true
	case "card-expired":
		return Trouble{
			"The card has expired",
			"The date on the card has passed.",
			"Staff will help you today. Your municipal office renews the card.",
		}, true
	case "card-phone":
		return Trouble{
			"A phone seems to lie on the reader",
			"The My Number Card in a phone does not hold what is printed on the card.",
			"Please place the plastic card. If you do not have it with you, staff will help you.",
		}, true
	case "card-juki":
		return Trouble{
			"This seems to be a Basic Resident Register card",
			"This procedure works with the My Number Card.",
			"If you have your My Number Card, please place it. If not, staff will help you.",
		}, true
	case "card-licence":
		return Trouble{
			"This seems to be a driver's licence",
			"This procedure works with the chip of the My Number Card.",
			"If you have your My Number Card, please place it. If not, staff will help you.",
		}, true
	case "card-residence":
		return Trouble{
			"This seems to be a residence card",
			"This procedure works with the chip of the My Number Card.",
			"If you have your My Number Card, please place it. If not, staff will help you.",
		}, true
	case "card-passport":
		return Trouble{
			"This seems to be a passport",
			"This procedure works with the chip of the My Number Card.",
			"If you have your My Number Card, please place it. If not, staff will help you.",
		}, true
	case "card-transit":
		return Trouble{
			"This seems to be a transit, money or credit card",
			"Another card than a My Number Card was placed. Two cards may lie on top of each other.",
			"Please take your My Number Card out of its case and place it alone.",
		}, true
	}
	return Trouble{}, false
}

func troubleEnglishNumber(code string) (Trouble, bool) {
	switch code {
	case "number-b-wrong":
		return Trouble{
			"The numbers do not match the card",
			"What you typed differs from the front of the card.",
			"Please type the digits exactly as printed. Do not convert the year: type the two digits you see.",
		}, true
	case "number-b-blocked":
		return Trouble{
			"The numbers on the card are locked",
			"They were typed wrongly too often, so the card locked them.",
			"There are three ways. 1: go on here with staff. 2: have them unlocked at your municipal office. 3: a locked signature password can be reset with the phone app, then at a convenience store within 24 hours.",
		}, true
	case "number-b-format":
		return Trouble{
			"Some digits are missing",
			"A field is not complete, or it is not a possible date.",
			"Please fill all three fields as printed on the card. No try was used.",
		}, true
	case "pin-wrong":
		return Trouble{
			"The PIN is not right",
			"The 4 digits do not match the PIN of the card.",
			"Please check how many tries are left and type it again. If you are not sure, please call staff.",
		}, true
	case "pin-blocked":
		return Trouble{
			"The PIN is locked",
			"It was typed wrongly too often, so the card locked it.",
			"There are three ways. 1: go on here with staff. 2: have it unlocked at your municipal office. 3: a locked signature password can be reset with the phone app, then at a convenience store within 24 hours.",
		}, true
	case "pin-format":
		return Trouble{
			"Please enter 4 digits",
			"The PIN has 4 digits.",
			"Enter 4 digits, then touch Enter. No try was used.",
		}, true
	}
	return Trouble{}, false
}

func troubleEnglishDevice(code string) (Trouble, bool) {
	switch code {
	case "reader-missing":
		return Trouble{
			"The card reader is not connected",
			"The device has lost its connection.",
			"Please call staff. They will offer another way.",
		}, true
	case "reader-busy":
		return Trouble{
			"The card reader is busy",
			"Something else is using the reader.",
			"Please wait a moment. If it goes on, please call staff.",
		}, true
	case "card-service":
		return Trouble{
			"Card reading is not ready",
			"The service that reads cards is not running.",
			"Please call staff. They will offer another way.",
		}, true
	case "camera-missing":
		return Trouble{
			"The camera is not connected",
			"The camera has lost its connection.",
			"Staff will compare you with the photo instead. Please wait here.",
		}, true
	case "camera-failing":
		return Trouble{
			"The camera gives no picture",
			"No usable picture is coming from the camera.",
			"Staff will compare you with the photo instead. Please wait here.",
		}, true
	case "face-not-checked":
		return Trouble{
			"Staff will check your face",
			"The machine has not checked your face.",
			"Staff will compare you with the photo. Please wait here.",
		}, true
	case "face-mismatch":
		return Trouble{
			"Staff will check your face",
			"The machine alone could not tell whether you are the person in the photo.",
			"Staff will compare you with the photo. Please wait here.",
		}, true
	case "face-attack":
		return Trouble{
			"Staff will check your face",
			"The machine alone could not be sure of what the camera saw.",
			"A member of staff will check. Please wait here.",
		}, true
	}
	return Trouble{}, false
}

func troubleEnglishRest(code string) (Trouble, bool) {
	switch code {
	case "staff-refused":
		return Trouble{
			"We could not confirm this time",
			"After a check by staff we could not go on.",
			"Staff will explain what you can do next. Please speak to them at the counter.",
		}, true
	case "staff-needed":
		return Trouble{
			"Staff will help you",
			"The next step is done together with a member of staff.",
			"Please wait here. Someone is on the way.",
		}, true
	case "no-staff":
		return Trouble{
			"No staff are here just now",
			"This procedure needs a member of staff.",
			"Please speak to someone at the counter. Your request is kept and can be continued.",
		}, true
	case "storage-failed":
		return Trouble{
			"The record could not be saved",
			"The kiosk could not write to its storage.",
			"The procedure is not complete. Please call staff.",
		}, true
	case "storage-full":
		return Trouble{
			"There is no room for the record",
			"Records are still waiting to be sent to headquarters.",
			"Please call staff. They will offer another way.",
		}, true
	case "timeout":
		return Trouble{
			"It took too long",
			"The card or the machine did not answer in time.",
			"Please try again. If it goes on, please call staff.",
		}, true
	case "internal":
		return Trouble{
			"The procedure could not go on",
			"Something unexpected happened inside the machine.",
			"What you entered was erased. Please call staff.",
		}, true
	case "consent-needed":
		return Trouble{
			"A required consent is missing",
			"You have not yet agreed to a required item.",
			"Please read it and touch \"I agree\". You may also choose not to agree, or ask staff.",
		}, true
	case "time-up":
		return Trouble{
			"The time is over",
			"Nothing was touched for a while.",
			"What you entered was erased. You can start again.",
		}, true
	case "wrong-data":
		return Trouble{
			"You told us the details are not right",
			"You chose that what was read is not correct.",
			"Staff will check with you. Your municipal office can correct what the card says.",
		}, true
	case "under-15":
		return Trouble{
			"Please come with a guardian",
			"For a person under 15 a parent or guardian is needed.",
			"Staff will help you. Please wait here with your guardian.",
		}, true
	}
	return troubleEnglishClosed(code)
}

// troubleEnglishClosed has the reasons for taking no customers.
func troubleEnglishClosed(code string) (Trouble, bool) {
	switch code {
	case "hq-silent":
		return Trouble{
			"Out of service just now",
			"Records could not be sent to headquarters for too long.",
			"Please call staff. They will offer another way.",
		}, true
	case "hq-revoked":
		return Trouble{
			"Out of service just now",
			"Headquarters has taken this machine out of use.",
			"Please call staff. They will offer another way.",
		}, true
	case "hq-keys":
		return Trouble{
			"Out of service just now",
			"The keys of headquarters that protect records have run out.",
			"Please call staff. They will offer another way.",
		}, true
	case "clock-wrong":
		return Trouble{
			"Out of service just now",
			"The clock of this machine is wrong.",
			"Please call staff. They will offer another way.",
		}, true
	case "audit-log":
		return Trouble{
			"Out of service just now",
			"This machine cannot write its own log.",
			"Please call staff. They will offer another way.",
		}, true
	case "maintenance":
		return Trouble{
			"Maintenance",
			"Staff are working on this machine.",
			"If you are in a hurry, please speak to staff. They can serve you at the counter.",
		}, true
	}
	return Trouble{}, false
}
