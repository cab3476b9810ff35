package control

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"madoguchi/hardware/virtual"
	"madoguchi/hardware/virtual/vpcd"

	"github.com/google/go-cmp/cmp"
)

var _ Hand = (*vpcd.Slot)(nil)

// pcscd is the other side of a slot: it takes the card's connection and sends frames.
type pcscd struct {
	*testing.T
	net.Listener
	conn net.Conn
}

func (p *pcscd) take() {
	p.Helper()
	conn, err := p.Accept()
	if err != nil {
		p.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	p.Cleanup(func() { _ = conn.Close() })
	p.conn = conn
}

// ask sends frames and wants just these bytes; nothing wanted means the end of the connection.
func (p *pcscd) ask(frames, want string) {
	p.Helper()
	raw, err := hex.DecodeString(frames)
	if err != nil {
		p.Fatal(err)
	}
	if _, err := p.conn.Write(raw); err != nil {
		p.Fatal(err)
	}
	expected, err := hex.DecodeString(want)
	if err != nil {
		p.Fatal(err)
	}
	got := make([]byte, max(1, len(expected)))
	_, err = io.ReadFull(p.conn, got)
	if want == "" {
		if !errors.Is(err, io.EOF) {
			p.Fatalf("%s: got %v, want the end of the connection", frames, err)
		}
		return
	}
	if err != nil || !bytes.Equal(got, expected) {
		p.Fatalf("%s: got %X, %v, want %s", frames, got, err, want)
	}
}

// TestHandlesACardBehindVPCD drives a card in a slot: inserted, spoiled, torn, placed again, counted, removed.
func TestHandlesACardBehindVPCD(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	people, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	slot := vpcd.NewSlot(l.Addr().String())
	s := &Server{Hand: slot, Drawer: virtual.NewDrawer(people)} // no camera
	p := &pcscd{T: t, Listener: l}
	do := func(r Request, want string) Reply {
		t.Helper()
		reply := s.Do(r)
		if (reply.Error == "") != (want == "") || (want != "" && reply.Error != want) {
			t.Fatalf("%s: got %q, want %q", r.Do, reply.Error, want)
		}
		return reply
	}
	const selectText, on = "000F" + "00A4040C0AD3921000310001010408", "000101"
	do(Request{Do: Fault, Faults: &Faults{RemoveAt: 1}}, errNoCard.Error())
	do(Request{Do: ResetStats}, errNoCard.Error())
	do(Request{Do: Show, ID: "sato"}, errNoCamera.Error())
	do(Request{Do: ShowNothing}, errNoCamera.Error())
	// Faults can be set before the card is placed: the very first command is the one that fails.
	do(Request{Do: Fault, ID: "sato", Faults: &Faults{Rules: []Rule{{Prefix: "00a4", Nth: 1, SW: "6f00"}}}}, "")
	do(Request{Do: Insert, ID: "sato"}, "")
	p.take()
	p.ask(on+selectText, "00026F00")
	p.ask(selectText, "00029000")
	p.ask("0005"+"00B0840002", "0004"+"7F219000")
	if got := do(Request{Do: ResetStats}, ""); got.Card != "sato" || got.Gone || got.Stats.APDUs != 3 || got.Stats.Bytes != 2 {
		t.Errorf("got %+v, want 3 commands and 2 bytes", got)
	}
	p.ask("0009"+"00200091"+"0430303030", "000263C2")
	wantTries := map[string]int{
		"0100/001C": 3, "0401/001C": 3, "0402/0011": 10, "0402/0012": 10, "0402/0013": 10, "0408/0011": 2, "0408/0012": 0,
		"0408/0014": 10, "0408/0015": 10, "jpki/0018": 3, "jpki/001B": 5,
	}
	if d := cmp.Diff(wantTries, do(Request{Do: ResetStats}, "").Tries); d != "" {
		t.Error("tries (-want +got):", d)
	}
	do(Request{Do: Fault, Faults: &Faults{RefuseExtended: true}}, "")
	p.ask("0007"+"00B08400000000", "0002"+"6700")
	if got := do(Request{Do: Status}, ""); got.Stats.APDUs != 1 || got.Stats.Bytes != 0 {
		t.Errorf("got %+v, want one command since the reset", got.Stats)
	}
	// Torn in the second command: the hand sees that the card is gone, and can place it again.
	do(Request{Do: Fault, Faults: &Faults{RemoveAt: 2}}, "")
	gone := slot.Done()
	p.ask("0007"+"00B08400000000", hexOfCV(t))
	p.ask("0004"+"00200091", "")
	<-gone
	if got := do(Request{Do: Status}, ""); got.Card != "sato" || !got.Gone || slot.Card() != nil {
		t.Errorf("got %+v, want a card that left by itself", got)
	}
	do(Request{Do: Fault, Faults: &Faults{}}, "")
	do(Request{Do: Insert, ID: "sato"}, "")
	p.take()
	p.ask(on+"0004"+"00200091", "0002"+"6986") // power was away: nothing is selected
	if got := do(Request{Do: Status}, ""); got.Gone || slot.Card() == nil {
		t.Errorf("got %+v, want the card in the slot", got)
	}
	do(Request{Do: Fault, Faults: &Faults{MuteAt: 1}}, "")
	raw, err := hex.DecodeString(selectText)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Reply{}, do(Request{Do: Remove}, "")); d != "" { // a mute card can be taken away
		t.Error("(-want +got):", d)
	}
	if _, err := p.conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the end of the connection and no answer", err)
	}
	do(Request{Do: Insert, ID: "nobody"}, virtual.ErrUnknownPerson.Error())
}

// hexOfCV is the frame with the whole file 0004: 568 bytes, as committed, and 9000.
func hexOfCV(t *testing.T) string {
	t.Helper()
	cv, err := os.ReadFile("../pki/keys/virtual-cv-text.bin")
	if err != nil {
		t.Fatal(err)
	}
	return "023A" + hex.EncodeToString(cv) + "9000"
}
