package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"madoguchi/hardware/card"
	"madoguchi/internal/secret"
)

// secrets are the credentials of one reading. They come from a file or from standard input, never from arguments,
// which every user of the machine can see.
type secrets struct {
	pin, numberB, password *secret.Bytes

	staff    *secret.Bytes // who reads in maintenance mode; no secret, but it comes with one
	staffPIN *secret.Bytes
}

func (s *secrets) wipe() { secret.Wipe(s.pin, s.numberB, s.password, s.staff, s.staffPIN) }

const maxSecrets = 4 << 10

// field takes a JSON string without leaving copies of it: credentials are plain ASCII, so none needs an escape.
type field struct{ value *secret.Bytes }

// UnmarshalJSON implements json.Unmarshaler.
func (f *field) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return errors.New("not a string")
	}
	for _, c := range b[1 : len(b)-1] {
		if c < 0x20 || c > 0x7E || c == '\\' || c == '"' {
			return errors.New("not plain ASCII")
		}
	}
	f.value = secret.Copy(b[1 : len(b)-1])
	return nil
}

// loadSecrets reads name, "-" for in.
func loadSecrets(name string, in io.Reader) (*secrets, error) {
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw := make([]byte, maxSecrets)
	n, err := io.ReadFull(in, raw)
	defer clear(raw)
	if err == nil {
		return nil, errors.New("the secrets are too long")
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return parseSecrets(raw[:n])
}

// parseSecrets is strict, and its errors never quote what they read.
func parseSecrets(raw []byte) (*secrets, error) {
	var fields map[string]*field
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("%w: the secrets are not a JSON object of plain strings", errUsage)
	}
	s := &secrets{}
	for name, f := range fields {
		if f == nil {
			continue
		}
		switch name {
		case "pin":
			s.pin = f.value
		case "number_b":
			s.numberB = f.value
		case "sign_password":
			s.password = f.value
		case "staff":
			s.staff = f.value
		case "staff_pin":
			s.staffPIN = f.value
		default:
			f.value.Wipe()
			s.wipe()
			return nil, fmt.Errorf("%w: the secrets may hold pin, number_b, sign_password, staff and staff_pin, and nothing else", errUsage)
		}
	}
	return s, nil
}

// check finds slips before anything is sent: a missing credential, or one that cannot be right.
func (s *secrets) check(r route) error {
	for _, need := range []struct {
		wanted bool
		name   string
		value  *secret.Bytes
		form   func(*secret.Bytes) error
	}{
		{r == routeB, "number_b", s.numberB, card.CheckB},
		{r == routePIN || r == routeAll, "pin", s.pin, card.CheckPIN},
		{r == routeJPKI || r == routeAll && s.password != nil, "sign_password", s.password, card.CheckPassword},
	} {
		switch {
		case !need.wanted:
		case need.value == nil:
			return fmt.Errorf("%w: route %s needs %s among the secrets", errUsage, r, need.name)
		case need.form(need.value) != nil:
			return fmt.Errorf("%s: %w", need.name, errFormat)
		}
	}
	return nil
}
