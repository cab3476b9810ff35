package i18n

// StaffText is what branch staff read on their own page; customers never see it.
type StaffText struct {
	Title, SignInTitle, StaffID, PIN, SignIn, SignOut        string
	BadSignIn, Locked, AlreadyDecided, SecondPerson          string
	Kiosk, State, Since, Reader, Camera, Queue, Oldest, OK   string
	Seconds, Minutes                                         string
	HelpCalled, Helped, EndSession, NoCase, NoCaseLead       string
	CaseTitle, Waiting, CaseRef, NoCaseRef, WhyStaff         string
	ChipPhoto, LivePhoto, NoChipPhoto, NoLivePhoto           string
	Machine, MachineNote, Match, Score, Liveness, Why, Proof string
	Route, Name, Birth, Address, Sex, Expiry, NotRead        string
	Approve, Refuse, ApproveTitle, RefuseTitle, ChooseFirst  string
	Note, NoteHelp, Approved, Refused                        string
	Virtual, OutOfService, Connection                        string
	Represent, Represented, GuardianFirst, GuardianName      string
	Relation, Document, WhyRepresent, OtherMethod, DigitRun  string
	Outcomes                                                 OutcomeText
	Words                                                    WordText
	Reasons                                                  ReasonText
}

// OutcomeText names the results of machine checks and what is known of the kiosk's parts.
type OutcomeText struct {
	Pass, Unsure, Fail, NotChecked, Genuine, NotCheckable, Forged, RouteB, RoutePIN, RouteSign string
}

// ReasonText has one text per stable code of a machine reason or a staff decision.
type ReasonText struct {
	SamePerson, KnownChange, DocumentChecked                        string
	OtherPerson, CardNotAccepted, Withdrew, SuspectedFraud          string
	NoModel, NoCalibration, CalibrationModel, CalibrationVirtual    string
	NoCardFace, CardImage, NoFace, ManyFaces, FewFrames, Below      string
	Attack, Engine, Declined, Unsure, Always, IssuerUnknown, NoKeys string
	// Why a case came to staff; customers read softer words.
	CaseMismatch, CaseAttack, CaseUnchecked, CaseNobody, CaseForged, CaseUnproven string
	CaseMinor, CaseWrongData, CaseUnread, CaseBlocked                             string
}

// WordText has one text per stable word of the closed lists of representatives and other methods.
type WordText struct {
	Parent, LegalGuardian, Relative, Agent, Employee string
	MyNumberCard, Licence, Passport, ResidenceCard   string
	UnderAge, Illness, Disability, Absence           string
	ByDocuments, ByMail, AnotherDay                  string
}

// Word names a word of those lists; an unknown one is shown as it is.
func (s *StaffText) Word(word string) string {
	w := &s.Words
	if text, ok := map[string]string{
		"parent": w.Parent, "legal-guardian": w.LegalGuardian, "relative": w.Relative, "agent": w.Agent,
		"employee": w.Employee, "my-number-card": w.MyNumberCard, "drivers-licence": w.Licence, "passport": w.Passport,
		"residence-card": w.ResidenceCard, "under-age": w.UnderAge, "illness": w.Illness, "disability": w.Disability,
		"absence": w.Absence, "by-documents": w.ByDocuments, "by-mail": w.ByMail, "another-day": w.AnotherDay,
	}[word]; ok {
		return text
	}
	return word
}

// Outcome names a machine result; an unknown code is shown as it is, never as a pass.
func (s *StaffText) Outcome(code string) string {
	o := &s.Outcomes
	switch code {
	case "pass":
		return o.Pass
	case "unsure":
		return o.Unsure
	case "fail":
		return o.Fail
	case "", "not-checked":
		return o.NotChecked
	case "genuine":
		return o.Genuine
	case "not-checkable":
		return o.NotCheckable
	case "forged":
		return o.Forged
	case "number-b":
		return o.RouteB
	case "pin":
		return o.RoutePIN
	case "sign":
		return o.RouteSign
	}
	return code
}

// Reason names a reason code: of a decision, of the machine, or a trouble. An unknown code is shown as it is.
func (s *StaffText) Reason(code, lang string) string {
	if text := s.decisionReason(code); text != "" {
		return text
	}
	if text := s.machineReason(code); text != "" {
		return text
	}
	if t, ok := TroubleFor(lang, code); ok {
		return t.Title
	}
	return code
}

// CaseWhy says to staff why a case came to them.
func (s *StaffText) CaseWhy(code, lang string) string {
	r := &s.Reasons
	switch code {
	case "face-mismatch":
		return r.CaseMismatch
	case "face-attack":
		return r.CaseAttack
	case "face-not-checked":
		return r.CaseUnchecked
	case "no-staff":
		return r.CaseNobody
	case "card-not-genuine":
		return r.CaseForged
	case "proof-not-checked":
		return r.CaseUnproven
	case "under-15":
		return r.CaseMinor
	case "wrong-data":
		return r.CaseWrongData
	case "card-unreadable":
		return r.CaseUnread
	case "number-b-blocked":
		return r.CaseBlocked
	case "staff-needed":
		return r.Always
	}
	return s.Reason(code, lang)
}

func (s *StaffText) decisionReason(code string) string {
	r := &s.Reasons
	switch code {
	case "photo-same-person":
		return r.SamePerson
	case "known-change-of-look":
		return r.KnownChange
	case "document-checked":
		return r.DocumentChecked
	case "other-person":
		return r.OtherPerson
	case "card-not-accepted":
		return r.CardNotAccepted
	case "customer-withdrew":
		return r.Withdrew
	case "suspected-fraud":
		return r.SuspectedFraud
	}
	return ""
}

func (s *StaffText) machineReason(code string) string {
	r := &s.Reasons
	switch code {
	case "no-model":
		return r.NoModel
	case "no-calibration":
		return r.NoCalibration
	case "calibration-of-another-model":
		return r.CalibrationModel
	case "virtual-calibration-with-real-camera":
		return r.CalibrationVirtual
	case "no-card-face":
		return r.NoCardFace
	case "card-image-unreadable":
		return r.CardImage
	case "no-face":
		return r.NoFace
	case "more-than-one-face":
		return r.ManyFaces
	case "too-few-good-frames":
		return r.FewFrames
	case "similarity-below-threshold":
		return r.Below
	case "presentation-attack-suspected":
		return r.Attack
	case "engine-error":
		return r.Engine
	case "face-declined":
		return r.Declined
	case "face-unsure":
		return r.Unsure
	case "always":
		return r.Always
	case "issuer-unknown":
		return r.IssuerUnknown
	case "no-issuer-keys":
		return r.NoKeys
	}
	return ""
}
