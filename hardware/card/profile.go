package card

import (
	"slices"

	"madoguchi/hardware/tlv"
)

// Profile is one generation of the My Number Card: everything that is expected to change with the next one, in one
// table. The code of this package names applications, files, references and keys by the constants below; a new
// generation is a new Profile and, where a file has another form, a new decoder.
//
// The only generation in circulation is "2016" (cards issued since January 2016). The next one is announced for
// fiscal year 2028 with two applications, two PINs, a 照合番号 of six digits and stronger cryptography; its numbers are
// not public yet. Source of the table: public readers of real cards (myna-card, jpki/myna, OpenSC, jsapdu).
type Profile struct {
	Version      string   // stable name, e.g. "2016"
	Tokens       []string // labels of JPKI EF 0006 by which this generation is recognised
	Applications []ApplicationEntry
	Files        []FileEntry
	References   []ReferenceEntry
	Keys         []KeyEntry
	Digest       string // the one digest of records, challenges and JPKI signatures
	KeyBits      int    // RSA modulus of every key on the card
}

// ApplicationEntry is an application: the complete application id (partial ones may match something else).
type ApplicationEntry struct {
	app  app
	Name string
	AID  string // raw bytes
}

// FileEntry is an elementary file. SFI is its short id, the low five bits of the file id.
type FileEntry struct {
	file     file
	app      app
	Name     string
	SFI      byte
	Tag      tlv.Tag // outer object; 0 when the file is not one BER-TLV object
	Size     int     // bytes of the object where they are fixed, else 0
	OpenedBy []Ref   // any one of them; none means free to read
}

// ReferenceEntry is a PIN, password or number with the application and short id by which VERIFY names it.
type ReferenceEntry struct {
	Ref    Ref
	app    app
	Name   string // stable key, e.g. "text-pin"
	SFI    byte
	Format Format
	Tries  int // as issued; 0 when no source says
}

// KeyEntry is a private key: P2 names it, P1 chooses the scheme of PERFORM SECURITY OPERATION (80 2A).
type KeyEntry struct {
	key    key
	app    app
	Name   string
	P2     byte
	Scheme byte // 02: 32-byte SHA-256 digest, the card adds the DigestInfo; 00: pads what it gets
}

// Format is what a PIN or number must look like; it is checked before anything is sent.
type Format string

// The formats.
const (
	FormatPIN      Format = "pin"      // four digits
	FormatPassword Format = "password" // 6 to 16 of A-Z and 0-9, at least one of each
	FormatNumberA  Format = "number-a" // My Number: 12 digits, the last one a check digit
	FormatNumberB  Format = "number-b" // 14 digits: birth date as printed, year of expiry, security code
	FormatBirth    Format = "birth"    // six digits: birth date as printed
	FormatNone     Format = "none"     // never verified by this package
)

// app is an application of the card.
type app uint8

// The applications of the My Number Card, then those that tell other cards.
const (
	appNone   app = iota
	appJPKI       // 公的個人認証
	appText       // 券面事項入力補助
	appFace       // 券面事項確認
	appCommon     // 共通カード
	appJuki       // 住基: its tries only, never a file (duty of the operator: the 住民票コード lies there)
	appLicence
	appResidence
	appPassport
)

// file is a file that this package reads.
type file uint8

// The files. Nothing of 住基 is among them.
const (
	fileSignCert file = iota
	fileSignCA
	fileToken
	fileFlags
	fileAuthCert
	fileAuthCA
	fileNumber
	fileAttributes
	fileIntegrity
	fileTextCert
	fileTextInfo
	fileCardKey
	fileAge
	fileFront
	fileFaceInfo
	fileFaceCert
	fileNumberImage
	fileCommon
)

// key is a private key of the card.
type key uint8

// The keys.
const (
	keySign key = iota // JPKI 001A, after the password
	keyAuth            // JPKI 0017, after the PIN
	keyText            // 0408/0013, challenges without a PIN
	keyFace            // 0402/001A, challenges without a PIN
)

// Profiles are the generations this package knows, the newest first.
func Profiles() []Profile { return []Profile{profile2016()} }

// profileOf gives the generation with a token label; the first one when the label is new.
func profileOf(token string) Profile {
	all := Profiles()
	for _, p := range all {
		if slices.Contains(p.Tokens, token) {
			return p
		}
	}
	return all[0]
}

// profile2016 is the card issued since 2016.
func profile2016() Profile {
	return Profile{
		Version: "2016", Tokens: []string{tokenMyNumber}, Digest: "SHA-256", KeyBits: 2048,
		Applications: []ApplicationEntry{
			{appJPKI, "jpki", "\xD3\x92\xF0\x00\x26\x01\x00\x00\x00\x01"},
			{appText, "0408", "\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x08"},
			{appFace, "0402", "\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x02"},
			{appCommon, "0100", "\xD3\x92\x10\x00\x31\x00\x01\x01\x01\x00"},
			{appJuki, "0401", "\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x01"},
		},
		Files: files2016(),
		References: []ReferenceEntry{
			{RefSignPass, appJPKI, "sign-password", 0x1B, FormatPassword, 5},
			{RefAuthPIN, appJPKI, "auth-pin", 0x18, FormatPIN, 3},
			{RefTextPIN, appText, "text-pin", 0x11, FormatPIN, 3},
			{RefTextA, appText, "text-a", 0x14, FormatNumberA, 10},
			{RefTextB, appText, "text-b", 0x15, FormatNumberB, 10},
			{RefFaceA, appFace, "face-a", 0x13, FormatNumberA, 10},
			{RefFaceB, appFace, "face-b", 0x12, FormatNumberB, 10},
			{RefFaceBirth, appFace, "face-birth", 0x11, FormatBirth, 0},
			{RefCommonPIN, appCommon, "common-pin", 0x1C, FormatNone, 3},
			{RefJukiPIN, appJuki, "juki-pin", 0x1C, FormatNone, 3},
			{RefTextReserved, appText, "text-reserved", 0x12, FormatNone, 0},
		},
		Keys: []KeyEntry{
			{keySign, appJPKI, "jpki-sign", 0x9A, 0x02},
			{keyAuth, appJPKI, "jpki-auth", 0x97, 0x02},
			{keyText, appText, "0408-card", 0x00, 0x00},
			{keyFace, appFace, "0402-card", 0x00, 0x00},
		},
	}
}

func files2016() []FileEntry {
	any3 := []Ref{RefTextPIN, RefTextA, RefTextB}
	return []FileEntry{
		{fileSignCert, appJPKI, "jpki/0001", 0x01, 0x30, 0, []Ref{RefSignPass}},
		{fileSignCA, appJPKI, "jpki/0002", 0x02, 0x30, 0, nil},
		{fileToken, appJPKI, "jpki/0006", 0x06, 0, 160, nil},
		{fileFlags, appJPKI, "jpki/0008", 0x08, 0, 3, nil},
		{fileAuthCert, appJPKI, "jpki/000A", 0x0A, 0x30, 0, nil}, // on a phone after the PIN
		{fileAuthCA, appJPKI, "jpki/000B", 0x0B, 0x30, 0, nil},
		{fileNumber, appText, "0408/0001", 0x01, 0xFF10, 15, []Ref{RefTextPIN, RefTextA}},
		{fileAttributes, appText, "0408/0002", 0x02, 0xFF20, 0, []Ref{RefTextPIN, RefTextB}},
		{fileIntegrity, appText, "0408/0003", 0x03, 0xFF30, 336, any3},
		{fileTextCert, appText, "0408/0004", 0x04, 0x7F21, 568, nil},
		{fileTextInfo, appText, "0408/0005", 0x05, 0xFF40, 164, nil},
		{fileCardKey, appText, "0408/0007", 0x07, 0xFF50, 536, any3},
		{fileAge, appFace, "0402/0001", 0x01, 0xFF10, 547, []Ref{RefFaceBirth}},
		{fileFront, appFace, "0402/0002", 0x02, 0xFF20, 0, []Ref{RefFaceA, RefFaceB}},
		{fileFaceInfo, appFace, "0402/0003", 0x03, 0xFF30, 320, nil},
		{fileFaceCert, appFace, "0402/0004", 0x04, 0x7F21, 568, nil},
		{fileNumberImage, appFace, "0402/0005", 0x05, 0xFF40, 0, []Ref{RefFaceA}},
		{fileCommon, appCommon, "0100/0001", 0x01, 0, 30, nil}, // record 1, simple TLV
	}
}

// aid is the application id, of this generation or of another kind of card.
func (p Profile) aid(a app) string {
	const zeros10 = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	switch a {
	case appLicence:
		return "\xA0\x00\x00\x02\x31\x01" + zeros10
	case appResidence:
		return "\xD3\x92\xF0\x00\x4F\x02" + zeros10
	case appPassport:
		return "\xA0\x00\x00\x02\x47\x10\x01"
	case appNone, appJPKI, appText, appFace, appCommon, appJuki:
	}
	for _, e := range p.Applications {
		if e.app == a {
			return e.AID
		}
	}
	return ""
}

// entry finds a file; ok is false when this generation has none.
func (p Profile) entry(f file) (FileEntry, bool) {
	for _, e := range p.Files {
		if e.file == f {
			return e, true
		}
	}
	return FileEntry{}, false
}

// reference finds a PIN or number; ok is false when this generation has none.
func (p Profile) reference(r Ref) (ReferenceEntry, bool) {
	for _, e := range p.References {
		if e.Ref == r {
			return e, true
		}
	}
	return ReferenceEntry{}, false
}

// keyEntry finds a private key; ok is false when this generation has none.
func (p Profile) keyEntry(k key) (KeyEntry, bool) {
	for _, e := range p.Keys {
		if e.key == k {
			return e, true
		}
	}
	return KeyEntry{}, false
}
