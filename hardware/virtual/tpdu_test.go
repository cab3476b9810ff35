package virtual_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/virtual"
)

// TestT0 plays transcripts of ISO/IEC 7816-3, 12.2, by hand: a card behind a reader on TPDU level.
func TestT0(t *testing.T) {
	number := "FF100C 313233343536373839303138 FFFF"
	for _, tc := range []struct {
		name string
		play []exchange
	}{
		{"case-1", []exchange{
			{selectText, "9000"}, {"00200091", "63C3"}, {"00200091 00", "63C3"}, {"00A40000", "9000"},
		}},
		{"case-2-wrong-length", []exchange{
			{selectText, "9000"},
			{"00200091 04 31323334", "9000"},
			{"00B08100 00", "6C11"},
			{"00B08100 11", number + "9000"},
			{"00B00003 0C", "313233343536373839303138 9000"},
			{"00B08800 11", "6C10"},
			{"00B08200 00", "-256"}, // a file of 256 bytes: no correction
		}},
		{"case-2-record", []exchange{
			{selectCommon, "9000"},
			{"00B2010C 00", "6C1E"},
			{"00B2010C 1E", "011C 393030303030303030303030303031 3133393930 3230333530323137 9000"},
			{"00B2010C 02", "011C 9000"},
		}},
		{"case-3", []exchange{
			{selectText, "9000"}, {"00200091 04 30303030", "63C2"}, {"00200091 04 31323334", "9000"},
		}},
		{"case-4", []exchange{
			{selectText, "9000"},
			{"802A0000 01 00", "6100"},
			{"00C00000 00", "-256"},
			{"00C00000 00", "6985"}, // fetched once
			{"802A0000 01 00", "6100"},
			{"80C00000 F0", "-240 6110"},
			{"00C00000 11", "6C10"},
			{"00C00000 10", "-16"},
			{"802A0000 01 00", "6100"},
			{"00C00001 00", "6A86"},
			{"00200091", "63C3"}, // anything else drops the answer
			{"00C00000 00", "6985"},
		}},
		{"no-le-after-data", []exchange{
			{selectText + "00", "6700"},
			{selectText, "9000"},
			{"802A0000 01 00 00", "6700"},
			{"00C00000 00", "6985"},
		}},
		{"no-extended", []exchange{
			{selectText, "9000"},
			{"00B08400 000000", "6700"},
			{"00200091 000004 31323334", "6700"},
			{"00200091", "63C3"}, // and no try is spent
			{"00C00000", "6985"},
			{"00C0", "6700"},
		}},
		{"statuses-are-the-same", []exchange{
			{"00A40000", "6A86"},
			{"00C00000 00", "6985"},
			{selectJPKI, "9000"},
			{"00B08100 00", "6982"},
			{"802A0097 01 00", "6982"},
			{"00EE0000", "6D00"},
			{"A0A40000", "6E00"},
			{"01A40000", "6881"},
			{"00840000 08", "-8"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, newCard(t, virtual.Options{TPDU: true}))
			for i, e := range tc.play {
				size, sw, counted := sizeOf(e.want)
				if !counted {
					play(t, s, []exchange{e})
					continue
				}
				out := send(t, s, e.send)
				if n := len(out) - 2; n != size || fmt.Sprintf("%X", out[n:]) != sw {
					t.Fatalf("line %d: %s: got %d bytes and %X, want %s", i+1, e.send, n, out[n:], e.want)
				}
			}
		})
	}
}

// sizeOf reads "-16" and "-240 6110": so many bytes and this status word, 9000 if none is written.
func sizeOf(want string) (size int, sw string, ok bool) {
	rest, ok := strings.CutPrefix(want, "-")
	if !ok {
		return 0, "", false
	}
	if _, err := fmt.Sscanf(rest+" 9000", "%d %s", &size, &sw); err != nil {
		return 0, "", false
	}
	return size, sw, true
}

// TestT0ThroughTheHelper: hardware/apdu fetches what 61xx announces and repeats what 6Cxx corrects.
func TestT0ThroughTheHelper(t *testing.T) {
	c := newCard(t, virtual.Options{TPDU: true})
	s := open(t, c)
	do := func(c apdu.Command) []byte {
		t.Helper()
		r, err := apdu.Transmit(t.Context(), s, c)
		if err != nil || r.Err() != nil {
			t.Fatalf("got %v, %v", err, r.Err())
		}
		return r.Data
	}
	do(apdu.Command{INS: 0xA4, P1: 4, P2: 0x0C, Data: unhex(t, "D392F000260100000001")})
	if got := do(apdu.Command{INS: 0xB0, P1: 0x88, Le: 256}); !bytes.Equal(got, unhex(t, "8F8F00")) {
		t.Errorf("got %X, want 8F8F00 after a corrected length", got)
	}
	cert := do(apdu.Command{INS: 0xB0, P1: 0x8A, Le: 256})
	for {
		more := do(apdu.Command{INS: 0xB0, P1: byte(len(cert) >> 8), P2: byte(len(cert)), Le: 256})
		cert = append(cert, more...)
		if len(more) < 256 || len(cert) >= 4+(int(cert[2])<<8|int(cert[3])) {
			break
		}
	}
	parsed, err := x509.ParseCertificate(trim(t, cert))
	if err != nil {
		t.Fatal(err)
	}
	do(apdu.Command{INS: 0x20, P2: 0x98, Data: []byte("1234")})
	message := []byte("m")
	sum := sha256.Sum256(message)
	signature := do(apdu.Command{CLA: 0x80, INS: 0x2A, P1: 2, P2: 0x97, Data: sum[:]})
	b := &bench{T: t, verdict: map[string]bool{}}
	b.holds("signature", cardKey(t, append(unhex(t, "9003010001 91820100"), modulus(t, parsed)...)), signature, message)
	if !b.verdict["signature"] {
		t.Error("openssl refuses the signature")
	}
}

// TestT0Reset: a reset drops the rest of an answer and nothing else.
func TestT0Reset(t *testing.T) {
	c := newCard(t, virtual.Options{TPDU: true})
	s := open(t, c)
	play(t, s, []exchange{{selectText, "9000"}, {"00200091 04 31323334", "9000"}, {"802A0000 01 00", "6100"}})
	c.Reset()
	play(t, s, []exchange{{"00C00000 00", "6985"}, {"00B08100 02", "FF10 9000"}})
}

// TestT0Messaging: a session key does not fit into a short command, so there is no session.
func TestT0Messaging(t *testing.T) {
	play(t, open(t, newCard(t, virtual.Options{TPDU: true})), []exchange{
		{selectText, "9000"},
		{"00200091 04 31323334", "9000"},
		{"80AE0000 000100" + strings.Repeat("11", 256), "6700"},
		{"08B08100 05 9603000000", "69FC"},
	})
}
