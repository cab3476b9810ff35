package session

import "madoguchi/daemon/flow"

// Levels are the machine's state and its devices in words, for HQ: from any goroutine, a second old at most.
func (s *Session) Levels() (state, reader, camera string) {
	if l := s.levels.Load(); l != nil {
		return l[0], l[1], l[2]
	}
	return "starting", "", ""
}

// noteLevels takes down what Levels tells.
func (s *Session) noteLevels() {
	l := [3]string{s.state.Phase.String(), "ok", "ok"}
	if s.state.Phase == flow.OutOfService {
		l[0] = string(s.state.Trouble)
	}
	if s.state.Reader == flow.ReaderDown {
		l[1] = string(flow.CodeReaderMissing)
	}
	if !s.state.Camera {
		l[2] = string(flow.CodeCameraMissing)
	}
	s.levels.Store(&l)
}

// The codes of NotReady.
const (
	HQSilent  = string(flow.CodeHQSilent)
	HQRevoked = string(flow.CodeHQRevoked)
	HQKeys    = string(flow.CodeHQKeys)
	ClockOff  = string(flow.CodeClock)
	AuditLog  = string(flow.CodeAuditLog)
)

// NotReady is an error of Store.Ready with the trouble code that is shown.
type NotReady struct {
	Code string
	Err  error
}

// Error implements error.
func (e *NotReady) Error() string { return e.Code + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *NotReady) Unwrap() error { return e.Err }
