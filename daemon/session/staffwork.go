package session

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/staff"
	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
	"madoguchi/ui/console"
)

const (
	idleSignOut = 15 * time.Minute // staff who do nothing are signed out
	maxSessions = 64               // staff browsers that are remembered
	maxNote     = 200
)

// staffSessions are the staff browsers, owned by the session's goroutine.
type staffSessions struct {
	by   map[uint64]*staffSession
	duty uint64 // who signed in last, and takes presentations

	// The case on offer.
	chip string
	live []string
}

type staffSession struct {
	id, name, problem, lang string
	seen                    time.Time
	viewed                  string // the case whose photos were shown
}

func newStaffSessions() staffSessions { return staffSessions{by: map[uint64]*staffSession{}} }

// get finds or makes the session of a browser. Browsers that never signed in are forgotten first.
func (p *staffSessions) get(n uint64) *staffSession {
	if m, ok := p.by[n]; ok {
		return m
	}
	if len(p.by) >= maxSessions {
		maps.DeleteFunc(p.by, func(_ uint64, m *staffSession) bool { return m.id == "" })
	}
	m := &staffSession{lang: "ja"}
	p.by[n] = m
	return m
}

// peek is get without remembering.
func (p *staffSessions) peek(n uint64) staffSession {
	if m, ok := p.by[n]; ok {
		return *m
	}
	return staffSession{lang: "ja"}
}

// signedIn is the answer of a sign-in.
type signedIn struct {
	session uint64
	member  staff.Member
	err     error
}

// staff brings an act of a staff member in. What is not signed in may sign in and nothing else.
func (s *Session) staff(in console.Input) {
	who := s.people.get(in.Session)
	who.problem = ""
	switch in.Kind {
	case console.InSignIn:
		s.signIn(in)
		return
	case console.InLang:
		if in.Reason == "ja" || in.Reason == "en" {
			who.lang = in.Reason
		}
		return
	case console.InSignOut, console.InApprove, console.InRefuse, console.InCancel, console.InHelped,
		console.InOther, console.InRepresent:
	}
	if who.id == "" {
		wipeInput(in)
		return
	}
	who.seen = s.Now()
	switch in.Kind {
	case console.InSignOut:
		s.signOut(in.Session)
	case console.InApprove, console.InRefuse:
		s.decide(who, in)
	case console.InCancel:
		s.event(flow.StaffRefers{Staff: who.id})
	case console.InOther:
		if slices.Contains(console.OtherMethods(), in.Reason) {
			s.event(flow.StaffRefers{Staff: who.id, How: flow.Code(in.Reason)})
		}
	case console.InRepresent:
		s.represent(who, in)
	case console.InHelped:
		s.event(flow.HelpAnswered{})
	case console.InSignIn, console.InLang:
	}
}

func (s *Session) signIn(in console.Input) {
	ctx := s.ctx
	s.wg.Go(func() { // the check is slow on purpose
		defer in.PIN.Wipe()
		m, err := s.Roster.SignIn(in.Staff, in.PIN)
		s.post(ctx, signedIn{session: in.Session, member: m, err: err})
	})
}

func (s *Session) onSignedIn(m signedIn) {
	who := s.people.get(m.session)
	switch {
	case errors.Is(m.err, staff.ErrLocked):
		who.problem = "locked"
		s.Audit(audit.Leaf{Kind: audit.StaffRefused, Reason: "locked"}) // what was typed as an id may be anything
	case m.err != nil:
		who.problem = "bad-sign-in"
		s.Audit(audit.Leaf{Kind: audit.StaffRefused, Reason: "wrong"})
	default:
		who.id, who.name, who.seen = m.member.ID, m.member.Name, s.Now()
		s.people.duty = m.session
		s.Log.Info("staff signed in", slog.String("staff", who.id))
		s.Audit(audit.Leaf{Kind: audit.StaffIn, Staff: who.id})
		s.event(flow.Duty{Staff: who.id})
	}
}

func (s *Session) signOut(session uint64) {
	who := s.people.get(session)
	s.Log.Info("staff signed out", slog.String("staff", who.id))
	s.Audit(audit.Leaf{Kind: audit.StaffOut, Staff: who.id})
	*who = staffSession{lang: who.lang}
	if s.people.duty != session {
		return
	}
	next := flow.Duty{}
	for n, other := range s.people.by { // somebody else who is signed in takes over
		if other.id != "" {
			s.people.duty, next.Staff = n, other.id
		}
	}
	s.event(next)
}

func (s *Session) idleLogout() {
	for n, who := range s.people.by {
		if who.id != "" && s.Now().Sub(who.seen) > idleSignOut {
			s.signOut(n)
		}
	}
}

// caseID names the pending case; it dies with the phase, so that a decision cannot reach another case.
func caseID(gen uint32) string { return strconv.FormatUint(uint64(gen), 10) }

// decide brings a decision in. The reason is one of the closed list; the machine's own result stays as it is.
func (s *Session) decide(who *staffSession, in console.Input) {
	if s.state.Phase != flow.WaitStaff || in.Case != caseID(s.state.Gen) {
		who.problem = "already-decided"
		return
	}
	approve := in.Kind == console.InApprove
	allowed := console.RefuseReasons()
	if approve {
		allowed = console.ApproveReasons()
	}
	if !slices.Contains(allowed, in.Reason) {
		return
	}
	if digitRun(in.Note) {
		who.problem = "digit-run"
		return
	}
	if len(in.Note) <= maxNote {
		s.vault.note = in.Note
	}
	word := "refuse"
	if approve {
		word = "approve"
	}
	if approve && s.state.NeedsSecond() {
		switch s.state.First {
		case "":
			word = "approve-first"
			s.vault.first(who.id, s.Now())
		case who.id:
			who.problem = "second-person"
			return
		}
	}
	s.Audit(audit.Leaf{Kind: audit.StaffDecided, Staff: who.id, Word: word, Reason: in.Reason})
	s.event(flow.StaffDecides{Gen: s.state.Gen, Approve: approve, Staff: who.id, Reason: flow.Code(in.Reason)})
}

// offerCase puts the pictures of the case where the staff page can fetch them.
func (s *Session) offerCase() {
	s.Staff.DropImages()
	s.people.chip, s.people.live = "", nil
	if s.vault.chipPNG.Len() > 0 {
		s.people.chip = s.Staff.PutImage("image/png", s.vault.chipPNG.Clone())
	}
	for _, b := range s.vault.live {
		s.people.live = append(s.people.live, s.Staff.PutImage("image/jpeg", b.Clone()))
	}
}

// staffView is what one staff browser shows now.
func (s *Session) staffView(session uint64) console.View {
	who := s.people.peek(session)
	v := console.View{Staff: who.id, Name: who.name, Problem: who.problem, Lang: who.lang, Virtual: s.virtual()}
	if who.id == "" {
		return v
	}
	v.Kiosk = console.Kiosk{
		State: s.state.Phase.String(), Since: int(s.Now().Sub(s.entered).Seconds()), Reader: "ok", Camera: "ok",
		Queue: s.queue.Waiting, HelpCalled: s.state.StaffCalled,
	}
	if s.queue.Waiting > 0 {
		v.Kiosk.OldestSecs = int(s.Now().Sub(s.queue.Oldest).Seconds())
	}
	if s.state.Reader == flow.ReaderDown {
		v.Kiosk.Reader = string(flow.CodeReaderMissing)
	}
	if !s.state.Camera {
		v.Kiosk.Camera = string(flow.CodeCameraMissing)
	}
	if s.state.Phase == flow.OutOfService {
		v.Kiosk.OutOfService = string(s.state.Trouble)
	}
	if s.state.Phase == flow.WaitStaff {
		v.Case = s.pending()
		s.noteView(session)
	}
	return v
}

// noteView notes once per case that a staff member was shown its photos.
func (s *Session) noteView(session uint64) {
	who := s.people.get(session)
	if id := caseID(s.state.Gen); who.viewed != id && (s.people.chip != "" || len(s.people.live) > 0) {
		who.viewed = id
		s.Audit(audit.Leaf{Kind: audit.PhotoViewed, Staff: who.id})
	}
}

func (s *Session) pending() *console.Case {
	vault := &s.vault
	c := &console.Case{
		ID: caseID(s.state.Gen), Reason: string(s.state.StaffReason), Waiting: int(s.Now().Sub(s.entered).Seconds()),
		CaseRef: string(vault.caseNo), Chip: s.people.chip, Live: s.people.live, Name: vault.attrs.Name,
		Birth: vault.attrs.Birth, Address: vault.attrs.Address, Sex: vault.attrs.Sex,
		Expiry: vault.identity.Expiry.String(), Match: s.state.Match.String(), Score: vault.verdict.Score,
		Threshold: vault.verdict.Threshold, Liveness: s.state.Live.String(),
		Proof: string(vault.front.Proof.Verdict), Route: routeName(s.state.Route), MayApprove: s.state.MayApprove(),
		NeedsGuardian: s.state.Read.Minor, Represented: s.state.Represented,
	}
	for _, r := range vault.verdict.Reasons {
		c.Reasons = append(c.Reasons, string(r))
	}
	return c
}

// wipeInput wipes what a staff input that nobody reads still holds.
func wipeInput(in console.Input) { secret.Wipe(in.PIN, in.Name) }
