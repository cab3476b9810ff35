package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/enroll"
	"madoguchi/daemon/hq/setup"
)

// operateUsage belongs to usage: what HQ's operator does with kiosks and keys.
const operateUsage = `  hqd enroll-code -dir D -device NAME [-valid 24h] [-reinstate]
                     a one-time code for a kiosk's enrolment, printed once; -reinstate for a revoked kiosk
  hqd device list -dir D
  hqd device revoke -dir D -device NAME -reason lost|stolen|compromised|replaced|retired|other
  hqd token init-keys|check
                     opening keys in PKCS #11 tokens; "hqd token" says more
  hqd config sign -root ROOT -in DRAFT -out BUNDLE
                     services and confirmed legal methods for kiosks, signed by the root; see docs/configuration.md
  hqd keys ...       HQ's signed key list; "hqd keys" says more
`

// runOperate is enroll-code, device, keys and token. It says whether the command is one of them.
func runOperate(args []string, out io.Writer) (ours bool, err error) {
	switch {
	case args[0] == "enroll-code":
		return true, enrollCode(args[1:], out)
	case args[0] == "device" && len(args) > 1 && args[1] == "list":
		return true, deviceList(args[2:], out)
	case args[0] == "device" && len(args) > 1 && args[1] == "revoke":
		return true, deviceRevoke(args[2:], out)
	case args[0] == "keys":
		return true, runKeys(args[1:], out)
	case args[0] == "config" && len(args) > 1 && args[1] == "sign":
		return true, configSign(args[2:], out)
	case args[0] == "token":
		return true, runToken(args[1:], out)
	}
	return false, nil
}

// enrollCode makes a code and prints it with what the kiosk's operator compares: once, to the terminal.
func enrollCode(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd enroll-code", flag.ContinueOnError)
	var dir string
	name := f.String("device", "", "name of the kiosk: a-z, 0-9 and inner hyphens")
	valid := f.Duration("valid", 24*time.Hour, "how long the code is good; at most 168h")
	reinstate := f.Bool("reinstate", false, "the kiosk was revoked and may come back")
	if err := parse(f, args, &dir); err != nil {
		return err
	}
	l := setup.Layout(dir)
	if _, err := device.Dir(l.Devices()).Lookup(*name); errors.Is(err, device.ErrRevoked) && !*reinstate {
		return fmt.Errorf("%s is revoked; with -reinstate its enrolment ends that", *name)
	} else if err != nil && !errors.Is(err, device.ErrUnknown) && !errors.Is(err, device.ErrRevoked) {
		return err
	}
	ca, root, err := setup.Fingerprints(l)
	if err != nil {
		return err
	}
	now := time.Now()
	code, err := enroll.Codes(l.Codes()).New(*name, *valid, now)
	if err != nil {
		return err
	}
	defer code.Wipe()
	_, err = fmt.Fprintf(out, "device      %s\ncode        %s\ngood until  %s\nCA SHA-256  %x\nroot SHA-256 %x\n",
		*name, code.Reveal(), now.Add(*valid).UTC().Format(time.RFC3339), ca, root)
	return err
}

func deviceList(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd device list", flag.ContinueOnError)
	var dir string
	if err := parse(f, args, &dir); err != nil {
		return err
	}
	all, err := device.Dir(setup.Layout(dir).Devices()).List()
	for _, d := range all {
		line := fmt.Sprintf("%s %s", d.Name, d.State)
		if !d.Enrolled.IsZero() {
			line += " enrolled " + d.Enrolled.UTC().Format(time.RFC3339)
		}
		if d.State == device.Revoked {
			line += fmt.Sprintf(" revoked %s %s", d.Revoked.UTC().Format(time.RFC3339), d.Reason)
		}
		if _, werr := fmt.Fprintln(out, line); werr != nil {
			return werr
		}
	}
	return err
}

// deviceRevoke puts a kiosk on the deny list. Its unused code ends first, so that it cannot come back by it.
func deviceRevoke(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd device revoke", flag.ContinueOnError)
	var dir string
	name := f.String("device", "", "name of the kiosk")
	reason := f.String("reason", "", "lost, stolen, compromised, replaced, retired or other")
	if err := parse(f, args, &dir); err != nil {
		return err
	}
	l := setup.Layout(dir)
	if !device.ValidReason(device.Reason(*reason)) {
		return device.ErrReason
	}
	if _, err := os.Stat(l.Codes()); err == nil {
		if err := enroll.Codes(l.Codes()).Revoke(*name); err != nil {
			return err
		}
	}
	if err := device.Dir(l.Devices()).Revoke(*name, device.Reason(*reason), time.Now()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s is revoked\n", *name)
	return err
}
