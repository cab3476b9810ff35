package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
)

// asProduction makes the virtual card on the reader look like a production one: the key ids in its records begin with
// 5 in place of 9.
type asProduction struct{ reader.Reader }

func (r asProduction) Open(ctx context.Context) (reader.Session, error) {
	s, err := r.Reader.Open(ctx)
	return productionSession{s}, err
}

type productionSession struct{ reader.Session }

func (s productionSession) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	out, err := s.Session.Transmit(ctx, command)
	for _, series := range []string{"000023", "000033"} {
		out = bytes.ReplaceAll(out, []byte("9"+series), []byte("5"+series))
	}
	return out, err
}

// Duty 12: a production card is refused in every route, whatever trust is given; and it is sent no credential.
func TestProductionCardIsRefused(t *testing.T) {
	surfaceOnly := testTrust(t)
	if err := os.RemoveAll(surfaceOnly + "/jpki-auth"); err != nil {
		t.Fatal(err)
	}
	surface, err := (trust.Options{AllowTest: true}).Load(surfaceOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		route route
		trust *trust.Set
	}{
		{"b-without-trust", routeB, &trust.Set{}},
		{"pin-without-trust", routePIN, &trust.Set{}},
		{"jpki-without-trust", routeJPKI, &trust.Set{}},
		{"all-without-trust", routeAll, &trust.Set{}},
		{"pin-other-trust", routePIN, otherTrust(t, true)},
		{"jpki-other-trust", routeJPKI, otherTrust(t, true)},
		{"b-test-trust", routeB, surface},
		{"pin-test-trust", routePIN, surface},
		{"jpki-test-trust", routeJPKI, surface},
		{"all-test-trust", routeAll, surface},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, "sato")
			text, err := b.readOn(t, asProduction{b.reader}, tt.route, hanako, tt.trust)
			if !errors.Is(err, errMaintenance) || codeOf(err) != codeRefused || text != "" {
				t.Fatalf("%q, %v", text, err)
			}
			s := b.card.Stats()
			if s.AllVerifies() != 0 || s.Reads["0408/0002"]+s.Reads["0408/0001"] != 0 {
				t.Fatalf("%v %v", s.Verifies, s.Reads)
			}
		})
	}
}

// A card that is provably of production trust is refused like every other.
func TestProductionTrustOpensNothing(t *testing.T) {
	set, err := trust.Load(productionTrust(t))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, "sato")
	if text, err := b.readOn(t, asProduction{b.reader}, routePIN, hanako, set); codeOf(err) != codeRefused || text != "" {
		t.Fatalf("%q, %v", text, err)
	}
}

// A test card without its issuer's key is signed, not verified: neither valid nor forged. Its photo and its My Number
// are not given away.
func TestUnknownIssuer(t *testing.T) {
	const unknown = "signed, not verified: unknown issuer"
	for _, tt := range []struct {
		name   string
		route  route
		trust  *trust.Set
		budget int
	}{
		{"b-without-trust", routeB, &trust.Set{}, 14},
		{"b-other-trust", routeB, otherTrust(t, true), 14},
		{"pin-without-trust", routePIN, &trust.Set{}, 24},
		{"pin-other-trust", routePIN, otherTrust(t, true), 24},
		{"jpki-without-trust", routeJPKI, &trust.Set{}, 16},
		{"jpki-other-trust", routeJPKI, otherTrust(t, true), 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := newBench(t, "sato").readWith(t, tt.route, hanako, tt.trust)
			if err != nil {
				t.Fatal(err)
			}
			r := decode(t, text)
			want := proofJSON{Reason: unknown}
			if tt.route != routeJPKI && (r.Authenticity.Face != want || r.Authenticity.CardKey != want) {
				t.Errorf("got %+v", r.Authenticity)
			}
			if tt.route == routePIN && (r.Authenticity.Attributes != want || r.Authenticity.MyNumber != want) {
				t.Errorf("got %+v", r.Authenticity)
			}
			if n := r.Authenticity.NotACopy; n.Checked || n.Valid {
				t.Errorf("not_a_copy: %+v", n)
			}
			if r.APDUs > tt.budget {
				t.Errorf("%d commands", r.APDUs)
			}
		})
	}
	for _, more := range [][]string{{"--save-face", filepath.Join(t.TempDir(), "f.jp2")}, {"--with-my-number"}} {
		text, err := newBench(t, "sato").readWith(t, routePIN, hanako, &trust.Set{}, more...)
		if !errors.Is(err, errUnproven) || text != "" {
			t.Errorf("%v: %q, %v", more, text, err)
		}
		if more[0] == "--save-face" {
			if _, err := os.Stat(more[1]); !errors.Is(err, os.ErrNotExist) {
				t.Error("a face was saved")
			}
		}
	}
}

// Data signed by a stranger beside a genuine certificate, which anybody can read from a card, are shown as forged, and
// the photo is not given away.
func TestForeignIssuer(t *testing.T) {
	forged := func() *bench { return newBench(t, "sato", virtual.Options{ForeignIssuer: true}) }
	text, err := forged().read(t, routeB, hanako)
	if err != nil {
		t.Fatal(err)
	}
	want := proofJSON{Checked: true, Reason: card.ReasonSignatureForged}
	if a := decode(t, text).Authenticity; a.Face != want || a.NameImage != want || a.NotACopy.Valid {
		t.Fatalf("got %+v", a)
	}
	file := filepath.Join(t.TempDir(), "f.jp2")
	if text, err = forged().read(t, routeB, hanako, "--save-face", file); codeOf(err) != codeRefused || text != "" {
		t.Fatalf("%q, %v", text, err)
	}
}
