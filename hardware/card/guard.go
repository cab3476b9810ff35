package card

import (
	"errors"

	"madoguchi/hardware/apdu"
)

// guard is what a session knows of the tries, so that none is wasted in it: by queries, and by the answers to VERIFY.
// What the caller asked in an earlier session is not known here.
type guard struct {
	left      map[Ref]Tries // the newest word; Known is false after a VERIFY without an answer
	confirmed map[Ref]bool
}

func newGuard() guard { return guard{left: map[Ref]Tries{}, confirmed: map[Ref]bool{}} }

// ConfirmLastTry lets the next VERIFY of the reference spend its last try, or one of an unknown number. Call it only
// after the holder was told and agreed. It holds for one VERIFY in this session.
//
// Without it a VERIFY is ErrLastTry when this session knows that one try is left (from Tries or from a wrong VERIFY),
// when the card did not say how many when it was asked, and after a *VerifyUnknownError until Tries was asked again.
func (c *Card) ConfirmLastTry(ref Ref) { c.guard.confirmed[ref] = true }

// allows tells whether a VERIFY may be sent: ErrBlocked, ErrLastTry or nil. It uses up a confirmation.
func (g guard) allows(ref Ref) error {
	confirmed := g.confirmed[ref]
	delete(g.confirmed, ref)
	tries, asked := g.left[ref]
	switch {
	case !asked:
		return nil
	case tries.Blocked():
		return ErrBlocked
	case (!tries.Known || tries.Left == 1) && !confirmed:
		return ErrLastTry
	}
	return nil
}

// answered notes what the answer to a VERIFY says of the counter, and gives its error. A status word that is neither
// success, nor a counter, nor a refusal of the command as such leaves the counter unknown: warnings and execution
// errors (ISO/IEC 7816-4, 5.6: 62xx to 66xx, 6Fxx) come after the comparison.
func (g guard) answered(ref Ref, sw apdu.SW) error {
	err := sw.Err()
	var wrong AuthError
	switch {
	case err == nil:
		delete(g.left, ref) // the counter is full again
	case errors.As(err, &wrong):
		g.left[ref] = Tries{Left: wrong.Left, Known: true}
	case errors.Is(err, ErrBlocked):
		g.left[ref] = Tries{Known: true}
	case sw>>8 >= 0x62 && sw>>8 <= 0x66, sw>>8 == 0x6F:
		g.left[ref] = Tries{}
		return &VerifyUnknownError{Err: err}
	}
	return err
}
