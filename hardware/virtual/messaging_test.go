package virtual_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
)

// The session of these tests: 32 bytes of seed, of which openssl is given the first 16 as the key.
const (
	seed       = "00112233445566778899AABBCCDDEEFF F0E1D2C3B4A5968778695A4B3C2D1E0F"
	sessionKey = "00112233445566778899AABBCCDDEEFF"
	verifyPIN  = "00200091 04 31323334"
)

// terminal is the other end of secure messaging, played by openssl alone: nothing of the code under test encrypts.
type terminal struct {
	*testing.T
	s       reader.Session
	counter int
}

// aes lets openssl encrypt whole blocks under the session key.
func (m *terminal) aes(mode, blocks string, more ...string) string {
	m.Helper()
	out := filepath.Join(m.TempDir(), "out")
	args := []string{"enc", "-aes-128-" + mode, "-K", sessionKey, "-nopad", "-in", file(m.T, "in", unhex(m, blocks)), "-out", out}
	openssl(m.T, append(args, more...)...)
	b, err := os.ReadFile(out)
	if err != nil {
		m.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// cryptogram encrypts blocks, padding and all, under the vector of a counter: the counter encrypted.
func (m *terminal) cryptogram(counter int, blocks string) string {
	m.Helper()
	return m.aes("cbc", blocks, "-iv", m.aes("ecb", fmt.Sprintf("%032x", counter)))
}

// deliver encrypts a key message to the key in EF 0006 and returns the command.
func (m *terminal) deliver(message string, more ...string) string {
	m.Helper()
	raw := data(m.T, m.s, "00B08600 000000")
	if len(raw) != 269 || !bytes.HasPrefix(raw, unhex(m, "A1820109")) {
		m.Fatalf("got %d bytes, %X", len(raw), raw[:4])
	}
	out := filepath.Join(m.TempDir(), "out")
	args := []string{
		"pkeyutl", "-encrypt", "-pubin", "-inkey", public(m.T, cardKey(m.T, raw[4:])), "-in", file(m.T, "in", unhex(m, message)),
		"-out", out, "-pkeyopt", "rsa_padding_mode:oaep",
	}
	if more == nil {
		more = []string{"-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"}
	}
	openssl(m.T, append(args, more...)...)
	b, err := os.ReadFile(out)
	if err != nil {
		m.Fatal(err)
	}
	return "80AE0000 000100" + hex.EncodeToString(b)
}

// talk opens a session on a card whose PIN was presented.
func talk(t *testing.T, o ...virtual.Options) (*terminal, *virtual.Card) {
	t.Helper()
	c := newCard(t, o...)
	m := &terminal{T: t, s: open(t, c), counter: 1}
	play(t, m.s, []exchange{{selectText, "9000"}, {verifyPIN, "9000"}})
	play(t, m.s, []exchange{{m.deliver("A0228020" + seed), "9000"}})
	return m, c
}

// send sends data blocks under the next counter and wants a bare status word.
func (m *terminal) send(header, blocks, want string) {
	m.Helper()
	ct := m.cryptogram(m.counter, blocks)
	m.counter++
	n := len(ct)/2 + 1
	play(m.T, m.s, []exchange{{fmt.Sprintf("%s %02X 86%02X01%s", header, n+2, n, ct), want}})
}

// read reads in the session and wants blocks, padding and all; object is tag, length and 01 of the answer, by hand.
func (m *terminal) read(p1p2, le, object, blocks string) {
	m.Helper()
	ct := m.cryptogram(m.counter, blocks)
	m.counter++
	play(m.T, m.s, []exchange{{"08B0" + p1p2 + "000005 960300" + le + "0000", object + ct + "9000"}})
}

// Data with their padding, by hand.
var (
	pin1234   = "31323334 80 0000000000000000000000"
	pin0000   = "30303030 80 0000000000000000000000"
	codeA     = "313233343536373839303138 80 000000"
	codeB     = "3535303231373230333532323835 80 00"
	file0001  = "0001 80 " + strings.Repeat("00", 13)
	file0008  = "0008 80 " + strings.Repeat("00", 13)
	theNumber = "FF100C 313233343536373839303138 FFFF 80" + strings.Repeat("00", 14) // 17 bytes in two blocks
)

// TestSecureMessaging: the round trip, every byte by openssl.
func TestSecureMessaging(t *testing.T) {
	m, c := talk(t)
	m.send("0820 0094", codeA, "9000")
	m.send("08A4 020C", file0001, "9000")
	m.read("0000", "0000", "86 21 01", theNumber)
	m.read("0003", "000C", "86 11 01", codeA) // 12 bytes from offset 3: the number without its header
	m.read("8100", "0003", "86 11 01", "FF100C 80 "+strings.Repeat("00", 12))
	play(t, m.s, []exchange{ // commands in clear take no step of the counter
		{"00B00000 03", "FF100C 9000"}, {"00200094", "63CA"},
	})
	m.send("08A4 020C", file0008, "9000")
	m.read("0000", "0000", "86 21 01", strings.Repeat("FF", 16)+"80"+strings.Repeat("00", 15)) // whole blocks grow by one
	m.read("8400", "0078", "86 81 81 01", "7F21820233 5F4E820129"+hex.EncodeToString(data(t, m.s, "00B0840A 6E"))+"80"+strings.Repeat("00", 7))
	if got := c.TriesLeft("0408", 0x0014); got != 10 {
		t.Errorf("got %d tries, want 10", got)
	}
}

// TestSecureMessagingLongAnswer: 568 bytes come as one object with a length of two bytes.
func TestSecureMessagingLongAnswer(t *testing.T) {
	m, _ := talk(t)
	cv := hex.EncodeToString(data(t, m.s, "00B08400 000000"))
	m.read("8400", "0000", "86 82 0241 01", cv+"80"+strings.Repeat("00", 7))
	m.counter++ // refused by the application, a step all the same: the answer does not fit into 256 bytes
	play(t, m.s, []exchange{{"08B08400 05 9603000000 00", "6700"}})
	m.counter++
	play(t, m.s, []exchange{{"08B08400 05 9603000000", "6700"}}) // no Le at all
	m.read("8400", "0002", "86 11 01", "7F21 80 "+strings.Repeat("00", 13))
}

// TestSecureMessagingTries: a wrong value is spent as in clear, and a refusal is a step of the counter.
func TestSecureMessagingTries(t *testing.T) {
	m, c := talk(t)
	m.send("0820 0091", pin0000, "63C2")
	m.send("0820 0091", pin0000, "63C1")
	m.send("0820 0091", pin1234, "9000")
	m.send("0820 0092", pin1234, "6984") // the blocked reference
	m.send("0820 0095", codeA, "63C9")
	m.send("0820 0095", codeB, "9000")
	m.send("0820 0094", "31313131313131313131313131313131 3180"+strings.Repeat("00", 14), "6700") // 17 bytes: no try
	m.send("0820 009F", pin1234, "6A82")
	m.send("08A4 020C", "0077 80 "+strings.Repeat("00", 13), "6A82")
	m.counter++
	play(t, m.s, []exchange{{"08B09100 000005 9603000000 0000", "6981"}}) // a PIN file
	m.send("0820 0091", pin0000, "63C2")
	m.send("0820 0091", pin0000, "63C1")
	m.send("0820 0091", pin0000, "63C0")
	m.send("0820 0091", pin1234, "6984") // right, but too late
	for file, want := range map[uint16]int{0x0011: 0, 0x0014: 10, 0x0015: 10} {
		if got := c.TriesLeft("0408", file); got != want {
			t.Errorf("%04X: got %d tries, want %d", file, got, want)
		}
	}
	if got := c.Stats().Verifies["0408/0011"]; got != 8 {
		t.Errorf("got %d VERIFY, want one in clear and seven in the session", got)
	}
}

// TestSecureMessagingErrors: whatever is wrong with the messaging itself ends the session, spends no try and
// changes nothing; the application's rights stay.
func TestSecureMessagingErrors(t *testing.T) {
	m, _ := talk(t)
	good := m.cryptogram(1, pin0000) // a wrong PIN, so that a try would be seen
	other := m.cryptogram(2, pin0000)
	for _, tc := range []struct{ name, send, want string }{
		{"wrong-counter", "08200091 13 861101" + other, "6988"},
		{"flipped", "08200091 13 861101" + good[:30] + "00", "6988"},
		{"no-padding", "08200091 13 861101" + m.cryptogram(1, strings.Repeat("31", 16)), "6988"},
		{"only-zeros", "08200091 13 861101" + m.cryptogram(1, strings.Repeat("00", 16)), "6988"},
		{"padding-of-a-whole-block", "08200091 23 862101" + m.cryptogram(1, "30303030"+strings.Repeat("30", 11)+"80"+strings.Repeat("00", 16)), "6988"},
		{"indicator", "08200091 13 861102" + good, "6988"},
		{"no-indicator", "08200091 12 8610" + good, "6988"},
		{"not-whole-blocks", "08200091 12 861001" + good[:30], "6988"},
		{"empty-object", "08200091 02 8600", "6988"},
		{"only-indicator", "08200091 03 860101", "6988"},
		{"tag-for-reading", "08200091 05 9603000010", "6988"},
		{"tag-for-writing", "08B08100 000013 861101" + good + "0000", "6988"},
		{"another-tag", "08200091 13 871101" + good, "6988"},
		{"two-objects", "08200091 26 861101" + good + "861101" + good, "6988"},
		{"longer-than-said", "08200091 23 861101" + m.cryptogram(1, strings.Repeat("30", 16)+"80"+strings.Repeat("00", 15)), "6988"},
		{"cut", "08200091 12 861101" + good[:30], "6988"},
		{"length-bomb", "08200091 06 8684FFFFFFFF", "6988"},
		{"length-form", "08200091 03 868201", "6988"},
		{"one-byte", "08200091 01 86", "6988"},
		{"long-le", "08B08100 000006 960400000010 0000", "6988"},
		{"le-not-zero", "08B08100 000005 9603010010 0000", "6988"},
		{"no-object", "08200091", "6987"},
		{"no-object-read", "08B08100 000000", "6987"},
		{"header-authenticated", "0C200091 13 861101" + good, "6987"},
		{"sign", "082A0000 13 861101" + good + "00", "6882"},
		{"change", "08240191 13 861101" + good, "6882"},
		{"get-data", "08CA00F0 00", "6882"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, c := talk(t)
			play(t, m.s, []exchange{
				{tc.send, tc.want},
				{"08200091 13 861101" + good, "69FC"}, // the session is gone
				{"0CB08100 00", "69FC"},
				{"00B08100 02", "FF10 9000"}, // what the PIN opened is open
				{"00200091", "63C3"},
			})
			if got := c.Stats().Verifies["0408/0011"]; got != 1 {
				t.Errorf("got %d VERIFY, want the one in clear", got)
			}
			play(t, m.s, []exchange{{m.deliver("A0228020" + seed), "9000"}}) // a new one begins at 1
			m.send("0820 0091", pin1234, "9000")
		})
	}
	play(t, m.s, []exchange{{"08200091 14 86811101" + good, "63C2"}}) // the long form of a length is taken
}

// TestSetSessionKey: who may deliver a key, and what a key message looks like.
func TestSetSessionKey(t *testing.T) {
	c := newCard(t)
	m := &terminal{T: t, s: open(t, c)}
	junk := "80AE0000 000100" + strings.Repeat("11", 256)
	play(t, m.s, []exchange{
		{junk, "66F1"}, // no application
		{selectFace, "9000"},
		{junk, "66F1"},
		{selectCommon, "9000"},
		{junk, "66F1"},
		{selectJPKI, "9000"},
		{junk, "6982"},
		{"00200098 04 31323334", "9000"},
		{junk, "6982"},
		{"08B08A00 00", "69FC"},
		{selectJuki, "9000"},
		{junk, "6982"},
		{selectText, "9000"},
		{junk, "6982"},
		{"00B08600 00", "6982"}, // nor is the key there to read
		{"00200094 0C 313233343536373839303138", "9000"},
	})
	play(t, m.s, []exchange{
		{m.deliver("A0228020" + seed), "6982"}, // number A opens the file, not the session
		{"00200095 0E 3535303231373230333532323835", "9000"},
		{m.deliver("A0228020" + seed), "6982"},
		{verifyPIN, "9000"},
		{junk, "6A80"}, // 1111... is less than the modulus
		{"80AE0000 000100" + strings.Repeat("FF", 256), "6F00"},
		{"80AE0000 0000FF" + strings.Repeat("11", 255), "6700"},
		{"80AE0000 FF" + strings.Repeat("11", 255), "6700"},
		{"80AE0000", "6700"},
		{"80AE0100 000100" + strings.Repeat("11", 256), "6A86"},
		{m.deliver("A0228120" + seed), "6A80"}, // a key for checksums
		{m.deliver("A0448020" + seed + "8120" + seed), "6A80"},
		{m.deliver("A0218020" + seed), "6A80"},
		{m.deliver("A0228020" + seed[:len(seed)-2]), "6A80"},
		{m.deliver("A0228020" + seed + "00"), "6A80"},
		{m.deliver("A0128010" + sessionKey), "6A80"},
		{m.deliver(seed), "6A80"},
		{m.deliver("A0228020"+seed, "-pkeyopt", "rsa_oaep_md:sha1"), "6A80"},
		{m.deliver("A0228020"+seed, "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha1"), "6A80"},
		{"08200091 13 861101" + strings.Repeat("11", 16), "69FC"}, // still no session
		{m.deliver("A0228020" + seed), "9000"},
	})
	m.counter = 1
	m.send("0820 0091", pin1234, "9000")
	play(t, m.s, []exchange{{junk, "6A80"}}) // a refused key leaves the session
	m.send("0820 0091", pin1234, "9000")
	play(t, m.s, []exchange{{m.deliver("A0228020" + seed), "9000"}}) // a new key, from 1 again
	m.counter = 1
	m.send("0820 0091", pin1234, "9000")
	for _, other := range []*virtual.Card{virtual.DriversLicence(), virtual.Passport()} {
		play(t, open(t, other), []exchange{{junk, "6D00"}, {"08B08500 00", "6982"}})
	}
}

// TestSecureMessagingEnds: what a session does not outlive.
func TestSecureMessagingEnds(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for name, play1 := range map[string][]exchange{
			"select-another":    {{selectFace, "9000"}, {selectText, "9000"}},
			"select-itself":     {{selectText, "9000"}},
			"select-the-master": {{"00A4040C 07 A0000001510000", "9000"}, {selectText, "9000"}},
		} {
			t.Run(fmt.Sprintf("%s-%v", name, keep), func(t *testing.T) {
				m, _ := talk(t, virtual.Options{KeepRightsOnSelect: keep})
				play(t, m.s, play1)
				m.send("0820 0091", pin1234, "69FC")
			})
		}
	}
	t.Run("select-inside", func(t *testing.T) {
		m, _ := talk(t)
		m.send("08A4 040C", "D3921000310001010408 80 0000000000", "9000")
		m.send("0820 0091", pin1234, "69FC")
		play(t, m.s, []exchange{{"00B08100 02", "6982"}})
	})
	t.Run("failed-select", func(t *testing.T) {
		m, _ := talk(t)
		play(t, m.s, []exchange{{"00A4040C 07 A0000002471001", "6A82"}})
		m.send("0820 0091", pin1234, "9000")
	})
	t.Run("power", func(t *testing.T) {
		m, c := talk(t)
		c.PowerOff()
		c.PowerOn()
		m.send("08A4 020C", file0001, "69FC")
		play(t, m.s, []exchange{{selectText, "9000"}})
		m.send("0820 0091", pin1234, "69FC")
	})
	t.Run("warm-reset-keeps-it", func(t *testing.T) { // as it keeps verified PINs
		m, c := talk(t)
		c.Reset()
		m.send("0820 0091", pin1234, "9000")
	})
	t.Run("lifted-in-mid-command", func(t *testing.T) {
		m, c := talk(t)
		c.SetFaults(virtual.Faults{RemoveAt: 1, RemoveProcessed: true})
		ct := m.cryptogram(1, pin0000)
		if _, err := m.s.Transmit(t.Context(), unhex(t, "08200091 13 861101"+ct)); err == nil {
			t.Fatal("want a removal")
		}
		if got := c.TriesLeft("0408", 0x0011); got != 2 {
			t.Errorf("got %d tries, want 2: the command took effect", got)
		}
		c.PowerOn()
		m.s = open(t, c)
		play(t, m.s, []exchange{{selectText, "9000"}, {"08200091 13 861101" + ct, "69FC"}})
	})
}

// FuzzSecureMessaging: whatever comes in a session, the card answers with a status word, and once the session has
// ended no command of its class is taken.
func FuzzSecureMessaging(f *testing.F) {
	card, key := newCard(f), deliveredOnce(f)
	for _, s := range []string{
		"08200091 13 861101 00112233445566778899AABBCCDDEEFF", "08B08100 000005 9603000000 0000", "08A4020C 05 8603010001",
		"0CB08100 00", "08B08100 05 9603000000 00", "08200091 03 868201", "08CA00F0 00", "80A206C1 000001 7F",
	} {
		f.Add(unhex(f, s), unhex(f, "08B08400 000005 9603000000 0000"))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		if card.TriesLeft("0408", 0x0011) < 2 { // spent or blocked, as a fuzzer may do
			card = newCard(t)
		}
		card.PowerOn()
		defer card.PowerOff()
		for _, c := range []string{selectText, verifyPIN, key} {
			if a := card.Exchange(unhex(t, c)); !bytes.HasSuffix(a.Data, []byte{0x90, 0x00}) {
				card = newCard(t) // the PIN was changed
				return
			}
		}
		ended := false
		for _, cmd := range [][]byte{one, two, one} {
			out := card.Exchange(cmd).Data
			if len(out) < 2 {
				t.Fatal("got no status word")
			}
			if ended && len(cmd) >= 4 && cmd[0] == 0x08 && !bytes.Equal(out, []byte{0x69, 0xFC}) && !bytes.Equal(out, []byte{0x67, 0x00}) {
				t.Fatalf("got %X after the end of the session", out)
			}
			sw := out[len(out)-2:]
			ended = ended || bytes.Equal(sw, []byte{0x69, 0x88}) || bytes.Equal(sw, []byte{0x69, 0x87}) || bytes.Equal(sw, []byte{0x69, 0xFC})
			if len(cmd) >= 2 && cmd[0] == 0x80 && cmd[1] == 0xAE {
				ended = false
			}
		}
	})
}

// deliveredOnce is a key message encrypted by crypto/rsa, for the fuzz target only.
func deliveredOnce(f *testing.F) string {
	f.Helper()
	c := newCard(f)
	c.PowerOn()
	for _, s := range []string{selectText, verifyPIN} {
		c.Exchange(unhex(f, s))
	}
	raw := c.Exchange(unhex(f, "00B08600 000000")).Data
	return "80AE0000 000100" + hex.EncodeToString(oaep(f, raw[13:269], unhex(f, "A0228020"+seed)))
}
