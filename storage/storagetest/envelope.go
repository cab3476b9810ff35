package storagetest

import (
	"crypto/ed25519"

	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/wire"
)

// ReceiptKeyID is the key id of the receipts made by Receipts.
const ReceiptKeyID = "receipt-test"

// Envelope makes a signed envelope of one part with size bytes that stand for ciphertext.
func (k *Keys) Envelope(id string, seq uint64, size int) (*wire.Envelope, error) {
	body := make([]byte, max(size, seal.Overhead+1))
	copy(body, id)
	key, err := k.Public.Choose(record.PartImages, At())
	if err != nil {
		return nil, err
	}
	h := wire.Header{ID: id, Device: Device, Seq: seq, Created: At()}
	return wire.Sign(h, []seal.Sealed{{Part: record.PartImages, KeyID: key.ID, Bytes: body}}, k.Device)
}

// Receipts signs receipts as HQ does.
type Receipts struct{ key ed25519.PrivateKey }

// NewReceipts makes a receipt key.
func NewReceipts() (*Receipts, error) {
	_, priv, err := ed25519.GenerateKey(nil)
	return &Receipts{priv}, err
}

// Keys are the public halves.
func (r *Receipts) Keys() wire.ReceiptKeys {
	pub, _ := r.key.Public().(ed25519.PublicKey)
	return wire.ReceiptKeys{ReceiptKeyID: pub}
}

// Sign makes the bytes of a receipt for an envelope.
func (r *Receipts) Sign(id string, digest [32]byte) ([]byte, error) {
	return wire.SignReceipt(wire.Receipt{Device: Device, ID: id, Digest: digest, Received: At(), KeyID: ReceiptKeyID}, r.key)
}

// Verified makes a verified receipt.
func (r *Receipts) Verified(id string, digest [32]byte) (wire.VerifiedReceipt, error) {
	b, err := r.Sign(id, digest)
	if err != nil {
		return wire.VerifiedReceipt{}, err
	}
	return wire.VerifyReceipt(b, r.Keys(), Device, id, digest)
}
