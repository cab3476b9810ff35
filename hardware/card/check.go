package card

import (
	"bytes"

	"madoguchi/internal/secret"
)

// Check tells whether a value has the form that the reference demands on the cards in circulation (Profile "2016"),
// for prompts that stand before any card: ErrFormat when not, and for the references that are only ever queried. The
// reads check again by the generation of their own card.
func (r Ref) Check(value *secret.Bytes) error {
	e, _ := profile2016().reference(r)
	return e.Format.check(value)
}

func (f Format) check(value *secret.Bytes) error {
	switch f {
	case FormatPIN:
		return CheckPIN(value)
	case FormatPassword:
		return CheckPassword(value)
	case FormatNumberA:
		return CheckMyNumber(value)
	case FormatNumberB:
		return CheckB(value)
	case FormatBirth:
		return CheckBirth(value)
	case FormatNone:
	}
	return ErrFormat
}

// CheckPIN tells whether a PIN has the form of the 4-digit PINs: four ASCII digits. Else ErrFormat.
func CheckPIN(pin *secret.Bytes) error {
	if b := pin.Reveal(); len(b) != 4 || !isDigits(b) {
		return ErrFormat
	}
	return nil
}

// CheckB tells whether a 照合番号B can be one: 14 ASCII digits, the birth date as printed on the card (two digits
// of the year, era or Western, then month and day), the Western year of expiry, and four digits of the security
// code. Month and day 00 pass, for holders whose birthday is not known. Nothing is converted or guessed. Else
// ErrFormat.
func CheckB(b *secret.Bytes) error {
	d := b.Reveal()
	if len(d) != 14 || !isDigits(d) || !isPrintedBirth(d[:6]) {
		return ErrFormat
	}
	if expiry := number(d[6:10]); expiry < 2016 || expiry > 2099 { // the first cards were issued in 2016
		return ErrFormat
	}
	return nil
}

// CheckBirth tells whether a birth-date key can be one: six ASCII digits exactly as printed on the card, which are
// also the first six of 照合番号B. Else ErrFormat.
func CheckBirth(b *secret.Bytes) error {
	if d := b.Reveal(); len(d) != 6 || !isDigits(d) || !isPrintedBirth(d) {
		return ErrFormat
	}
	return nil
}

// isPrintedBirth checks month and day of six digits; 00 is for holders whose birthday is not known.
func isPrintedBirth(d []byte) bool { return number(d[2:4]) <= 12 && number(d[4:6]) <= 31 }

// CheckMyNumber tells whether a My Number, which is also 照合番号A, can be one: 12 ASCII digits, the last of them
// the check digit of the other eleven (総務省令85号 of 2014, article 5): with the digits numbered n = 1..11 from the
// right and weights n+1 for n <= 6, n-5 above, it is 0 when the remainder of the weighted sum by 11 is 0 or 1, else
// 11 minus the remainder. Else ErrFormat.
func CheckMyNumber(value *secret.Bytes) error {
	d := value.Reveal()
	if len(d) != 12 || !isDigits(d) {
		return ErrFormat
	}
	sum := 0
	for n := 1; n <= 11; n++ {
		weight := n + 1
		if n >= 7 {
			weight = n - 5
		}
		sum += weight * int(d[11-n]-'0')
	}
	check := 0
	if r := sum % 11; r > 1 {
		check = 11 - r
	}
	if int(d[11]-'0') != check {
		return ErrFormat
	}
	return nil
}

// CheckPassword tells whether a signature password can be one: 6 to 16 of A-Z and 0-9 with at least one letter and
// one digit. A lower-case letter is ErrFormat too: the card knows capital letters only, and a prompt that takes
// small ones must say so and use UpperPassword, in the open.
func CheckPassword(password *secret.Bytes) error {
	b := password.Reveal()
	digits, letters := 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			letters++
		default:
			return ErrFormat
		}
	}
	if len(b) < 6 || len(b) > 16 || digits == 0 || letters == 0 {
		return ErrFormat
	}
	return nil
}

// UpperPassword is a copy of a password with its small ASCII letters made capital, as the card demands. The copy
// belongs to the caller; password stays the caller's too.
func UpperPassword(password *secret.Bytes) *secret.Bytes {
	upper := bytes.Clone(password.Reveal())
	for i, c := range upper {
		if c >= 'a' && c <= 'z' {
			upper[i] = c - 'a' + 'A'
		}
	}
	return secret.New(upper)
}
