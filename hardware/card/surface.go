package card

import (
	"context"
	"encoding/hex"

	"madoguchi/hardware/tlv"
	"madoguchi/internal/secret"
)

// The objects of 0402/0001 and of the basic information of both applications.
const (
	tagAgeBirth tlv.Tag = 0xDF11
	tagAgeKey   tlv.Tag = 0xDF12
	tagAgeProof tlv.Tag = 0xDF13

	tagFaceInfo    tlv.Tag = 0xDF31
	tagFaceKeyID   tlv.Tag = 0xDF32
	tagFaceVersion tlv.Tag = 0xDF33
	tagFaceCity    tlv.Tag = 0xDF34

	tagTextInfo  tlv.Tag = 0xDF41
	tagTextKeyID tlv.Tag = 0xDF42
)

// AgeRecord is 0402/0001, the least that proves an age: 547 bytes.
type AgeRecord struct {
	Birth        *secret.Bytes // YYYYMMDD, Gregorian
	Authenticity Authenticity  // Birth, CardKey and NotACopy
}

// Wipe wipes the secret.
func (r *AgeRecord) Wipe() { r.Birth.Wipe() }

// AgeByBirth reads the age record (0402/0001: DF11 birth, DF12 the card's key, DF13 signature over both) by the
// birth-date key, six digits exactly as printed on the card (the first six of 照合番号B): three commands, one
// VERIFY, never repeated; two more for the proof with issuer keys. How many tries the key has is not known from any
// source: ask Tries(RefFaceBirth). Errors as AttributesByB.
func (c *Card) AgeByBirth(ctx context.Context, birth *secret.Bytes) (AgeRecord, error) {
	if err := c.enter(ctx, TaskAge, RefFaceBirth, birth); err != nil {
		return AgeRecord{}, err
	}
	set, file, err := c.readSet(ctx, fileAge)
	if err != nil {
		return AgeRecord{}, err
	}
	defer clear(file.Raw)
	f := fields{set: set}
	date, key, signature := f.object(tagAgeBirth), f.object(tagAgeKey), f.get(tagAgeProof)
	if f.bad || !isBirth(date.Value) {
		return AgeRecord{}, ErrMalformed
	}
	out := AgeRecord{Birth: secret.Copy(date.Value)}
	state, err := c.proveRecord(ctx, surfaceRecord{parts: [][]byte{date.Raw, key.Raw}, key: key.Value, signature: signature}, ReasonSignatureForged)
	if err != nil {
		out.Wipe()
		return AgeRecord{}, err
	}
	out.Authenticity = state.authenticity
	out.Authenticity.Birth = state.record
	return out, nil
}

// surfaceRecord is a record of 券面事項確認 whose signature covers every object before it, the card's key among them.
type surfaceRecord struct {
	parts          [][]byte
	key, signature []byte
}

// recordProof is the verdict on a surfaceRecord: record is that of its content.
type recordProof struct {
	record       FieldProof
	authenticity Authenticity
}

// proveRecord checks the chain, the signature and a challenge. Only a failure of the transport is an error.
func (c *Card) proveRecord(ctx context.Context, r surfaceRecord, forged string) (recordProof, error) {
	out := recordProof{authenticity: notRead()}
	ch, err := c.readChain(ctx, fileFaceCert)
	if err != nil {
		return out, err
	}
	auth := &out.authenticity
	auth.SurfaceIssuer, auth.Virtual = ch.issuer, ch.virtual
	if !ch.state.Valid {
		out.record, auth.CardKey, auth.NotACopy = ch.state, ch.state, unproven(ch.state.Reason)
		return out, nil
	}
	cardKey, keyErr := parseKey(r.key)
	out.record = judge(signed(ch.municipality, r.signature, r.parts...), forged)
	auth.CardKey, auth.NotACopy = out.record, unproven(ReasonKeyNotProven)
	if out.record.Valid && keyErr != nil {
		auth.CardKey = unproven(ReasonRecordUnreadable)
	}
	if auth.CardKey.Valid {
		auth.NotACopy, err = c.challenge(ctx, keyFace, cardKey)
	}
	return out, err
}

// SurfaceInfo is the basic information of 券面事項確認 (0402/0003, 320 bytes, free to read). It is not signed.
type SurfaceInfo struct {
	Application  string // DF31: four bytes in hex, 06030E01 on cards seen
	KeyID        string // DF32: key id in hex
	Version      string // DF33: one byte in hex
	Municipality string // DF34: 5 digits
}

// SurfaceInfo reads 0402/0003: SELECT and one READ, no PIN. Errors: ErrKind, ErrNotFound, ErrMalformed, the
// transport's own.
func (c *Card) SurfaceInfo(ctx context.Context) (SurfaceInfo, error) {
	f, err := c.info(ctx, fileFaceInfo)
	if err != nil {
		return SurfaceInfo{}, err
	}
	application, id, version, city := f.get(tagFaceInfo), f.get(tagFaceKeyID), f.get(tagFaceVersion), f.get(tagFaceCity)
	if f.bad || len(city) != 5 || !isDigits(city) {
		return SurfaceInfo{}, ErrMalformed
	}
	return SurfaceInfo{
		Application: hex.EncodeToString(application), KeyID: hex.EncodeToString(id),
		Version: hex.EncodeToString(version), Municipality: string(city),
	}, nil
}

// TextInfo is the basic information of 券面事項入力補助 (0408/0005, 164 bytes, free to read). It is not signed.
type TextInfo struct {
	Application string // DF41: four bytes in hex, 01030E01 on cards seen
	Extended    bool   // the second byte of DF41 is not 0: the card says that it takes extended commands
	KeyID       string // DF42: key id in hex
}

// TextInfo reads 0408/0005: SELECT and one READ, no PIN. Errors as SurfaceInfo.
func (c *Card) TextInfo(ctx context.Context) (TextInfo, error) {
	f, err := c.info(ctx, fileTextInfo)
	if err != nil {
		return TextInfo{}, err
	}
	application, id := f.get(tagTextInfo), f.get(tagTextKeyID)
	if f.bad || len(application) < 2 {
		return TextInfo{}, ErrMalformed
	}
	return TextInfo{
		Application: hex.EncodeToString(application), Extended: application[1] != 0, KeyID: hex.EncodeToString(id),
	}, nil
}

func (c *Card) info(ctx context.Context, f file) (fields, error) {
	c.task = TaskInfo
	if c.identity.Kind != KindMyNumber {
		return fields{}, ErrKind
	}
	set, _, err := c.readSet(ctx, f)
	return fields{set: set}, err
}
