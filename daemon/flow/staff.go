package flow

func (m *machine) onStaff(e StaffDecides) bool {
	if e.Staff == "" || e.Approve && !m.MayApprove() {
		return false
	}
	if e.Approve && m.NeedsSecond() && (m.First == "" || m.First == e.Staff) {
		return m.approveFirst(e.Staff)
	}
	m.Decision = Decision{Outcome: Refused, ByStaff: true, Staff: e.Staff, Reason: e.Reason}
	m.Trouble = CodeStaffRefused
	if e.Approve {
		m.Decision.Outcome = Verified
		m.Trouble = ""
		if m.Route == RouteSign { // people cannot know a revocation either
			m.Decision.Outcome = Pending
			m.Trouble = CodePending
		}
	}
	m.StaffCalled = false
	m.enter(Deciding)
	return true
}

func (m *machine) onRepresented(e Represented) bool {
	if m.Phase != WaitStaff || e.Gen != m.Gen || e.Staff == "" {
		return false
	}
	m.State.Represented = true
	return true
}

// approveFirst waits for the second person, who is never the first again.
func (m *machine) approveFirst(staff string) bool {
	was := m.First
	m.First = staff
	return was == ""
}

func (m *machine) onRefer(e StaffRefers) bool {
	switch m.Phase {
	case Idle, Reading, Deciding, Result, TakeCard, OutOfService:
		return false
	case Language, CaseRef, Consent, PlaceCard, CardCheck, Document, Credential, LastTry, PutBack, Ways,
		Confirm, Face, WaitStaff:
	}
	if e.Staff == "" {
		return false
	}
	how := e.How
	if how == "" {
		how = CodeStaffNeeded
	}
	m.StaffCalled = false
	m.finish(Decision{Outcome: Referred, ByStaff: true, Staff: e.Staff, Reason: how}, CodeStaffNeeded)
	return true
}
