package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"madoguchi/daemon/control"
	"madoguchi/storage/audit"
)

// auditCommand is audit verify and audit export.
func auditCommand(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case len(args) == 1 && args[0] == "verify":
		return auditVerify(ctx, packagedSocket, out)
	case len(args) == 2 && args[0] == "verify":
		return auditVerify(ctx, args[1], out)
	case len(args) == 3 && args[0] == "verify":
		return auditVerifyFile(args[1], args[2], out)
	case len(args) == 2 && args[0] == "export":
		return auditExport(ctx, packagedSocket, args[1], out)
	case len(args) == 3 && args[0] == "export":
		return auditExport(ctx, args[1], args[2], out)
	}
	return errUsage
}

// packagedSocket is where the packaged kioskd listens; it is meant where no socket is named.
const packagedSocket = "/run/madoguchi-kiosk/" + control.Socket

// auditVerify lets kioskd read its whole log from the disk and prints the signed checkpoint.
func auditVerify(ctx context.Context, socket string, out io.Writer) error {
	a, err := ask(ctx, socket, control.Request{Do: control.DoAuditVerify})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d entries, unbroken\n%s", a.Size, a.Checkpoint)
	return err
}

// auditExport writes the log to a new file: a line with the checkpoint, then the entries, one JSON object a line.
func auditExport(ctx context.Context, socket, name string, out io.Writer) (err error) {
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(name) // half a log is none
		}
	}()
	w := bufio.NewWriter(f)
	head, err := c.Export(func(a control.Answer) error {
		return json.NewEncoder(w).Encode(exportHead{Size: a.Size, Checkpoint: a.Checkpoint})
	}, func(leaf []byte) error {
		_, err := fmt.Fprintf(w, "%s\n", leaf)
		return err
	})
	if err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), f.Sync()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d entries in %s\n", head.Size, name)
	return err
}

// exportHead is the first line of an export.
type exportHead struct {
	Size       int64  `json:"size"`
	Checkpoint string `json:"checkpoint"`
}

// errAudit is a log that is not what was signed.
var errAudit = errors.New("the log is not the one that was signed")

// auditVerifyFile checks an export against the device's public key (PEM: a key, or a certificate of it), with nothing
// but the two files.
func auditVerifyFile(name, keyFile string, out io.Writer) error {
	key, err := devicePublic(keyFile)
	if err != nil {
		return err
	}
	f, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<10)
	var head exportHead
	if !in.Scan() || json.Unmarshal(in.Bytes(), &head) != nil {
		return fmt.Errorf("%s: %w: no checkpoint in the first line", name, errAudit)
	}
	origin, _, _ := bytes.Cut([]byte(head.Checkpoint), []byte("\n"))
	device, _, _ := audit.SplitOrigin(string(origin))
	c, err := audit.OpenCheckpoint([]byte(head.Checkpoint), device, key)
	if err != nil {
		return err
	}
	var tree audit.Tree
	for in.Scan() {
		if _, err := audit.ParseLeaf(in.Bytes()); err != nil {
			return fmt.Errorf("%s, entry %d: %w", name, tree.Size(), err)
		}
		tree.Append(in.Bytes())
	}
	if err := in.Err(); err != nil {
		return err
	}
	if tree.Size() != c.Size || tree.Root() != c.Root {
		return fmt.Errorf("%s: %w: %d entries, the checkpoint is of %d", name, errAudit, tree.Size(), c.Size)
	}
	_, err = fmt.Fprintf(out, "%s: %d entries, signed %s\n", c.Origin, c.Size, c.At.Format("2006-01-02T15:04:05Z07:00"))
	return err
}

// devicePublic reads a device's public key.
func devicePublic(name string) (*ecdsa.PublicKey, error) {
	raw, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", name)
	}
	var key any
	if block.Type == "CERTIFICATE" {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		key = cert.PublicKey
	} else if key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an ECDSA key", name)
	}
	return ec, nil
}

// queueCommand is queue status, shelf, retry and salvage.
func queueCommand(ctx context.Context, args []string, out io.Writer) error {
	more := map[string]int{"status": 0, "shelf": 0, "retry": 1, "salvage": 1}
	if len(args) == 0 {
		return errUsage
	}
	want, known := more[args[0]]
	socket, rest := packagedSocket, args[1:]
	if len(rest) == want+1 {
		socket, rest = rest[0], rest[1:]
	}
	if !known || len(rest) != want {
		return errUsage
	}
	r := control.Request{}
	switch args[0] {
	case "status":
		r.Do = control.DoQueueStatus
	case "shelf":
		r.Do = control.DoQueueShelf
	case "retry":
		r.Do, r.ID = control.DoQueueRetry, rest[0]
	case "salvage":
		r.Do, r.Path = control.DoQueueSalvage, rest[0]
	}
	a, err := ask(ctx, socket, r)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	switch r.Do {
	case control.DoQueueStatus:
		return enc.Encode(a.Queue)
	case control.DoQueueShelf:
		if a.Shelf == nil {
			a.Shelf = []control.Shelved{}
		}
		return enc.Encode(a.Shelf)
	case control.DoQueueSalvage:
		_, err = fmt.Fprintf(out, "%d records taken over\n", a.Count)
		return err
	}
	_, err = fmt.Fprintln(out, "ok")
	return err
}

// ask is one request on a connection of its own.
func ask(ctx context.Context, socket string, r control.Request) (control.Answer, error) {
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return control.Answer{}, err
	}
	defer func() { _ = c.Close() }()
	return c.Do(r)
}
