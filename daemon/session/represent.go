package session

import (
	"slices"
	"unicode"

	"madoguchi/daemon/flow"
	"madoguchi/storage/audit"
	"madoguchi/storage/record"
	"madoguchi/ui/console"
)

// represent takes down who acts for the customer (duty 20): a name from a document that staff have seen, and words of
// closed lists.
func (s *Session) represent(who *staffSession, in console.Input) {
	defer in.Name.Wipe()
	switch {
	case s.state.Phase != flow.WaitStaff || in.Case != caseID(s.state.Gen):
		who.problem = "already-decided"
		return
	case !slices.Contains(console.Relations(), in.Relation), !slices.Contains(console.Documents(), in.Document),
		!slices.Contains(console.RepresentReasons(), in.Reason), in.Name.Len() == 0, len(in.Note) > maxNote:
		return
	case digitRun(in.Note), digitRun(string(in.Name.Reveal())):
		who.problem = "digit-run"
		return
	}
	r := &s.vault.representative
	r.Name.Wipe()
	*r = record.Representative{
		Name: in.Name.Clone(), Relation: in.Relation, Document: in.Document, Reason: in.Reason, Note: in.Note,
	}
	s.Audit(audit.Leaf{Kind: audit.StaffDecided, Staff: who.id, Word: "represented", Reason: in.Reason})
	s.event(flow.Represented{Gen: s.state.Gen, Staff: who.id})
}

// digitRun finds what may be a My Number, a PIN or a telephone number in a text that people wrote: four digits of any
// script, whatever spaces and hyphens stand between them.
func digitRun(text string) bool {
	run := 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			if run++; run >= 4 {
				return true
			}
		case unicode.IsSpace(r), unicode.Is(unicode.Dash, r), r == 'ー', r == '.', r == ',':
		default:
			run = 0
		}
	}
	return false
}
