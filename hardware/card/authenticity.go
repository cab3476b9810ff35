package card

// FieldProof says what is known of one field. Valid implies Checked; a field that was not checked is never valid
// and never forged: Reason then says why ("issuer-unknown", "not-read", ...).
type FieldProof struct {
	Checked bool
	Valid   bool
	Reason  string // stable code, empty when valid
}

// String is for people who read logs and command lines: "valid", "not valid: photo-changed", "signed, not
// verified: unknown issuer", "not checked: not-read".
func (p FieldProof) String() string {
	switch {
	case p.Checked && p.Valid:
		return "valid"
	case p.Checked:
		return "not valid: " + p.Reason
	case p.Reason == ReasonIssuerUnknown || p.Reason == ReasonNoKeys:
		return "signed, not verified: unknown issuer"
	}
	return "not checked: " + p.Reason
}

// Authenticity is the offline proof per field: issuer key, CV certificate (0402/0004, 0408/0004), municipality
// key, signed record, and for NotACopy a fresh challenge to the card's own key in each application read.
//
// What is NOT signed on the card, and so stands in no field here (see NotSigned): expiry (DF29) and security code
// (DF2A) of 0402/0002, the basic information 0402/0003 and 0408/0005, record 1 of the common application. And the
// records of 0408 do not name the card's key: that text attributes and challenge belong together rests on the face
// file 0402/0002, which does, and on birth and sex being equal in both.
type Authenticity struct {
	MyNumber     FieldProof // 0408/0001 under DF31 of 0408/0003; or the image 0402/0005 under DF43
	Attributes   FieldProof // 0408/0002 under DF32 of 0408/0003
	NameImage    FieldProof // DF25, group 2 of 0402/0002
	AddressImage FieldProof // DF26, group 2 of 0402/0002
	Face         FieldProof // DF27, group 3 of 0402/0002
	Birth        FieldProof // birth and sex, group 1 of 0402/0002; or birth of the age record 0402/0001
	CardKey      FieldProof // every record read that names the card's key
	NotACopy     FieldProof // the card answered a fresh challenge with that key

	TextIssuer    string // issuer key id of 0408 in hex, empty when not read
	SurfaceIssuer string // issuer key id of 0402 in hex, empty when not read
	Virtual       bool   // an issuer key id begins with 9: a card of our own making
}

// NotSigned lists the fields of the card that no signature covers, by file and tag.
func NotSigned() []string {
	return []string{"0402/0002 DF29 expiry", "0402/0002 DF2A security code", "0402/0003", "0408/0005", "0100/0001"}
}

// notRead is the Authenticity of nothing.
func notRead() Authenticity {
	no := FieldProof{Reason: ReasonNotRead}
	return Authenticity{
		MyNumber: no, Attributes: no, NameImage: no, AddressImage: no, Face: no, Birth: no, CardKey: no, NotACopy: no,
	}
}

// proven is a field whose signature holds.
func proven() FieldProof { return FieldProof{Checked: true, Valid: true} }

// unproven is a field that could not be checked.
func unproven(reason string) FieldProof { return FieldProof{Reason: reason} }

// refuted is a field that was checked and does not hold.
func refuted(reason string) FieldProof { return FieldProof{Checked: true, Reason: reason} }

// judge is proven when ok, else refuted.
func judge(ok bool, reason string) FieldProof {
	if ok {
		return proven()
	}
	return refuted(reason)
}

// both joins two proofs of one thing: the worse one wins, and one that was not made counts as worse than a good one.
func both(a, b FieldProof) FieldProof {
	for _, p := range []FieldProof{a, b} {
		if p.Checked && !p.Valid {
			return p
		}
	}
	if !a.Checked {
		return a
	}
	return b
}

// merge joins the proofs of the two applications of one card: text brings MyNumber and Attributes, front the
// images, and what both bring holds only when it holds in both.
func merge(text, front Authenticity) Authenticity {
	out := front
	out.MyNumber, out.Attributes, out.TextIssuer = text.MyNumber, text.Attributes, text.TextIssuer
	out.CardKey, out.NotACopy = both(text.CardKey, front.CardKey), both(text.NotACopy, front.NotACopy)
	out.Virtual = text.Virtual || front.Virtual
	return out
}
