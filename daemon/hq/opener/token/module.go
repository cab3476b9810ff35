//go:build cgo

package token

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/miekg/pkcs11"

	"madoguchi/daemon/hq/opener"
)

// module is one PKCS #11 library of the process. C_Initialize and C_Finalize are the library's as a whole, so tokens in
// the same library share it: a token that vanished is seen again by initializing anew, which ends the sessions of the
// others too; they sign in again by themselves.
type module struct {
	path string

	mu   sync.RWMutex // held for reading in every call, for writing while it is initialized anew
	ctx  *pkcs11.Ctx
	life uint64 // counts initializations; 0: none yet
}

// use runs f with the library, initialized. life is that of this initialization.
func (m *module) use(f func(c *pkcs11.Ctx, life uint64) error) error {
	m.mu.RLock()
	if m.ctx == nil {
		m.mu.RUnlock()
		if err := m.renew(0); err != nil {
			return err
		}
		m.mu.RLock()
	}
	defer m.mu.RUnlock()
	if m.ctx == nil {
		return errGone
	}
	return f(m.ctx, m.life)
}

// renew initializes the library anew, unless somebody did since that life.
func (m *module) renew(life uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != life && m.ctx != nil {
		return nil
	}
	m.end()
	c := pkcs11.New(m.path)
	if c == nil {
		return fmt.Errorf("%w: the library %s does not load", errGone, m.path)
	}
	if err := c.Initialize(); err != nil && !is(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		c.Destroy()
		return fmt.Errorf("%w: %w", errGone, err)
	}
	m.ctx = c
	m.life++
	return nil
}

// renewNow initializes the library anew, whoever else uses it.
func (m *module) renewNow() error {
	m.mu.RLock()
	life := m.life
	m.mu.RUnlock()
	return m.renew(life)
}

// end is called with mu held for writing.
func (m *module) end() {
	if m.ctx == nil {
		return
	}
	_ = m.ctx.Finalize() // of a library that lost its token it may fail; there is nothing else to do
	m.ctx.Destroy()
	m.ctx = nil
}

func (m *module) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end()
}

// Errors inside the package.
var (
	errGone = errors.New("token: not there")
	errPIN  = errors.New("token: the PIN was refused")
	errLast = errors.New("token: only one try of the PIN is left; it is kept for a person")
	errUnit = errors.New("token: the key is not what it must be")
	errNone = errors.New("token: no such key")
)

// unavailable says what an error means for a record that waits.
func unavailable(err error) *opener.Unavailable {
	switch {
	case errors.Is(err, errPIN), errors.Is(err, errLast):
		return &opener.Unavailable{Why: opener.WaitPIN}
	case errors.Is(err, errUnit), errors.Is(err, ErrFile):
		return &opener.Unavailable{Why: opener.WaitUnfit}
	case errors.Is(err, errNone):
		return &opener.Unavailable{Why: opener.WaitUnknown}
	}
	return &opener.Unavailable{Why: opener.WaitAway}
}

func is(err error, codes ...pkcs11.Error) bool {
	e, ok := errors.AsType[pkcs11.Error](err)
	return ok && slices.Contains(codes, e)
}

// lost says whether an error ends the sessions: everything but what the token says of our input. Unknown codes of
// vendors count as lost, because signing in again is harmless and a wrong verdict on a record is not.
func lost(err error) bool {
	_, ok := errors.AsType[pkcs11.Error](err)
	return ok && !is(
		err, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_ENCRYPTED_DATA_INVALID, pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE,
		pkcs11.CKR_ATTRIBUTE_TYPE_INVALID, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID, pkcs11.CKR_TEMPLATE_INCONSISTENT,
		pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED,
	)
}

// login signs in with a PIN that is wiped. The binding wants a string: one over our own bytes leaves no copy in Go's
// memory. Its copy in C's is freed and not wiped.
func login(c *pkcs11.Ctx, s pkcs11.SessionHandle, pin []byte) error {
	defer clear(pin)
	if len(pin) == 0 || len(pin) > maxPIN {
		return errPIN
	}
	err := c.Login(s, pkcs11.CKU_USER, unsafe.String(&pin[0], len(pin)))
	switch {
	case err == nil, is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return nil
	case is(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_USER_PIN_NOT_INITIALIZED):
		return fmt.Errorf("%w: %w", errPIN, err)
	}
	return err
}
