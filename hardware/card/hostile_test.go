package card_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"runtime"
	"testing"
	"time"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/card"
	"madoguchi/hardware/tlv"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
)

// The bounds within which every operation ends, whatever the chip answers. A short read of the face takes some 70
// commands; a chip that gives the 33 kB a file can have byte by byte is cut off long before.
const (
	maxCommands = 2500
	maxTime     = 10 * time.Second
	maxMemory   = 64 << 20
)

// errEndless ends a run that went on for too long.
var errEndless = errors.New("test: too many commands")

// hostile is an honest card up to some command, and from then on what attack makes of its answers.
type hostile struct {
	chip   *virtual.Card
	honest int // so many commands are left alone
	attack func(command, answer []byte) ([]byte, error)

	count    int
	changed  bool         // an answer was not the card's own
	verifies map[byte]int // VERIFY with data, by P2
}

// Transmit implements card.Transport.
func (h *hostile) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if h.count++; h.count > maxCommands {
		return nil, errEndless
	}
	if len(command) > 5 && command[1] == 0x20 {
		h.verifies[command[3]]++
	}
	answer := h.chip.Exchange(bytes.Clone(command)).Data
	if h.count <= h.honest {
		return answer, nil
	}
	said, err := h.attack(command, answer)
	h.changed = h.changed || err != nil || !bytes.Equal(said, answer)
	return said, err
}

// victim is the holder whose card is attacked, with the issuer keys that prove it.
type victim struct {
	person *virtual.Person
	chip   *virtual.Card
	trust  []card.IssuerKey
}

func newVictim(tb testing.TB) *victim {
	tb.Helper()
	people, err := virtual.People()
	if err != nil {
		tb.Fatal(err)
	}
	v := &victim{}
	if v.person, err = virtual.NewDrawer(people).Person("sato"); err != nil {
		tb.Fatal(err)
	}
	keys, err := virtual.IssuerKeys()
	if err != nil {
		tb.Fatal(err)
	}
	for _, k := range keys {
		v.trust = append(v.trust, card.IssuerKey{KeyID: k.KeyID, Key: k.Key})
	}
	v.renew(tb)
	return v
}

// full tells whether the card has all its tries.
func (v *victim) full() bool {
	left := v.chip.TriesLeft
	return left("jpki", 0x18) == 3 && left("jpki", 0x1B) == 5 && left("0408", 0x11) == 3 &&
		left("0408", 0x14) == 10 && left("0408", 0x15) == 10 && left("0402", 0x12) == 10 && left("0402", 0x13) == 10 &&
		left("0402", 0x11) == 10
}

// renew gives the victim a new card when the tries of its own are not full any more.
func (v *victim) renew(tb testing.TB) {
	tb.Helper()
	if v.chip != nil && v.full() {
		return
	}
	var err error
	if v.chip, err = v.person.NewCard(); err != nil {
		tb.Fatal(err)
	}
}

func (v *victim) numberB() *secret.Bytes {
	birth, expiry, code := v.person.NumberB()
	return secret.New(bytes.Join([][]byte{birth.Reveal(), expiry.Reveal(), code.Reveal()}, nil))
}

// operation is one public read of the package. It gives the error, and whether something was proven genuine.
type operation struct {
	name string
	run  func(ctx context.Context, c *card.Card, v *victim) (proven bool, err error)
}

// plain makes an operation that proves nothing.
func plain[T any](name string, run func(ctx context.Context, c *card.Card, v *victim) (T, error)) operation {
	return operation{name, func(ctx context.Context, c *card.Card, v *victim) (bool, error) {
		_, err := run(ctx, c, v)
		return false, err
	}}
}

func operations() []operation {
	digest := sha256.Sum256([]byte("document"))
	type ctx = context.Context
	signed := func(s *card.Signer, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return s.Sign(nil, digest[:], crypto.SHA256)
	}
	return []operation{
		plain("tries", func(x ctx, c *card.Card, _ *victim) (card.Tries, error) { return c.Tries(x, card.RefTextB) }),
		plain("main-tries", func(x ctx, c *card.Card, _ *victim) (card.Counters, error) { return c.MainTries(x) }),
		plain("all-tries", func(x ctx, c *card.Card, _ *victim) (card.Counters, error) { return c.AllTries(x) }),
		plain("attributes-by-pin", func(x ctx, c *card.Card, v *victim) (card.Attributes, error) {
			return c.AttributesByPIN(x, v.person.PIN())
		}),
		plain("attributes-by-b", func(x ctx, c *card.Card, v *victim) (card.Attributes, error) {
			return c.AttributesByB(x, v.numberB())
		}),
		{"front-by-b", func(x ctx, c *card.Card, v *victim) (bool, error) {
			f, err := c.FrontByB(x, v.numberB())
			return f.Proof.Verdict == card.Genuine, err
		}},
		{"front-by-a", func(x ctx, c *card.Card, v *victim) (bool, error) {
			f, err := c.FrontByA(x, v.person.MyNumber())
			return f.Proof.Verdict == card.Genuine, err
		}},
		{"proven-attributes-by-b", func(x ctx, c *card.Card, v *victim) (bool, error) {
			a, err := c.ProvenAttributesByB(x, v.numberB())
			return a.Authenticity.Attributes.Valid, err
		}},
		{"proven-attributes-by-pin", func(x ctx, c *card.Card, v *victim) (bool, error) {
			a, err := c.ProvenAttributesByPIN(x, v.person.PIN())
			return a.Authenticity.Attributes.Valid, err
		}},
		{"authenticated-id", func(x ctx, c *card.Card, v *victim) (bool, error) {
			id, err := c.AuthenticatedID(x, v.person.PIN(), card.IDOptions{})
			return id.Authenticity.Attributes.Valid && id.Authenticity.Face.Valid, err
		}},
		plain("my-number-by-pin", func(x ctx, c *card.Card, v *victim) (*secret.Bytes, error) {
			return c.MyNumberByPIN(x, v.person.PIN())
		}),
		plain("my-number-by-a", func(x ctx, c *card.Card, v *victim) (*secret.Bytes, error) {
			return c.MyNumberByA(x, v.person.MyNumber())
		}),
		{"my-number-image", func(x ctx, c *card.Card, v *victim) (bool, error) {
			n, err := c.MyNumberImageByA(x, v.person.MyNumber())
			return n.Authenticity.MyNumber.Valid, err
		}},
		{"age-by-birth", func(x ctx, c *card.Card, v *victim) (bool, error) {
			birth, _, _ := v.person.NumberB()
			a, err := c.AgeByBirth(x, birth)
			return a.Authenticity.Birth.Valid, err
		}},
		plain("token", func(x ctx, c *card.Card, _ *victim) (card.TokenInfo, error) { return c.Token(x) }),
		plain("availability", func(x ctx, c *card.Card, _ *victim) (card.Availability, error) { return c.Availability(x) }),
		plain("auth-certificate", func(x ctx, c *card.Card, _ *victim) (card.Certificate, error) { return c.AuthCertificate(x) }),
		plain("ca-certificate", func(x ctx, c *card.Card, _ *victim) ([]byte, error) { return c.CACertificate(x, card.UseSign) }),
		plain("text-info", func(x ctx, c *card.Card, _ *victim) (card.TextInfo, error) { return c.TextInfo(x) }),
		plain("surface-info", func(x ctx, c *card.Card, _ *victim) (card.SurfaceInfo, error) { return c.SurfaceInfo(x) }),
		plain("sign-jpki", func(x ctx, c *card.Card, v *victim) (card.JPKISigned, error) {
			return c.SignJPKI(x, v.person.SignPassword(), digest[:], card.SignOptions{})
		}),
		plain("auth-signer", func(x ctx, c *card.Card, v *victim) ([]byte, error) { return signed(c.AuthSigner(x, v.person.PIN())) }),
		plain("sign-signer", func(x ctx, c *card.Card, v *victim) ([]byte, error) {
			return signed(c.SignSigner(x, v.person.SignPassword(), card.SignOptions{}))
		}),
		plain("forget", func(x ctx, c *card.Card, _ *victim) (struct{}, error) { return struct{}{}, c.Forget(x) }),
	}
}

// isTyped tells the errors that may leave this package.
func isTyped(err error) bool {
	for _, known := range []error{
		card.ErrFormat, card.ErrMalformed, card.ErrKind, card.ErrNoCertificate, card.ErrLastTry, card.ErrSpent,
		card.ErrAlgorithm, card.ErrSignature, card.ErrBlocked, card.ErrNotFound, card.ErrSecurity,
		apdu.ErrEOF, apdu.ErrLength, apdu.ErrUnspecific, apdu.ErrResponse,
		tlv.ErrTruncated, tlv.ErrMalformed, tlv.ErrDuplicate, tlv.ErrMissing, errPulled,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	var (
		sw      apdu.SWError
		auth    apdu.AuthError
		unknown *card.VerifyUnknownError
		ext     *card.ExtendedError
		number  *card.NumberRefusedError
	)
	return errors.As(err, &sw) || errors.As(err, &auth) || errors.As(err, &unknown) || errors.As(err, &ext) || errors.As(err, &number)
}

// endure opens the card and does the operation, and judges everything but the verdict, which it gives.
func endure(tb testing.TB, v *victim, h *hostile, short bool, op operation) (proven bool, err error) {
	tb.Helper()
	v.chip.PowerOff()
	v.chip.PowerOn()
	h.chip, h.verifies = v.chip, map[byte]int{}
	ctx, cancel := context.WithTimeout(tb.Context(), maxTime)
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := card.Open(ctx, h, card.Options{Trust: v.trust, Short: short})
	if err == nil {
		proven, err = op.run(ctx, c, v)
	}
	runtime.ReadMemStats(&after)
	switch {
	case ctx.Err() != nil:
		tb.Errorf("%s: not done within %v", op.name, maxTime)
	case h.count > maxCommands:
		tb.Errorf("%s: not done within %d commands", op.name, maxCommands)
	case err != nil && !isTyped(err):
		tb.Errorf("%s: the error has no type: %T %v", op.name, err, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > maxMemory {
		tb.Errorf("%s: used %d MB", op.name, used>>20)
	}
	for p2, n := range h.verifies {
		if n > 1 {
			tb.Errorf("%s: %d VERIFY commands to %02X", op.name, n, p2)
		}
	}
	return proven, err
}

// attacks are what a hostile chip answers. Those marked as mild leave what is signed as it is: what lies behind the
// object of a file, and the table of offsets that this package does not use.
func attacks() []struct {
	name   string
	mild   bool
	answer func(command, answer []byte) ([]byte, error)
} {
	type attack = func(command, answer []byte) ([]byte, error)
	// file replaces the answer to a READ that brought data
	file := func(do func(data []byte) []byte) attack {
		return func(command, answer []byte) ([]byte, error) {
			if n := len(answer) - 2; n > 0 && (command[1] == 0xB0 || command[1] == 0xB2) {
				return append(do(bytes.Clone(answer[:n])), 0x90, 0), nil
			}
			return answer, nil
		}
	}
	reads := func(raw string) attack { return file(func([]byte) []byte { return []byte(raw) }) }
	always := func(raw string) attack { return func(_, _ []byte) ([]byte, error) { return []byte(raw), nil } }
	// length replaces the outer length of a file by another one
	length := func(raw string) attack {
		return file(func(b []byte) []byte {
			_, header, _, err := tlv.Header(b)
			if err != nil || header < 2 {
				return b
			}
			tag := 1
			if b[0]&0x1F == 0x1F {
				tag = 2
			}
			return append(append(bytes.Clone(b[:tag]), raw...), b[header:]...)
		})
	}
	return []struct {
		name   string
		mild   bool
		answer attack
	}{
		{"length-bomb-3", false, length("\x83\xFF\xFF\xFF")},
		{"length-4-gigabytes", false, length("\x84\xFF\xFF\xFF\xFF")},
		{"length-8-bytes", false, length("\x88\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")},
		{"length-64-k", false, length("\x82\xFF\xFF")},
		{"length-indefinite", false, length("\x80")},
		{"length-zero", false, length("\x00")},
		{"length-one-less", false, length("\x82\x00\x10")},
		{"no-progress", false, reads("")},
		{"one-byte-for-ever", false, reads("\xFF")},
		{"header-for-ever", false, reads("\xFF\x20\x82\x7F\xF0")},
		{"zeros", false, file(func(b []byte) []byte { clear(b); return b })},
		{"filler", false, file(func(b []byte) []byte { return bytes.Repeat([]byte{0xFF}, len(b)) })},
		{"truncated", false, file(func(b []byte) []byte { return b[:len(b)/2] })},
		{"doubled", true, file(func(b []byte) []byte { return append(b, b...) })},
		{"over-long", true, file(func(b []byte) []byte { return append(b, bytes.Repeat([]byte{0x30}, 1<<16)...) })},
		{"inner-overlap", false, file(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0xDF, 0x22}, []byte{0xDF, 0x23}) })},
		{"inner-lengths", false, file(func(b []byte) []byte {
			for i := 0; i+2 < len(b); i++ {
				if b[i] == 0xDF && b[i+1]&0xF0 == 0x20 {
					b[i+2] = 0x7F
				}
			}
			return b
		})},
		{"offset-table", true, file(func(b []byte) []byte {
			if i := bytes.Index(b, []byte{0xDF, 0x21}); i >= 0 && i+3 < len(b) && b[i+2] < 0x20 {
				copy(b[i+3:], bytes.Repeat([]byte{0xFF}, min(int(b[i+2]), len(b)-i-3)))
			}
			return b
		})},
		{"endless-61", false, always("\x61\x00")},
		{"endless-61-data", false, always("\x01\x61\x01")},
		{"endless-61-block", false, always(string(bytes.Repeat([]byte{0x30}, 256)) + "\x61\x00")},
		{"endless-6c", false, always("\x6C\x00")},
		{"endless-6c-1", false, always("\x6C\x01")},
		{"empty", false, always("")},
		{"one-byte", false, always("\x90")},
		{"status-0000", false, always("\x00\x00")},
		{"status-ffff", false, always("\xFF\xFF")},
		{"status-9001", false, always("\x90\x01")},
		{"status-6f00", false, always("\x6F\x00")},
		{"status-6700", false, always("\x67\x00")},
		{"status-63ff", false, always("\x63\xFF")},
		{"status-63c0", false, always("\x63\xC0")},
		{"status-6984", false, always("\x69\x84")},
		{"status-6282", false, always("\x62\x82")},
		{"yes-to-all", false, always("\x90\x00")},
		{"pulled", false, func(_, _ []byte) ([]byte, error) { return nil, errPulled }},
	}
}

// TestHostileChips lets every operation meet every attack, at once, and at several points on its way.
func TestHostileChips(t *testing.T) {
	v := newVictim(t)
	points := []int{0, 2, 4, 5, 6, 7, 9, 12}
	if testing.Short() {
		points = []int{0, 5, 6}
	}
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			for _, op := range operations() {
				for _, honest := range points {
					short := honest%2 == 1
					h := &hostile{honest: honest, attack: a.answer}
					proven, err := endure(t, v, h, short, op)
					if h.count <= honest {
						break // done before
					}
					if proven && err == nil && !a.mild && h.changed {
						t.Errorf("%s after %d commands: proven genuine", op.name, honest)
					}
				}
				v.renew(t)
			}
		})
	}
}

// TestHonestChip is the control: without an attack everything works, within the same bounds.
func TestHonestChip(t *testing.T) {
	v := newVictim(t)
	for _, short := range []bool{false, true} {
		for _, op := range operations() {
			if _, err := endure(t, v, &hostile{honest: maxCommands}, short, op); err != nil {
				t.Errorf("%s (short %v): %v", op.name, short, err)
			}
		}
	}
}
