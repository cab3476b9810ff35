//go:build cgo

package token

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// The pauses between tries of a token that is away.
const (
	firstPause = time.Second
	longest    = time.Minute
)

// slot is one token: found by its label, signed in to, with a pool of sessions, and found again when it was lost.
type slot struct {
	spec Spec
	m    *module
	pin  func(Spec) ([]byte, error)
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	conn  *conn         // nil: not signed in
	stuck error         // the PIN was refused: this process does not try it again
	away  error         // why the last try failed
	next  time.Time     // when it may be tried again
	pause time.Duration // the last pause
	stale bool          // the library's picture of its tokens is not to be trusted: initialize it anew
}

// conn is one signed-in time with a token.
type conn struct {
	life uint64
	slot uint
	info pkcs11.TokenInfo
	free chan pkcs11.SessionHandle

	mu      sync.Mutex
	handles map[object]pkcs11.ObjectHandle
}

// do runs f with a session, waiting for one when all are in use. When the session turns out to be lost, it signs in
// anew and runs f once more.
func (t *slot) do(f func(c *pkcs11.Ctx, s pkcs11.SessionHandle, cn *conn) error) error {
	for try := 0; ; try++ {
		cn, err := t.connect()
		if err != nil {
			return err
		}
		err = t.m.use(func(c *pkcs11.Ctx, life uint64) error {
			if cn.life != life {
				return pkcs11.Error(pkcs11.CKR_SESSION_HANDLE_INVALID) // another token of the library came back
			}
			s := <-cn.free
			defer func() { cn.free <- s }()
			return f(c, s, cn)
		})
		if err == nil {
			t.mu.Lock()
			t.pause = 0
			t.mu.Unlock()
			return nil
		}
		if !lost(err) {
			return err
		}
		t.drop(cn, err, try > 0)
		if try > 0 {
			return fmt.Errorf("%w: %w", errGone, err)
		}
	}
}

// drop forgets a connection that failed; again says that a new one failed too, so that a pause follows.
func (t *slot) drop(cn *conn, why error, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != cn {
		return
	}
	t.conn = nil
	t.log.Warn("token lost", slog.String("token", t.spec.Name), slog.String("error", why.Error()))
	_ = t.m.use(func(c *pkcs11.Ctx, life uint64) error {
		if life == cn.life {
			_ = c.CloseAllSessions(cn.slot) // they are lost; this only tells the library
		}
		return nil
	})
	if again {
		t.stale = true
		t.fail(why)
	}
}

// fail is called with mu held.
func (t *slot) fail(why error) {
	t.away = why
	t.pause = min(max(2*t.pause, firstPause), longest)
	t.next = t.now().Add(t.pause)
}

// connect gives the connection, signing in when there is none and a try is due.
func (t *slot) connect() (*conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stuck != nil:
		return nil, t.stuck
	case t.conn != nil:
		return t.conn, nil
	case t.now().Before(t.next):
		return nil, fmt.Errorf("%w: %w", errGone, t.away)
	}
	cn, err := t.open()
	if errors.Is(err, errPIN) || errors.Is(err, errLast) {
		t.stuck = err
		t.log.Error("token: the PIN is not tried again before a restart", slog.String("token", t.spec.Name), slog.String("error", err.Error()))
		return nil, err
	}
	if err != nil {
		t.stale = true
		t.fail(err)
		t.log.Warn("token away", slog.String("token", t.spec.Name), slog.String("error", err.Error()), slog.Duration("pause", t.pause))
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	if t.away != nil {
		t.log.Info("token back", slog.String("token", t.spec.Name))
	}
	t.conn, t.away, t.stale = cn, nil, false
	return cn, nil
}

// open finds the token and signs in. A library may know only the tokens that were there when it was initialized, so one
// that is not found is looked for once more in a library initialized anew.
func (t *slot) open() (*conn, error) {
	if !t.stale {
		cn, err := t.tryOpen()
		if !errors.Is(err, errGone) {
			return cn, err
		}
	}
	if err := t.m.renewNow(); err != nil {
		return nil, err
	}
	return t.tryOpen()
}

func (t *slot) tryOpen() (cn *conn, err error) {
	err = t.m.use(func(c *pkcs11.Ctx, life uint64) error {
		id, info, err := t.find(c)
		if err != nil {
			return err
		}
		cn = &conn{life: life, slot: id, info: info, free: make(chan pkcs11.SessionHandle, t.spec.Sessions), handles: map[object]pkcs11.ObjectHandle{}}
		return t.signIn(c, cn)
	})
	return cn, err
}

// find finds the slot with our token.
func (t *slot) find(c *pkcs11.Ctx) (id uint, info pkcs11.TokenInfo, err error) {
	slots, err := c.GetSlotList(true)
	if err != nil {
		return 0, info, err
	}
	found := 0
	for _, s := range slots {
		i, err := c.GetTokenInfo(s)
		if err != nil {
			continue // another slot's trouble
		}
		if (t.spec.Label == "" || i.Label == t.spec.Label) && (t.spec.Serial == "" || i.SerialNumber == t.spec.Serial) {
			id, info = s, i
			found++
		}
	}
	switch found {
	case 0:
		return 0, info, fmt.Errorf("%w: no slot has it", errGone)
	case 1:
		return id, info, nil
	}
	return 0, info, fmt.Errorf("%w: %d tokens have this label; give the serial", errGone, found)
}

// signIn opens the sessions of the pool. The PIN is taken, used and wiped here.
func (t *slot) signIn(c *pkcs11.Ctx, cn *conn) error {
	if cn.info.Flags&(pkcs11.CKF_USER_PIN_FINAL_TRY|pkcs11.CKF_USER_PIN_LOCKED) != 0 {
		return errLast
	}
	for range t.spec.Sessions {
		s, err := c.OpenSession(cn.slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			_ = c.CloseAllSessions(cn.slot)
			return err
		}
		cn.free <- s
	}
	pin, err := t.pin(t.spec)
	if err != nil {
		_ = c.CloseAllSessions(cn.slot)
		return fmt.Errorf("%w: the PIN cannot be read: %w", errGone, err)
	}
	s := <-cn.free
	cn.free <- s
	if err := login(c, s, pin); err != nil {
		_ = c.CloseAllSessions(cn.slot)
		return err
	}
	return nil
}
