package perso

import (
	"errors"

	"madoguchi/hardware/virtual/chip"
)

// Kind is what lies on the reader. The zero value is a My Number Card.
type Kind string

// The kinds. The first four are made out to a person; the others are there to be told apart and are all alike.
const (
	KindMyNumber         Kind = "my-number"
	KindPhoneAndroid     Kind = "phone-android"
	KindPhoneIPhone      Kind = "phone-iphone"
	KindJuki             Kind = "juki"
	KindDriversLicence   Kind = "drivers-licence"
	KindResidence1       Kind = "residence-card"   // first generation
	KindResidence2       Kind = "residence-card-2" // second generation
	KindSpecialPermanent Kind = "special-permanent-resident"
	KindPassport         Kind = "passport"
	KindTransit          Kind = "transit" // FeliCa
	KindMIFARE           Kind = "mifare"  // a memory card of Type A
	KindForeign          Kind = "foreign" // an ISO card of somebody else's, with none of the known applications
	KindDead             Kind = "dead"    // lies there and does not answer to power
)

// ErrKind is the error for a kind that does not exist.
var ErrKind = errors.New("perso: no such kind of card")

// Personal tells whether a card of this kind is made out to a person.
func (k Kind) Personal() bool {
	switch k {
	case "", KindMyNumber, KindPhoneAndroid, KindPhoneIPhone, KindJuki:
		return true
	default:
		return false
	}
}

// Others lists the kinds that are not made out to a person.
func Others() []Kind {
	return []Kind{
		KindDriversLicence, KindResidence1, KindResidence2, KindSpecialPermanent, KindPassport, KindTransit, KindMIFARE,
		KindForeign, KindDead,
	}
}

// Make makes a card of the kind that the options name. The profile is not looked at when the kind is not Personal.
func Make(p *Profile, o Options) (chip.Layout, error) {
	var l chip.Layout
	var err error
	switch o.Kind {
	case "", KindMyNumber:
		return Layout(p, o)
	case KindPhoneAndroid:
		l, err = phone(p, o, tokenAndroid)
	case KindPhoneIPhone:
		l, err = phone(p, o, tokenIPhone)
	case KindJuki:
		l, err = Juki(p, o)
	default:
		l, err = Other(o.Kind)
	}
	if err == nil && o.ATR != nil && !l.Dead {
		l.ATR = o.ATR
	}
	return l, err
}

// Other makes a card that is not made out to a person.
func Other(k Kind) (chip.Layout, error) {
	switch k {
	case KindDriversLicence:
		return DriversLicence(), nil
	case KindResidence1:
		return ResidenceCard(1, '1'), nil
	case KindResidence2:
		return ResidenceCard(2, '1'), nil
	case KindSpecialPermanent:
		return ResidenceCard(1, '2'), nil
	case KindPassport:
		return Passport(), nil
	case KindTransit:
		return FeliCa(), nil
	case KindMIFARE:
		return MIFARE(), nil
	case KindForeign:
		return one("foreign", []byte{0xF0, 0x00, 0x00, 0x00, 0x01}), nil
	case KindDead:
		return Dead(), nil
	default:
		return chip.Layout{}, ErrKind
	}
}
