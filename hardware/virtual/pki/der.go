package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
)

// oid is one of the object ids in use, as a content string so that the table cannot be changed.
type oid string

const (
	oidCountry      oid = "\x55\x04\x06"
	oidLocality     oid = "\x55\x04\x07"
	oidOrganisation oid = "\x55\x04\x0A"
	oidUnit         oid = "\x55\x04\x0B"
	oidCommonName   oid = "\x55\x04\x03"
	// 1.2.392.200149.8.5.5, the arc of the holder's attributes.
	oidHolder oid = "\x2A\x83\x08\x8C\x9B\x55\x08\x05\x05"
)

func (o oid) raw() []byte { return tagged(asn1.TagOID, []byte(o)) }

// attribute is one relative distinguished name.
type attribute struct {
	oid   oid
	value asn1.RawValue
}

// tagged is one DER object with a one-byte tag.
func tagged(tag byte, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	out := []byte{tag}
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	return append(out, body...)
}

const (
	sequence = 0x30
	set      = 0x31
	octets   = 0x04
	context0 = 0xA0
	context4 = 0xA4
)

// name is a DN with one attribute in each RDN (JPKI has L twice, which pkix.Name cannot say).
func name(attributes []attribute) []byte {
	var rdns [][]byte
	for _, a := range attributes {
		rdns = append(rdns, tagged(set, tagged(sequence, a.oid.raw(), tagged(byte(a.value.Tag), a.value.Bytes))))
	}
	return tagged(sequence, rdns...)
}

// distributionPoint names the CRL by directory name, without a URL, as JPKI does.
func distributionPoint(dn []attribute) pkix.Extension {
	full := tagged(context0, tagged(context0, tagged(context4, name(dn))))
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: tagged(sequence, tagged(sequence, full))}
}

func directorySAN(dn []attribute) pkix.Extension {
	return pkix.Extension{
		Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: tagged(sequence, tagged(context4, name(dn))),
	}
}

// otherNames is the SAN of the signature certificate, in the order seen on real ones: name, birth, sex, address,
// substituted characters of the name and of the address (0 = none, one digit for each character).
func otherNames(h Holder) pkix.Extension {
	one := func(number byte, value string) []byte {
		return tagged(context0, (oidHolder + oid([]byte{number})).raw(),
			tagged(context0, tagged(asn1.TagUTF8String, []byte(value))))
	}
	return pkix.Extension{
		Id: asn1.ObjectIdentifier{2, 5, 29, 17},
		Value: tagged(sequence, one(1, h.Name), one(4, h.Birth), one(3, h.Sex), one(5, h.Address),
			one(2, zeros(h.Name)), one(6, zeros(h.Address))),
	}
}

func zeros(s string) string {
	var out []byte
	for range s {
		out = append(out, '0')
	}
	return string(out)
}
