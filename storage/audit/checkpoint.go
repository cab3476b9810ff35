package audit

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"madoguchi/storage/record"
)

// Checkpoint is a signed statement of a log's size and root (C2SP tlog-checkpoint): three lines and one extension
// line with the kiosk's time.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	At     time.Time
}

// MaxCheckpoint is the most bytes of a signed checkpoint.
const MaxCheckpoint = 1 << 10

// originPrefix begins the name of every log.
const originPrefix = "madoguchi/audit/"

// Origin is the name of a device's log. Epoch tells logs of one device apart: a new one begins only when the files of
// the old one were lost, which HQ must hear of.
func Origin(device, epoch string) string { return originPrefix + device + "/" + epoch }

// SplitOrigin is the reverse of Origin.
func SplitOrigin(origin string) (device, epoch string, ok bool) {
	rest, found := strings.CutPrefix(origin, originPrefix)
	device, epoch, slash := strings.Cut(rest, "/")
	ok = found && slash && record.ValidDevice(device) && len(epoch) == epochLen && record.ValidDevice(epoch)
	return device, epoch, ok
}

const epochLen = 16

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]),
		c.At.UTC().Format(time.RFC3339))
}

// Typed errors of checkpoints.
var (
	ErrCheckpoint = errors.New("audit: malformed checkpoint")
	ErrSignature  = errors.New("audit: the checkpoint is not signed by this device")
)

// Sign signs the checkpoint with the device key: a signed note with one signature (C2SP signed-note, type 2: ECDSA
// over SHA-256, key id from the SubjectPublicKeyInfo).
func (c Checkpoint) Sign(key crypto.Signer) ([]byte, error) {
	pub, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, errors.New("audit: the device key is not ECDSA P-256")
	}
	v, err := newVerifier(c.Origin, pub)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.text()}, signer{v, key})
}

// OpenCheckpoint verifies a signed checkpoint and reads it. The origin must be a log of the device.
func OpenCheckpoint(b []byte, device string, pub *ecdsa.PublicKey) (Checkpoint, error) {
	if len(b) > MaxCheckpoint {
		return Checkpoint{}, ErrCheckpoint
	}
	origin, _, _ := bytes.Cut(b, []byte("\n"))
	if of, _, ok := SplitOrigin(string(origin)); !ok || of != device {
		return Checkpoint{}, ErrCheckpoint
	}
	v, err := newVerifier(string(origin), pub)
	if err != nil {
		return Checkpoint{}, err
	}
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil {
		if _, unsigned := errors.AsType[*note.UnverifiedNoteError](err); unsigned {
			return Checkpoint{}, ErrSignature
		}
		if _, bad := errors.AsType[*note.InvalidSignatureError](err); bad {
			return Checkpoint{}, ErrSignature
		}
		return Checkpoint{}, ErrCheckpoint
	}
	return parseCheckpoint(n.Text)
}

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[4] != "" {
		return Checkpoint{}, ErrCheckpoint
	}
	c := Checkpoint{Origin: lines[0]}
	var err error
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 || c.Size > maxSize {
		return Checkpoint{}, ErrCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, ErrCheckpoint
	}
	c.Root = tlog.Hash(root)
	if c.At, err = time.Parse(time.RFC3339, lines[3]); err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	if c.text() != text { // one form only: no leading zeros, no other zone
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// maxSize bounds a log: far beyond what a kiosk writes in its life.
const maxSize = 1 << 40

// verifier implements note.Verifier for ECDSA P-256.
type verifier struct {
	name string
	hash uint32
	pub  *ecdsa.PublicKey
}

func newVerifier(name string, pub *ecdsa.PublicKey) (verifier, error) {
	if pub == nil || pub.Curve != elliptic.P256() {
		return verifier{}, ErrSignature
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return verifier{}, ErrSignature
	}
	sum := sha256.Sum256(der)
	return verifier{name: name, hash: binary.BigEndian.Uint32(sum[:4]), pub: pub}, nil
}

func (v verifier) Name() string    { return v.name }
func (v verifier) KeyHash() uint32 { return v.hash }

func (v verifier) Verify(msg, sig []byte) bool {
	sum := sha256.Sum256(msg)
	return ecdsa.VerifyASN1(v.pub, sum[:], sig)
}

type signer struct {
	verifier
	key crypto.Signer
}

func (s signer) Sign(msg []byte) ([]byte, error) {
	sum := sha256.Sum256(msg)
	return s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
}
