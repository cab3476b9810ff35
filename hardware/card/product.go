package card

import (
	"bytes"
	"slices"
)

// Product is what lies on the reader, told apart as finely as it can be without a PIN. The value is a stable
// message key.
//
// Two cards on one reader have no Product of their own, because no reader says so: PC/SC knows empty, present and
// mute. The reader's anticollision takes one of the two, and its Product is told as if it lay there alone; or neither
// answers well, and the reader reports reader.MuteCard, an exchange that fails, or nothing at all. So what is said to
// people for ProductUnknown, ProductTransit, the other products that were not asked for, and for a mute card has to
// mention a second card. Of two readers with a card each, hardware/pcsc
// keeps to the one it uses until its card is gone, and tells of that one only.
type Product string

// The products.
const (
	ProductMyNumber         Product = "my-number"                  // also 特定在留カード and マイナ免許証
	ProductJuki             Product = "juki"                       // the old 住基 card
	ProductAndroid          Product = "phone-android"              // JPKI in an Android phone
	ProductIPhone           Product = "phone-iphone"               // JPKI in an iPhone
	ProductDriversLicence   Product = "drivers-licence"            //
	ProductResidence        Product = "residence-card"             // or a special permanent resident's, when it does not say
	ProductSpecialPermanent Product = "special-permanent-resident" // 特別永住者証明書
	ProductPassport         Product = "passport"                   //
	ProductTransit          Product = "transit"                    // FeliCa, MIFARE: transit, money and credit cards
	ProductUnknown          Product = "unknown"                    // none of the above
)

// Labels of JPKI EF 0006 (32 bytes, space padded).
const (
	tokenMyNumber = "JPKIAPICCTOKEN2"
	tokenJuki     = "JPKIAPICCTOKEN"
	tokenAndroid  = "JPKIAPGPSETOKEN"
	tokenIPhone   = "JPKIAPIOSTOKEN"
)

// productOf tells the product by the label of the token file.
func productOf(label string) Product {
	for _, p := range Profiles() {
		if slices.Contains(p.Tokens, label) {
			return ProductMyNumber
		}
	}
	switch label {
	case tokenJuki:
		return ProductJuki
	case tokenAndroid:
		return ProductAndroid
	case tokenIPhone:
		return ProductIPhone
	}
	return ProductUnknown
}

// Kind is the coarser Kind of the product.
func (p Product) Kind() Kind {
	switch p {
	case ProductMyNumber:
		return KindMyNumber
	case ProductJuki:
		return KindJuki
	case ProductAndroid, ProductIPhone:
		return KindPhone
	case ProductDriversLicence:
		return KindDriversLicence
	case ProductResidence, ProductSpecialPermanent:
		return KindResidenceCard
	case ProductPassport:
		return KindPassport
	case ProductTransit, ProductUnknown:
	}
	return KindUnknown
}

// MessageKey is the stable key of what to tell people about the product.
func (p Product) MessageKey() string { return "card." + string(p) }

// isStorageATR tells the ATR that readers make up for storage cards (PC/SC part 3, 3.1.3.2.3): historical bytes
// 80 4F 0C and the RID A0 00 00 03 06. Such a card has no applications: FeliCa, MIFARE and the like. It is used
// only to name a card that has none of the applications asked for, never to accept one.
func isStorageATR(atr []byte) bool {
	mark := []byte{0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06}
	return len(atr) >= 4+len(mark) && bytes.Equal(atr[4:4+len(mark)], mark)
}
