// Package virtual holds the simulators that ship with the product: a My Number Card with its own test PKI, a card
// reader and a camera, and the virtual people they show. They are driven by method calls, by the developer panel,
// or over a unix socket (package control). Everything they make is marked virtual: Info.Virtual, issuer key ids
// that start with 9, certificates of MADOGUCHI-VIRTUAL.
//
// The card is written independently of hardware/card, hardware/apdu and hardware/tlv, so that a mistake made there
// cannot hide here. Only daemon/kioskd, daemon/kioskctl, hardware/hardwaretest and tests may import this package.
package virtual

import (
	"fmt"

	"madoguchi/hardware/virtual/chip"
	"madoguchi/hardware/virtual/perso"
	"madoguchi/hardware/virtual/pki"
)

// Card is one virtual card. Its try counters live as long as the value.
type Card = chip.Card

// Stats counts what was done to a card.
type Stats = chip.Stats

// Faults is what goes wrong with a card.
type Faults = chip.Faults

// Rule is one wrong answer within Faults.
type Rule = chip.Rule

// Options change how a card is made.
type Options = perso.Options

// IssuerKey is a public issuer key of the virtual cards' surface data, with its 16-byte id.
type IssuerKey = pki.IssuerKey

// IssuerKeys are the public keys that a checker of virtual cards must be given. No production set-up may hold them.
func IssuerKeys() ([]IssuerKey, error) {
	keys, err := pki.IssuerKeys()
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	return keys, nil
}

// JPKIRoots are the roots of the virtual JPKI in DER: for signature and for user authentication.
func JPKIRoots() (sign, auth []byte, err error) {
	if sign, err = pki.Root(pki.Sign); err != nil {
		return nil, nil, fmt.Errorf("virtual: %w", err)
	}
	if auth, err = pki.Root(pki.Auth); err != nil {
		return nil, nil, fmt.Errorf("virtual: %w", err)
	}
	return sign, auth, nil
}

// Kind is what a card is; the zero value is a My Number Card. The values are those of package perso, e.g.
// "phone-iphone", "residence-card-2", "transit".
type Kind = perso.Kind

// The kinds that are made out to a person.
const (
	KindMyNumber     = perso.KindMyNumber
	KindPhoneAndroid = perso.KindPhoneAndroid
	KindPhoneIPhone  = perso.KindPhoneIPhone
	KindJuki         = perso.KindJuki
)

// OtherKinds lists the kinds that are not made out to a person, by the ids that Drawer.Card and OtherCard know.
func OtherKinds() []Kind { return perso.Others() }

// OtherCard makes a card that is not made out to a person.
func OtherCard(k Kind) (*Card, error) { return made(perso.Other(k)) }

// ATR gives an answer to reset by its name, one of ATRs; nil for an unknown name.
func ATR(name string) []byte { return perso.ATR(name) }

// ATRs lists the names of the answers to reset that cards can be given.
func ATRs() []string { return perso.ATRs() }

// DriversLicence is a driver's licence, as far as a kiosk needs to tell it apart.
func DriversLicence() *Card { return chip.New(perso.DriversLicence()) }

// ResidenceCard is a residence card of the first generation, to be told apart only.
func ResidenceCard() *Card { return chip.New(perso.ResidenceCard(1, '1')) }

// Passport is an electronic passport, to be told apart only.
func Passport() *Card { return chip.New(perso.Passport()) }

// FeliCa is a transit card, which answers 6A81 to everything.
func FeliCa() *Card { return chip.New(perso.FeliCa()) }

// DeadCard is something on the reader that does not answer at all.
func DeadCard() *Card { return chip.New(perso.Dead()) }
