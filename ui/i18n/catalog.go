package i18n

// Catalog is every text of one language. Fields with %d or %s keep the same verbs in every language.
type Catalog struct {
	Lang     string // BCP 47 tag
	Name     string // the language's own name
	Common   CommonText
	Screens  ScreensText
	Idle     IdleText
	Case     CaseText
	Consent  ConsentButtons
	Card     CardText
	Entry    EntryText
	Document DocumentText
	Ways     WaysText
	Review   ReviewText
	Face     FaceText
	Result   ResultText
	Dev      DevText
	Staff    StaffText
}

// CommonText is what surrounds every screen.
type CommonText struct {
	Product, Steps, Done, Step                   string
	LanguageGroup, SizeGroup, ContrastGroup      string
	SizeNormal, SizeLarge, SizeLargest           string
	ContrastNormal, ContrastHigh                 string
	Slow, SlowOn                                 string
	Next, Back, Cancel, CallStaff, StaffCalled   string
	StaffComing                                  string
	CancelTitle, CancelLead, CancelYes, CancelNo string
	TimeLeft, MoreTime                           string
	Virtual, CardOnReader                        string
	Trouble, WhatNext, Erase, Submit             string
	Keypad, Keyboard                             string
	LostTitle, LostLead                          string
}

// ScreenText is the heading, the sentence below it and the short name in the step bar.
type ScreenText struct{ Title, Lead, Step string }

// ScreensText has one entry per screen.Kind.
type ScreensText struct {
	Idle, Language, Case, Consent, PlaceCard, CardCheck, Credential, LastTry ScreenText
	Reading, Review, Face, Deciding, WaitStaff, Result, TakeCard             ScreenText
	PutBack, Ways, Document                                                  ScreenText
	OutOfService                                                             ScreenText
}

// IdleText is the first screen.
type IdleText struct{ Start, Need, NeedCard, Time string }

// CaseText is the entry of the operator's case number.
type CaseText struct{ Label, None, Empty string }

// ConsentButtons are the words around the consents; the consents themselves are in consent.go.
type ConsentButtons struct{ Required, Optional, Agree, Agreed, Refuse, RefuseNote string }

// CardText is what is said about handling the card.
type CardText struct{ Placed, Kinds, Place, Hold, Take, NoCard, Seconds string }

// DocumentText makes the document that is signed, and is said around it. The document uses the word 署名: what is done is
// binding (duty 9).
type DocumentText struct{ Heading, Statement, Service, Case, Kiosk, At, Consent, Sign, NotSign string }

// WaysText is the screen with every way on from a lock.
type WaysText struct{ Here, ByNumbers, ByPIN, BySign, ByStaff, StaffNote, Office, OfficeNote, Store, StoreNote string }

// EntryText is the entry of what opens the card.
type EntryText struct {
	TitleB, LeadB, TitlePIN, LeadPIN     string
	Birth, BirthHelp, Expiry, ExpiryHelp string
	Code, CodeHelp, PIN, PINHelp         string
	Filled                               string // length, filled: "2 of 4 digits entered"
	TriesLeft                            string
	ManyTries, OneTry, TriesUnknown      string
	UseB, UsePIN                         string
	LastB, LastPIN, LastYes, LastBack    string
	CardDrawing                          string
	TitleSign, LeadSign, LastSign        string
	Password, PasswordHelp, UseSign      string
}

// ReviewText is the screen on which the customer confirms what was read.
type ReviewText struct {
	Name, Address, Birth, Sex, Expiry, Photo string
	OnCard, NotRead                          string
	Male, Female, OtherSex                   string
	Date                                     string // {y}, {m} and {d} stand for year, month and day
	Months                                   [12]string
	Confirm, Wrong                           string
}

// FaceText is the face step.
type FaceText struct {
	Starting, Good, NoFace, ManyFaces, Closer, Back, Centre, Dark, Bright, Still, Straight string
	Progress, Preview, Skip, SkipNote                                                      string
}

// ResultText is the end of the session.
type ResultText struct {
	Verified, VerifiedLead, Referred, ReferredLead, Refused, RefusedLead, Cancelled, CancelledLead string
	Pending, PendingLead                                                                           string
	Receipt, Done                                                                                  string
}

// DevText is the developer panel.
type DevText struct{ Title, Note, Insert, Remove, Face, OnReader, Shown, NoCard string }
