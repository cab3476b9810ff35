// Package session owns the machine of daemon/flow: one goroutine holds its state, turns reports of the devices
// into events, and carries out its effects. What belongs to the customer lies in its vault and is wiped when the
// machine says so. Only daemon/kioskd imports it.
package session

import (
	"context"
	"crypto/x509"
	"errors"
	"image"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/present"
	"madoguchi/daemon/staff"
	"madoguchi/face"
	"madoguchi/hardware/camera"
	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
	"madoguchi/storage/record"
	"madoguchi/ui/console"
	"madoguchi/ui/screen"
)

// Kiosk is the customer's browser (ui/hub).
type Kiosk interface {
	Show(screen.Screen)
	PutImage(mime string, b *secret.Bytes) screen.Image
	DropImages()
	Preview(on bool)
	Frame(jpeg []byte)
}

// StaffPage is the page of the branch staff (ui/console).
type StaffPage interface {
	ShowAll(view func(session uint64) console.View)
	PutImage(mime string, b *secret.Bytes) string
	DropImages(handles ...string) // none: all
}

// Store takes finished records (storage/outbox).
type Store interface {
	Put(r *record.Record) error
	Ready(parts ...record.Part) error
}

// Developer moves virtual cards and faces. It is nil unless every device is virtual.
type Developer interface {
	People() []screen.DevPerson
	Insert(id string) error
	Remove() error
	Face(id string) error
	Now() (card, face string)
}

// Queue is what staff see of the way to HQ.
type Queue struct {
	Waiting int
	Oldest  time.Time
}

// Deps is everything a session needs. Engine, Calibration and Developer may be nil: the face is then not
// checked, and there is no developer panel.
type Deps struct {
	Profile      policy.Profile
	Device       string
	Version      string
	Reader       reader.Reader
	Camera       camera.Camera
	Trust        []card.IssuerKey
	TrustVirtual bool
	Authorities  []*x509.Certificate // of the JPKI signature certificates, for the local pre-check; none: not checked
	Engine       face.Engine
	Calibration  *face.Calibration
	DecodeFace   func(ctx context.Context, jp2 []byte) (image.Image, error)
	Store        Store
	Queue        func() Queue
	Kiosk        Kiosk
	Staff        StaffPage
	Roster       *staff.Roster
	Developer    Developer
	Methods      methods.Table    // the dated table in force; the zero one: the built-in
	Audit        func(audit.Leaf) // notes an entry, in order, soon
	Now          func() time.Time
	Draw         func() []int // a permutation of 0..9; nil: at random
	Log          *slog.Logger
}

// Session drives one kiosk. Make it with New.
type Session struct {
	Deps
	inbox chan message
	wg    sync.WaitGroup

	// Owned by Run's goroutine.
	ctx     context.Context //nolint:containedctx // Run's own, for effects that outlive a phase
	state   flow.State
	vault   vault
	phase   scope
	timer   *time.Timer
	due     time.Time
	entered time.Time
	people  staffSessions
	hint    present.View
	queue   Queue

	levels   atomic.Pointer[[3]string] // for HQ
	atr      atomic.Pointer[[]byte]    // of the newest level; it only helps to name a storage card
	cardMu   sync.Mutex                // one exchange with the card at a time
	short    string                    // guarded by cardMu: the name of the reader that refuses extended commands, or is slow with them
	filming  chan struct{}             // holds one token while a stream is open
	engineMu sync.Mutex                // the engine is not safe for concurrent use
}

// scope is the context of a phase.
type scope struct{ cancel context.CancelFunc }

// message is anything that reaches the owner: flow events, inputs, results.
type message any

type (
	tick     struct{}
	refresh  struct{}
	ping     struct{ done chan struct{} }
	maintain struct {
		staff string
		on    bool
		done  chan bool // has room for the answer
	}
)

// New makes a session; Run starts it.
func New(d Deps) *Session {
	if d.Methods.Revision() == "" {
		d.Methods = methods.Builtin()
	}
	if d.Draw == nil {
		d.Draw = func() []int { return permutation(10) }
	}
	return &Session{Deps: d, inbox: make(chan message, 64), filming: make(chan struct{}, 1), people: newStaffSessions()}
}

// post hands a message to the owner; it gives up when ctx ends.
func (s *Session) post(ctx context.Context, m message) {
	select {
	case s.inbox <- m:
	case <-ctx.Done():
		discard(m)
	}
}

// Customer takes an input of the customer's browser.
func (s *Session) Customer(ctx context.Context, in screen.Input) { s.post(ctx, in) }

// StaffInput takes an input of a staff browser.
func (s *Session) StaffInput(ctx context.Context, in console.Input) { s.post(ctx, in) }

// Refresh shows everything once more, for a page that has just come.
func (s *Session) Refresh(ctx context.Context) { s.post(ctx, refresh{}) }

// Ping returns nil when the owner of the machine has taken this very message after everything that came before it, and
// ctx's error when it does not in time. It feeds the watchdog: an owner that is stuck answers nothing.
func (s *Session) Ping(ctx context.Context) error {
	p := ping{done: make(chan struct{})}
	s.post(ctx, p)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ErrCustomer says that a customer is being served, so that no maintenance can begin.
var ErrCustomer = errors.New("session: a customer is being served")

// Maintain begins or ends maintenance in the name of a staff member, whom the caller has signed in.
// Errors: ErrCustomer, ctx's own.
func (s *Session) Maintain(ctx context.Context, staff string, on bool) error {
	m := maintain{staff: staff, on: on, done: make(chan bool, 1)}
	s.post(ctx, m)
	select {
	case ok := <-m.done:
		if !ok {
			return ErrCustomer
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Session) maintain(m maintain) {
	before := s.state.Maintenance
	s.event(flow.MaintenanceLevel{On: m.on})
	if s.state.Maintenance != before {
		word := "end"
		if m.on {
			word = "begin"
		}
		s.Audit(audit.Leaf{Kind: audit.Maintenance, Staff: m.staff, Word: word})
	}
	m.done <- s.state.Maintenance == m.on
}

// noteEnd notes a customer's session that ended without a record. Those with one are noted with it.
func (s *Session) noteEnd(before flow.State) {
	switch before.Phase {
	case flow.Idle, flow.OutOfService, flow.TakeCard, flow.Result, flow.Deciding:
		if before.Phase != flow.Deciding || s.state.Decision.Outcome != flow.Referred {
			return
		}
	case flow.Language, flow.CaseRef, flow.Consent, flow.PlaceCard, flow.CardCheck, flow.Document, flow.Credential, flow.LastTry,
		flow.Reading, flow.PutBack, flow.Ways, flow.Confirm, flow.Face, flow.WaitStaff:
	}
	l := audit.Leaf{Kind: audit.Ended, Word: "abandoned", Reason: string(s.state.Trouble), Staff: s.state.Decision.Staff}
	if s.state.Decision.ByStaff && s.state.Decision.Reason != "" {
		l.Reason = string(s.state.Decision.Reason)
	}
	switch s.state.Phase {
	case flow.Result:
		l.Word = s.state.Decision.Outcome.String()
	case flow.Idle, flow.TakeCard, flow.OutOfService:
	case flow.Language, flow.CaseRef, flow.Consent, flow.PlaceCard, flow.CardCheck, flow.Document, flow.Credential, flow.LastTry,
		flow.Reading, flow.PutBack, flow.Ways, flow.Confirm, flow.Face, flow.WaitStaff, flow.Deciding:
		return
	}
	s.Audit(l)
}

// Run owns the machine until ctx ends, then wipes what belongs to the customer. It returns ctx's error.
func (s *Session) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	s.ctx = ctx
	s.timer = time.NewTimer(time.Hour)
	defer func() {
		cancel()
		s.phase.end()
		s.timer.Stop()
		s.wg.Wait()
		s.drain()
		s.vault.wipe()
		s.Kiosk.DropImages()
		s.Staff.DropImages()
	}()
	var effects []flow.Effect
	s.state, effects = flow.New(s.Profile)
	s.entered = s.Now()
	s.carryOut(effects)
	s.watch()
	s.show()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.timer.C:
			s.handle(flow.Timeout{Timer: s.state.Timer})
		case m := <-s.inbox:
			s.handle(m)
		}
		s.show()
	}
}

// drain discards what nobody will read any more.
func (s *Session) drain() {
	for {
		select {
		case m := <-s.inbox:
			discard(m)
		default:
			return
		}
	}
}

// watch starts the watchers of the levels.
func (s *Session) watch() {
	ctx := s.ctx
	s.wg.Go(func() {
		err := s.Reader.Watch(ctx, func(l reader.Level) {
			s.atr.Store(&l.ATR)
			s.post(ctx, readerEvent(l))
		})
		s.Log.Info("reader watch ended", slog.Any("error", err))
	})
	s.wg.Go(func() {
		err := s.Camera.Watch(ctx, func(l camera.Level) {
			s.post(ctx, flow.CameraLevel{Ready: l == camera.Ready})
		})
		s.Log.Info("camera watch ended", slog.Any("error", err))
	})
	s.wg.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for n := 0; ; n++ {
			if n%5 == 0 {
				s.post(ctx, s.storageLevel())
				s.post(ctx, s.Queue())
			}
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				s.post(ctx, tick{})
			}
		}
	})
}

func (s *Session) storageLevel() flow.StorageLevel {
	parts := []record.Part{record.PartIdentity, record.PartImages, record.PartEvidence}
	if s.Profile.Uses(methods.JPKISignature) {
		parts = append(parts, record.PartCertificate)
	}
	err := s.Store.Ready(parts...)
	l := flow.StorageLevel{Room: err == nil}
	if why, ok := errors.AsType[*NotReady](err); ok {
		l.Why = flow.Code(why.Code)
	}
	return l
}

func readerEvent(l reader.Level) flow.Event {
	out := flow.ReaderLevel{Seq: l.Seq}
	switch l.Presence {
	case reader.NoService, reader.NoReader:
		out.Level = flow.ReaderDown
	case reader.Empty:
		out.Level = flow.ReaderEmpty
	case reader.MuteCard:
		out.Level = flow.ReaderMute
	case reader.Card:
		out.Level = flow.ReaderCard
	}
	return out
}

// handle brings one message into the machine.
func (s *Session) handle(m message) {
	switch m := m.(type) {
	case refresh: // whatever comes, everything is shown afterwards
	case ping:
		close(m.done)
	case maintain:
		s.maintain(m)
	case tick:
		s.idleLogout()
		s.noteLevels()
	case Queue:
		s.queue = m
	case screen.Input:
		s.customer(m)
	case console.Input:
		s.staff(m)
	case signedIn:
		s.onSignedIn(m)
	case identified:
		s.onIdentified(m)
	case readResult:
		s.onRead(m)
	case faceHint:
		if m.gen == s.state.Gen {
			s.hint = present.View{Hint: string(m.hint), Good: m.good, Need: m.need}
		}
	case faceResult:
		s.onFace(m)
	case flow.Event:
		s.event(m)
	}
}

// event steps the machine.
func (s *Session) event(e flow.Event) {
	before := s.state
	var effects []flow.Effect
	s.state, effects = flow.On(s.state, e)
	if s.state.Gen != before.Gen {
		s.phase.end()
		s.entered = s.Now()
		s.hint = present.View{}
		s.Kiosk.Preview(s.state.Phase == flow.Face)
		s.freeze(before)
		s.vault.step(s.state, s.entered)
		s.noteEnd(before)
		if before.Phase == flow.WaitStaff {
			s.Staff.DropImages()
		}
		if s.state.Phase == flow.WaitStaff {
			s.offerCase()
		}
		s.Log.Info("phase", slog.String("from", before.Phase.String()), slog.String("to", s.state.Phase.String()),
			slog.String("trouble", string(s.state.Trouble)), slog.String("reason", string(s.state.StaffReason)))
	}
	if s.state.Dropped != before.Dropped {
		s.Log.Debug("event dropped", slog.String("phase", s.state.Phase.String()), slog.Int("count", int(s.state.Dropped)))
	}
	s.carryOut(effects)
}

func (s *scope) end() {
	if s.cancel != nil {
		s.cancel()
	}
	s.cancel = nil
}

func (s *Session) carryOut(effects []flow.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case flow.Identify:
			s.identify(e.Gen)
		case flow.ReadCard:
			s.read(e)
		case flow.Capture:
			s.capture(e.Gen)
		case flow.Store:
			s.store(e)
		case flow.ClearEntry:
			s.vault.entry.clear()
			s.vault.entry.renew(s.draw())
		case flow.ForgetCard:
			s.vault.forgetCard()
			s.Kiosk.DropImages()
		case flow.Wipe:
			s.vault.wipe()
			s.Kiosk.DropImages()
			s.Staff.DropImages()
		case flow.SetTimer:
			s.due = s.Now().Add(e.After)
			s.timer.Reset(e.After)
		case flow.StopTimer:
			s.timer.Stop()
		}
	}
}

// draw draws the codes of the keys of the route.
func (s *Session) draw() []int {
	if s.state.Route == flow.RouteSign && s.state.Phase != flow.CaseRef {
		return permutation(len(keyboard))
	}
	return s.Draw()
}

// show pushes the screen and the staff page as they are now.
func (s *Session) show() {
	v := s.hint
	v.CaseDigits = string(s.vault.caseNo)
	v.Fields, v.Complete = s.vault.entry.fields(s.state.Route)
	v.Codes = s.vault.entry.codes
	if s.state.Phase == flow.Document { // what is shown is what will be signed, in the language of the screen
		s.vault.draft.Wipe()
		s.vault.draft = s.document(s.entered)
		v.Document = s.vault.draft
	}
	v.Review = s.vault.review
	v.SecondsLeft = int(s.due.Sub(s.Now()).Seconds() + 0.999)
	v.Receipt = s.vault.receipt
	v.Virtual = s.virtual()
	if s.Developer != nil {
		on, shown := s.Developer.Now()
		v.Dev = &screen.Dev{People: s.Developer.People(), Card: on, Shown: shown}
	}
	s.Kiosk.Show(present.Screen(s.state, v))
	s.Staff.ShowAll(s.staffView)
}

// virtual says whether any part of this kiosk is virtual.
func (s *Session) virtual() bool {
	return s.Reader.Info().Virtual || s.Camera.Info().Virtual || s.TrustVirtual
}
