// Command kioskctl is the operator's hand at a kiosk: it checks a configuration, asks for the page's address, makes
// staff PIN hashes, and places virtual cards.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/launcher"
	"madoguchi/daemon/staff"
	"madoguchi/hardware/virtual/control"
	"madoguchi/internal/secret"
)

const usage = `kioskctl COMMAND
  config check FILE            check a configuration
  page SOCKET                  print the kiosk page's address with a one-time token (RUNTIME_DIR/launcher.sock)
  staff-hash                   read a PIN from standard input, print its hash for [[staff]] pin_hash
  virtual SOCKET insert ID     place a virtual person's card (or drivers-licence, transit)
  virtual SOCKET remove        take the card away
  virtual SOCKET renew ID      a new card with all its tries at the next insert
  virtual SOCKET face ID       put a person (or attack-phone) before the camera
  virtual SOCKET folder DIR    show a folder of JPEGs
  virtual SOCKET nobody        an empty room
  virtual SOCKET status        what lies on the reader, what the camera shows, and the card's counters
`

var errUsage = errors.New("usage")

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	if errors.Is(err, errUsage) {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kioskctl:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) == 3 && args[0] == "config" && args[1] == "check":
		if _, err := config.Load(args[2]); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, "ok")
		return err
	case len(args) == 2 && args[0] == "page":
		url, err := launcher.Ask(ctx, args[1])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, url)
		return err
	case len(args) == 1 && args[0] == "staff-hash":
		return staffHash(in, out)
	case len(args) >= 3 && args[0] == "virtual":
		return hand(ctx, args[1], args[2:], out)
	}
	return errUsage
}

func staffHash(in io.Reader, out io.Writer) error {
	line, err := bufio.NewReader(io.LimitReader(in, 256)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	pin := secret.Copy(bytes.TrimSpace(line))
	clear(line)
	defer pin.Wipe()
	if pin.Len() < 6 {
		return errors.New("a staff PIN has at least 6 characters")
	}
	h, err := staff.Hash(pin)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, h)
	return err
}

func hand(ctx context.Context, socket string, args []string, out io.Writer) error {
	r := control.Request{}
	switch {
	case len(args) == 2 && args[0] == "insert":
		r = control.Request{Do: control.Insert, ID: args[1]}
	case len(args) == 1 && args[0] == "remove":
		r.Do = control.Remove
	case len(args) == 2 && args[0] == "renew":
		r = control.Request{Do: control.Renew, ID: args[1]}
	case len(args) == 2 && args[0] == "face":
		r = control.Request{Do: control.Show, ID: args[1]}
	case len(args) == 2 && args[0] == "folder":
		r = control.Request{Do: control.ShowFolder, Path: args[1]}
	case len(args) == 1 && args[0] == "nobody":
		r.Do = control.ShowNothing
	case len(args) == 1 && args[0] == "status":
		r.Do = control.Status
	default:
		return errUsage
	}
	reply, err := control.Send(ctx, socket, r)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(reply)
}
