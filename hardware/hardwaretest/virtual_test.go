package hardwaretest_test

import (
	"testing"

	"madoguchi/hardware/camera"
	"madoguchi/hardware/hardwaretest"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
)

// placer is what the virtual reader and the vpcd slot have in common.
type placer interface {
	Insert(*virtual.Card) error
	Remove() error
}

// hand implements hardwaretest.Hand with a virtual card.
type hand struct {
	t      *testing.T
	where  placer
	card   *virtual.Card
	person *virtual.Person
}

func newHand(t *testing.T, where placer) *hand {
	t.Helper()
	people, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	person, err := virtual.NewDrawer(people).Person("sato")
	if err != nil {
		t.Fatal(err)
	}
	card, err := person.NewCard()
	if err != nil {
		t.Fatal(err)
	}
	return &hand{t: t, where: where, card: card, person: person}
}

func (h *hand) Insert() {
	h.card.SetFaults(virtual.Faults{})
	if err := h.where.Insert(h.card); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hand) Remove() {
	if err := h.where.Remove(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hand) RemoveAtAPDU(n int, processed bool) {
	h.card.SetFaults(virtual.Faults{RemoveAt: n, RemoveProcessed: processed})
}

func (h *hand) MuteAtAPDU(n int) { h.card.SetFaults(virtual.Faults{MuteAt: n}) }

func (h *hand) PIN() []byte { return h.person.PIN().Reveal() }

func (h *hand) NumberB() []byte {
	birth, expiry, code := h.person.NumberB()
	return append(append(append([]byte(nil), birth.Reveal()...), expiry.Reveal()...), code.Reveal()...)
}

func TestVirtualReader(t *testing.T) {
	hardwaretest.Run(t, func(t *testing.T) (reader.Reader, hardwaretest.Hand) {
		t.Helper()
		r := virtual.NewReader()
		return r, newHand(t, r)
	})
}

func TestVirtualCamera(t *testing.T) {
	hardwaretest.RunCamera(t, func(t *testing.T) camera.Camera {
		t.Helper()
		c, err := virtual.NewCamera()
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}
