//go:build cgo

package token

import (
	"bytes"
	"crypto/ecdh"
	"fmt"

	"github.com/miekg/pkcs11"
)

// object names an object in a token: the three of a key differ in their class.
type object struct {
	class uint
	label string
}

// prime256v1 is the DER of the curve's object identifier, 1.2.840.10045.3.1.7.
func prime256v1() []byte { return []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} }

// handle finds an object; there must be exactly one. A private half must never have been able to leave the token.
func (cn *conn) handle(c *pkcs11.Ctx, s pkcs11.SessionHandle, o object) (pkcs11.ObjectHandle, error) {
	cn.mu.Lock()
	h, ok := cn.handles[o]
	cn.mu.Unlock()
	if ok {
		return h, nil
	}
	all, err := search(c, s, pkcs11.NewAttribute(pkcs11.CKA_CLASS, o.class), pkcs11.NewAttribute(pkcs11.CKA_LABEL, o.label))
	if err != nil {
		return 0, err
	}
	switch {
	case len(all) == 0:
		return 0, errNone
	case len(all) > 1:
		return 0, fmt.Errorf("%w: there are several of this label", errUnit)
	}
	if o.class != pkcs11.CKO_PUBLIC_KEY {
		if err := captive(c, s, all[0]); err != nil {
			return 0, err
		}
	}
	cn.mu.Lock()
	cn.handles[o] = all[0]
	cn.mu.Unlock()
	return all[0], nil
}

func search(c *pkcs11.Ctx, s pkcs11.SessionHandle, by ...*pkcs11.Attribute) (all []pkcs11.ObjectHandle, err error) {
	if err := c.FindObjectsInit(s, append(by, pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true))); err != nil {
		return nil, err
	}
	defer func() {
		if e := c.FindObjectsFinal(s); err == nil {
			err = e
		}
	}()
	for {
		some, _, err := c.FindObjects(s, 64)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
	}
}

// captive says whether a key is sensitive, not extractable and never was.
func captive(c *pkcs11.Ctx, s pkcs11.SessionHandle, h pkcs11.ObjectHandle) error {
	got, err := c.GetAttributeValue(s, h, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil), pkcs11.NewAttribute(pkcs11.CKA_NEVER_EXTRACTABLE, nil),
	})
	if err != nil {
		return err
	}
	for i, want := range []byte{1, 0, 1} {
		if !bytes.Equal(got[i].Value, []byte{want}) {
			return fmt.Errorf("%w: it can leave the token, or could once", errUnit)
		}
	}
	return nil
}

// point reads a public P-256 key. The attribute is an OCTET STRING around the point; some tokens leave that out.
func point(c *pkcs11.Ctx, s pkcs11.SessionHandle, h pkcs11.ObjectHandle) (*ecdh.PublicKey, error) {
	got, err := c.GetAttributeValue(s, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		return nil, err
	}
	b := got[0].Value
	if len(b) == pointSize+2 && b[0] == 0x04 && b[1] == pointSize {
		b = b[2:]
	}
	pub, err := ecdh.P256().NewPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: its public half is no P-256 point", errUnit)
	}
	return pub, nil
}

// derive is CKM_ECDH1_DERIVE without a derivation: the shared x coordinate. The session object that holds it for a
// moment is removed.
func derive(c *pkcs11.Ctx, s pkcs11.SessionHandle, key pkcs11.ObjectHandle, peer []byte) (secret []byte, err error) {
	mech := pkcs11.NewMechanism(pkcs11.CKM_ECDH1_DERIVE, pkcs11.NewECDH1DeriveParams(pkcs11.CKD_NULL, nil, peer))
	h, err := c.DeriveKey(s, []*pkcs11.Mechanism{mech}, key, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, secretSize),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := c.DestroyObject(s, h); err == nil && e != nil {
			clear(secret)
			secret, err = nil, e
		}
	}()
	got, err := c.GetAttributeValue(s, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
	if err != nil {
		return nil, err
	}
	if len(got[0].Value) != secretSize {
		clear(got[0].Value)
		return nil, fmt.Errorf("%w: its shared secret has another size", errUnit)
	}
	return got[0].Value, nil
}

// gcm encrypts or decrypts with a key in the token.
func gcm(c *pkcs11.Ctx, s pkcs11.SessionHandle, key pkcs11.ObjectHandle, encrypt bool, nonce, bound, in []byte) ([]byte, error) {
	p := pkcs11.NewGCMParams(nonce, bound, 8*tagSize)
	defer p.Free()
	mech := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, p)}
	if encrypt {
		if err := c.EncryptInit(s, mech, key); err != nil {
			return nil, err
		}
		return c.Encrypt(s, in)
	}
	if err := c.DecryptInit(s, mech, key); err != nil {
		return nil, err
	}
	out, err := c.Decrypt(s, in)
	if err == nil {
		return out, nil
	}
	// Tokens say different things of data that is not what was encrypted; one that still answers means the data.
	if captive(c, s, key) == nil {
		return nil, fmt.Errorf("%w: the seed in its file is not the one that was encrypted: %w", errUnit, hide(err))
	}
	return nil, err
}

// hide keeps an error's text and takes its code, so that lost does not see it.
func hide(err error) error { return fmt.Errorf("%s", err.Error()) } //nolint:err113 // the code must not be seen

// generate makes the three objects of a key: a P-256 pair and an AES key. When one fails, none stays.
func generate(c *pkcs11.Ctx, s pkcs11.SessionHandle, label string) (pub, aes pkcs11.ObjectHandle, undo func(), err error) {
	var made []pkcs11.ObjectHandle
	undo = func() {
		for _, h := range made {
			_ = c.DestroyObject(s, h)
		}
	}
	name := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(label)),
		pkcs11.NewAttribute(pkcs11.CKA_MODIFIABLE, false),
	}
	held := append([]*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
	}, name...)
	no := func(list []*pkcs11.Attribute, types ...uint) []*pkcs11.Attribute {
		out := append([]*pkcs11.Attribute(nil), list...)
		for _, t := range types {
			out = append(out, pkcs11.NewAttribute(t, false))
		}
		return out
	}
	aes, err = c.GenerateKey(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, append(
		no(held, pkcs11.CKA_WRAP, pkcs11.CKA_UNWRAP, pkcs11.CKA_SIGN, pkcs11.CKA_VERIFY, pkcs11.CKA_DERIVE),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32),
	))
	if err != nil {
		return 0, 0, undo, err
	}
	made = append(made, aes)
	pub, priv, err := c.GenerateKeyPair(
		s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		append(no(name, pkcs11.CKA_VERIFY), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, prime256v1())),
		append(no(held, pkcs11.CKA_SIGN, pkcs11.CKA_DECRYPT, pkcs11.CKA_UNWRAP), pkcs11.NewAttribute(pkcs11.CKA_DERIVE, true)),
	)
	if err != nil {
		undo()
		return 0, 0, undo, err
	}
	made = append(made, pub, priv)
	return pub, aes, undo, nil
}
