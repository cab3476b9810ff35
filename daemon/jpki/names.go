package jpki

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"unicode/utf8"

	"madoguchi/internal/secret"
)

// holderArc is 1.2.392.200149.8.5.5, below which the holder's attributes have their numbers 1 to 6.
func holderArc() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 392, 200149, 8, 5, 5}
}

// maxValue bounds one attribute: the longest addresses have some hundred characters.
const maxValue = 2 << 10

// parseHolder reads the otherNames of a subject alternative name: GeneralNames ::= SEQUENCE OF CHOICE { otherName [0]
// { OID, [0] EXPLICIT UTF8String } ... } (RFC 5280, 4.2.1.6). Names of other forms and of other arcs are passed over;
// an attribute given twice is malformed, because two readers might take different ones.
func parseHolder(raw []byte) (Holder, error) {
	var h Holder
	err := each(raw, func(name asn1.RawValue) error {
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 {
			return nil
		}
		var id asn1.ObjectIdentifier
		rest, err := asn1.Unmarshal(name.Bytes, &id)
		if err != nil {
			return ErrMalformed
		}
		arc := holderArc()
		if len(id) != len(arc)+1 || !id[:len(arc)].Equal(arc) {
			return nil
		}
		value, err := otherName(rest)
		if err != nil {
			return err
		}
		return h.set(id[len(arc)], value)
	})
	if err != nil {
		h.Wipe()
		return Holder{}, err
	}
	return h, nil
}

// otherName reads [0] EXPLICIT UTF8String.
func otherName(raw []byte) ([]byte, error) {
	var wrapped, text asn1.RawValue
	if rest, err := asn1.Unmarshal(raw, &wrapped); err != nil || len(rest) > 0 ||
		wrapped.Class != asn1.ClassContextSpecific || wrapped.Tag != 0 || !wrapped.IsCompound {
		return nil, ErrMalformed
	}
	if rest, err := asn1.Unmarshal(wrapped.Bytes, &text); err != nil || len(rest) > 0 ||
		text.Class != asn1.ClassUniversal || text.Tag != asn1.TagUTF8String || text.IsCompound {
		return nil, ErrMalformed
	}
	if !isText(text.Bytes) {
		return nil, ErrMalformed
	}
	return text.Bytes, nil
}

// set takes one attribute by its number. Unknown numbers are passed over: the arc may grow.
func (h *Holder) set(number int, value []byte) error {
	into := &h.Name
	switch number {
	case 1:
	case 2:
		into = &h.NameSubstitutes
	case 3:
		into = &h.Sex
	case 4:
		return h.setBirth(value)
	case 5:
		into = &h.Address
	case 6:
		into = &h.AddressSubstitute
	default:
		return nil
	}
	if *into != nil || number == 3 && (len(value) != 1 || !isDigits(value)) {
		return ErrMalformed
	}
	*into = secret.Copy(value)
	return nil
}

// setBirth takes era digit and YYYYMMDD. Any digits pass as a date: some birthdays are not known in full.
func (h *Holder) setBirth(value []byte) error {
	if h.Birth != nil || len(value) != 9 || !isDigits(value) {
		return ErrMalformed
	}
	h.Era, h.Birth = secret.Copy(value[:1]), secret.Copy(value[1:])
	return nil
}

// parseDistributionPoints reads the DN of the first distribution point: SEQUENCE OF { [0] { [0] fullName GeneralNames
// } ... } (RFC 5280, 4.2.1.13). JPKI names its lists by directoryName ([4]), never by an address. A point of another
// form gives nil.
func parseDistributionPoints(raw []byte) (*secret.Bytes, error) {
	var found *secret.Bytes
	err := each(raw, func(point asn1.RawValue) error {
		name, ok, err := context0(point.Bytes)
		if err != nil || !ok {
			return err
		}
		full, ok, err := context0(name.Bytes)
		if err != nil || !ok {
			return err
		}
		var directory asn1.RawValue
		if _, err := asn1.Unmarshal(full.Bytes, &directory); err != nil {
			return ErrMalformed
		}
		if found != nil || directory.Class != asn1.ClassContextSpecific || directory.Tag != 4 {
			return nil
		}
		text, err := dn(directory.Bytes)
		if err != nil {
			return err
		}
		found = secret.New([]byte(text))
		return nil
	})
	if err != nil {
		found.Wipe()
		return nil, err
	}
	return found, nil
}

// context0 reads the first object if it is [0].
func context0(raw []byte) (asn1.RawValue, bool, error) {
	if len(raw) == 0 {
		return asn1.RawValue{}, false, nil
	}
	var v asn1.RawValue
	if _, err := asn1.Unmarshal(raw, &v); err != nil {
		return v, false, ErrMalformed
	}
	return v, v.Class == asn1.ClassContextSpecific && v.Tag == 0 && v.IsCompound, nil
}

// each walks the members of the one SEQUENCE that raw must be.
func each(raw []byte, visit func(asn1.RawValue) error) error {
	var list asn1.RawValue
	if rest, err := asn1.Unmarshal(raw, &list); err != nil || len(rest) > 0 ||
		list.Class != asn1.ClassUniversal || list.Tag != asn1.TagSequence || !list.IsCompound {
		return ErrMalformed
	}
	for rest := list.Bytes; len(rest) > 0; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return ErrMalformed
		}
		if err := visit(v); err != nil {
			return err
		}
	}
	return nil
}

// dn writes a distinguished name in the form of RFC 2253. pkix.Name would lose the second L.
func dn(raw []byte) (string, error) {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &rdns); err != nil || len(rest) > 0 {
		return "", ErrMalformed
	}
	text := rdns.String()
	if !isText([]byte(text)) && text != "" {
		return "", ErrMalformed
	}
	return text, nil
}

// isText tells whether b is UTF-8 without control characters, neither empty nor huge.
func isText(b []byte) bool {
	return len(b) > 0 && len(b) <= maxValue && utf8.Valid(b) &&
		!bytes.ContainsFunc(b, func(r rune) bool { return r < 0x20 || r == 0x7F })
}

func isDigits(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r < '0' || r > '9' })
}
