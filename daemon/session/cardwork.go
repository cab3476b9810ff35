package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"image"
	"image/draw"
	"log/slog"
	"slices"
	"time"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
	"madoguchi/internal/secret"
	"madoguchi/ui/screen"
)

// identified is the answer of a card check.
type identified struct {
	id    card.Identity
	event flow.Identified
}

// readResult is the answer of a reading.
type readResult struct {
	gen     uint32
	trouble flow.Code
	again   bool
	attrs   card.Attributes
	front   card.Front
	photo   *image.Gray
	png     *secret.Bytes
	signed  signed
}

func (r *readResult) wipe() {
	r.attrs.Wipe()
	r.front.Wipe()
	wipeImage(r.photo)
	r.png.Wipe()
	r.signed.wipe()
}

// identify asks the card what it is and for its counters; it spends no try.
func (s *Session) identify(gen uint32) {
	ctx := s.ctx
	phase, cancel := within(ctx, flow.CardCheck)
	today := s.Now()
	s.wg.Go(func() {
		defer cancel()
		s.cardMu.Lock()
		defer s.cardMu.Unlock()
		out := identified{event: flow.Identified{Gen: gen}}
		err := s.withCard(phase, func(c *card.Card) error {
			out.id = c.Identity()
			if code := productTrouble(out.id.Product); code != "" {
				out.event.Trouble = code
				return nil
			}
			if out.id.Expiry == (card.Date{}) {
				out.event.Trouble = flow.CodeCardUnread // a last day that is not known is not a valid one
				return nil
			}
			if out.event.Expired = expired(out.id.Expiry, today); out.event.Expired {
				return nil
			}
			return s.counters(phase, c, &out.event)
		})
		if err != nil {
			out.event.Trouble, _ = troubleOf(err, flow.RouteB)
			s.Log.Warn("card check failed", slog.String("code", string(out.event.Trouble)))
		}
		s.post(ctx, out)
	})
}

// counters asks for the tries of both routes. 照合番号B has a counter in each of two applications; the smaller one
// counts.
func (s *Session) counters(ctx context.Context, c *card.Card, out *flow.Identified) error {
	front, err := c.Tries(ctx, card.RefFaceB)
	if err != nil {
		return err
	}
	text, err := c.Tries(ctx, card.RefTextB)
	if err != nil {
		return err
	}
	out.TriesB = flow.Tries{Left: int8(min(front.Left, text.Left, 99)), Known: front.Known && text.Known}
	if s.Profile.PINRoute {
		pin, err := c.Tries(ctx, card.RefTextPIN)
		if err != nil {
			return err
		}
		out.TriesPIN = flow.Tries{Left: int8(min(pin.Left, 99)), Known: pin.Known}
	}
	if s.Profile.Uses(methods.JPKISignature) {
		return signCounters(ctx, c, out)
	}
	return nil
}

// signCounters asks what the card has for signatures.
func signCounters(ctx context.Context, c *card.Card, out *flow.Identified) error {
	flags, err := c.Availability(ctx)
	if err != nil {
		return err
	}
	all, err := c.MainTries(ctx)
	if err != nil {
		return err
	}
	left := all.Of(card.RefSignPass)
	out.TriesSign = flow.Tries{Left: int8(min(left.Left, 99)), Known: left.Known}
	found := card.Findings(flags, all)
	out.NoSign = slices.Contains(found, card.FindingNoSignCertificate)
	out.WithoutPIN = slices.Contains(found, card.FindingWithoutPIN)
	return nil
}

// within ends the work of a phase with it, also work that had to wait for the card: nothing that a customer typed is
// sent after the customer was told that the time is over.
func within(ctx context.Context, p flow.Phase) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, flow.MachineTime(p))
}

// withCard opens the card, works, forgets the rights, and powers the card off. Extended commands are tried when
// the card is opened, before any PIN; a reader that refuses them is asked again with short ones and remembered. The
// work itself is never repeated, because it may hold a VERIFY.
func (s *Session) withCard(ctx context.Context, work func(*card.Card) error) error {
	ran, err := s.openCard(ctx, work)
	if ext := (*card.ExtendedError)(nil); errors.As(err, &ext) && !s.isShort() {
		s.short = s.Reader.Info().Name
		if !ran {
			_, err = s.openCard(ctx, work)
		}
	}
	return err
}

// slowAfter is when the first, small extended answer counts as slow; a card may wait 2.5 s for any answer.
const slowAfter = 3 * time.Second

// isShort says whether the reader in use is known to refuse extended commands.
func (s *Session) isShort() bool { return s.short != "" && s.short == s.Reader.Info().Name }

// openCard says whether the work began.
func (s *Session) openCard(ctx context.Context, work func(*card.Card) error) (ran bool, err error) {
	conn, err := s.Reader.Open(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if err := conn.Close(); err != nil {
			s.Log.Debug("card session closed with an error", slog.Any("error", err))
		}
	}()
	opt := card.Options{Trust: s.Trust, Short: s.isShort(), Now: s.Now, SlowAfter: slowAfter}
	if atr := s.atr.Load(); atr != nil {
		opt.ATR = *atr
	}
	c, err := card.Open(ctx, conn, opt)
	if err != nil {
		return false, err
	}
	defer func() {
		if c.Short() {
			s.short = s.Reader.Info().Name
		}
	}()
	if err := work(c); err != nil {
		return true, err
	}
	return true, c.Forget(ctx)
}

func (s *Session) onIdentified(m identified) {
	switch {
	case s.state.Phase != flow.CardCheck || m.event.Gen != s.state.Gen:
		discard(m)
	case s.state.Known:
		m.event.Other = m.id.Kind != "" && !equal(m.id.Serial, s.vault.identity.Serial)
		discard(m) // of the same card nothing new is known, and another one's goes no further
	default:
		s.vault.identity.Wipe()
		s.vault.identity = m.id
	}
	s.event(m.event)
}

// read spends one try of the route, with what the customer typed, and reads.
func (s *Session) read(e flow.ReadCard) {
	w := cardWork{
		typed: s.vault.entry.take(), serial: s.vault.identity.Serial.Clone(), kept: s.vault.front.Face.Clone(),
		document: s.vault.document.Clone(), lastTry: s.state.TriesLeft().Left == 1, now: s.Now(),
	}
	ctx := s.ctx
	phase, cancel := within(ctx, flow.Reading)
	s.wg.Go(func() {
		defer cancel()
		s.cardMu.Lock()
		defer s.cardMu.Unlock()
		defer w.wipe()
		out := readResult{gen: e.Gen}
		err := s.withCard(phase, func(c *card.Card) error { return s.readCard(phase, c, e.Route, w, &out) })
		if err != nil {
			out.trouble, out.again = troubleOf(err, e.Route)
			if out.trouble != flow.CodeCardRemoved { // a card that was only taken away goes on where it was
				out.wipe()
				out = readResult{gen: e.Gen, trouble: out.trouble, again: out.again}
			}
			s.Log.Warn("reading failed", slog.String("code", string(out.trouble)))
		} else {
			s.decodePhoto(ctx, w.kept, &out)
		}
		s.post(ctx, out)
	})
}

var errOtherCard = errors.New("session: another card than the one that was checked")

// cardWork is what a reading takes along, as copies of its own.
type cardWork struct {
	typed, serial *secret.Bytes
	kept          *secret.Bytes // the photo of a reading that broke off
	document      *secret.Bytes
	lastTry       bool // the customer said so
	now           time.Time
}

func (w *cardWork) wipe() { secret.Wipe(w.typed, w.serial, w.kept, w.document) }

func (s *Session) readCard(ctx context.Context, c *card.Card, route flow.Route, w cardWork, out *readResult) (err error) {
	id := c.Identity()
	same := equal(id.Serial, w.serial)
	id.Wipe()
	if !same {
		return errOtherCard
	}
	switch route {
	case flow.RoutePIN:
		out.attrs, err = c.AttributesByPIN(ctx, w.typed)
		return err
	case flow.RouteSign:
		return s.sign(ctx, c, w, out)
	case flow.RouteB:
	}
	if w.kept.Len() == 0 {
		if out.front, err = c.FrontByB(ctx, w.typed); err != nil {
			return err
		}
	}
	out.attrs, err = c.AttributesByB(ctx, w.typed)
	return err
}

// decodePhoto decodes the chip's photo in a child process, and makes a PNG of it for the screens.
func (s *Session) decodePhoto(ctx context.Context, kept *secret.Bytes, out *readResult) {
	photo := out.front.Face
	if photo.Len() == 0 {
		photo = kept
	}
	if photo.Len() == 0 {
		return
	}
	img, err := s.DecodeFace(ctx, photo.Reveal())
	if err != nil {
		s.Log.Warn("the chip's photo cannot be decoded", slog.Any("error", err))
		return
	}
	gray := image.NewGray(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(gray, gray.Bounds(), img, img.Bounds().Min, draw.Src)
	if g, ok := img.(*image.Gray); ok {
		wipeImage(g)
	}
	out.photo = gray
	out.png = encodePNG(gray)
}

func (s *Session) onRead(m readResult) {
	if s.state.Phase != flow.Reading || m.gen != s.state.Gen {
		m.wipe()
		s.event(flow.ReadDone{Gen: m.gen})
		return
	}
	if m.trouble != "" {
		if m.front.Face.Len() > 0 {
			s.vault.setRead(m)
		}
		s.event(flow.ReadDone{Gen: m.gen, Trouble: m.trouble, Again: m.again})
		return
	}
	if s.state.Route == flow.RouteB && m.front.Face.Len() == 0 { // read before the card was taken away
		m.front, s.vault.front = s.vault.front, card.Front{}
	}
	s.vault.setRead(m)
	s.vault.review = s.makeReview()
	s.event(flow.ReadDone{Gen: m.gen, Read: flow.Read{
		Done: true, Photo: m.photo != nil, Proof: s.vault.proof(s.state.Route),
		Minor: minor(s.vault.attrs.Birth, s.Now(), s.Profile.MinorAge),
	}})
}

func (s *Session) makeReview() *screen.ReviewData {
	v := &s.vault
	r := &screen.ReviewData{
		Name: v.attrs.Name, Address: v.attrs.Address, Birth: v.attrs.Birth, Sex: v.attrs.Sex,
		Expiry: v.identity.Expiry.String(),
	}
	put := func(b *secret.Bytes) screen.Image {
		if b.Len() == 0 {
			return ""
		}
		return s.Kiosk.PutImage("image/png", b.Clone())
	}
	r.NameImage, r.AddressImage, r.Face = put(v.front.NameImage), put(v.front.AddressImage), put(v.chipPNG)
	return r
}

// proof is what was proven of the chip's data. Two applications that disagree are a forgery, whatever is signed.
func (v *vault) proof(route flow.Route) policy.Check {
	if route == flow.RouteSign {
		return v.signed.chain
	}
	if route == flow.RoutePIN {
		return policy.NotChecked // the text application's own proof is not read by this route
	}
	if !equal(v.front.Birth, v.attrs.Birth) || !equal(v.front.Sex, v.attrs.Sex) {
		v.front.Proof.Verdict, v.front.Proof.Reason = card.Forged, "applications-disagree"
	}
	switch v.front.Proof.Verdict {
	case card.Genuine:
		return policy.Pass
	case card.NotCheckable:
		return policy.Unsure
	case card.Forged:
		return policy.Fail
	case card.NotChecked:
	}
	return policy.NotChecked
}

func equal(a, b *secret.Bytes) bool {
	return subtle.ConstantTimeCompare(a.Reveal(), b.Reveal()) == 1
}

// productTrouble names what lies there when it is not a My Number Card.
func productTrouble(p card.Product) flow.Code {
	switch p {
	case card.ProductMyNumber:
		return ""
	case card.ProductAndroid, card.ProductIPhone:
		return "card-phone"
	case card.ProductJuki:
		return "card-juki"
	case card.ProductDriversLicence:
		return "card-licence"
	case card.ProductResidence, card.ProductSpecialPermanent:
		return "card-residence"
	case card.ProductPassport:
		return "card-passport"
	case card.ProductTransit:
		return "card-transit"
	case card.ProductUnknown:
	}
	return "card-not-my-number"
}

// troubleOf maps an error to a code; again means that the credential was at fault and the card's counters must be
// asked before the next prompt.
func troubleOf(err error, route flow.Route) (code flow.Code, again bool) {
	name := map[flow.Route]flow.Code{flow.RouteB: "number-b", flow.RoutePIN: "pin", flow.RouteSign: "sign"}[route]
	var wrong card.AuthError
	var unknown *card.VerifyUnknownError
	switch {
	case errors.Is(err, card.ErrBlocked):
		return name + "-blocked", true
	case errors.As(err, &wrong):
		return name + "-wrong", true
	case errors.Is(err, card.ErrFormat):
		return name + "-format", true
	case errors.Is(err, card.ErrLastTry):
		return "", true // the counter changed since it was asked: ask again, nothing was spent
	case errors.Is(err, card.ErrNoCertificate):
		return flow.CodeNoSignCert, false
	case errors.Is(err, errCertExpired):
		return flow.CodeCertExpired, false
	case errors.Is(err, errOtherCard):
		return "card-other-person", false
	case errors.Is(err, reader.ErrBusy):
		return "reader-busy", false
	case errors.Is(err, reader.ErrTimeout):
		return "card-mute", false
	case errors.Is(err, reader.ErrService), errors.Is(err, reader.ErrReaderLost):
		return "card-service", false
	case errors.As(err, &unknown), errors.Is(err, reader.ErrCardLost), errors.Is(err, reader.ErrNoCard):
		return "card-removed", false
	}
	return "card-unreadable", false
}

// jst is Japan's time zone, in which birthdays and expiry dates fall.
func jst() *time.Location { return time.FixedZone("JST", 9*60*60) }

// expired says whether a card's last day is over, in Japan.
func expired(d card.Date, now time.Time) bool {
	end := time.Date(d.Year, time.Month(d.Month), d.Day+1, 0, 0, 0, 0, jst())
	return !now.Before(end)
}

// minor says whether the holder is younger than age. A birth date that cannot be read counts as minor: people
// look then.
func minor(birth *secret.Bytes, now time.Time, age int) bool {
	b, err := time.ParseInLocation("20060102", string(birth.Reveal()), jst())
	if err != nil {
		return true
	}
	return now.Before(b.AddDate(age, 0, 0))
}
