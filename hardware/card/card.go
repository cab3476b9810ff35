package card

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"time"

	"madoguchi/hardware/apdu"
)

// Options are the settings of one card session.
type Options struct {
	// Short forbids extended commands, for readers that are known to refuse them (see Card.Short).
	Short bool
	// Trust are the issuer keys for the offline proof of the card's face; none means "not checked".
	Trust []IssuerKey
	// Rand gives the challenges of the proof; nil means crypto/rand.
	Rand io.Reader
	// ATR is what the reader reported. It only helps to name a card without any known application (ProductTransit).
	ATR []byte
	// Now and SlowAfter find readers that are slow at extended commands: when the first small extended read takes
	// longer, the session goes on with short commands (see Card.Short). Nil or 0 means not measured.
	Now       func() time.Time
	SlowAfter time.Duration
}

// Task names what commands were sent for, in Counts.
type Task string

// The tasks.
const (
	TaskIdentify   Task = "identify"
	TaskTries      Task = "tries"
	TaskAttributes Task = "attributes"
	TaskFront      Task = "front"
	TaskProof      Task = "proof"
	TaskForget     Task = "forget"
	TaskJPKI       Task = "jpki"   // token, flags, certificates, signatures
	TaskNumber     Task = "number" // the My Number, its image
	TaskID         Task = "id"     // AuthenticatedID
	TaskAge        Task = "age"    // the age record
	TaskInfo       Task = "info"   // basic information of the applications
)

// Card is one card on one session of a reader. It is used by one goroutine and keeps no PIN.
type Card struct {
	t        Transport
	opt      Options
	identity Identity
	profile  Profile
	current  app     // the application that is selected, appNone when not certain
	refused  apdu.SW // the status word of the last SELECT
	opened   app     // where a VERIFY was sent last
	epoch    int     // counts selections and VERIFYs, so that a Signer knows when it has lost its rights
	short    bool
	padQuery bool // this transport wants Le on a VERIFY without data
	guard    guard
	certs    map[file]certificate // EF 0004 as read: it is free, public, and the same for the whole session
	task     Task
	counts   map[Task]int
	traffic  Traffic
}

// Traffic is what went over the air since Open, in commands and bytes with headers and status words.
type Traffic struct{ Commands, Sent, Received int }

// Open identifies what lies on the reader: its kind and, on a My Number Card, serial number, municipality and
// expiry from the common application. It needs no PIN and spends no try. The secrets of Identity belong to the
// caller. Errors: the transport's own, *ExtendedError, ErrMalformed.
func Open(ctx context.Context, t Transport, opt Options) (*Card, error) {
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	c := &Card{
		t: t, opt: opt, short: opt.Short, counts: map[Task]int{}, profile: profile2016(),
		guard: newGuard(), certs: map[file]certificate{},
	}
	c.task = TaskIdentify
	if err := c.identify(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Identity is what the card told at Open. Its secrets belong to the caller.
func (c *Card) Identity() Identity { return c.identity }

// Short tells that extended commands were refused, or were forbidden from the start. Remember it for the reader.
func (c *Card) Short() bool { return c.short }

// Counts are the commands sent so far by task.
func (c *Card) Counts() map[Task]int { return maps.Clone(c.counts) }

// Traffic is the traffic of the session so far.
func (c *Card) Traffic() Traffic { return c.traffic }

// Profile is the generation of the card.
func (c *Card) Profile() Profile { return c.profile }

// Forget leaves the application in which a PIN may be verified by selecting another one. Call it before the
// session is closed, which powers the card off; both together are what is known to clear verified PINs.
func (c *Card) Forget(ctx context.Context) error {
	c.task = TaskForget
	switch c.current {
	case appText, appFace:
	case appJPKI:
		if c.opened != appJPKI {
			return nil
		}
	case appNone:
		if c.identity.Kind != KindMyNumber && c.opened == appNone {
			return nil
		}
	default:
		return nil // nothing is ever verified in the other applications by this package
	}
	c.opened = appNone
	if c.identity.Kind == KindPhone { // a phone has no other application: selecting anew is its log-out
		c.current = appNone
		return c.selectApp(ctx, appJPKI)
	}
	return c.selectApp(ctx, appCommon)
}

// send sends one command and counts it.
func (c *Card) send(ctx context.Context, command apdu.Command) (apdu.Response, error) {
	return apdu.Transmit(ctx, counting{c}, command)
}

// counting counts what really goes over the air, with GET RESPONSE and corrected lengths.
type counting struct{ c *Card }

// Transmit implements apdu.Transport.
func (t counting) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	t.c.counts[t.c.task]++
	t.c.traffic.Commands++
	t.c.traffic.Sent += len(command)
	out, err := t.c.t.Transmit(ctx, command)
	t.c.traffic.Received += len(out)
	return out, err
}

// selectApp selects an application unless it is selected already. It is repeated once on status 6F00, which some
// cards answer to the first command after power-up; a SELECT costs nothing.
func (c *Card) selectApp(ctx context.Context, a app) error {
	if c.current == a {
		return nil
	}
	c.epoch++
	command := apdu.Command{INS: 0xA4, P1: 0x04, P2: 0x0C, Data: []byte(c.profile.aid(a))}
	resp, err := c.send(ctx, command)
	if err == nil && resp.SW == apdu.Unspecific {
		resp, err = c.send(ctx, command)
	}
	c.refused = resp.SW
	if err == nil {
		err = refusal(resp)
	}
	c.current = appNone
	if err == nil {
		c.current = a
	}
	return err
}

// has tells whether the card has the application, and selects it. Any refusal by status word means no.
func (c *Card) has(ctx context.Context, a app) (bool, error) {
	err := c.selectApp(ctx, a)
	if err == nil {
		return true, nil
	}
	if isStatus(err) {
		return false, nil
	}
	return false, err
}

// refusal is the error of a status word of any command but VERIFY. Only VERIFY may speak of PINs: a counter or a
// lock in another answer must not be shown to anybody as a wrong or blocked PIN.
func refusal(resp apdu.Response) error {
	err := resp.Err()
	var auth apdu.AuthError
	if errors.As(err, &auth) || errors.Is(err, apdu.ErrBlocked) {
		return apdu.SWError{SW: resp.SW}
	}
	return err
}

// isStatus tells a refusal by the card from a failure of the transport.
func isStatus(err error) bool {
	var sw apdu.SWError
	var auth apdu.AuthError
	return errors.As(err, &sw) || errors.As(err, &auth) ||
		errors.Is(err, apdu.ErrNotFound) || errors.Is(err, apdu.ErrSecurity) || errors.Is(err, apdu.ErrBlocked) ||
		errors.Is(err, apdu.ErrLength) || errors.Is(err, apdu.ErrEOF) || errors.Is(err, apdu.ErrUnspecific)
}
