package virtual

import (
	"slices"
	"sync"
)

// Drawer keeps one card of each person, so that a card that is lifted and placed again is the same card, with the
// tries it has left.
type Drawer struct {
	people []Person

	mu    sync.Mutex
	cards map[string]*Card
}

// NewDrawer makes a drawer of new cards of these people.
func NewDrawer(people []Person) *Drawer {
	return &Drawer{people: slices.Clone(people), cards: map[string]*Card{}}
}

// People lists whose cards are in the drawer.
func (d *Drawer) People() []Person { return slices.Clone(d.people) }

// Person finds a person by id.
func (d *Drawer) Person(id string) (*Person, error) {
	for i := range d.people {
		if d.people[i].ID == id {
			return &d.people[i], nil
		}
	}
	return nil, ErrUnknownPerson
}

// Card is the card of a person, made at the first call. The ids of OtherKinds, such as "drivers-licence"
// and "transit", are cards that are no My Number Cards.
func (d *Drawer) Card(id string) (*Card, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.cards[id]; c != nil {
		return c, nil
	}
	c, err := d.make(id)
	if err != nil {
		return nil, err
	}
	d.cards[id] = c
	return c, nil
}

func (d *Drawer) make(id string) (*Card, error) {
	if slices.Contains(OtherKinds(), Kind(id)) {
		return OtherCard(Kind(id))
	}
	p, err := d.Person(id)
	if err != nil {
		return nil, err
	}
	return p.NewCard()
}

// Renew throws the person's card away: the next Card is a new one with all its tries.
func (d *Drawer) Renew(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.cards, id)
}
