package session

import (
	"log/slog"

	"madoguchi/daemon/flow"
	"madoguchi/hardware/card"
	"madoguchi/ui/screen"
)

// customer maps an input of the browser to an event. Keys go to the vault; the machine learns only that somebody
// is there.
func (s *Session) customer(in screen.Input) {
	switch in.Kind {
	case screen.InKey, screen.InErase:
		s.key(in)
	case screen.InSubmit:
		s.submit()
	case screen.InNext:
		if s.state.Phase == flow.CaseRef && len(s.vault.caseNo) == 0 {
			return
		}
		s.event(flow.Customer{Act: flow.Next})
	case screen.InNoCase:
		clear(s.vault.caseNo)
		s.vault.caseNo = nil
		s.event(flow.Customer{Act: flow.NoCase})
	case screen.InDevInsert, screen.InDevRemove, screen.InDevFace:
		s.develop(in)
	default:
		if e, ok := act(in); ok {
			s.event(e)
		}
	}
}

func (s *Session) key(in screen.Input) {
	switch s.state.Phase {
	case flow.CaseRef:
		if in.Kind == screen.InErase {
			if n := len(s.vault.caseNo); n > 0 {
				s.vault.caseNo = s.vault.caseNo[:n-1]
			}
		} else if in.Index >= 0 && in.Index <= 9 && len(s.vault.caseNo) < maxCase {
			s.vault.caseNo = append(s.vault.caseNo, digitAt(in.Index))
		}
	case flow.Credential:
		if in.Kind == screen.InErase {
			s.vault.entry.erase()
		} else {
			s.vault.entry.key(s.state.Route, s.vault.entry.position(in.Index))
		}
	default:
		return
	}
	s.event(flow.Customer{Act: flow.Touched})
}

// submit checks the form of what was typed before anything is sent: a slip never costs a try.
func (s *Session) submit() {
	if s.state.Phase != flow.Credential {
		return
	}
	typed := s.vault.entry.take()
	defer typed.Wipe()
	trouble := flow.Code("")
	switch s.state.Route {
	case flow.RoutePIN:
		if card.CheckPIN(typed) != nil {
			trouble = "pin-format"
		}
	case flow.RouteSign:
		if card.CheckPassword(typed) != nil {
			trouble = "sign-format"
		}
	case flow.RouteB:
		if card.CheckB(typed) != nil {
			trouble = "number-b-format"
		}
	}
	if trouble == "" {
		copy(s.vault.entry.digits[:], typed.Reveal())
		s.vault.entry.n = typed.Len()
	}
	s.event(flow.Submitted{Trouble: trouble})
}

func act(in screen.Input) (flow.Event, bool) {
	c := flow.Customer{Arg: uint8(min(max(in.Index, 0), 255))}
	switch in.Kind {
	case screen.InStart:
		c.Act = flow.Start
	case screen.InLanguage:
		c.Act = flow.SetLanguage
	case screen.InSize:
		c.Act = flow.SetSize
	case screen.InContrast:
		c.Act = flow.SetContrast
	case screen.InSlow:
		c.Act = flow.SetSlow
	case screen.InWithStaff:
		c.Act = flow.WithStaff
	case screen.InBack:
		c.Act = flow.Back
	case screen.InTick:
		c.Act = flow.Tick
	case screen.InRefuse:
		c.Act = flow.Refuse
	case screen.InLastTryYes:
		c.Act = flow.LastTryYes
	case screen.InRoute:
		c.Act = flow.SetRoute
	case screen.InConfirm:
		c.Act = flow.ConfirmData
	case screen.InWrong:
		c.Act = flow.WrongData
	case screen.InSkipFace:
		c.Act = flow.SkipFace
	case screen.InStaff:
		c.Act = flow.AskStaff
	case screen.InCancel:
		c.Act = flow.AskCancel
	case screen.InCancelYes:
		c.Act = flow.CancelYes
	case screen.InCancelNo:
		c.Act = flow.CancelNo
	case screen.InMore:
		c.Act = flow.More
	case screen.InDone:
		c.Act = flow.Done
	case screen.InNext, screen.InNoCase, screen.InKey, screen.InErase, screen.InSubmit, screen.InDevInsert,
		screen.InDevRemove, screen.InDevFace:
		return nil, false
	default:
		return nil, false
	}
	return c, true
}

// develop serves the developer panel, which exists with virtual devices only.
func (s *Session) develop(in screen.Input) {
	if s.Developer == nil {
		return
	}
	people := s.Developer.People()
	var err error
	switch {
	case in.Kind == screen.InDevRemove:
		err = s.Developer.Remove()
	case in.Index < 0 || in.Index >= len(people):
		return
	case in.Kind == screen.InDevInsert:
		err = s.Developer.Insert(people[in.Index].ID)
	default:
		err = s.Developer.Face(people[in.Index].ID)
	}
	if err != nil {
		s.Log.Warn("developer panel", slog.Any("error", err))
	}
}
