package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"madoguchi/storage/canon"
	"madoguchi/storage/record"
)

// MaxLeaf is the most bytes of a leaf.
const MaxLeaf = 1 << 10

// Kind says what happened.
type Kind string

// The kinds. ID, Hash, Word, Staff, Reason and Count are used as noted; the rest stays empty.
const (
	LogBegins     Kind = "log-begins"     // the first leaf of each log
	Started       Kind = "started"        // Hash: of the configuration; Word: the version
	Stopped       Kind = "stopped"        //
	Configured    Kind = "configured"     // Hash: of the configuration that is now in force
	Recorded      Kind = "recorded"       // ID: record; Hash: of its envelope; Word: outcome; Reason; Staff if they decided; Count: sequence number
	RecordFailed  Kind = "record-failed"  // ID: record whose envelope could not be stored after its leaf
	Ended         Kind = "ended"          // a session without record: Word: outcome; Reason; Staff if they ended it
	StaffIn       Kind = "staff-in"       // Staff
	StaffOut      Kind = "staff-out"      // Staff
	StaffRefused  Kind = "staff-refused"  // a sign-in that failed: Reason
	StaffDecided  Kind = "staff-decided"  // Staff, Word: approve or refuse, Reason
	PhotoViewed   Kind = "photo-viewed"   // Staff
	Maintenance   Kind = "maintenance"    // Staff, Word: begin or end
	CardRead      Kind = "card-read"      // in maintenance mode: Staff, Word: route
	ClockJumped   Kind = "clock-jumped"   // Count: seconds, negative for back
	Quarantined   Kind = "quarantined"    // Word: what was set aside
	Salvaged      Kind = "salvaged"       // Staff or empty; Count: records
	Shelved       Kind = "shelved"        // ID: record; Reason: HQ's code
	Unshelved     Kind = "unshelved"      // ID: record; Staff
	KeysChanged   Kind = "keys-changed"   // Hash: of HQ's key list now in force
	Enrolled      Kind = "enrolled"       // Hash: of the device's certificate
	Alarmed       Kind = "alarmed"        // Reason: what HQ or its answers were wrong about
	AuditExported Kind = "audit-exported" // Staff or empty; Count: leaves
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{
		LogBegins, Started, Stopped, Configured, Recorded, RecordFailed, Ended, StaffIn, StaffOut, StaffRefused,
		StaffDecided, PhotoViewed, Maintenance, CardRead, ClockJumped, Quarantined, Salvaged, Shelved, Unshelved,
		KeysChanged, Enrolled, Alarmed, AuditExported,
	}
}

// Leaf is one entry. It cannot hold personal data: kinds are a closed list, words begin with a letter, have no
// character outside ASCII and no run of digits long enough for a date of birth, a 照合番号 or a My Number; ids are
// UUIDs, hashes are of ciphertext or of configuration.
type Leaf struct {
	At     time.Time // by the kiosk's clock
	Kind   Kind
	ID     string // a record's UUIDv7, or empty
	Hash   string // SHA-256 in lower-case hex, or empty
	Word   string // as the kind says
	Staff  string // staff id
	Reason string // stable code
	Count  int64
}

// ErrLeaf is a leaf that breaks the rules above, or bytes that are none. It is wrapped with the field.
var ErrLeaf = errors.New("audit: malformed leaf")

// Bytes gives the canonical bytes, which are what the tree hashes.
func (l Leaf) Bytes() ([]byte, error) {
	c := canon.NewWriter(MaxLeaf)
	l.At = l.At.UTC().Truncate(time.Millisecond)
	l.shape(c)
	b, err := c.Bytes()
	if err != nil {
		return nil, leafError(err)
	}
	return b, nil
}

// ParseLeaf reads canonical bytes, and only those.
func ParseLeaf(b []byte) (Leaf, error) {
	var l Leaf
	c := canon.NewReader(b, MaxLeaf)
	l.shape(c)
	if err := c.Done(); err != nil {
		return Leaf{}, leafError(err)
	}
	return l, nil
}

func leafError(err error) error {
	if e, ok := errors.AsType[*canon.Error](err); ok {
		return fmt.Errorf("%w: %s", ErrLeaf, e.Key)
	}
	return ErrLeaf
}

func (l *Leaf) shape(c *canon.Coder) {
	c.Object("", func() {
		c.Time("at", &l.At)
		c.Int64("count", &l.Count, -1<<40, 1<<40)
		c.String("hash", &l.Hash, 64)
		c.String("id", &l.ID, 36)
		kind := string(l.Kind)
		c.String("kind", &kind, 32)
		l.Kind = Kind(kind)
		c.String("reason", &l.Reason, MaxWord)
		c.String("staff", &l.Staff, MaxWord)
		v := 1
		c.Int("v", &v, 1, 1)
		c.String("word", &l.Word, MaxWord)
	})
	if !c.OK() {
		return
	}
	for _, rule := range []struct {
		key string
		ok  bool
	}{
		{"kind", slices.Contains(Kinds(), l.Kind)},
		{"hash", l.Hash == "" || validHash(l.Hash)},
		{"id", l.ID == "" || record.ValidID(l.ID)},
		{"reason", l.Reason == "" || ValidWord(l.Reason)},
		{"staff", l.Staff == "" || ValidWord(l.Staff)},
		{"word", l.Word == "" || ValidWord(l.Word)},
	} {
		if !rule.ok {
			c.Fail(canon.CodeValue, rule.key)
			return
		}
	}
}

func validHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}

// MaxWord is the most bytes of a word.
const MaxWord = 64

// ValidWord says whether s may stand in a leaf: a letter, then letters, digits, '.', '_', '-' and '+' of ASCII, 64
// bytes at most, and never more than seven digits between two letters, whatever signs stand between them.
func ValidWord(s string) bool {
	if s == "" || len(s) > MaxWord {
		return false
	}
	run := 0
	for i, x := range []byte(s) {
		letter := x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z'
		digit := x >= '0' && x <= '9'
		switch {
		case letter:
			run = 0
		case i == 0:
			return false
		case digit:
			if run++; run > 7 {
				return false
			}
		case x != '.' && x != '_' && x != '-' && x != '+':
			return false
		}
	}
	return true
}
