package flow

import "madoguchi/daemon/policy"

// On is the machine: the next state, and what must be done. It never blocks, never fails and never forgets a
// deadline. An event that means nothing here is counted and dropped.
func On(s State, e Event) (State, []Effect) {
	m := machine{State: s}
	if !m.on(e) {
		m.Dropped++
	}
	return m.State, m.effects
}

type machine struct {
	State
	effects []Effect
}

func (m *machine) do(e Effect) { m.effects = append(m.effects, e) }

// on reports whether the event meant anything.
func (m *machine) on(e Event) bool {
	switch e := e.(type) {
	case ReaderLevel:
		return m.onReader(e)
	case CameraLevel:
		m.Camera = e.Ready
		return m.onCamera()
	case StorageLevel:
		m.Storage, m.Why = e.Room, e.Why
		m.health()
		return true
	case MaintenanceLevel:
		if e.On && m.Phase != Idle && m.Phase != OutOfService {
			return false
		}
		m.Maintenance = e.On
		m.health()
		return true
	case Duty:
		m.State.Duty = e.Staff
		return true
	case Customer:
		return m.onCustomer(e)
	case Submitted:
		return m.onSubmitted(e)
	case Identified:
		return m.Phase == CardCheck && e.Gen == m.Gen && m.onIdentified(e)
	case ReadDone:
		return m.Phase == Reading && e.Gen == m.Gen && m.onRead(e)
	case FaceDone:
		if m.Phase != Face || e.Gen != m.Gen {
			return false
		}
		m.onFace(e)
		return true
	case Stored:
		if m.Phase != Deciding || e.Gen != m.Gen {
			return false
		}
		m.onStored(e)
		return true
	case StaffDecides:
		return m.Phase == WaitStaff && e.Gen == m.Gen && m.onStaff(e)
	case Represented:
		return m.onRepresented(e)
	case StaffRefers:
		return m.onRefer(e)
	case HelpAnswered:
		was := m.StaffCalled
		m.StaffCalled = false
		return was
	case Timeout:
		return e.Timer == m.Timer && m.Phase != Idle && m.onTimeout()
	}
	return false
}

// enter is the only way into a phase.
func (m *machine) enter(p Phase) {
	m.Phase = p
	m.Gen++
	m.Warned, m.AskCancel, m.Moved = false, false, false
	switch p {
	case Idle:
		m.Session, m.Settings = Session{}, Settings{}
		m.do(Wipe{})
		m.Timer++
		m.do(StopTimer{})
		m.health()
		return
	case Result, TakeCard, OutOfService:
		m.do(Wipe{})
	case PlaceCard, Document, Credential, PutBack, Ways:
		m.do(ClearEntry{})
	case CardCheck:
		m.do(Identify{Gen: m.Gen})
	case Reading:
		m.do(ReadCard{Gen: m.Gen, Route: m.Route})
	case Face:
		m.FaceTries++
		m.do(Capture{Gen: m.Gen})
	case Deciding:
		m.do(Store{Gen: m.Gen, Decision: m.Decision})
	case Language, CaseRef, Consent, LastTry, Confirm, WaitStaff:
	}
	m.arm()
	if p == PlaceCard || p == PutBack {
		m.tryCard()
	}
}

// arm sets the deadline of the phase anew.
func (m *machine) arm() {
	m.Timer++
	wait, warn := m.Deadline()
	if m.Warned {
		wait = warn
	}
	m.do(SetTimer{Timer: m.Timer, After: wait})
}

// health moves between idle and out of service, by levels alone.
func (m *machine) health() {
	trouble := m.unfit()
	switch {
	case m.Phase == Idle && trouble != "":
		m.outOfService(trouble)
	case m.Phase == OutOfService && trouble == "":
		m.enter(Idle)
	case m.Phase == OutOfService:
		m.Trouble = trouble
	}
}

// unfit says why no customer can be served now, by levels alone.
func (m *machine) unfit() Code {
	switch {
	case m.Maintenance:
		return CodeMaintenance
	case m.Reader == ReaderDown:
		return CodeReaderMissing
	case !m.Storage && m.Why != "":
		return m.Why
	case !m.Storage:
		return CodeStorageFull
	}
	return ""
}

func (m *machine) outOfService(c Code) {
	m.Session, m.Settings = Session{Trouble: c}, Settings{}
	m.enter(OutOfService)
}

func (m *machine) onReader(e ReaderLevel) bool {
	changed := e.Level != m.Reader || e.Seq != m.CardSeq
	m.Reader, m.CardSeq = e.Level, e.Seq
	if e.Level == ReaderDown && needsReader(m.Phase) {
		m.outOfService(CodeReaderMissing)
		return true
	}
	switch m.Phase {
	case Idle:
		m.health()
		if changed && e.Level == ReaderCard && m.Phase == Idle {
			m.enter(Language)
		}
	case OutOfService:
		m.health()
	case PlaceCard, PutBack:
		if changed && e.Level != ReaderMute {
			m.Lift = false
		}
		m.tryCard()
	case CardCheck, Document, Credential, LastTry:
		if changed || e.Level != ReaderCard {
			m.cardGone()
		}
	case TakeCard:
		if e.Level != ReaderCard && e.Level != ReaderMute {
			m.enter(Idle)
		}
	case Reading: // the work itself finds out, and tells what was read till then
		m.Moved = m.Moved || changed
	case Language, CaseRef, Consent, Ways, Confirm, Face, WaitStaff, Deciding, Result:
	}
	return true
}

// needsReader lists the phases that cannot go on without a reader. After the reading nobody needs it.
func needsReader(p Phase) bool {
	switch p {
	case Idle, Language, CaseRef, Consent, PlaceCard, CardCheck, Document, Credential, LastTry, Reading, PutBack:
		return true
	case Ways, Confirm, Face, WaitStaff, Deciding, Result, TakeCard, OutOfService:
		return false
	}
	return true
}

// cardGone waits for the card that was taken away too early. Before it was known any card will do.
func (m *machine) cardGone() {
	m.Trouble = CodeCardRemoved
	m.Lift = false
	m.awaitCard()
}

// cardLost is cardGone as the work found it, perhaps before the reader's report: what the reader still reports as lying
// there is not asked again before it was moved.
func (m *machine) cardLost() {
	m.Trouble = CodeCardRemoved
	m.Lift = !m.Moved && (m.Reader == ReaderCard || m.Reader == ReaderMute)
	m.awaitCard()
}

func (m *machine) awaitCard() {
	if m.Known {
		m.enter(PutBack)
		return
	}
	m.enter(PlaceCard)
}

// forgetCard begins anew with any card: nothing that was read is left.
func (m *machine) forgetCard() {
	m.Known, m.Read = false, Read{}
	m.do(ForgetCard{})
}

// tryCard acts on the level while a card is awaited.
func (m *machine) tryCard() {
	switch {
	case m.Lift:
	case m.Reader == ReaderCard:
		m.enter(CardCheck)
	case m.Reader == ReaderMute:
		m.Lift = true
		m.Trouble = CodeCardMute
	}
}

func (m *machine) onCamera() bool {
	if m.Phase == Face && !m.Camera {
		m.Match, m.Live = policy.NotChecked, policy.NotChecked
		m.Trouble = CodeCameraMissing
		m.decide()
	}
	return true
}

func (m *machine) onIdentified(e Identified) bool {
	m.TriesB, m.TriesPIN, m.TriesSign = e.TriesB, e.TriesPIN, e.TriesSign
	m.NoSign, m.WithoutPIN = e.NoSign, e.WithoutPIN
	switch {
	case m.Known && e.Other:
		m.finish(Decision{Outcome: Cancelled, Reason: CodeCardSwapped}, CodeCardSwapped)
	case e.Trouble == CodeCardRemoved && m.Known:
		m.cardLost()
	case e.Trouble != "":
		m.cardFailed(e.Trouble)
	case e.Expired:
		m.Expired = true
		m.Decision = Decision{Outcome: Refused, Reason: CodeCardExpired}
		m.Trouble = CodeCardExpired
		m.enter(Deciding)
	case m.unknownTries():
		m.cardFailed(CodeCardUnread) // a counter that is not known is never shown as a number
	default:
		m.Known = true
		m.chooseRoute()
	}
	return true
}

// unknownTries says whether a counter that may be shown is not known: it is never shown as a number.
func (m *machine) unknownTries() bool {
	for _, r := range routes() {
		if m.offers(r) && !m.triesOf(r).Known && (r != RouteSign || !m.NoSign) {
			return true
		}
	}
	return false
}

// chooseRoute goes on with a route that is open. Between the in-person routes the machine may change; another method
// is the customer's choice, among all ways.
func (m *machine) chooseRoute() {
	why := m.closed(m.Route)
	switch {
	case why == "" && (m.Trouble == CodeCardRemoved || m.Trouble == CodeCardMute):
		m.Trouble = ""
	case why == "":
	case m.Route == RouteB && m.open(RoutePIN):
		m.Route, m.Trouble = RoutePIN, why
	case m.Route == RoutePIN && m.open(RouteB):
		m.Route, m.Trouble = RouteB, why
	case m.Route == RoutePIN:
		m.toWays(m.closed(RouteB))
		return
	default:
		m.toWays(why)
		return
	}
	m.begin()
}

// begin asks for what the route needs. What will be signed is shown first, once.
func (m *machine) begin() {
	if m.Route == RouteSign && !m.Shown {
		m.enter(Document)
		return
	}
	m.enter(Credential)
}

// cardFailed asks for the card again, and for staff after some failures. A failed card must be lifted first.
func (m *machine) cardFailed(c Code) {
	m.CardFailures++
	m.Trouble = c
	if int(m.CardFailures) >= m.Profile.CardTries {
		m.toStaff(c)
		return
	}
	m.Lift = m.Reader == ReaderCard || m.Reader == ReaderMute
	m.enter(PlaceCard)
}

func (m *machine) onSubmitted(e Submitted) bool {
	switch {
	case m.Phase != Credential:
		return false
	case e.Trouble != "":
		m.Trouble = e.Trouble
		m.enter(Credential)
	case m.TriesLeft().Blocked() || !m.TriesLeft().Known:
		m.chooseRoute()
	case m.TriesLeft().Left == 1:
		m.enter(LastTry)
	default:
		m.enter(Reading)
	}
	return true
}

func (m *machine) onRead(e ReadDone) bool {
	switch {
	case e.Trouble == "":
		m.Read = e.Read
		m.Trouble = ""
		m.enter(Confirm)
	case e.Again:
		m.Trouble = e.Trouble
		m.do(ClearEntry{})
		m.checkAgain()
	case e.Trouble == CodeCertExpired || e.Trouble == CodeNoSignCert:
		m.NoSign = true // whatever the card says of it, it is none to sign with
		m.toWays(e.Trouble)
	case e.Trouble == CodeCardRemoved && int(m.CardFailures)+1 < m.Profile.CardTries:
		m.CardFailures++
		m.cardLost()
	default:
		m.cardFailed(e.Trouble)
	}
	return true
}

// checkAgain asks the card for its counters, when it still lies there.
func (m *machine) checkAgain() {
	m.Lift = false
	if m.Reader == ReaderCard {
		m.enter(CardCheck)
		return
	}
	m.enter(PutBack)
}

// toWays shows every way on from something that cannot go on.
func (m *machine) toWays(c Code) {
	m.Trouble = c
	m.enter(Ways)
}

func (m *machine) onFace(e FaceDone) {
	m.Match, m.Live = e.Match, e.Live
	clean := e.Match == policy.Pass && e.Live == policy.Pass
	again := int(m.FaceTries) < m.Profile.FaceTries && e.Live != policy.Fail
	if clean || !again {
		m.decide()
		return
	}
	m.Trouble = CodeFaceRetry
	if e.Match == policy.Fail {
		m.Trouble = CodeFaceMismatch
	}
	m.enter(Face)
}

// afterConfirm goes to the face where it can be compared, else straight to the decision.
func (m *machine) afterConfirm() {
	if m.Profile.Face == policy.FaceNone {
		m.decide()
		return
	}
	if m.Read.Photo && m.AgreeFace && m.Camera {
		m.enter(Face)
		return
	}
	if m.Read.Photo && m.AgreeFace {
		m.Trouble = CodeCameraMissing
	}
	m.decide()
}

// decide applies the rules to the facts.
func (m *machine) decide() {
	v, reason := policy.Decide(*m.Profile, m.Facts())
	switch {
	case v == policy.Accept && (m.Match != policy.Pass || m.Live != policy.Pass):
		m.toStaff(CodeStaffNeeded) // a record in which a machine verified without a face is not taken: staff compare
		return
	case v == policy.Accept && m.Route != RouteSign:
		m.Decision = Decision{Outcome: Verified, Reason: Code(reason)}
		m.Trouble = ""
	case v == policy.Pend:
		m.Decision = Decision{Outcome: Pending, Reason: Code(reason)}
		m.Trouble = CodePending
	default:
		m.toStaff(Code(reason))
		return
	}
	m.enter(Deciding)
}

func (m *machine) toStaff(reason Code) {
	m.StaffReason, m.First = reason, ""
	m.enter(WaitStaff)
}

func (m *machine) onStored(e Stored) {
	if e.OK {
		m.enter(Result)
		return
	}
	// Without a record nothing was verified, whatever was decided.
	m.finish(Decision{Outcome: Referred, Reason: CodeStorageFailed}, CodeStorageFailed)
}

// finish ends the session with a result that leaves no record.
func (m *machine) finish(d Decision, trouble Code) {
	m.Decision, m.Trouble = d, trouble
	m.enter(Result)
}
