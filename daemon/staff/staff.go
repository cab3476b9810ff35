// Package staff knows who may sign in at the branch: a roster of staff ids with hashed PINs, and a lock-out that
// doubles. It holds no session; daemon/session does. Only daemon/... may import it.
package staff

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"madoguchi/internal/secret"
)

// Member is one member of staff.
type Member struct {
	ID   string // stands in records
	Name string // shown on the staff page
	Hash string // of the PIN, as Hash makes it
}

// The typed errors of a sign-in.
var (
	ErrWrong  = errors.New("staff: unknown id or wrong PIN")
	ErrLocked = errors.New("staff: locked for a while after wrong PINs")
	ErrHash   = errors.New("staff: malformed PIN hash")
)

const (
	iterations = 210_000 // PBKDF2-HMAC-SHA-256; OWASP's advice is higher for passwords that leak, these lie on the kiosk
	freeTries  = 3
	firstLock  = 30 * time.Second
	longest    = time.Hour
)

// Roster checks sign-ins. It may be used from any goroutine.
type Roster struct {
	now     func() time.Time
	mu      sync.Mutex
	members map[string]Member
	fails   map[string]failure
}

type failure struct {
	n     int
	until time.Time
}

// NewRoster makes a roster; an id that occurs twice or a malformed hash is an error.
func NewRoster(members []Member, now func() time.Time) (*Roster, error) {
	r := &Roster{now: now, members: map[string]Member{}, fails: map[string]failure{}}
	for _, m := range members {
		if _, _, _, err := parse(m.Hash); err != nil {
			return nil, fmt.Errorf("staff %q: %w", m.ID, err)
		}
		if _, twice := r.members[m.ID]; twice || m.ID == "" {
			return nil, fmt.Errorf("staff %q: the id is empty or occurs twice", m.ID)
		}
		r.members[m.ID] = m
	}
	return r, nil
}

// SignIn checks an id and its PIN. It takes some tenths of a second on purpose.
// Errors: ErrWrong, ErrLocked.
func (r *Roster) SignIn(id string, pin *secret.Bytes) (Member, error) {
	r.mu.Lock()
	m, known := r.members[id]
	f := r.fails[id]
	now := r.now()
	r.mu.Unlock()
	if now.Before(f.until) {
		return Member{}, ErrLocked
	}
	if !known { // as slow as a wrong PIN, and no memory of strangers
		_ = verify("pbkdf2-sha256$"+strconv.Itoa(iterations)+"$AAAAAAAAAAAAAAAAAAAAAA==$AAAA", pin)
		return Member{}, ErrWrong
	}
	ok := verify(m.Hash, pin)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok {
		delete(r.fails, id)
		return m, nil
	}
	f = r.fails[id]
	f.n++
	if f.n >= freeTries {
		f.until = now.Add(min(firstLock<<min(f.n-freeTries, 20), longest))
	}
	r.fails[id] = f
	return Member{}, ErrWrong
}

// Hash makes the stored form of a PIN: pbkdf2-sha256$iterations$salt$key, base64.
func Hash(pin *secret.Bytes) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	key, err := pbkdf2.Key(sha256.New, string(pin.Reveal()), salt, iterations, 32)
	if err != nil {
		return "", err
	}
	e := base64.StdEncoding
	return "pbkdf2-sha256$" + strconv.Itoa(iterations) + "$" + e.EncodeToString(salt) + "$" + e.EncodeToString(key), nil
}

func parse(hash string) (iter int, salt, key []byte, err error) {
	f := strings.Split(hash, "$")
	if len(f) != 4 || f[0] != "pbkdf2-sha256" {
		return 0, nil, nil, ErrHash
	}
	iter, err = strconv.Atoi(f[1])
	if err != nil || iter < 1000 || iter > 10_000_000 {
		return 0, nil, nil, ErrHash
	}
	if salt, err = base64.StdEncoding.DecodeString(f[2]); err != nil {
		return 0, nil, nil, ErrHash
	}
	if key, err = base64.StdEncoding.DecodeString(f[3]); err != nil || len(key) == 0 {
		return 0, nil, nil, ErrHash
	}
	return iter, salt, key, nil
}

func verify(hash string, pin *secret.Bytes) bool {
	iter, salt, key, err := parse(hash)
	if err != nil {
		return false
	}
	got, err := pbkdf2.Key(sha256.New, string(pin.Reveal()), salt, iter, len(key))
	return err == nil && subtle.ConstantTimeCompare(got, key) == 1
}
