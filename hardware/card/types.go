// Package card speaks the My Number Card's protocol (ISO 7816-4, JICSAP, J-LIS applications) over any
// transport of APDUs. It knows files, PINs and status words, nothing of readers, screens or rules of business.
// Only daemon/... and hardware/... may import it.
package card

import (
	"context"
	"fmt"

	"madoguchi/internal/secret"
)

// Transport sends one command APDU and returns the response with its status word (hardware/reader.Session).
type Transport interface {
	Transmit(ctx context.Context, command []byte) ([]byte, error)
}

// Kind is what lies on the reader, decided by application id and token file, never by ATR.
type Kind string

// The kinds.
const (
	KindMyNumber       Kind = "my-number"       // token JPKIAPICCTOKEN2
	KindJuki           Kind = "juki"            // token JPKIAPICCTOKEN, the old 住基 card
	KindPhone          Kind = "phone"           // JPKIAPGPSETOKEN or JPKIAPIOSTOKEN: JPKI only, no 券面
	KindDriversLicence Kind = "drivers-licence" // A0 00 00 02 31 01
	KindResidenceCard  Kind = "residence-card"  // D3 92 F0 00 4F 02
	KindPassport       Kind = "passport"        // A0 00 00 02 47 10 01
	KindUnknown        Kind = "unknown"         // answers, but with none of the applications above
)

// Date is a calendar date as a card gives it, without a time zone. The zero Date means not known.
type Date struct{ Year, Month, Day int }

// String is YYYY-MM-DD, empty for the zero Date.
func (d Date) String() string {
	if d == (Date{}) {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// Identity is what a card tells without any PIN.
type Identity struct {
	Kind         Kind
	Product      Product       // tells more than Kind
	Profile      string        // Profile.Version of a My Number Card, else empty
	Serial       *secret.Bytes // 15 ASCII digits from the common application; personal data
	Municipality string        // 5 digits
	Expiry       Date
}

// Wipe wipes the secrets.
func (i *Identity) Wipe() { i.Serial.Wipe() }

// Ref names a PIN or password of the card.
type Ref uint8

// The references. They are the same through all generations; Profile says where each lies.
const (
	RefTextPIN      Ref = iota // 券面事項入力補助 4-digit PIN, EF 0408/0011, 3 tries
	RefTextB                   // 照合番号B of 券面事項入力補助, EF 0408/0015, 10 tries
	RefFaceB                   // 照合番号B of 券面事項確認, EF 0402/0012, 10 tries
	RefAuthPIN                 // JPKI 利用者証明用 PIN, EF 0018, 3 tries
	RefSignPass                // JPKI 署名用 password, EF 001B, 5 tries
	RefTextA                   // 照合番号A (the My Number) of 券面事項入力補助, EF 0408/0014, 10 tries
	RefFaceA                   // 照合番号A of 券面事項確認, EF 0402/0013, 10 tries
	RefFaceBirth               // birth date as printed, six digits, EF 0402/0011; tries not known from any source
	RefCommonPIN               // common application, EF 0100/001C, 3 tries; queried only
	RefJukiPIN                 // 住基, EF 0401/001C, 3 tries; queried only
	RefTextReserved            // EF 0408/0012, no try left on every card seen; never touched, its Tries are never known
)

// String is the stable name of the reference, e.g. "text-pin".
func (r Ref) String() string {
	if e, ok := profile2016().reference(r); ok {
		return e.Name
	}
	return "unknown"
}

// Max is the number of tries as issued, 0 when no source says.
func (r Ref) Max() int {
	e, _ := profile2016().reference(r)
	return e.Tries
}

// Tries is the answer of a counter query, which never costs a try. Known is false when the card did not say;
// such a counter must never be shown as zero.
type Tries struct {
	Left  int
	Known bool
}

// Blocked is true when the card said that no try is left.
func (t Tries) Blocked() bool { return t.Known && t.Left == 0 }

// Attributes are the four attributes as text from 券面事項入力補助 EF 0002.
type Attributes struct {
	Name    *secret.Bytes // UTF-8, family and given name parted by U+3000
	Address *secret.Bytes // UTF-8
	Birth   *secret.Bytes // YYYYMMDD, Gregorian, ASCII
	Sex     *secret.Bytes // one ASCII digit: 1 male, 2 female, 9 not applicable, 0 unknown
}

// Wipe wipes the secrets.
func (a *Attributes) Wipe() { secret.Wipe(a.Name, a.Address, a.Birth, a.Sex) }

// Front is 券面事項確認 EF 0002, the face of the card. Images are as stored: PNG 1-bit grey for name, address and
// security code; JPEG 2000 (JP2) grey for the face.
type Front struct {
	Birth, Sex              *secret.Bytes
	NameImage, AddressImage *secret.Bytes
	Face                    *secret.Bytes
	SecurityCodeImage       *secret.Bytes
	Expiry                  Date // not covered by the card's signature
	Proof                   Proof
	Authenticity            Authenticity // the same verdict per field
}

// Wipe wipes the secrets.
func (f *Front) Wipe() {
	secret.Wipe(f.Birth, f.Sex, f.NameImage, f.AddressImage, f.Face, f.SecurityCodeImage)
}

// Genuineness is the verdict of the offline proof of the card's face.
type Genuineness string

// The verdicts. Only Genuine is a pass.
const (
	NotChecked   Genuineness = "not-checked"   // no issuer keys were given
	NotCheckable Genuineness = "not-checkable" // the issuer's key id is not among the keys given
	Genuine      Genuineness = "genuine"       // CV certificate, three-digest signature and fresh challenge all hold
	Forged       Genuineness = "forged"        // a known issuer, and a signature that does not hold
)

// Proof says what was proven of the front, and by which issuer.
type Proof struct {
	Verdict Genuineness
	Reason  string // stable code, e.g. "issuer-unknown", "photo-changed", "challenge-failed"
	Issuer  string // issuer key id, hex; first ASCII digit 5 production, 6 J-LIS test, 9 ours (virtual)
	Virtual bool   // the issuer key id starts with 9
}
