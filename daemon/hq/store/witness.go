package store

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"madoguchi/storage/audit"
)

// ErrRace says that another receiver advanced the same log meanwhile: look again.
var ErrRace = errors.New("store: another receiver was quicker")

// DeviceAlarm is what a person at HQ must settle. There is one of a code for each device.
type DeviceAlarm struct {
	Device string
	Code   string // "shrunken", "forked", "another-log", "clock"
	At     time.Time
	Origin string // of the log that was offered, or empty
	Size   int64  // of the log that was offered; of a clock: seconds, positive when the kiosk is ahead
}

// AuditLog is what HQ has of one log.
type AuditLog struct {
	Device string // with "@" and the epoch when it was put aside
	Origin string
	Size   int64
	At     time.Time // of the last entries
}

// RetiredName is the name of a log that was put aside.
func RetiredName(device, origin string) string {
	_, epoch, _ := audit.SplitOrigin(origin)
	return device + "@" + epoch
}

// Beat is the last heartbeat of a device: JSON, free of personal data.
type Beat struct {
	Device string
	At     time.Time
	JSON   []byte
}

// Witness is where HQ remembers its kiosks' audit logs and heartbeats.
type Witness interface {
	// AuditSeen is what was seen of a device's log; the zero Seen when nothing was.
	AuditSeen(ctx context.Context, device string) (audit.Seen, error)
	// AuditAdvance appends the leaves and remembers what is seen now, all or nothing, if what was seen before is still
	// what is stored; else ErrRace. checkpoint is the signed one.
	AuditAdvance(ctx context.Context, device string, before, now audit.Seen, leaves [][]byte, checkpoint []byte, at time.Time) error
	// AuditRetire puts a device's log and its alarms aside under the device's name with "@" and the log's epoch: a
	// person has found out why there is another one, which may then begin. ErrNotFound when there is no log.
	AuditRetire(ctx context.Context, device string) error
	// AuditAlarm remembers an alarm; the same one again changes only its time, origin and size.
	AuditAlarm(ctx context.Context, a DeviceAlarm) error
	// Heartbeat remembers the last heartbeat of a device.
	Heartbeat(ctx context.Context, b Beat) error
}

// WitnessReader reads what a Witness remembers.
type WitnessReader interface {
	// Alarms lists all, newest first.
	Alarms(ctx context.Context) ([]DeviceAlarm, error)
	// Heartbeats lists the last one of each device, by device.
	Heartbeats(ctx context.Context) ([]Beat, error)
	// AuditLogs lists the logs, also those put aside, by device.
	AuditLogs(ctx context.Context) ([]AuditLog, error)
	// AuditLeaves gives at most limit leaves of a device's log from a place on.
	AuditLeaves(ctx context.Context, device string, from int64, limit int) ([][]byte, error)
}

// PackEdge and UnpackEdge are the stored form of a tree's edge: the hashes, one after the other.
func PackEdge(edge []tlog.Hash) []byte {
	b := make([]byte, 0, len(edge)*tlog.HashSize)
	for _, h := range edge {
		b = append(b, h[:]...)
	}
	return b
}

// ErrWitness is a stored log that cannot be one.
var ErrWitness = errors.New("store: a malformed audit log")

// UnpackEdge makes what was seen from its stored form.
func UnpackEdge(origin string, size int64, edge []byte) (audit.Seen, error) {
	if len(edge)%tlog.HashSize != 0 {
		return audit.Seen{}, ErrWitness
	}
	var hashes []tlog.Hash
	for i := 0; i < len(edge); i += tlog.HashSize {
		hashes = append(hashes, tlog.Hash(edge[i:i+tlog.HashSize]))
	}
	tree, ok := audit.NewTree(size, hashes)
	if !ok {
		return audit.Seen{}, ErrWitness
	}
	return audit.Seen{Origin: origin, Tree: tree}, nil
}
