package session

import (
	"context"
	"errors"
	"testing"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/policy"
	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
)

// A card that took the place of the checked one gets no VERIFY.
func TestAnotherCardIsNotAsked(t *testing.T) {
	people, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	c, err := people[0].NewCard()
	if err != nil {
		t.Fatal(err)
	}
	r := virtual.NewReader()
	if err := r.Insert(c); err != nil {
		t.Fatal(err)
	}
	conn, err := r.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := card.Open(t.Context(), conn, card.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out readResult
	typed, other := secret.New([]byte("02041220314821")), secret.New([]byte("900000000000000"))
	if err := (&Session{}).readCard(t.Context(), opened, flow.RouteB, cardWork{typed: typed, serial: other}, &out); !errors.Is(err, errOtherCard) {
		t.Fatalf("got %v", err)
	}
	if n := c.Stats().AllVerifies(); n != 0 {
		t.Fatalf("another card was asked %d times", n)
	}
}

func TestProof(t *testing.T) {
	s := func(v string) *secret.Bytes { return secret.New([]byte(v)) }
	tests := []struct {
		name              string
		verdict           card.Genuineness
		birth, sex, other string
		route             flow.Route
		want              policy.Check
	}{
		{"genuine", card.Genuine, "19900412", "2", "19900412", flow.RouteB, policy.Pass},
		{"applications-disagree", card.Genuine, "19900412", "2", "19900413", flow.RouteB, policy.Fail},
		{"unknown-issuer", card.NotCheckable, "19900412", "2", "19900412", flow.RouteB, policy.Unsure},
		{"no-keys", card.NotChecked, "19900412", "2", "19900412", flow.RouteB, policy.NotChecked},
		{"forged", card.Forged, "19900412", "2", "19900412", flow.RouteB, policy.Fail},
		{"word-nobody-knows", "verified", "19900412", "2", "19900412", flow.RouteB, policy.NotChecked},
		{"pin-route", card.Genuine, "19900412", "2", "19900412", flow.RoutePIN, policy.NotChecked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := vault{
				attrs: card.Attributes{Birth: s(tt.birth), Sex: s(tt.sex)},
				front: card.Front{Birth: s(tt.other), Sex: s(tt.sex), Proof: card.Proof{Verdict: tt.verdict}},
			}
			if got := v.proof(tt.route); got != tt.want {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWipeEmptiesTheVault(t *testing.T) {
	name, live, typed := []byte("佐藤"), []byte("jpeg"), []byte("204815")
	v := vault{
		attrs: card.Attributes{Name: secret.New(name)}, live: []*secret.Bytes{secret.New(live)}, caseNo: typed,
		note: "note", receipt: "12345678",
	}
	v.entry.key(flow.RouteB, 3)
	v.wipe()
	for _, b := range [][]byte{name, live, typed, v.entry.digits[:]} {
		for _, x := range b {
			if x != 0 {
				t.Fatalf("got %x after the wipe", b)
			}
		}
	}
	if v.note != "" || v.live != nil || v.attrs.Name != nil || v.receipt != "12345678" {
		t.Fatal("the vault is not empty but for the receipt number")
	}
}
