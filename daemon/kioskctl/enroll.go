package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/enroll"
)

// enrollCommand is enroll and enroll check.
func enrollCommand(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) > 0 && args[0] == "check" {
		return enrollCheck(args[1:], out)
	}
	f := flags("enroll")
	address, name := f.String("url", "", ""), f.String("device", "", "")
	ca, pin, root := f.String("ca", "", ""), f.String("ca-sha256", "", ""), f.String("root-sha256", "", "")
	codeFile, dir := f.String("code-file", "", ""), f.String("dir", "", "")
	tpm, group := f.String("tpm", "", ""), f.String("group", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if *address == "" || *name == "" || *codeFile == "" || *dir == "" || (*ca == "") == (*pin == "") {
		return errUsage
	}
	o := enroll.Options{URL: *address, Device: *name, Dir: *dir, TPM: *tpm, Now: time.Now}
	var err error
	if *ca != "" {
		if o.Trust.CA, err = os.ReadFile(*ca); err != nil {
			return err
		}
	} else if o.Trust.CAPin, err = fingerprint(*pin); err != nil {
		return err
	}
	if *root != "" {
		if o.Trust.Root, err = fingerprint(*root); err != nil {
			return err
		}
	}
	if o.Group, err = groupOf(*group); err != nil {
		return err
	}
	if o.Code, err = readCode(*codeFile, in); err != nil {
		return err
	}
	defer o.Code.Wipe()
	r, err := enroll.Enroll(ctx, o)
	if err != nil {
		return err
	}
	kind := "in files"
	if r.TPM {
		kind = "in the TPM"
	}
	if r.Kept {
		kind += "; the device key of before was kept"
	}
	_, err = fmt.Fprintf(out, "%s is enrolled: %s\nkeys %s\ncertificate until %s, renewed by itself\nroot SHA-256 %x (compare it with HQ's)\n",
		r.Device, *dir, kind, r.NotAfter.UTC().Format(time.DateOnly), r.Root)
	return err
}

// enrollCheck is the doctor of the enrolment: no network, no private keys.
func enrollCheck(args []string, out io.Writer) error {
	f := flags("enroll check")
	dir, state := f.String("dir", "", ""), f.String("state", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if *dir == "" {
		return errUsage
	}
	d := &diagnosis{out: out}
	for _, x := range enroll.Findings(*dir, *state, time.Now()) {
		switch {
		case x.Bad:
			d.bad(errUnhealthy, x.What, x.Cure)
		case x.Cure != "":
			d.note(x.What + ". Cure: " + x.Cure)
		default:
			d.good("%s", x.What)
		}
	}
	return d.worst
}

func fingerprint(s string) (out [32]byte, err error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(out) {
		return out, errors.New("a SHA-256 fingerprint is 64 hexadecimal digits")
	}
	return [32]byte(raw), nil
}

// groupOf gives the number of a group; 0 for none.
func groupOf(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// maxCode bounds the file with a code.
const maxCode = 128

// readCode reads the code from a file or from standard input: never from an argument, which other users can see.
func readCode(name string, in io.Reader) (*secret.Bytes, error) {
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the operator names it
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b := make([]byte, maxCode)
	n, err := io.ReadFull(in, b)
	if err == nil || n == 0 {
		clear(b)
		return nil, enroll.ErrCode
	}
	return secret.New(b[:n]), nil
}
