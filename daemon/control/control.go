// Package control is the operator's way into a running kioskd: a unix socket on which kioskctl asks for maintenance
// mode, for the audit log and for the queue. The files of both stay kioskd's alone, so that no second program can
// change them. One request a line, one answer a line, in JSON; what is long follows as further lines.
//
// Only root and kioskd's own user may connect. Only daemon/kiosk, daemon/kioskctl and daemon/doctor import it.
package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
)

// Socket is the socket's name in the runtime directory.
const Socket = "control.sock"

// The requests.
const (
	DoMaintenance  = "maintenance"   // Staff, PIN; lasts until the connection ends
	DoCardRead     = "card-read"     // Route; in maintenance only: the entry that must be there before data are printed
	DoAuditVerify  = "audit-verify"  // reads the whole log from the disk; answers Size and Checkpoint
	DoAuditExport  = "audit-export"  // answers Size and Checkpoint, then the leaves, one a line
	DoQueueStatus  = "queue-status"  // answers Queue
	DoQueueShelf   = "queue-shelf"   // answers Shelf
	DoQueueRetry   = "queue-retry"   // ID: from the shelf back into the queue
	DoQueueSalvage = "queue-salvage" // Path: of a file that was set aside; answers Count
)

// Request is one request.
type Request struct {
	Do    string `json:"do"`
	Staff string `json:"staff,omitempty"`
	PIN   []byte `json:"pin,omitempty"` // base64 on the way, so that it is never a string
	Route string `json:"route,omitempty"`
	ID    string `json:"id,omitempty"`
	Path  string `json:"path,omitempty"`
}

// Answer is the answer. Code is empty when all went well.
type Answer struct {
	Code       string       `json:"code,omitempty"`
	Error      string       `json:"error,omitempty"`
	Size       int64        `json:"size,omitempty"`
	Checkpoint string       `json:"checkpoint,omitempty"`
	Count      int          `json:"count,omitempty"`
	Queue      *QueueStatus `json:"queue,omitempty"`
	Shelf      []Shelved    `json:"shelf,omitempty"`
}

// QueueStatus is the state of the way to HQ.
type QueueStatus struct {
	Waiting     int       `json:"waiting"`
	Shelved     int       `json:"shelved"`
	Oldest      time.Time `json:"oldest,omitzero"`
	Room        string    `json:"room"`
	Quarantined string    `json:"quarantined,omitempty"`
	LastError   string    `json:"last_error,omitempty"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	SkewSeconds float64   `json:"skew_seconds"`
	SkewKnown   bool      `json:"skew_known"`
}

// Shelved is one record that HQ refused.
type Shelved struct {
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"`
}

// The codes of refusals.
const (
	CodeRequest     = "request"     // no such request, or one that is malformed
	CodeStaff       = "staff"       // unknown staff id or wrong PIN
	CodeLocked      = "locked"      // sign-in is locked for a while
	CodeBusy        = "busy"        // a customer is being served
	CodeMaintenance = "maintenance" // only in maintenance mode
	CodeFailed      = "failed"      // it was tried and did not work
)

// Refusal is an error with a code for the answer.
type Refusal struct {
	Code string
	Err  error
}

// Error implements error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Err.Error() }

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Hand is what a kiosk does for the operator. Errors that are a *Refusal keep their code.
type Hand interface {
	// Maintain signs the staff member in and takes the kiosk out of service; release brings it back.
	Maintain(ctx context.Context, staff string, pin *secret.Bytes) (release func(), err error)
	// Note appends to the audit log, durably.
	Note(leaf audit.Leaf) error
	Audit() *audit.Log
	QueueStatus() QueueStatus
	Shelf() ([]Shelved, error)
	Retry(id string) error
	Salvage(path string) (int, error)
}

const (
	maxRequest     = 4 << 10
	maxConnections = 8
)

// Serve serves the socket until ctx ends.
func Serve(ctx context.Context, path string, hand Hand) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, maxConnections)
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		if !mayEnter(c) {
			_ = c.Close()
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			_ = c.Close()
			continue
		}
		all.Go(func() {
			defer func() { <-places }()
			serve(ctx, c, hand)
		})
	}
}

// mayEnter lets in root and the daemon's own user. The directory's rights say the same; this is the second lock.
func mayEnter(c net.Conn) bool {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return false
	}
	allowed := false
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) //nolint:gosec // a file descriptor
		allowed = err == nil && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid())
	})
	return err == nil && allowed
}

// visit is one connection.
type visit struct {
	hand  Hand
	out   *bufio.Writer
	staff string // signed in for maintenance
	end   func()
}

func serve(ctx context.Context, c net.Conn, hand Hand) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer func() { _ = c.Close() }()
	v := &visit{hand: hand, out: bufio.NewWriter(c), end: func() {}}
	defer func() { v.end() }()
	buf := make([]byte, maxRequest)
	in := bufio.NewScanner(c)
	in.Buffer(buf, maxRequest)
	defer clear(buf) // a PIN may have been in it
	for in.Scan() {
		answer, more := v.do(ctx, in.Bytes())
		clear(in.Bytes())
		if json.NewEncoder(v.out).Encode(answer) != nil || more != nil && more() != nil || v.out.Flush() != nil {
			return
		}
	}
}

// do answers one request; more writes what follows the answer.
func (v *visit) do(ctx context.Context, line []byte) (Answer, func() error) {
	var r Request
	if err := json.Unmarshal(line, &r); err != nil {
		return Answer{Code: CodeRequest, Error: "not a request"}, nil
	}
	pin := secret.New(r.PIN)
	defer pin.Wipe()
	var a Answer
	var more func() error
	var err error
	switch r.Do {
	case DoMaintenance:
		err = v.maintain(ctx, r.Staff, pin)
	case DoCardRead:
		err = v.cardRead(r.Route)
	case DoAuditVerify:
		a, err = v.verify()
	case DoAuditExport:
		a, more, err = v.export()
	case DoQueueStatus:
		q := v.hand.QueueStatus()
		a.Queue = &q
	case DoQueueShelf:
		a.Shelf, err = v.hand.Shelf()
	case DoQueueRetry:
		err = v.retry(r.ID)
	case DoQueueSalvage:
		a.Count, err = v.salvage(r.Path)
	default:
		err = &Refusal{CodeRequest, errors.New("no such request")}
	}
	if err != nil {
		return refuse(err), nil
	}
	return a, more
}

func refuse(err error) Answer {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return Answer{Code: r.Code, Error: r.Err.Error()}
	}
	return Answer{Code: CodeFailed, Error: err.Error()}
}

func (v *visit) maintain(ctx context.Context, staff string, pin *secret.Bytes) error {
	if v.staff != "" {
		return &Refusal{CodeRequest, errors.New("this connection is in maintenance already")}
	}
	if !audit.ValidWord(staff) {
		return &Refusal{CodeStaff, errors.New("malformed staff id")}
	}
	release, err := v.hand.Maintain(ctx, staff, pin)
	if err != nil {
		return err
	}
	v.staff, v.end = staff, release
	return nil
}

func (v *visit) cardRead(route string) error {
	switch {
	case v.staff == "":
		return &Refusal{CodeMaintenance, errors.New("maintenance mode is needed")}
	case !audit.ValidWord(route):
		return &Refusal{CodeRequest, errors.New("malformed route")}
	}
	return v.hand.Note(audit.Leaf{Kind: audit.CardRead, Staff: v.staff, Word: route})
}

// verify reads the whole log: what is on the disk must carry the root that is signed.
func (v *visit) verify() (Answer, error) {
	log := v.hand.Audit()
	if err := log.Each(0, func(int64, []byte) bool { return true }); err != nil {
		return Answer{}, err
	}
	c, err := log.Checkpoint()
	return Answer{Size: log.Size(), Checkpoint: string(c)}, err
}

// export notes itself first, then gives the log as far as the checkpoint goes.
func (v *visit) export() (Answer, func() error, error) {
	log := v.hand.Audit()
	if err := v.hand.Note(audit.Leaf{Kind: audit.AuditExported, Staff: v.staff, Count: log.Size()}); err != nil {
		return Answer{}, nil, err
	}
	c, size, err := log.CheckpointSize()
	if err != nil {
		return Answer{}, nil, err
	}
	return Answer{Size: size, Checkpoint: string(c)}, func() error {
		var failed error
		err := log.Each(0, func(index int64, leaf []byte) bool {
			if index >= size {
				return false
			}
			_, failed = fmt.Fprintf(v.out, "%s\n", leaf)
			return failed == nil
		})
		return errors.Join(err, failed)
	}, nil
}

func (v *visit) retry(id string) error {
	if err := v.hand.Retry(id); err != nil {
		return err
	}
	return v.hand.Note(audit.Leaf{Kind: audit.Unshelved, ID: id, Staff: v.staff})
}

func (v *visit) salvage(path string) (int, error) {
	n, err := v.hand.Salvage(path)
	if err != nil {
		return n, err
	}
	return n, v.hand.Note(audit.Leaf{Kind: audit.Salvaged, Staff: v.staff, Count: int64(n)})
}
