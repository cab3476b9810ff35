package i18n

func staffEnglish() StaffText {
	return StaffText{
		Title: "Staff", SignInTitle: "Staff sign-in", StaffID: "Staff number", PIN: "Your staff PIN", SignIn: "Sign in",
		SignOut:   "Sign out",
		BadSignIn: "The staff number or the PIN is not right. Please try again.",
		Locked:    "This staff number is locked. Please speak to your administrator.", AlreadyDecided: "Another member of staff has handled this case.",
		Kiosk: "Kiosk", State: "Screen", Since: "For", Reader: "Card reader", Camera: "Camera", Queue: "Waiting for HQ",
		Oldest: "Oldest", OK: "working", Seconds: "%d s", Minutes: "%d min %02d s",
		HelpCalled: "The customer calls for staff", Helped: "I am helping", EndSession: "End the customer's session",
		NoCase: "No case is waiting", NoCaseLead: "When a decision is needed, both photos appear here.",
		CaseTitle: "Compare the two photos", Waiting: "Waiting for", CaseRef: "Reference", NoCaseRef: "none (on purpose)",
		WhyStaff:  "Why it came to you",
		ChipPhoto: "Photo in the card's chip", LivePhoto: "The person now", NoChipPhoto: "No photo was read from the card", NoLivePhoto: "No pictures were taken",
		Machine: "What the machine says (help only)", MachineNote: "You decide.", Match: "Face", Score: "Similarity and threshold", Liveness: "Live person",
		Why: "Reasons", Proof: "Genuine card",
		Route: "Read by", Name: "Name", Birth: "Date of birth", Address: "Address", Sex: "Sex", Expiry: "Valid until", NotRead: "not read",
		Approve: "Approve", Refuse: "Do not approve", ApproveTitle: "Reason to approve", RefuseTitle: "Reason not to approve",
		ChooseFirst: "Choose a reason first", Note: "Note (optional)", NoteHelp: "At most 200 characters. Never write a My Number or a PIN here.",
		Approved: "Approved", Refused: "Not approved",
		Virtual: "Demonstration with virtual devices", OutOfService: "The kiosk is closed", Connection: "Connection lost. Trying again.",
		Outcomes: OutcomeText{
			Pass: "passed", Unsure: "cannot tell", Fail: "does not match", NotChecked: "not checked",
			Genuine: "genuine", NotCheckable: "cannot be checked (issuer key missing)", Forged: "signature does not hold",
			RouteB: "Numbers on the card (照合番号B)", RoutePIN: "4-digit PIN",
		},
		Reasons: ReasonText{
			SamePerson: "Same person as in the photo", KnownChange: "Same person; hair, glasses or age differ", DocumentChecked: "Checked with another document",
			OtherPerson: "Another person than in the photo", CardNotAccepted: "There is a problem with the card", Withdrew: "The customer withdrew",
			SuspectedFraud: "Suspected fraud",
			NoModel:        "No face model is installed", NoCalibration: "There is no calibration", CalibrationModel: "The calibration is for another model",
			CalibrationVirtual: "The calibration is for virtual devices", NoCardFace: "The card's photo was not read",
			CardImage: "The card's photo could not be opened", NoFace: "No face was seen", ManyFaces: "More than one person was seen",
			FewFrames: "Too few usable pictures", Below: "Similarity is below the threshold", Attack: "It may be a picture or a screen",
			Engine: "The face check did not work", Declined: "The customer chose a check by staff", Unsure: "The machine could not decide",
			Always: "Staff check every case here", IssuerUnknown: "The issuer's key is not known here", NoKeys: "No issuer keys are installed",
		},
	}
}
