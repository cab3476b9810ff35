package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"madoguchi/daemon/control"
	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
)

// route is how a card is read.
type route string

// The routes.
const (
	routeB    route = "b"    // 照合番号B: the printed number; the My Number is not touched
	routePIN  route = "pin"  // 4-digit PIN: everything on the card's face and text, by way of the My Number
	routeJPKI route = "jpki" // signature password: the certificates
	routeAll  route = "all"  // pin, and jpki when the secrets hold a signature password
)

// readOptions are the flags of card read.
type readOptions struct {
	reader       string
	route        route
	trust        []string
	secrets      string
	oneLine      bool
	saveFace     string
	withMyNumber bool
	lastTry      bool
	note         func() error // in maintenance mode: the audit entry, before anything is printed
	maintenance  string       // kioskd's control socket; empty: test cards only
}

func parseRead(args []string) (*readOptions, error) {
	o := &readOptions{route: routeB}
	f := flags("card read")
	f.StringVar(&o.reader, "reader", "", "")
	f.Func("route", "", func(s string) error {
		o.route = route(s)
		switch o.route {
		case routeB, routePIN, routeJPKI, routeAll:
			return nil
		}
		return errors.New("route must be b, pin, jpki or all")
	})
	f.Func("trust", "", func(s string) error {
		o.trust = append(o.trust, s)
		return nil
	})
	f.StringVar(&o.secrets, "secrets", "", "")
	f.BoolVar(&o.oneLine, "json", false, "")
	f.StringVar(&o.saveFace, "save-face", "", "")
	f.BoolVar(&o.withMyNumber, "with-my-number", false, "")
	f.BoolVar(&o.lastTry, "last-try", false, "")
	f.StringVar(&o.maintenance, "maintenance", "", "")
	if err := parse(f, args); err != nil {
		return nil, err
	}
	switch {
	case o.reader == "":
		return nil, fmt.Errorf("%w: --reader is missing", errUsage)
	case o.secrets == "":
		return nil, fmt.Errorf("%w: --secrets is missing", errUsage)
	case o.withMyNumber && o.route != routePIN && o.route != routeAll:
		return nil, fmt.Errorf("%w: only routes pin and all read the My Number", errUsage)
	case o.saveFace != "" && o.route == routeJPKI:
		return nil, fmt.Errorf("%w: route jpki has no face", errUsage)
	}
	return o, nil
}

// flags makes a silent flag set: what is wrong is said once, by main.
func flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%w: nothing may follow the flags", errUsage) // not quoted: it may be a credential
	}
	return nil
}

// readCard is card read. Everything that can be wrong without a card is found before one is touched.
func readCard(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	o, err := parseRead(args)
	if err != nil {
		return err
	}
	// No trust is built in. Naming a test directory is the decision to trust it, for this one reading of a test card.
	set, err := trust.Options{AllowTest: true}.Load(o.trust...)
	if err != nil {
		return err
	}
	s, err := loadSecrets(o.secrets, in)
	if err != nil {
		return err
	}
	defer s.wipe()
	if err := s.check(o.route); err != nil {
		return err
	}
	r, err := openReader(o.reader)
	if err != nil {
		return err
	}
	return readMaintained(ctx, r, o, set, s, out)
}

// readMaintained reads, in maintenance mode if that was asked for.
func readMaintained(ctx context.Context, r reader.Reader, o *readOptions, set *trust.Set, s *secrets, out io.Writer) error {
	if o.maintenance != "" {
		c, err := beginMaintenance(ctx, o.maintenance, s)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }() // the kiosk goes back into service
		o.note = func() error {
			_, err := c.Do(control.Request{Do: control.DoCardRead, Route: string(o.route)})
			return err
		}
	}
	return readOn(ctx, r, o, set, s, out)
}

// beginMaintenance takes the kiosk out of service in the name of a staff member (duty 12).
func beginMaintenance(ctx context.Context, socket string, s *secrets) (*control.Client, error) {
	if s.staff == nil || s.staffPIN == nil {
		return nil, fmt.Errorf("%w: --maintenance needs staff and staff_pin among the secrets", errUsage)
	}
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	if err := c.Maintain(text(s.staff), s.staffPIN); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// readOn reads the card that lies on r. Nothing is printed unless all went well.
func readOn(ctx context.Context, r reader.Reader, o *readOptions, set *trust.Set, s *secrets, out io.Writer) error {
	start := time.Now()
	t, err := openCard(ctx, r, card.Options{Trust: set.Surface})
	if err != nil {
		return err
	}
	g := &gathering{
		options: o, secrets: s, card: t.card,
		gate: gate{test: set.OnlyTest(), at: start, open: o.note != nil}, tries: map[string]*int{},
	}
	defer g.wipe()
	err = g.read(ctx)
	if closed := t.close(ctx); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	rep, err := g.report(time.Since(start))
	if err != nil {
		return err
	}
	if o.note != nil {
		if err := o.note(); err != nil {
			return err
		}
	}
	if o.saveFace != "" {
		if err := saveFace(o.saveFace, g.front.Face.Reveal()); err != nil {
			return err
		}
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if !o.oneLine {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(rep)
}

// saveFace writes a new file that only its owner reads. An existing one is never replaced.
func saveFace(name string, face []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	_, err = f.Write(face)
	return errors.Join(err, f.Close())
}
