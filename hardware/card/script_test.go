package card_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"madoguchi/hardware/card"
	"madoguchi/internal/secret"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// errPulled is what the transport of these tests fails with.
var errPulled = errors.New("test: pulled")

// script plays a hand-written transcript: commands and answers in hex; the answer "pull" is a transport error.
// It keeps the command buffers, to see that they are wiped.
type script struct {
	t     *testing.T
	steps []string
	kept  [][]byte
}

func play(t *testing.T, parts ...[]string) *script {
	t.Helper()
	s := &script{t: t}
	for _, p := range parts {
		s.steps = append(s.steps, p...)
	}
	return s
}

func (s *script) Transmit(_ context.Context, command []byte) ([]byte, error) {
	s.t.Helper()
	if len(s.steps) < 2 {
		s.t.Fatalf("command %X after the end of the transcript", command)
	}
	want, answer := unhex(s.t, s.steps[0]), s.steps[1]
	s.steps = s.steps[2:]
	if !bytes.Equal(command, want) {
		s.t.Fatalf("got command %X, want %X", command, want)
	}
	s.kept = append(s.kept, command)
	if answer == "pull" {
		return nil, errPulled
	}
	return unhex(s.t, answer), nil
}

// done checks that the whole transcript was played and that no command buffer survived.
func (s *script) done() {
	s.t.Helper()
	if len(s.steps) != 0 {
		s.t.Fatalf("not played: %q", s.steps)
	}
	for _, b := range s.kept {
		if !bytes.Equal(b, make([]byte, len(b))) {
			s.t.Fatalf("command buffer %X was not wiped", b)
		}
	}
}

// Commands in hex, written by hand from ISO 7816-4.
const (
	selJPKI    = "00A4040C0A D392F000260100000001"
	selText    = "00A4040C0A D3921000310001010408"
	selFace    = "00A4040C0A D3921000310001010402"
	selCommon  = "00A4040C0A D3921000310001010100"
	selLicence = "00A4040C10 A0000002310100000000000000000000"
	selResid   = "00A4040C10 D392F0004F0200000000000000000000"
	selPass    = "00A4040C07 A0000002471001"
	selMaster  = "00A4000002 3F00"
	readToken  = "00B0860000 0000"
	readRecord = "00B2010C00"
	token2     = "4A504B494150494343544F4B454E3220 20202020202020202020202020202020"
	// 4000000000 00123 | 13221 | 20350217
	record = "011C 34303030303030303030303031323331333232313230333530323137 FFFF"
)

// identified is the transcript of a My Number Card being identified with extended commands: four of them.
func identified() []string {
	return []string{
		selJPKI, "9000",
		readToken, token2 + strings.Repeat("00", 128) + "9000",
		selCommon, "9000",
		readRecord, record + "9000",
	}
}

func openCard(t *testing.T, s card.Transport, opt card.Options) *card.Card {
	t.Helper()
	c, err := card.Open(t.Context(), s, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func digits(s string) *secret.Bytes { return secret.New([]byte(s)) }
