package apdu_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"madoguchi/hardware/apdu"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCommandBytes(t *testing.T) {
	long := bytes.Repeat([]byte{0xAB}, 256)
	for _, tc := range []struct {
		name string
		c    apdu.Command
		want string
	}{
		{"case-1", apdu.Command{INS: 0x20, P2: 0x91}, "00200091"},
		{"case-2-short", apdu.Command{INS: 0xB0, P1: 0x86, Le: 32}, "00B0860020"},
		{"case-2-short-256", apdu.Command{INS: 0xB0, P1: 0x82, Le: 256}, "00B0820000"},
		{"case-2-extended-all", apdu.Command{INS: 0xB0, P1: 0x82, Le: 65536}, "00B08200000000"},
		{"case-2-extended-257", apdu.Command{INS: 0xB0, P1: 0x82, Le: 257}, "00B08200000101"},
		{"case-2-extended-forced", apdu.Command{INS: 0xB0, Le: 1, Extended: true}, "00B00000000001"},
		{"case-3-short", apdu.Command{INS: 0x20, P2: 0x91, Data: []byte("1234")}, "002000910431323334"},
		{"case-3-extended", apdu.Command{INS: 0x20, Data: long}, "00200000000100" + strings.Repeat("AB", 256)},
		{"case-4-short", apdu.Command{CLA: 0x80, INS: 0x2A, Data: []byte{1, 2}, Le: 256}, "802A000002010200"},
		{"case-4-extended", apdu.Command{INS: 0x2A, Data: []byte{1}, Le: 65536}, "002A0000000001010000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.c.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if want := unhex(t, tc.want); !bytes.Equal(got, want) {
				t.Fatalf("got %X, want %X", got, want)
			}
			if ext := strings.Contains(tc.name, "extended"); apdu.IsExtended(got) != ext {
				t.Fatalf("IsExtended is %v", !ext)
			}
		})
	}
	for _, c := range []apdu.Command{{Data: make([]byte, 65536)}, {Le: 65537}, {Le: -1}} {
		if _, err := c.Bytes(); !errors.Is(err, apdu.ErrCommand) {
			t.Errorf("got %v, want ErrCommand", err)
		}
	}
}

func TestStatusWords(t *testing.T) {
	for sw, want := range map[apdu.SW]error{
		0x9000: nil, 0x6984: apdu.ErrBlocked, 0x6983: apdu.ErrBlocked, 0x63C0: apdu.ErrBlocked,
		0x6A82: apdu.ErrNotFound, 0x6982: apdu.ErrSecurity, 0x6B00: apdu.ErrEOF,
		0x6700: apdu.ErrLength, 0x6C10: apdu.ErrLength, 0x6F00: apdu.ErrUnspecific,
		0x63C2: apdu.AuthError{Left: 2}, 0x6D00: apdu.SWError{SW: 0x6D00}, 0x6300: apdu.SWError{SW: 0x6300},
	} {
		if got := sw.Err(); !errors.Is(got, want) {
			t.Errorf("%04X: got %v, want %v", uint16(sw), got, want)
		}
		if err := sw.Err(); err != nil && strings.ContainsAny(err.Error(), "0123456789") {
			t.Errorf("%04X: the text %q shows digits", uint16(sw), err)
		}
	}
	var auth apdu.AuthError
	if err := apdu.SW(0x63CA).Err(); !errors.As(err, &auth) || auth.Left != 10 || errors.Is(err, apdu.ErrBlocked) {
		t.Errorf("63CA is %#v", err)
	}
	if err := apdu.SW(0x63C0).Err(); !errors.As(err, &auth) || auth.Left != 0 {
		t.Errorf("63C0 is %#v", err)
	}
}

func TestParse(t *testing.T) {
	for _, raw := range [][]byte{nil, {}, {0x90}} {
		if _, err := apdu.Parse(raw); !errors.Is(err, apdu.ErrResponse) {
			t.Errorf("%d bytes: got %v, want ErrResponse", len(raw), err)
		}
	}
	r, err := apdu.Parse([]byte{1, 2, 0x90, 0})
	if err != nil || r.SW != apdu.OK || !bytes.Equal(r.Data, []byte{1, 2}) {
		t.Fatalf("got %v %v", r, err)
	}
	_ = append(r.Data, 9) // must not reach into the status word
}

// script is a card that expects commands in order.
type script struct {
	t     *testing.T
	steps [][2]string
	kept  [][]byte
}

func (s *script) Transmit(_ context.Context, command []byte) ([]byte, error) {
	s.t.Helper()
	if len(s.steps) == 0 {
		s.t.Fatalf("unexpected command %X", command)
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	if want := unhex(s.t, step[0]); !bytes.Equal(command, want) {
		s.t.Fatalf("got command %X, want %X", command, want)
	}
	s.kept = append(s.kept, command)
	return unhex(s.t, step[1]), nil
}

func TestTransmit(t *testing.T) {
	read := apdu.Command{INS: 0xB0, P1: 0x82, Le: 65536}
	verify := apdu.Command{INS: 0x20, P2: 0x91, Data: []byte("1234")}
	for _, tc := range []struct {
		name  string
		c     apdu.Command
		steps [][2]string
		want  string
		sw    apdu.SW
		err   error
	}{
		{"plain", read, [][2]string{{"00B08200000000", "01029000"}}, "0102", 0x9000, nil},
		{"more-data", read, [][2]string{
			{"00B08200000000", "01026103"}, {"00C0000003", "03046101"}, {"00C0000001", "059000"},
		}, "0102030405", 0x9000, nil},
		{"more-data-corrected", read, [][2]string{
			{"00B08200000000", "6100"}, {"00C0000000", "6C02"}, {"00C0000002", "0A0B9000"},
		}, "0A0B", 0x9000, nil},
		{"corrected-once", read, [][2]string{{"00B08200000000", "6C02"}, {"00B0820002", "0A0B9000"}}, "0A0B", 0x9000, nil},
		{"corrected-twice", read, [][2]string{{"00B08200000000", "6C02"}, {"00B0820002", "6C03"}}, "", 0x6C03, nil},
		{"verify-is-never-repeated", verify, [][2]string{{"002000910431323334", "6C00"}}, "", 0x6C00, nil},
		{"nor-is-its-query", apdu.Command{INS: 0x20, P2: 0x91, Le: 256}, [][2]string{{"0020009100", "6C03"}}, "", 0x6C03, nil},
		{"no-progress", read, [][2]string{{"00B08200000000", "6103"}, {"00C0000003", "6103"}}, "", 0, apdu.ErrResponse},
		{"no-status", read, [][2]string{{"00B08200000000", ""}}, "", 0, apdu.ErrResponse},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &script{t: t, steps: tc.steps}
			got, err := apdu.Transmit(t.Context(), s, tc.c)
			if !errors.Is(err, tc.err) {
				t.Fatalf("got error %v, want %v", err, tc.err)
			}
			if !bytes.Equal(got.Data, unhex(t, tc.want)) || got.SW != tc.sw {
				t.Fatalf("got %X %04X, want %s %04X", got.Data, uint16(got.SW), tc.want, uint16(tc.sw))
			}
			if len(s.steps) != 0 {
				t.Fatalf("%d steps were not played", len(s.steps))
			}
			for _, command := range s.kept {
				if !bytes.Equal(command, make([]byte, len(command))) {
					t.Fatalf("the command buffer %X was not wiped", command)
				}
			}
		})
	}
}

// endless announces more data for ever.
type endless struct{ calls int }

func (e *endless) Transmit(context.Context, []byte) ([]byte, error) {
	e.calls++
	return []byte{1, 0x61, 0x01}, nil
}

func TestTransmitEnds(t *testing.T) {
	e := &endless{}
	if _, err := apdu.Transmit(t.Context(), e, apdu.Command{INS: 0xB0, Le: 1}); !errors.Is(err, apdu.ErrResponse) {
		t.Fatalf("got %v, want ErrResponse", err)
	}
	if e.calls > 400 {
		t.Fatalf("%d commands before giving up", e.calls)
	}
}

func FuzzTransmit(f *testing.F) {
	f.Add([]byte{0x90, 0x00}, []byte{0x61, 0x02}, []byte{1, 2, 0x90, 0})
	f.Add([]byte{0x6C, 0x02}, []byte{}, []byte{0x90})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		calls := 0
		answers := transportFunc(func([]byte) ([]byte, error) {
			calls++
			return bytes.Clone([][]byte{a, b, c}[calls%3]), nil
		})
		_, _ = apdu.Transmit(t.Context(), answers, apdu.Command{INS: 0xB0, Le: 65536})
		if calls > 1000 {
			t.Fatal("the exchange does not end")
		}
	})
}

type transportFunc func([]byte) ([]byte, error)

func (f transportFunc) Transmit(_ context.Context, c []byte) ([]byte, error) { return f(c) }
