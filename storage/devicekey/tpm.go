package devicekey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// TPM is a TPM 2.0. One command runs at a time; any goroutine may call.
type TPM struct {
	path    string
	timeout time.Duration

	mu     sync.Mutex
	link   *link
	life   int       // counts connections: handles of an earlier one are gone
	loaded []*tpmKey // keys that hold one of the TPM's few places
}

// DefaultTimeout is enough for making a key in a slow TPM.
const DefaultTimeout = 20 * time.Second

// OpenTPM opens the TPM at path: /dev/tpmrm0, or the unix socket of a software TPM in tests. A timeout of 0 is
// DefaultTimeout; it holds for each command.
func OpenTPM(path string, timeout time.Duration) (*TPM, error) {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	t := &TPM{path: path, timeout: timeout}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.connect(); err != nil {
		return nil, err
	}
	// A TPM 1.2, or something that is no TPM at all, does not know this command.
	if _, err := (tpm2.GetCapability{
		Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTFamilyIndicator), PropertyCount: 1,
	}).Execute(t.link); err != nil {
		t.link.close()
		return nil, errors.Join(ErrNoTPM, err)
	}
	return t, nil
}

// Close gives the places of this TPM's keys back (the kernel does so by itself, a software TPM's socket does not) and
// ends the connection. A key that signs afterwards opens it again.
func (t *TPM) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.loaded {
		k.unload()
	}
	t.loaded = nil
	t.link.close()
}

func (t *TPM) connect() error {
	l, err := dial(t.path, t.timeout)
	if err != nil {
		return err
	}
	t.link, t.loaded = l, nil
	t.life++
	return nil
}

// Create makes a key in the TPM.
func (t *TPM) Create() (Key, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := &tpmKey{tpm: t}
	err := t.underPrimary(func(parent tpm2.AuthHandle) error {
		made, err := (tpm2.Create{ParentHandle: parent, InPublic: tpm2.New2B(template())}).Execute(t.link)
		if err != nil {
			return err
		}
		k.blob = tpmFile{
			Type: fileOID(), EmptyAuth: true, Parent: int(tpm2.TPMRHOwner),
			Public: tpm2.Marshal(made.OutPublic), Private: tpm2.Marshal(made.OutPrivate),
		}
		return k.loadUnder(parent)
	})
	if err != nil {
		return nil, refused(err)
	}
	return k, nil
}

// template is a key that signs SHA-256 hashes by ECDSA P-256, is made by this TPM and never leaves it. Its password is
// empty: whoever may use the TPM and has the blob may sign, and nobody can copy the key.
func template() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			CurveID: tpm2.TPMECCNistP256,
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
			},
		}),
	}
}

// tpmFile is the TPMKey of the TPM key files: OID 2.23.133.10.1.3 (loadable key), the parent's handle, and the two
// halves with their lengths (TPM2B_PUBLIC, TPM2B_PRIVATE). The parent is the storage primary of the owner hierarchy
// by the TCG's P-256 template, made anew at each loading.
type tpmFile struct {
	Type      asn1.ObjectIdentifier
	EmptyAuth bool `asn1:"optional,explicit,tag:0"`
	Parent    int
	Public    []byte
	Private   []byte
}

func fileOID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3} }

// load reads a blob and loads the key.
func (t *TPM) load(der []byte) (Key, error) {
	k := &tpmKey{tpm: t}
	rest, err := asn1.Unmarshal(der, &k.blob)
	if err != nil || len(rest) != 0 || !k.blob.Type.Equal(fileOID()) || !k.blob.EmptyAuth || k.blob.Parent != int(tpm2.TPMRHOwner) {
		return nil, ErrKey
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.underPrimary(k.loadUnder); err != nil {
		return nil, refused(err)
	}
	return k, nil
}

// underPrimary makes the storage primary, which is the same at every start, and flushes it again. A TPM has room for
// about three objects: when it is full, the keys make room; each is loaded again when it next signs.
func (t *TPM) underPrimary(work func(parent tpm2.AuthHandle) error) error {
	if t.link.broken {
		if err := t.connect(); err != nil {
			return err
		}
	}
	err := t.tryUnderPrimary(work)
	if errors.Is(err, tpm2.TPMRCObjectMemory) {
		for _, k := range t.loaded {
			k.unload()
		}
		t.loaded = nil
		err = t.tryUnderPrimary(work)
	}
	return err
}

func (t *TPM) tryUnderPrimary(work func(parent tpm2.AuthHandle) error) error {
	p, err := (tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}).Execute(t.link)
	if err != nil {
		return err
	}
	err = work(tpm2.AuthHandle{Handle: p.ObjectHandle, Name: p.Name, Auth: tpm2.PasswordAuth(nil)})
	_, flush := (tpm2.FlushContext{FlushHandle: p.ObjectHandle}).Execute(t.link)
	return errors.Join(err, flush)
}

// tpmKey is a key in a TPM.
type tpmKey struct {
	tpm    *TPM
	blob   tpmFile
	public *ecdsa.PublicKey
	handle tpm2.AuthHandle
	life   int // of the connection that the handle belongs to
}

// loadUnder loads the key and checks that it is what Create makes: no other blob is taken for a device key.
func (k *tpmKey) loadUnder(parent tpm2.AuthHandle) error {
	private, err := tpm2.Unmarshal[tpm2.TPM2BPrivate](k.blob.Private)
	if err != nil {
		return ErrKey
	}
	outer, err := tpm2.Unmarshal[tpm2.TPM2BPublic](k.blob.Public)
	if err != nil {
		return ErrKey
	}
	public, err := outer.Contents()
	if err != nil {
		return ErrKey
	}
	pub, err := publicOf(public)
	if err != nil {
		return err
	}
	if k.public != nil && !k.public.Equal(pub) {
		return ErrKey
	}
	loaded, err := (tpm2.Load{ParentHandle: parent, InPrivate: *private, InPublic: *outer}).Execute(k.tpm.link)
	if err != nil {
		return err
	}
	k.public, k.life = pub, k.tpm.life
	k.tpm.loaded = slices.DeleteFunc(k.tpm.loaded, func(other *tpmKey) bool { return other == k })
	k.handle = tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth(nil)}
	k.tpm.loaded = append(k.tpm.loaded, k)
	return nil
}

// unload gives the key's place in the TPM back.
func (k *tpmKey) unload() {
	if k.life == k.tpm.life {
		_, _ = (tpm2.FlushContext{FlushHandle: k.handle.Handle}).Execute(k.tpm.link) // a handle that is gone is gone
	}
	k.life = 0
}

func publicOf(p *tpm2.TPMTPublic) (*ecdsa.PublicKey, error) {
	if p.Type != tpm2.TPMAlgECC || p.ObjectAttributes != template().ObjectAttributes {
		return nil, ErrKey
	}
	params, err := p.Parameters.ECCDetail()
	if err != nil || params.CurveID != tpm2.TPMECCNistP256 || params.Scheme.Scheme != tpm2.TPMAlgECDSA {
		return nil, ErrKey
	}
	point, err := p.Unique.ECC()
	if err != nil || len(point.X.Buffer) > 32 || len(point.Y.Buffer) > 32 {
		return nil, ErrKey
	}
	raw := make([]byte, 65)
	raw[0] = 4
	new(big.Int).SetBytes(point.X.Buffer).FillBytes(raw[1:33])
	new(big.Int).SetBytes(point.Y.Buffer).FillBytes(raw[33:])
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return nil, ErrKey
	}
	return pub, nil
}

// Public implements crypto.Signer: an *ecdsa.PublicKey on P-256.
func (k *tpmKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer: ASN.1 ECDSA over a SHA-256 hash. The TPM has its own random numbers. A TPM that was
// reset, or a connection that broke, is opened once more before ErrLost.
func (k *tpmKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := checkHash(digest, opts); err != nil {
		return nil, err
	}
	k.tpm.mu.Lock()
	defer k.tpm.mu.Unlock()
	sig, err := k.sign(digest)
	if err != nil {
		k.unload()
		if sig, err = k.sign(digest); err != nil {
			return nil, refused(err)
		}
	}
	return sig, nil
}

func (k *tpmKey) sign(digest []byte) ([]byte, error) {
	if k.life != k.tpm.life || k.tpm.link.broken {
		if err := k.tpm.underPrimary(k.loadUnder); err != nil {
			return nil, err
		}
	}
	out, err := (tpm2.Sign{
		KeyHandle: k.handle, Digest: tpm2.TPM2BDigest{Buffer: digest},
		InScheme: tpm2.TPMTSigScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256}),
		},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck},
	}).Execute(k.tpm.link)
	if err != nil {
		return nil, err
	}
	s, err := out.Signature.Signature.ECDSA()
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(s.SignatureR.Buffer), new(big.Int).SetBytes(s.SignatureS.Buffer),
	})
	if err != nil || !ecdsa.VerifyASN1(k.public, digest, der) { // a TPM with a fault must not sign nonsense in our name
		return nil, errors.Join(ErrTPM, err)
	}
	return der, nil
}

// Format keeps prints short.
func (k *tpmKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[device key]") }

// PEM implements Key.
func (k *tpmKey) PEM() ([]byte, error) {
	der, err := asn1.Marshal(k.blob)
	if err != nil {
		return nil, ErrKey
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemTPM, Bytes: der}), nil
}

// refused types what the TPM or the connection said.
func refused(err error) error {
	for _, typed := range []error{ErrLost, ErrNoTPM, ErrKey, ErrTPM} {
		if errors.Is(err, typed) {
			return err
		}
	}
	var rc tpm2.TPMRC
	if !errors.As(err, &rc) {
		return errors.Join(ErrTPM, err)
	}
	// The blob is encrypted and authenticated by the storage primary: another TPM, or an owner cleared since, has another.
	if errors.Is(err, tpm2.TPMRCIntegrity) {
		return ErrForeign
	}
	return fmt.Errorf("%w: code 0x%x", ErrTPM, uint32(rc))
}
