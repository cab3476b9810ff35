package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// magic begins every envelope: a name and the version.
const magic = "MDGENV\x00\x01"

// headerDomain separates the device's signatures over headers from all its others.
const headerDomain = "madoguchi envelope header v1"

// Envelope is one sealed record on its way. It holds ciphertext and routing data only.
type Envelope struct {
	Header    Header
	Signature []byte        // ASN.1 ECDSA P-256 over the header
	Parts     []seal.Sealed // in the order of the header
	Bytes     []byte        // the whole, as it travels and is stored
	Digest    [32]byte      // SHA-256 of Bytes

	header []byte // canonical bytes of the header, as signed
}

// Build encodes, seals and signs a record: what the daemon calls at the end of a session. Every plain text made on
// the way is wiped; the record itself stays with the caller, who wipes it. The record must be valid (its Validate is
// called), and device must be signer's. Time now chooses the keys.
func Build(r *record.Record, keys *seal.PublicKeys, signer crypto.Signer, seq uint64, now time.Time) (*Envelope, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	h := Header{
		ID: r.ID, Device: r.Device, Seq: seq, Created: r.Created.UTC().Truncate(time.Millisecond), Schema: record.Version,
		Virtual: slices.Compact(slices.Sorted(slices.Values(r.Virtual))),
	}
	var parts []seal.Sealed
	for _, p := range record.Parts() {
		if !r.Has(p) {
			continue
		}
		s, err := sealPart(r, p, keys, now)
		if err != nil {
			return nil, err
		}
		parts = append(parts, s)
	}
	return Sign(h, parts, signer)
}

func sealPart(r *record.Record, p record.Part, keys *seal.PublicKeys, now time.Time) (seal.Sealed, error) {
	plain, err := record.EncodePart(r, p)
	if err != nil {
		return seal.Sealed{}, err
	}
	defer plain.Wipe()
	return keys.Seal(r.Device, r.ID, p, plain, now)
}

// Sign puts sealed parts into a signed envelope. The header's list of parts is made from parts.
func Sign(h Header, parts []seal.Sealed, signer crypto.Signer) (*Envelope, error) {
	h.Parts = nil
	for _, p := range parts {
		h.Parts = append(h.Parts, PartInfo{Name: p.Part, KeyID: p.KeyID, Size: len(p.Bytes), SHA256: sha256.Sum256(p.Bytes)})
	}
	head, err := h.encode()
	if err != nil {
		return nil, err
	}
	sum := signed(headerDomain, head)
	sig, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil || len(sig) > MaxSignature {
		return nil, &Error{Code: CodeSignature, Field: "device key"}
	}
	b := append([]byte(nil), magic...)
	b = frame(b, head)
	b = frame(b, sig)
	for _, p := range parts {
		b = frame(b, p.Bytes)
	}
	if len(b) > MaxEnvelope {
		return nil, &Error{Code: CodeSize, Field: "envelope"}
	}
	return Parse(b) // what we send is what the other side will read
}

func frame(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field))) //nolint:gosec // capped in Sign and Parse
	return append(b, field...)
}

// Parse reads an envelope and checks all that needs no key: magic, lengths, the canonical header, the size and the
// SHA-256 of every part, nothing after the last one. The result shares memory with b, which must not change.
func Parse(b []byte) (*Envelope, error) {
	if len(b) > MaxEnvelope {
		return nil, &Error{Code: CodeSize, Field: "envelope"}
	}
	e, err := ParsePrefix(b)
	if err != nil {
		return nil, err
	}
	if len(e.Bytes) != len(b) {
		return nil, &Error{Code: CodeFrame, Field: "end"}
	}
	return e, nil
}

// Magic is how every envelope begins: what a search through the bytes of a damaged file looks for.
func Magic() []byte { return []byte(magic) }

// ParsePrefix is Parse for an envelope with something after it: its own frame says where it ends. For salvage.
func ParsePrefix(b []byte) (*Envelope, error) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return nil, &Error{Code: CodeMagic}
	}
	rest := b[len(magic):]
	head, rest, err := field(rest, MaxHeader, "header")
	if err != nil {
		return nil, err
	}
	sig, rest, err := field(rest, MaxSignature, "signature")
	if err != nil {
		return nil, err
	}
	h, err := decodeHeader(head)
	if err != nil {
		return nil, err
	}
	e := &Envelope{Header: h, Signature: sig, header: head}
	for _, info := range h.Parts {
		var body []byte
		body, rest, err = field(rest, info.Size, string(info.Name))
		if err != nil {
			return nil, err
		}
		if len(body) != info.Size || sha256.Sum256(body) != info.SHA256 {
			return nil, &Error{Code: CodeDigest, Field: string(info.Name)}
		}
		e.Parts = append(e.Parts, seal.Sealed{Part: info.Name, KeyID: info.KeyID, Bytes: body})
	}
	n := len(b) - len(rest)
	if n > MaxEnvelope {
		return nil, &Error{Code: CodeSize, Field: "envelope"}
	}
	e.Bytes = b[:n:n]
	e.Digest = sha256.Sum256(e.Bytes)
	return e, nil
}

// field takes one length-framed field from b.
func field(b []byte, most int, name string) (value, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, &Error{Code: CodeFrame, Field: name}
	}
	n := uint64(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n > uint64(most) { //nolint:gosec // most is one of our caps
		return nil, nil, &Error{Code: CodeSize, Field: name}
	}
	if n > uint64(len(b)) {
		return nil, nil, &Error{Code: CodeFrame, Field: name}
	}
	return b[:n:n], b[n:], nil
}

// VerifyDevice checks the device's signature over the header, which covers every part through its SHA-256.
func (e *Envelope) VerifyDevice(pub *ecdsa.PublicKey) error {
	if pub == nil || pub.Curve != elliptic.P256() || e.header == nil {
		return &Error{Code: CodeSignature, Field: "device key"}
	}
	sum := signed(headerDomain, e.header)
	if !ecdsa.VerifyASN1(pub, sum[:], e.Signature) {
		return &Error{Code: CodeSignature, Field: "device"}
	}
	return nil
}
