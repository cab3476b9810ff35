package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // key identifiers are SHA-1 by RFC 5280, 4.2.1.2
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Organisation is the O of every virtual JPKI certificate; the real one is JPKI, that of J-LIS's tests JPKI-TEST.
const Organisation = "MADOGUCHI-VIRTUAL"

// Use is what a JPKI certificate is for.
type Use string

// The uses.
const (
	Sign Use = "sign" // 署名用
	Auth Use = "auth" // 利用者証明用
)

func (u Use) unit() string {
	if u == Sign {
		return "JPKI for digital signature"
	}
	return "JPKI for user authentication"
}

// authority is one certification authority.
type authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// Root is the DER form of the self-signed certificate of the authority.
func Root(u Use) ([]byte, error) {
	b, err := files.ReadFile("keys/virtual-jpki-" + string(u) + "-ca.crt")
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("pki: the root is not PEM")
	}
	return block.Bytes, nil
}

func authorityOf(u Use) (authority, error) {
	der, err := Root(u)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return authority{}, fmt.Errorf("pki: %w", err)
	}
	keys, err := privateKeys("virtual-jpki-" + string(u) + "-ca")
	if err != nil {
		return authority{}, err
	}
	return authority{cert: cert, key: keys[0]}, nil
}

// Holder is what a certificate says about the holder of the card.
type Holder struct {
	CommonName    string // opaque issue identifier
	Prefecture    string // romanised; signature certificate only
	City          string
	Name, Address string
	Birth         string // era digit and YYYYMMDD, 9 digits
	Sex           string
	Serial        *big.Int
	From, Until   time.Time
}

// Issue makes an end-entity certificate in DER: for Sign with locality, the six otherNames and nonRepudiation;
// for Auth with neither name nor place.
func Issue(u Use, h Holder, key *rsa.PublicKey) ([]byte, error) {
	ca, err := authorityOf(u)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: h.Serial, NotBefore: h.From, NotAfter: h.Until,
		KeyUsage: x509.KeyUsageDigitalSignature, SubjectKeyId: subjectKeyID(key),
		SignatureAlgorithm: x509.SHA256WithRSA, BasicConstraintsValid: true,
	}
	rdn := []attribute{{oidCountry, japan()}, {oidCommonName, utf8(h.CommonName)}}
	place := []attribute{{oidUnit, utf8("CRL Distribution Points")}}
	if u == Sign {
		template.KeyUsage |= x509.KeyUsageContentCommitment
		rdn = []attribute{
			{oidCountry, japan()},
			{oidLocality, utf8(h.Prefecture)},
			{oidLocality, utf8(h.City)},
			{oidCommonName, utf8(h.CommonName)},
		}
		place = append(place, attribute{oidUnit, utf8(h.Prefecture)}, attribute{oidCommonName, utf8(h.City)})
		template.ExtraExtensions = append(template.ExtraExtensions, otherNames(h))
	}
	template.RawSubject = name(rdn)
	template.ExtraExtensions = append(template.ExtraExtensions,
		distributionPoint(append(authorityName(u), place...)))
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key, ca.key)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	return der, nil
}

// authorityName is the DN of an authority, without the unit of its operator.
func authorityName(u Use) []attribute {
	return []attribute{
		{oidCountry, japan()}, {oidOrganisation, utf8(Organisation)}, {oidUnit, utf8(u.unit())},
	}
}

// SelfSigned makes the root of an authority. Only the generator calls it.
func SelfSigned(u Use, key *rsa.PrivateKey, from, until time.Time) ([]byte, error) {
	dn := append(authorityName(u), attribute{oidUnit, utf8("Worthless test authority of virtual cards")})
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until,
		RawSubject: name(dn), SubjectKeyId: subjectKeyID(&key.PublicKey),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true,
		SignatureAlgorithm: x509.SHA256WithRSA,
		ExtraExtensions: []pkix.Extension{
			directorySAN([]attribute{{oidCountry, japan()}, {oidOrganisation, utf8("仮想の公的個人認証サービス")}}),
			distributionPoint(dn),
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	return der, nil
}

func subjectKeyID(key *rsa.PublicKey) []byte {
	sum := sha1.Sum(x509.MarshalPKCS1PublicKey(key)) //nolint:gosec // see the import
	return sum[:]
}

// japan is the country as a PrintableString, which is how J-LIS writes it; all else is UTF-8.
func japan() asn1.RawValue {
	return asn1.RawValue{Tag: asn1.TagPrintableString, Bytes: []byte("JP")}
}

func utf8(s string) asn1.RawValue {
	return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)}
}
