package wire

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"time"

	"madoguchi/storage/canon"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// MaxReceipt is the most bytes of a receipt.
const MaxReceipt = 2 << 10

// receiptDomain separates HQ's signatures over receipts from all its others.
const receiptDomain = "madoguchi receipt v1"

// Receipt is HQ's word that it holds an envelope durably. Only then may the kiosk delete its own copy.
type Receipt struct {
	Device   string
	ID       string
	Digest   [32]byte // of the envelope
	Received time.Time
	KeyID    string // which of HQ's receipt keys signed
}

// ReceiptKeys are HQ's public receipt keys by id.
type ReceiptKeys map[string]ed25519.PublicKey

// SignReceipt makes the bytes of a signed receipt. The signer is HQ's Ed25519 key.
func SignReceipt(r Receipt, signer crypto.Signer) ([]byte, error) {
	head, err := r.encode(nil)
	if err != nil {
		return nil, err
	}
	sum := signed(receiptDomain, head)
	sig, err := signer.Sign(rand.Reader, sum[:], crypto.Hash(0))
	if err != nil || len(sig) != ed25519.SignatureSize {
		return nil, &Error{Code: CodeSignature, Field: "receipt key"}
	}
	return r.encode(sig)
}

// encode writes the canonical bytes; what is signed is the form with an empty signature.
func (r *Receipt) encode(sig []byte) ([]byte, error) {
	c := canon.NewWriter(MaxReceipt)
	r.shape(c, &sig)
	b, err := c.Bytes()
	if err != nil {
		return nil, headerError(err)
	}
	return b, nil
}

func (r *Receipt) shape(c *canon.Coder, sig *[]byte) {
	c.Object("", func() {
		c.String("device", &r.Device, record.MaxDevice)
		c.Hash("digest", &r.Digest)
		c.String("id", &r.ID, 36)
		c.String("key_id", &r.KeyID, seal.MaxKeyID)
		c.Time("received", &r.Received)
		c.Data("signature", sig, ed25519.SignatureSize)
		v := 1
		c.Int("v", &v, 1, 1)
	})
	if c.OK() && (!record.ValidID(r.ID) || !record.ValidDevice(r.Device) || !seal.ValidKeyID(r.KeyID)) {
		c.Fail(canon.CodeValue, "id")
	}
}

// VerifiedReceipt is a receipt that was verified. Only VerifyReceipt makes one that is not empty, so whoever holds
// one (the queue's Delete asks for it) knows that HQ has the envelope.
type VerifiedReceipt struct {
	receipt Receipt
	ok      bool
}

// Valid says whether it came from VerifyReceipt; the zero value is not.
func (v VerifiedReceipt) Valid() bool { return v.ok }

// Receipt is what HQ said.
func (v VerifiedReceipt) Receipt() Receipt { return v.receipt }

// VerifyReceipt reads a receipt and checks HQ's signature and that it is for exactly this envelope: device, id and
// digest.
func VerifyReceipt(b []byte, keys ReceiptKeys, device, id string, digest [32]byte) (VerifiedReceipt, error) {
	var r Receipt
	var sig []byte
	c := canon.NewReader(b, MaxReceipt)
	r.shape(c, &sig)
	if err := c.Done(); err != nil {
		return VerifiedReceipt{}, headerError(err)
	}
	head, err := r.encode(nil)
	if err != nil {
		return VerifiedReceipt{}, err
	}
	pub, ok := keys[r.KeyID]
	if !ok || len(pub) != ed25519.PublicKeySize {
		return VerifiedReceipt{}, &Error{Code: CodeSignature, Field: "receipt key"}
	}
	sum := signed(receiptDomain, head)
	if !ed25519.Verify(pub, sum[:], sig) {
		return VerifiedReceipt{}, &Error{Code: CodeSignature, Field: "receipt"}
	}
	if r.Device != device || r.ID != id || r.Digest != digest {
		return VerifiedReceipt{}, &Error{Code: CodeBinding, Field: "receipt"}
	}
	return VerifiedReceipt{receipt: r, ok: true}, nil
}
