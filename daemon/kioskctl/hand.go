package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"madoguchi/daemon/staff"
	"madoguchi/hardware/virtual/control"
	"madoguchi/internal/secret"
)

// staffHash reads a PIN and prints its hash.
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
