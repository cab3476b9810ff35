package card

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"

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
)

// Card is one card on one session of a reader. It is used by one goroutine and keeps no PIN.
type Card struct {
	t        Transport
	opt      Options
	identity Identity
	current  app // the application that is selected, appNone when not certain
	short    bool
	padQuery bool // this transport wants Le on a VERIFY without data
	task     Task
	counts   map[Task]int
}

// Open identifies what lies on the reader: its kind and, on a My Number Card, serial number, municipality and
// expiry from the common application. It needs no PIN and spends no try. The secrets of Identity belong to the
// caller. Errors: the transport's own, *ExtendedError, ErrMalformed.
func Open(ctx context.Context, t Transport, opt Options) (*Card, error) {
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	c := &Card{t: t, opt: opt, short: opt.Short, counts: map[Task]int{}}
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

// Forget leaves the application in which a PIN may be verified by selecting another one. Call it before the
// session is closed, which powers the card off; both together are what is known to clear verified PINs.
func (c *Card) Forget(ctx context.Context) error {
	c.task = TaskForget
	next := appCommon
	switch c.current {
	case appText, appFace:
	case appNone:
		if c.identity.Kind != KindMyNumber {
			return nil
		}
	default:
		return nil // nothing can be verified in the other applications by this package
	}
	return c.selectApp(ctx, next)
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
	return t.c.t.Transmit(ctx, command)
}

// app is an application of the card.
type app uint8

// The applications of the My Number Card, then those that tell other cards.
const (
	appNone app = iota
	appJPKI
	appText   // 券面事項入力補助
	appFace   // 券面事項確認
	appCommon // 共通カード
	appLicence
	appResidence
	appPassport
)

// aid is the application id, always in full: partial names may match something else.
func (a app) aid() string {
	const zeros10 = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	switch a {
	case appJPKI:
		return "\xD3\x92\xF0\x00\x26\x01\x00\x00\x00\x01"
	case appText:
		return "\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x08"
	case appFace:
		return "\xD3\x92\x10\x00\x31\x00\x01\x01\x04\x02"
	case appCommon:
		return "\xD3\x92\x10\x00\x31\x00\x01\x01\x01\x00"
	case appLicence:
		return "\xA0\x00\x00\x02\x31\x01" + zeros10
	case appResidence:
		return "\xD3\x92\xF0\x00\x4F\x02" + zeros10
	case appPassport:
		return "\xA0\x00\x00\x02\x47\x10\x01"
	case appNone:
	}
	return ""
}

// selectApp selects an application unless it is selected already. It is repeated once on status 6F00, which some
// cards answer to the first command after power-up; a SELECT costs nothing.
func (c *Card) selectApp(ctx context.Context, a app) error {
	if c.current == a {
		return nil
	}
	command := apdu.Command{INS: 0xA4, P1: 0x04, P2: 0x0C, Data: []byte(a.aid())}
	resp, err := c.send(ctx, command)
	if err == nil && resp.SW == apdu.Unspecific {
		resp, err = c.send(ctx, command)
	}
	if err == nil {
		err = resp.Err()
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

// isStatus tells a refusal by the card from a failure of the transport.
func isStatus(err error) bool {
	var sw apdu.SWError
	var auth apdu.AuthError
	return errors.As(err, &sw) || errors.As(err, &auth) ||
		errors.Is(err, apdu.ErrNotFound) || errors.Is(err, apdu.ErrSecurity) || errors.Is(err, apdu.ErrBlocked) ||
		errors.Is(err, apdu.ErrLength) || errors.Is(err, apdu.ErrEOF) || errors.Is(err, apdu.ErrUnspecific)
}
