package main

import (
	"errors"

	"madoguchi/daemon/control"
	"madoguchi/hardware/card"
	"madoguchi/hardware/pcsc"
	"madoguchi/hardware/reader"
)

// code is an exit code; scripts rely on the numbers.
type code int

// The exit codes.
const (
	codeOK      code = 0
	codeError   code = 1
	codeUsage   code = 2 // also a credential that cannot be right: nothing was sent, no try was spent
	codeNoCard  code = 3
	codeWrong   code = 4 // a try was spent; the tries left are printed
	codeBlocked code = 5
	codeKind    code = 6 // something else than a My Number Card
	codeRefused code = 7 // by duty: production data outside maintenance mode, an unconfirmed last try
)

// The refusals.
var (
	errMaintenance = errors.New("refused: this is no test card (virtual or J-LIS test issuer). " +
		"Personal data of other cards may be printed only in maintenance mode (--maintenance)")
	errUnproven = errors.New("refused: only for a field that test trust proves (--trust DIR)")
	errKind     = errors.New("not a My Number Card")
	errLastTry  = errors.New("refused: this would spend the last try, or one of an unknown number; --last-try confirms it")
	errFormat   = errors.New("a credential does not have the form it must have; nothing was sent to the card, no try is lost")
)

// codeOf maps an error to the exit code.
func codeOf(err error) code {
	var wrong card.AuthError
	var refusal *control.Refusal
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return codeOK
	case is(errUsage, errFormat, card.ErrFormat):
		return codeUsage
	case errors.As(err, &refusal):
		return codeRefused
	case is(errMaintenance, errUnproven, errLastTry, card.ErrLastTry):
		return codeRefused
	case is(errKind):
		return codeKind
	case is(card.ErrBlocked):
		return codeBlocked
	case errors.As(err, &wrong):
		return codeWrong
	case is(reader.ErrNoCard, reader.ErrCardLost, reader.ErrReaderLost, reader.ErrService, pcsc.ErrNoCgo):
		return codeNoCard
	}
	return codeError
}
