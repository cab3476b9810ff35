package flow

import (
	"slices"

	"madoguchi/daemon/policy"
)

// onCustomer handles what the customer does. Settings, help and the cancel question work on every screen on which
// they are offered; the rest belongs to one phase.
func (m *machine) onCustomer(e Customer) bool {
	if m.Phase == OutOfService {
		return false
	}
	if m.Phase == Idle {
		return m.onIdle(e)
	}
	switch e.Act {
	case SetSize:
		m.Settings.Size = min(e.Arg, 2)
	case SetContrast:
		m.Settings.Contrast = min(e.Arg, 1)
	case SetSlow:
		m.Settings.Slow = min(e.Arg, 1)
	case AskStaff:
		m.StaffCalled = true
	case AskCancel:
		if !CanCancel(m.Phase) {
			return false
		}
		m.State.AskCancel = true
	case CancelNo:
		if !m.State.AskCancel {
			return false
		}
		m.State.AskCancel = false
	case CancelYes:
		if !m.State.AskCancel || !CanCancel(m.Phase) {
			return false
		}
		m.finish(Decision{Outcome: Cancelled}, "")
		return true
	case Touched: // whoever types has read what went wrong; the fields need the room in large text
		if m.Phase != Ways {
			m.Trouble = ""
		}
	case More:
	case SetLanguage:
		m.Settings.Lang = min(e.Arg, 1)
		if m.Phase == Language {
			m.afterLanguage()
			return true
		}
	case Start, Next, Back, NoCase, Tick, Refuse, SetRoute, LastTryYes, ConfirmData, WrongData, SkipFace, WithStaff,
		Done:
		return m.onPhaseAct(e)
	}
	return m.alive()
}

// alive renews the deadline of a phase in which the customer is asked for something.
func (m *machine) alive() bool {
	if _, warn := m.Deadline(); warn > 0 {
		m.Warned = false
		m.arm()
	}
	return true
}

// CanCancel says where the customer may stop. While a try is being spent and while a decision is being stored
// they cannot; those phases are short. After the end there is nothing to stop.
func CanCancel(p Phase) bool {
	switch p {
	case Language, CaseRef, Consent, PlaceCard, Document, Credential, LastTry, PutBack, Ways, Confirm, Face, WaitStaff:
		return true
	case Idle, CardCheck, Reading, Deciding, Result, TakeCard, OutOfService:
		return false
	}
	return false
}

func (m *machine) onIdle(e Customer) bool {
	switch e.Act {
	case Start:
		m.enter(Language)
		return true
	case SetLanguage, SetSize, SetContrast, SetSlow, Next, Back, NoCase, Tick, Refuse, Touched, SetRoute, LastTryYes,
		ConfirmData, WrongData, SkipFace, WithStaff, AskStaff, AskCancel, CancelYes, CancelNo, More, Done:
	}
	return false
}

func (m *machine) onPhaseAct(e Customer) bool {
	switch m.Phase {
	case PutBack:
		return m.onWithStaff(e)
	case CaseRef:
		return m.onCaseRef(e)
	case Consent:
		return m.onConsent(e)
	case Document:
		return m.onDocument(e)
	case Credential:
		return m.onCredential(e)
	case LastTry:
		return m.onLastTry(e)
	case Confirm:
		return m.onConfirm(e)
	case Face:
		if e.Act != SkipFace {
			return false
		}
		m.FaceDeclined = true
		m.decide()
		return true
	case Result:
		if e.Act != Done {
			return false
		}
		m.afterResult()
		return true
	case PlaceCard:
		return m.onPlaceCard(e)
	case Ways:
		return m.onWays(e)
	case Idle, Language, CardCheck, Reading, WaitStaff, Deciding, TakeCard, OutOfService:
	}
	return false
}

func (m *machine) onPlaceCard(e Customer) bool {
	switch e.Act {
	case Back:
		m.Trouble = ""
		m.enter(Consent)
	case WithStaff: // no chip at all ends at staff too, not in a refusal (duty 15)
		m.toStaff(CodeNoChip)
	default:
		return false
	}
	return true
}

// onWays: the other routes, the staff; the end is the cancel button's.
func (m *machine) onWays(e Customer) bool {
	switch {
	case e.Act == WithStaff:
		return m.onWithStaff(e)
	case e.Act == SetRoute && slices.Contains(m.OpenRoutes(), Route(e.Arg)): // the card is asked again what it has left, if it is still the same
		m.Route = Route(e.Arg)
		m.Lift = false
		m.enter(PutBack)
	default:
		return false
	}
	return true
}

// afterLanguage asks for the case, unless the service has none on purpose (duty 21).
func (m *machine) afterLanguage() {
	if m.Profile.Kind != policy.KindUnset && m.Profile.Case == policy.CaseNone {
		m.Case = CaseNone
		m.enter(Consent)
		return
	}
	m.enter(CaseRef)
}

func (m *machine) onCaseRef(e Customer) bool {
	switch e.Act {
	case Next:
		m.Case = CaseNumber
	case NoCase:
		if m.CaseRequired() {
			return false
		}
		m.Case = CaseNone
	case Back:
		m.enter(Language)
		return true
	default:
		return false
	}
	m.enter(Consent)
	return true
}

func (m *machine) onConsent(e Customer) bool {
	switch e.Act {
	case Tick:
		switch e.Arg {
		case 0:
			m.AgreeIdentity = !m.AgreeIdentity
		case 1:
			m.AgreeFace = !m.AgreeFace
		default:
			return false
		}
		return m.alive()
	case Back:
		if m.Case == CaseNone && m.Profile.Case == policy.CaseNone {
			m.enter(Language)
			return true
		}
		m.enter(CaseRef)
	case Refuse:
		m.finish(Decision{Outcome: Referred, Reason: CodeConsent}, CodeConsent)
	case Next:
		if !m.AgreeIdentity {
			m.Trouble = CodeConsent
			return m.alive()
		}
		m.Trouble, m.Route = "", m.first()
		m.enter(PlaceCard)
	default:
		return false
	}
	return true
}

// onDocument: nothing is signed that was not shown, and whoever does not want to sign has the other ways.
func (m *machine) onDocument(e Customer) bool {
	switch e.Act {
	case Next:
		m.Shown = true
		m.enter(Credential)
	case Back:
		m.enter(Consent)
	default:
		return m.onCredential(e)
	}
	return true
}

func (m *machine) onCredential(e Customer) bool {
	r := Route(e.Arg)
	switch {
	case e.Act == Back:
		m.Trouble, m.Shown = "", false
		m.enter(Consent)
		return true
	case e.Act == WithStaff:
		return m.onWithStaff(e)
	case e.Act != SetRoute || !m.offers(r):
		return false
	case m.closed(r) != "":
		m.Trouble = m.closed(r)
		return m.alive()
	}
	m.Route, m.Trouble = r, ""
	m.begin()
	return true
}

func (m *machine) onLastTry(e Customer) bool {
	switch e.Act {
	case LastTryYes:
		m.enter(Reading)
	case Back:
		m.enter(Credential)
	case SetRoute, WithStaff:
		return m.onCredential(e)
	default:
		return false
	}
	return true
}

// onWithStaff: from wherever a card can fail, people can take over.
func (m *machine) onWithStaff(e Customer) bool {
	if e.Act != WithStaff {
		return false
	}
	reason := m.Trouble
	if reason == "" {
		reason = CodeStaffNeeded
	}
	m.toStaff(reason)
	return true
}

func (m *machine) onConfirm(e Customer) bool {
	switch e.Act {
	case ConfirmData:
		m.Confirmed = true
		m.afterConfirm()
	case WrongData:
		m.toStaff(CodeWrongData)
	default:
		return false
	}
	return true
}

// afterResult waits for the card to be taken, by its level.
func (m *machine) afterResult() {
	if m.Reader == ReaderCard || m.Reader == ReaderMute {
		m.enter(TakeCard)
		return
	}
	m.enter(Idle)
}

// onTimeout ends what took too long. Everything of the customer is wiped on the way out.
func (m *machine) onTimeout() bool {
	if _, warn := m.Deadline(); warn > 0 && !m.Warned {
		m.Warned = true
		m.arm()
		return true
	}
	switch m.Phase {
	case PutBack: // any card may come now, and nothing of this one is left
		m.forgetCard()
		m.enter(PlaceCard)
	case Language, CaseRef, Consent, PlaceCard, Document, Credential, LastTry, Ways, Confirm:
		m.finish(Decision{Outcome: Cancelled, Reason: CodeTimeUp}, CodeTimeUp)
	case CardCheck:
		m.cardFailed(CodeCardMute)
	case Reading:
		m.cardFailed(CodeCardMute)
	case Face:
		m.Trouble = CodeFaceRetry
		m.decide()
	case WaitStaff:
		m.finish(Decision{Outcome: Referred, Reason: CodeNoStaff}, CodeNoStaff)
	case Deciding:
		m.finish(Decision{Outcome: Referred, Reason: CodeStorageFailed}, CodeStorageFailed)
	case Result:
		m.afterResult()
	case TakeCard:
		m.CardLeft = true
		m.arm()
	case OutOfService:
		m.health()
		if m.Phase == OutOfService {
			m.arm()
		}
	case Idle:
		return false
	}
	return true
}
