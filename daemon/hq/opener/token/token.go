// Package token keeps the opener's keys in PKCS #11 tokens: one key per purpose, in the token of that purpose (duty 10).
//
// A key is of the suite MLKEM768-P256 and has two halves, and a part opens only with both:
//
//   - the P-256 half is a private key in the token: generated there, sensitive, not extractable, good for CKM_ECDH1_DERIVE
//     and nothing else. The token gives the shared secret of one encapsulated point at a time.
//   - the ML-KEM-768 half is a seed of 64 bytes in a file beside (FileOf), encrypted with AES-256-GCM under a key in the
//     token that is sensitive and not extractable too. Part, key id and both public halves are its additional data, so a
//     seed put under another name does not open. No token of today speaks ML-KEM.
//
// So who copies the files has ciphertext, who steals the token has one half of the shared secret, and who breaks P-256
// with a quantum computer lacks the seed. The seed and what is made from it are in this process's memory while the role
// runs; the P-256 half never is. All three objects of a key have the key id as their label.
//
// A token that is lost and comes back needs no restart: it is tried again with growing pauses, and what it should open
// waits meanwhile (opener.Unavailable). A PIN that was refused is not tried a second time by this process, and never when
// the token says that one try is left: a restarting service must not lock the token.
//
// The package needs cgo; without it every key waits with opener.WaitNoCgo. Only daemon/hqd and tests may import it.
package token

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"

	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

// Suite is the HPKE id of the tokens' keys: MLKEM768-P256.
const Suite = 0x0050

// Errors of the commands; opening gives those of package opener.
var (
	ErrConfig = errors.New("token: the configuration is malformed")
	ErrFile   = errors.New("token: malformed key file")
	ErrHasKey = errors.New("token: there is a key of this label already")
	ErrNoCgo  = errors.New("token: this program was built without cgo and cannot speak to PKCS #11 tokens")
)

// Config is the file that names the tokens.
type Config struct {
	Version int    `toml:"version"` // 1
	Token   []Spec `toml:"token"`
}

// Spec is one token. A purpose belongs to one token; a token may hold several.
type Spec struct {
	Name     string   `toml:"name"`     // names the PIN's credential: "pin-" + name
	Parts    []string `toml:"parts"`    // the purposes whose keys are in it
	Module   string   `toml:"module"`   // path of the PKCS #11 library
	Label    string   `toml:"label"`    // label of the token; it, or serial, finds the slot
	Serial   string   `toml:"serial"`   // serial number of the token
	PINFile  string   `toml:"pin_file"` // the PIN where systemd delivers no credential
	Sessions int      `toml:"sessions"` // how many openings at a time; 0: 2
}

// Caps of a Config.
const (
	maxTokens   = 16
	maxSessions = 32
	sessions    = 2
	maxPIN      = 255
)

// PINCredential is the name of the systemd credential with the token's PIN.
func (s Spec) PINCredential() string { return "pin-" + s.Name }

// Holds says whether the token is that of a purpose.
func (s Spec) Holds(p record.Part) bool { return slices.Contains(s.Parts, string(p)) }

// ParseConfig reads the file, strictly.
func ParseConfig(raw []byte) (*Config, error) {
	c := &Config{}
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if c.Version != 1 || len(c.Token) == 0 || len(c.Token) > maxTokens {
		return nil, fmt.Errorf("%w: version or number of tokens", ErrConfig)
	}
	names, parts, places := map[string]bool{}, map[string]bool{}, map[[3]string]bool{}
	good := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	for i := range c.Token {
		s := &c.Token[i]
		if !good.MatchString(s.Name) || names[s.Name] {
			return nil, fmt.Errorf("%w: name %q is malformed or there twice", ErrConfig, s.Name)
		}
		names[s.Name] = true
		if !filepath.IsAbs(s.Module) || s.Label == "" && s.Serial == "" || s.PINFile != "" && !filepath.IsAbs(s.PINFile) {
			return nil, fmt.Errorf("%w: %s needs module (an absolute path) and label or serial", ErrConfig, s.Name)
		}
		place := [3]string{s.Module, s.Label, s.Serial}
		if places[place] {
			return nil, fmt.Errorf("%w: %s is a token named before", ErrConfig, s.Name)
		}
		places[place] = true
		if s.Sessions == 0 {
			s.Sessions = sessions
		}
		if s.Sessions < 1 || s.Sessions > maxSessions {
			return nil, fmt.Errorf("%w: sessions of %s", ErrConfig, s.Name)
		}
		for _, p := range s.Parts {
			if record.MaxPart(record.Part(p)) == 0 || parts[p] {
				return nil, fmt.Errorf("%w: part %q is unknown or has two tokens", ErrConfig, p)
			}
			parts[p] = true
		}
	}
	return c, nil
}

// Of gives the token of a purpose.
func (c *Config) Of(p record.Part) (Spec, bool) {
	for _, s := range c.Token {
		if s.Holds(p) {
			return s, true
		}
	}
	return Spec{}, false
}

// Options of Open. All fields but Log are required.
type Options struct {
	Tokens []Spec
	Parts  []record.Part // the purposes of this role; others are opener.ErrNoKey even where a token would have them
	// Read gives a key file by its name (FileOf); fs.ErrNotExist when there is none.
	Read func(name string) ([]byte, error)
	// PIN gives a token's PIN. It is asked at every sign-in to the token, and what it gives is wiped right after.
	PIN func(Spec) ([]byte, error)
	Now func() time.Time
	Log *slog.Logger
}

// State is what Check found of one token.
type State struct {
	Name, Label, Serial, Model string
	Parts                      []string
	Keys                       []KeyState
	Err                        error // nil: the token is there and the PIN is right
}

// KeyState is what Check found of one key.
type KeyState struct {
	ID   string
	Part string
	Err  error // nil: both halves are there, fit each other, and do not leave the token
}

// FileOf is the name of the file with the encrypted ML-KEM half of a key.
func FileOf(p record.Part, keyID string) string { return string(p) + "." + keyID + ".token.toml" }

// keyFile is that file: nothing in it is secret without the token.
type keyFile struct {
	Version  int       `toml:"version"` // 1
	ID       string    `toml:"id"`
	Part     string    `toml:"part"`
	Suite    int       `toml:"suite"` // 0x0050
	NotAfter time.Time `toml:"not_after"`
	Public   string    `toml:"public"` // base64: both public halves, as in the key list
	Nonce    string    `toml:"nonce"`  // base64, 12 bytes
	Seed     string    `toml:"seed"`   // base64: AES-256-GCM(seed), 64 + 16 bytes
}

const (
	nonceSize  = 12
	seedSize   = 64
	tagSize    = 16
	pqPublic   = 1184 // bytes of the ML-KEM-768 encapsulation key, before the P-256 point
	pointSize  = 65
	secretSize = 32
)

// half is a key file, read.
type half struct {
	key    seal.Key
	public []byte
	nonce  []byte
	sealed []byte
}

func (h *half) marshal() ([]byte, error) {
	enc := base64.StdEncoding.EncodeToString
	return toml.Marshal(keyFile{
		Version: 1, ID: h.key.ID, Part: string(h.key.Part), Suite: Suite, NotAfter: h.key.NotAfter,
		Public: enc(h.public), Nonce: enc(h.nonce), Seed: enc(h.sealed),
	})
}

func parseHalf(raw []byte) (*half, error) {
	var f keyFile
	if toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&f) != nil || f.Version != 1 || f.Suite != Suite {
		return nil, ErrFile
	}
	dec := base64.StdEncoding.Strict().DecodeString
	h := &half{}
	var err1, err2, err3 error
	h.public, err1 = dec(f.Public)
	h.nonce, err2 = dec(f.Nonce)
	h.sealed, err3 = dec(f.Seed)
	if errors.Join(err1, err2, err3) != nil || len(h.public) != pqPublic+pointSize || len(h.nonce) != nonceSize || len(h.sealed) != seedSize+tagSize {
		return nil, ErrFile
	}
	kem, err := seal.KEMOf(Suite)
	if err != nil {
		return nil, err
	}
	pub, err := kem.NewPublicKey(h.public)
	if err != nil || !seal.ValidKeyID(f.ID) || record.MaxPart(record.Part(f.Part)) == 0 {
		return nil, ErrFile
	}
	h.key = seal.Key{ID: f.ID, Part: record.Part(f.Part), NotAfter: f.NotAfter, Public: pub}
	return h, nil
}

// bound is the additional data of the encrypted seed: what it belongs to.
func (h *half) bound() []byte {
	var b []byte
	for _, s := range [][]byte{[]byte("madoguchi opener seed v1"), []byte(h.key.Part), []byte(h.key.ID), h.public} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // names, ids and keys are short
		b = append(b, s...)
	}
	return b
}
