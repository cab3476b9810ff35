package vpcd

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"madoguchi/hardware/virtual"
)

// driver is the side of vpcd: it accepts cards and sends frames.
type driver struct {
	net.Listener
	t *testing.T
}

func newDriver(t *testing.T) driver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return driver{l, t}
}

func (d driver) accept() net.Conn {
	d.t.Helper()
	conn, err := d.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	d.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// say sends raw frames; ask also reads as many bytes as want has.
func (d driver) say(conn net.Conn, frames string) {
	d.t.Helper()
	raw, err := hex.DecodeString(frames)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := conn.Write(raw); err != nil {
		d.t.Fatal(err)
	}
}

func (d driver) ask(conn net.Conn, frames, want string) {
	d.t.Helper()
	d.say(conn, frames)
	expected, err := hex.DecodeString(want)
	if err != nil {
		d.t.Fatal(err)
	}
	got := make([]byte, len(expected))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, expected) {
		d.t.Fatalf("%s: got %X, %v, want %s", frames, got, err, want)
	}
}

func TestFrames(t *testing.T) {
	d, card := newDriver(t), virtual.FeliCa()
	slot := NewSlot(d.Addr().String())
	if err := slot.Insert(card); err != nil {
		t.Fatal(err)
	}
	conn := d.accept()
	atr := "0014" + "3B8F8001804F0CA0000003061100" + "3B0000000042"
	d.ask(conn, "000104", atr)                                         // ATR before power
	d.ask(conn, "000101"+"000104", atr)                                // power on is not answered
	d.ask(conn, "000400A40000", "00026A81")                            // an APDU
	d.ask(conn, "0000"+"000400A40000", "00026A81")                     // an empty frame is not answered
	d.ask(conn, "000102"+"000100"+"000104", atr)                       // reset and off are not answered
	d.ask(conn, "000177"+"000104", atr)                                // nor is an unknown code
	d.ask(conn, "000101"+"0005FFCA000000", "000A012E9000000000019000") // the reader's own command
	d.ask(conn, "000100"+"000104", atr)
	if s := card.Stats(); s.PowerOns != 2 || s.PowerOffs != 2 || s.Resets != 1 || s.APDUs != 2 {
		t.Errorf("got %+v, want two of each, one reset and two APDUs", s)
	}
	if err := slot.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection", err)
	}
	if err := slot.Remove(); err != nil {
		t.Errorf("removing nothing: %v", err)
	}
}

func TestCardLeaves(t *testing.T) {
	d, card := newDriver(t), virtual.FeliCa()
	card.SetFaults(virtual.Faults{RemoveAt: 2})
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), d.Addr().String(), card) }()
	conn := d.accept()
	d.ask(conn, "000101"+"000400A40000", "00026A81")
	d.say(conn, "000400A40000")
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection and no answer", err)
	}
	if err := <-done; !errors.Is(err, ErrRemoved) {
		t.Errorf("got %v, want ErrRemoved", err)
	}
}

// TestBrokenReader: vpcd knows no transport error but the end of the connection, also for a card that stays whole.
func TestBrokenReader(t *testing.T) {
	d, card := newDriver(t), virtual.FeliCa()
	card.SetFaults(virtual.Faults{BreakExtended: true})
	slot := NewSlot(d.Addr().String())
	if slot.Card() != nil {
		t.Error("an empty slot has a card")
	}
	<-slot.Done() // closed already
	if err := slot.Insert(card); err != nil {
		t.Fatal(err)
	}
	done := slot.Done()
	conn := d.accept()
	d.ask(conn, "000101"+"000500B0000000", "00026A81")
	if slot.Card() != card {
		t.Error("the card is not in the slot")
	}
	d.say(conn, "000700B00000000000")
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection and no answer", err)
	}
	<-done
	if slot.Card() != nil {
		t.Error("the card is in the slot still")
	}
	if err := slot.Remove(); err != nil {
		t.Fatal(err)
	}
}

func TestMuteCardCanBeRemoved(t *testing.T) {
	d, card := newDriver(t), virtual.FeliCa()
	card.SetFaults(virtual.Faults{MuteAt: 1})
	slot := NewSlot(d.Addr().String())
	if err := slot.Insert(card); err != nil {
		t.Fatal(err)
	}
	conn := d.accept()
	d.say(conn, "000101"+"000400A40000")
	if err := slot.Insert(virtual.FeliCa()); err != nil { // takes the mute one out
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end of the connection and no answer", err)
	}
	d.ask(d.accept(), "000101"+"000400A40000", "00026A81")
	if err := slot.Remove(); err != nil {
		t.Fatal(err)
	}
}

func TestEnds(t *testing.T) {
	d := newDriver(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, d.Addr().String(), virtual.FeliCa()) }()
	d.accept()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("got %v, want nil at the end of ctx", err)
	}
	go func() { done <- Serve(t.Context(), d.Addr().String(), virtual.FeliCa()) }()
	_ = d.accept().Close()
	if err := <-done; err == nil || errors.Is(err, ErrRemoved) {
		t.Errorf("got %v, want an error of the connection", err)
	}
	_ = d.Close()
	if err := NewSlot(d.Addr().String()).Insert(virtual.FeliCa()); err == nil {
		t.Error("nobody listens: want an error")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0x00, 0x04, 0x00, 0xA4, 0x00, 0x00, 0x00, 0x01, 0x04})
	f.Add([]byte{0xFF, 0xFF, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, card := bytes.NewReader(raw), virtual.FeliCa()
		card.PowerOn()
		for {
			body, err := readFrame(in)
			if err != nil {
				return
			}
			if len(body) == 1 && body[0] == powerOff {
				continue // without power the card would be mute
			}
			var out bytes.Buffer
			if err := reply(t.Context(), &out, card, body); err != nil {
				t.Fatal(err)
			}
			if got := out.Bytes(); len(got) == 1 || (len(got) > 1 && len(got) != 2+int(got[0])<<8+int(got[1])) {
				t.Fatalf("got the bad frame %X", got)
			}
		}
	})
}

// TestMuteCardNoticesTheEnd: when pcscd hangs up on a mute card, the slot is empty.
func TestMuteCardNoticesTheEnd(t *testing.T) {
	d, card := newDriver(t), virtual.FeliCa()
	card.SetFaults(virtual.Faults{MuteAt: 1})
	slot := NewSlot(d.Addr().String())
	if err := slot.Insert(card); err != nil {
		t.Fatal(err)
	}
	done := slot.Done()
	conn := d.accept()
	d.ask(conn, "000101"+"000400A40000"+"000104", "0014"+"3B8F8001804F0CA0000003061100"+"3B0000000042")
	_ = conn.Close()
	<-done
	if slot.Card() != nil {
		t.Error("the card is in the slot still")
	}
}
