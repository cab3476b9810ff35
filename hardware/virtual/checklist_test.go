package virtual_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

// TestATRs: every answer to reset has the bytes of the public lists, and its check byte where it has one.
func TestATRs(t *testing.T) {
	want := map[string]string{
		"contactless-05": "3B888001000005E0B381A1007F", "contactless-41": "3B888001000041E0B381A1003B",
		"contactless-4b": "3B888001004B51FFB381D1000F", "contactless-106": "3B888001004B51FF0081D100BC",
		"old-reader-1": "3BF59100FF918171FE400042000100D1D6", "old-reader-2": "3BF59100FF918171FE4000420001B3A115",
		"contact-juki": "3BE000FF8131FE4514", "contact-2024": "3BDA13FF8131FB468012392F31C173C601C03B",
		"contact-short": "3BC5FF8131FB458073C6010000", "juki": "3B888001000014E0B38191005E",
		"licence": "3B888001000000009181C100D8", "licence-old-reader": "3BF59100FF918171FE4000420001B3C175",
		"felica": "3B8F8001804F0CA000000306110" + "03B0000000042", "mifare": "3B8F8001804F0CA0000003060300010000000" + "06A",
		"plain": "3B80800101",
	}
	got := map[string]string{}
	for _, name := range virtual.ATRs() {
		b := virtual.ATR(name)
		got[name] = strings.ToUpper(hex.EncodeToString(b))
		c := newCard(t, virtual.Options{ATR: b})
		if !bytes.Equal(c.PowerOn(), b) {
			t.Errorf("%s: the card answers otherwise", name)
		}
		sum := byte(0)
		for _, x := range b[1:] {
			sum ^= x
		}
		if sum != 0 && name != "contact-short" { // as published, its last byte is no check byte
			t.Errorf("%s: the check byte is wrong", name)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("(-want +got):", d)
	}
	if virtual.ATR("unknown") != nil {
		t.Error("an unknown name has no ATR")
	}
}

func TestChecklist(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    virtual.Options
		play []exchange
	}{
		{"first-command-fails", virtual.Options{FirstFails: true}, []exchange{
			{"00A40000", "6F00"}, {"00A40000", "6A86"},
		}},
		{"select-without-fci-and-with", virtual.Options{}, []exchange{
			{selectText, "9000"}, {"00A40400 0A D3921000310001010408 00", "9000"}, {"00A40404 0A D3921000310001010408", "6A86"},
		}},
		{"select-partial-aid", virtual.Options{}, []exchange{
			{"00A4040C 05 D392F00026", "9000"},
			{"00B08600 04", "4A504B49 9000"},
			{"00A4040C 09 D39210003100010104", "9000"}, // the first that begins so
			{"00A4040C 04 D392F000", "6A82"},
			{"00A4040C 0B D392F00026010000000100", "6A82"},
			{"00A4040C 00", "6700"},
		}},
		{"select-master", virtual.Options{}, []exchange{
			{"00A40000", "6A86"},
			{"00A40000 02 3F00", "6A82"},
			{selectText, "9000"},
			{"00B08400 02", "7F21 9000"},
			{"00A40000", "9000"},
			{"00B00000 02", "7F21 9000"}, // without effect: application and file are still selected
			{"00A4040C 07 A0000001510000", "9000"},
			{"00A40000", "6A86"}, // as after power-up
		}},
		{"select-drops-the-file", virtual.Options{}, []exchange{
			{selectText, "9000"},
			{"00A4020C 02 0004", "9000"},
			{"00B00000 02", "7F21 9000"},
			{selectText, "9000"},
			{"00B00000 02", "6986"},
			{"00A4020C 02 0030", "6A82"},
		}},
		{"select-drops-the-rights", virtual.Options{}, []exchange{
			{selectText, "9000"},
			{"00200091 04 31323334", "9000"},
			{selectFace, "9000"},
			{selectText, "9000"},
			{"00B08100 02", "6982"},
		}},
		{"select-keeps-the-rights", virtual.Options{KeepRightsOnSelect: true}, []exchange{
			{selectText, "9000"},
			{"00200091 04 31323334", "9000"},
			{selectFace, "9000"},
			{selectText, "9000"},
			{"00B08100 02", "FF10 9000"},
		}},
		{"read-at-the-end", virtual.Options{}, []exchange{
			{selectText, "9000"},
			{"00A4020C 02 0008", "9000"},
			{"00B00000 00", strings.Repeat("FF", 16) + "9000"},
			{"00B0000E 00", "FFFF 9000"}, // shorter than asked for
			{"00B0000F 000000", "FF 9000"},
			{"00B00010 00", "6B00"},
			{"00B07FFF 01", "6B00"}, // 15 bits
			{"00B08810 01", "6B00"},
			{"00B00000 01 00", "6700"},
		}},
		{"read-what-is-no-data", virtual.Options{}, []exchange{
			{selectText, "9000"}, {"00B09100 00", "6981"}, {"00B09300 00", "6981"}, {"00B20194 00", "6981"}, // a PIN, a key
		}},
		{"blocked-query-6984", virtual.Options{WithoutPIN: true, BlockedQuery: 0x6984}, []exchange{
			{selectText, "9000"}, {"00200091", "6984"}, {"00200095", "63CA"},
		}},
		{"without-pin", virtual.Options{WithoutPIN: true}, []exchange{
			{selectText, "9000"},
			{"00200091", "63C0"},
			{"00200091 04 31323334", "6984"},
			{"00200095 0E 3535303231373230333532323835", "9000"},
			{"00B08200 02", "FF20 9000"},
			{selectJPKI, "9000"},
			{"00200098", "63C0"},
			{"0020009B", "63C0"},
			{"0020009B 06 414243313233", "6984"},
			{selectJuki, "9000"},
			{"0020009C", "63C0"},
			{selectCommon, "9000"},
			{"0020009C", "63C0"},
		}},
		{"verify-lengths", virtual.Options{}, []exchange{
			{selectText, "9000"},
			{"00200091 01 31", "63C2"},
			{"00200091 10 31313131313131313131313131313131", "63C1"},
			{"00200091 11 3131313131313131313131313131313131", "6700"}, // 17: refused, and no try is spent
			{"00200091", "63C1"},
			{"00A4020C 02 0011", "9000"},
			{"00200080 04 31323334", "9000"},
			{"00200080", "63C3"},
		}},
		{"get-data", virtual.Options{}, []exchange{
			{"00CA00F0 00", "3133393930 9000"},
			{"00CA00F2 00", "3230333530323137 9000"},
			{"00CA00F2 08", "3230333530323137 9000"},
			{"00CA00F2 07", "6700"},
			{"00CA0042 00", "39303030303230 0805 303031 202601A8 9000"},
			{"00CA00F7 00", "39303030303231 0805 303031 202601A8 9000"},
			{"00CA0045 00", "393030303030303030303030303031 9000"},
			{"00CA0066 00", "732F 06072A864886FC6B01 600C060A2A864886FC6B02020101 630906072A864886FC6B03 640B06092A864886FC6B040215 9000"},
			{"00CA7F21 00", "6700"}, // more than 256 bytes
			{"00CA00F8 00", "6700"},
			{"00CA00F0", "6700"},
			{"00CA00F3 00", "6A88"},
			{selectText, "9000"},
			{"00CA00F0 00", "6A88"}, // of the master file
			{"00CA5F51 00", "E000FF8131FE4514 9000"},
			{"00A4040C 07 A0000001510000", "9000"},
			{"00CA00F2 00", "3230333530323137 9000"},
		}},
		{"classes-and-channels", virtual.Options{}, []exchange{
			{"01B08200 00", "6881"},
			{"02B08200 00", "6881"},
			{"03B08200 00", "6881"},
			{"10A40000", "6E00"},
			{"40A40000", "6E00"},
			{"81A40000", "6E00"},
			{"A0A40000", "6E00"},
			{"FFA40000", "6E00"},
			{"08A40000", "69FC"},
			{"0CA40000", "69FC"},
			{"00B10000", "6D00"},
			{"00D60000", "6D00"},
			{"002C0000", "6D00"},
			{"80A20000", "6D00"},
			{"80AE0000", "66F1"},
		}},
		{"default-keys", virtual.Options{}, []exchange{
			{selectText, "9000"},
			{"802A0085 01 00 00", "6981"},
			{"802A009F 01 00 00", "6A82"},
			{"802A0093 01 00", "-256"},
			{"802A0000 01 00 00", "-256"},
			{selectFace, "9000"},
			{"802A009A 01 00 00", "-256"},
			{"802A0500 01 00 00", "-256"},
			{"802A0400 01 00 00", "6985"},
			{"802A0180 01 00 00", "-256"},
		}},
		{"internal-authenticate", virtual.Options{}, []exchange{
			{selectCommon, "9000"},
			{"00880099 04 01020304 00", "-256"},
			{"00880098 04 01020304 00", "6A82"},
			{"00880199 04 01020304 00", "6A86"},
			{"00880019 04 01020304 00", "6A86"},
			{"00880099", "6700"},
			{selectFace, "9000"},
			{"0088009A 04 01020304 00", "6985"},
			{selectJPKI, "9000"},
			{"00200098 04 31323334", "9000"},
			{"00880097 04 01020304 00", "6982"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, newCard(t, tc.o))
			for i, e := range tc.play {
				if e.want == "-256" { // a signature, judged elsewhere
					if got := len(data(t, s, e.send)); got != 256 {
						t.Fatalf("line %d: got %d bytes, want 256", i+1, got)
					}
					continue
				}
				play(t, s, []exchange{e})
			}
		})
	}
}

// TestEveryCommandCanBeTorn removes the card at each command of a reading in turn, before and after it took
// effect: the session ends there, and not more than one try is spent.
func TestEveryCommandCanBeTorn(t *testing.T) {
	script := []string{selectText, "00200091", "00200091 04 30303030", "00B08200 00", selectFace, "00B08400 00"}
	for n := 1; n <= len(script); n++ {
		for _, processed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d-%v", n, processed), func(t *testing.T) {
				c := newCard(t)
				s := open(t, c)
				c.SetFaults(virtual.Faults{RemoveAt: n, RemoveProcessed: processed})
				for i, command := range script {
					out, err := s.Transmit(t.Context(), unhex(t, command))
					if (err != nil) != (i+1 >= n) || (err == nil) != (len(out) >= 2) {
						t.Fatalf("command %d: got %d bytes, %v", i+1, len(out), err)
					}
				}
				want := 3
				if n > 3 || (n == 3 && processed) {
					want = 2
				}
				if got := c.TriesLeft("0408", 0x0011); got != want {
					t.Errorf("got %d tries left, want %d", got, want)
				}
			})
		}
	}
}

// TestPUPI: what FF CA tells is the reader's business, new at each activation, while the ATR stays.
func TestPUPI(t *testing.T) {
	c := newCard(t)
	r := virtual.NewReader()
	seen, atrs := map[string]bool{}, map[string]bool{}
	for range 3 {
		if err := r.Insert(c); err != nil {
			t.Fatal(err)
		}
		s, err := r.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first, again := data(t, s, "FFCA0000 00"), data(t, s, "FFCA0000 04")
		if len(first) != 4 || !bytes.Equal(first, again) {
			t.Errorf("got %X and %X, want four bytes twice", first, again)
		}
		seen[string(first)], atrs[string(c.ATR())] = true, true
		play(t, s, []exchange{{"FFCA0000 02", "6C04"}, {"FFCA0100 00", "6A86"}, {"FFA40000", "6E00"}})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 3 || len(atrs) != 1 {
		t.Errorf("got %d ids and %d ATRs, want 3 and 1", len(seen), len(atrs))
	}
	if got := c.Stats().APDUs; got != 3 {
		t.Errorf("got %d commands, want 3: FF CA never reaches the card", got)
	}
	play(t, open(t, virtual.FeliCa()), []exchange{{"FFCA0000 00", "012E900000000001 9000"}})
}

// TestExtendedTrouble: readers that break or dawdle at extended commands.
func TestExtendedTrouble(t *testing.T) {
	c := newCard(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, c)
		data(t, s, selectText)
		c.SetFaults(virtual.Faults{BreakExtended: true, Delay: time.Second})
		start := time.Now()
		out, err := s.Transmit(t.Context(), unhex(t, "00B08400 000000"))
		if err == nil || out != nil || time.Since(start) != time.Second {
			t.Errorf("got %X, %v after %v, want a transport error after a second", out, err, time.Since(start))
		}
		play(t, s, []exchange{{"00B08400 02", "7F21 9000"}}) // the card lies there still
		c.SetFaults(virtual.Faults{ExtendedDelay: 2500 * time.Millisecond})
		start = time.Now()
		data(t, s, "00B08400 000000")
		data(t, s, "00B08400 00")
		if got := time.Since(start); got != 2500*time.Millisecond {
			t.Errorf("got %v, want the time of one frame waiting time extension", got)
		}
	})
}

func TestSigningTakesTime(t *testing.T) {
	c := newCard(t, virtual.Options{SignTime: 700 * time.Millisecond})
	synctest.Test(t, func(t *testing.T) {
		s := open(t, c)
		start := time.Now()
		data(t, s, selectText)
		data(t, s, "00840000 08")
		play(t, s, []exchange{{"802A0600 01 00 00", "6A86"}})
		if got := time.Since(start); got != 0 {
			t.Errorf("got %v, want no time for anything but signatures", got)
		}
		data(t, s, "802A0000 01 00 00")
		if got := time.Since(start); got != 700*time.Millisecond {
			t.Errorf("got %v, want 700ms", got)
		}
	})
}

// TestCounting: commands and bytes of a script, counted by hand.
func TestCounting(t *testing.T) {
	c := newCard(t)
	s := open(t, c)
	c.ResetStats()
	play(t, s, []exchange{
		{selectText, "9000"},                                   // sends 15
		{"00200091 04 31323334", "9000"},                       // 9
		{"00B08400 02", "7F21 9000"},                           // 5, gets 2
		{"00B08800 000000", strings.Repeat("FF", 16) + "9000"}, // 7, gets 16
		{"00B09F00 00", "6A82"},                                // 5
	})
	got := c.ResetStats()
	want := virtual.Stats{
		APDUs: 5, Sent: 41, Bytes: 18, Selects: map[string]int{"0408": 1}, Reads: map[string]int{"0408/0004": 1, "0408/0008": 1},
		Verifies: map[string]int{"0408/0011": 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("(-want +got):", d)
	}
	if d := cmp.Diff(virtual.Stats{}, c.Stats()); d != "" {
		t.Error("after the reset (-want +got):", d)
	}
	play(t, s, []exchange{{"00B08100 02", "FF10 9000"}}) // rights and tries are not touched by a reset
	c.SetFaults(virtual.Faults{RemoveAt: 1})
	if _, err := s.Transmit(t.Context(), unhex(t, selectText)); err == nil {
		t.Error("want a removal")
	}
	if got := c.Stats(); got.APDUs != 2 || got.Bytes != 2 || got.Sent != 20 || got.PowerOffs != 1 {
		t.Errorf("got %+v: an answer that was lost has no bytes", got)
	}
}

// TestMasterChain: 00F8 holds under the issuer key, read from its file, and 7F21 under the key that 00F8 certifies.
func TestMasterChain(t *testing.T) {
	s := open(t, newCard(t))
	key := "" // PEM of the key that must have signed the next certificate
	for _, link := range []struct{ tag, issuer, subject string }{{"00F8", "9000020", "9000021"}, {"7F21", "9000021", "9000022"}} {
		cv := data(t, s, "00CA"+link.tag+"000000")
		if len(cv) != 563 || !bytes.HasPrefix(cv, append(unhex(t, "5F4E820129"), link.issuer...)) || string(cv[21:28]) != link.subject {
			t.Fatalf("%s: got %d bytes that begin %X", link.tag, len(cv), cv[:min(40, len(cv))])
		}
		signature, body := file(t, "sig", cv[307:]), file(t, "m", cv[5:302])
		if key == "" {
			openssl(t, "dgst", "-sha256", "-prverify", "pki/keys/virtual-issuer-chain.pem", "-signature", signature, body)
		} else {
			openssl(t, "dgst", "-sha256", "-verify", key, "-signature", signature, body)
		}
		key = public(t, cardKey(t, cv[37:302]))
	}
}

var _ reader.Reader = (*virtual.Reader)(nil)
