package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"madoguchi/daemon/jpki"
	"madoguchi/face/jp2"
	"madoguchi/hardware/card"
	"madoguchi/internal/secret"
)

// report is what card read prints. What the route does not read is null. Dates are YYYY-MM-DD, those of certificates
// by Japan's time. Its strings are personal data that cannot be wiped: it is made only when it may be printed.
type report struct {
	Kind         string           `json:"kind"`
	Serial       string           `json:"serial"`
	ExpiresOn    string           `json:"expires_on"`
	Tries        map[string]*int  `json:"tries"` // before the credentials were sent; null when the card does not tell
	Attributes   *attributesJSON  `json:"attributes"`
	Face         *faceJSON        `json:"face"`
	Authenticity authenticityJSON `json:"authenticity"`
	Certificates certificatesJSON `json:"certificates"`
	APDUs        int              `json:"apdus"`
	BytesRead    int              `json:"bytes_read"`
	ElapsedMS    int64            `json:"elapsed_ms"`
	MyNumber     string           `json:"my_number,omitempty"` // only with --with-my-number
}

type attributesJSON struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Birth   string `json:"birth"`
	Sex     string `json:"sex"` // the card's digit: 1 male, 2 female, 9 not applicable
}

type faceJSON struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"` // of the JP2 as it is in the chip
}

type proofJSON struct {
	Checked bool   `json:"checked"`
	Valid   bool   `json:"valid"`
	Reason  string `json:"reason"`
}

// notVerified is the reason of a record whose issuer is not among the keys given: neither valid nor forged.
const notVerified = "signed, not verified: unknown issuer"

func proofOf(p card.FieldProof) proofJSON {
	if p.Reason == card.ReasonIssuerUnknown || p.Reason == card.ReasonNoKeys {
		p.Reason = notVerified
	}
	return proofJSON(p)
}

type authenticityJSON struct {
	MyNumber     proofJSON `json:"my_number"`
	Attributes   proofJSON `json:"attributes"`
	NameImage    proofJSON `json:"name_image"`
	AddressImage proofJSON `json:"address_image"`
	Face         proofJSON `json:"face"`
	CardKey      proofJSON `json:"card_key"`
	NotACopy     proofJSON `json:"not_a_copy"`
}

type certificatesJSON struct {
	Auth *certificateJSON `json:"auth"`
	Sign *certificateJSON `json:"sign"`
}

type certificateJSON struct {
	Serial     string          `json:"serial"` // hexadecimal, as openssl prints it
	NotBefore  string          `json:"not_before"`
	NotAfter   string          `json:"not_after"`
	Issuer     string          `json:"issuer"`     // RFC 2253
	Attributes *attributesJSON `json:"attributes"` // of the signature certificate only
}

// report makes the JSON of what was read, after the last checks of what may be in it.
func (g *gathering) report(took time.Duration) (*report, error) {
	if g.options.saveFace != "" {
		if err := g.gate.face(&g.authenticity); err != nil {
			return nil, fmt.Errorf("--save-face: %w", err)
		}
	}
	id, traffic, a := g.card.Identity(), g.card.Traffic(), g.authenticity
	r := &report{
		Kind: string(id.Kind), Serial: text(id.Serial), ExpiresOn: id.Expiry.String(), Tries: g.tries,
		Authenticity: authenticityJSON{
			MyNumber: proofOf(a.MyNumber), Attributes: proofOf(a.Attributes), NameImage: proofOf(a.NameImage),
			AddressImage: proofOf(a.AddressImage), Face: proofOf(a.Face), CardKey: proofOf(a.CardKey),
			NotACopy: proofJSON(a.NotACopy),
		},
		Certificates: certificatesJSON{Auth: certificateOf(g.auth), Sign: certificateOf(g.sign)},
		APDUs:        traffic.Commands, BytesRead: traffic.Received, ElapsedMS: took.Milliseconds(),
	}
	if g.attributes != nil {
		at := g.attributes
		r.Attributes = &attributesJSON{text(at.Name), text(at.Address), date(at.Birth), text(at.Sex)}
	}
	if g.front != nil {
		r.Face = faceOf(g.front.Face)
	}
	if g.options.withMyNumber {
		if err := g.gate.number(&g.authenticity); err != nil {
			return nil, fmt.Errorf("--with-my-number: %w", err)
		}
		r.MyNumber = text(g.number)
	}
	return r, nil
}

// faceOf describes the photo. A header that cannot be read leaves width and height 0.
func faceOf(face *secret.Bytes) *faceJSON {
	sum := sha256.Sum256(face.Reveal())
	f := &faceJSON{Bytes: face.Len(), SHA256: hex.EncodeToString(sum[:])}
	if h, err := jp2.Check(face.Reveal()); err == nil {
		f.Width, f.Height = h.Width, h.Height
	}
	return f
}

// certificateOf is nil for a certificate that was not read.
func certificateOf(c *jpki.Certificate) *certificateJSON {
	if c == nil {
		return nil
	}
	japan := time.FixedZone("JST", 9*60*60) // the last second of a certificate is that of a day in Japan
	out := &certificateJSON{
		Serial: openssl(c), Issuer: c.Issuer,
		NotBefore: c.NotBefore.In(japan).Format(time.DateOnly), NotAfter: c.NotAfter.In(japan).Format(time.DateOnly),
	}
	if h := &c.Holder; c.Use == jpki.Sign {
		out.Attributes = &attributesJSON{text(h.Name), text(h.Address), date(h.Birth), text(h.Sex)}
	}
	return out
}

// openssl writes a serial number as openssl x509 -serial does: whole bytes in capitals.
func openssl(c *jpki.Certificate) string {
	return strings.ToUpper(hex.EncodeToString(c.Serial.Bytes()))
}

// unread is the authenticity of nothing.
func unread() card.Authenticity {
	no := card.FieldProof{Reason: card.ReasonNotRead}
	return card.Authenticity{
		MyNumber: no, Attributes: no, NameImage: no, AddressImage: no, Face: no, Birth: no, CardKey: no, NotACopy: no,
	}
}

func text(s *secret.Bytes) string { return string(s.Reveal()) }

// date makes YYYY-MM-DD of YYYYMMDD. A birthday that is not known in full keeps its zeros.
func date(s *secret.Bytes) string {
	d := text(s)
	if len(d) != 8 {
		return ""
	}
	return d[:4] + "-" + d[4:6] + "-" + d[6:]
}
