package kiosk

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"madoguchi/daemon/control"
	"madoguchi/daemon/session"
	"madoguchi/daemon/staff"
	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// hand is what the control socket may do with this kiosk.
type hand struct{ *kiosk }

// maintenanceWait is how long an operator waits for the machine to answer.
const maintenanceWait = 10 * time.Second

// Maintain implements control.Hand.
func (h hand) Maintain(ctx context.Context, id string, pin *secret.Bytes) (func(), error) {
	if _, err := h.roster.SignIn(id, pin); err != nil {
		h.journal.note(audit.Leaf{Kind: audit.StaffRefused, Reason: "maintenance"})
		code := control.CodeStaff
		if errors.Is(err, staff.ErrLocked) {
			code = control.CodeLocked
		}
		return nil, &control.Refusal{Code: code, Err: err}
	}
	// One at a time: the second one's end would bring the kiosk back under the first one's hands.
	if !h.working.CompareAndSwap(false, true) {
		return nil, &control.Refusal{Code: control.CodeBusy, Err: errors.New("somebody is in maintenance already")}
	}
	wait, cancel := context.WithTimeout(ctx, maintenanceWait)
	defer cancel()
	if err := h.session.Maintain(wait, id, true); err != nil {
		h.working.Store(false)
		if errors.Is(err, session.ErrCustomer) {
			return nil, &control.Refusal{Code: control.CodeBusy, Err: err}
		}
		return nil, err
	}
	return func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), maintenanceWait)
		defer cancel()
		if err := h.session.Maintain(end, id, false); err != nil {
			h.log.Warn("maintenance was not ended by the machine", slog.Any("error", err))
		}
		h.working.Store(false)
	}, nil
}

// Note implements control.Hand.
func (h hand) Note(l audit.Leaf) error { return h.journal.write(l) }

// Audit implements control.Hand.
func (h hand) Audit() *audit.Log { return h.audit }

// QueueStatus implements control.Hand.
func (h hand) QueueStatus() control.QueueStatus {
	st := h.queue.Stats()
	up := h.levels.Load()
	if up == nil {
		up = &sync.Levels{}
	}
	return control.QueueStatus{
		Waiting: st.Waiting, Shelved: st.Shelved, Oldest: st.Oldest, Room: string(h.queue.Room().Level),
		Quarantined: st.Quarantined, LastError: up.LastError, LastSuccess: up.LastSuccess,
		SkewSeconds: up.Skew.Seconds(), SkewKnown: up.SkewKnown,
	}
}

// Shelf implements control.Hand.
func (h hand) Shelf() ([]control.Shelved, error) {
	list, err := h.queue.Shelf()
	if err != nil {
		return nil, err
	}
	out := make([]control.Shelved, 0, len(list))
	for _, s := range list {
		out = append(out, control.Shelved{ID: s.ID, Reason: s.Code, At: s.At})
	}
	return out, nil
}

// Retry implements control.Hand.
func (h hand) Retry(id string) error { return h.queue.Unshelve(id) }

// Salvage implements control.Hand: only what this device signed comes back into the queue.
func (h hand) Salvage(path string) (int, error) {
	got, err := h.queue.Requeue(path, func(e *wire.Envelope) error { return e.VerifyDevice(h.device) })
	if err != nil {
		return got.Added, err
	}
	h.log.Info("salvaged", slog.Int("found", got.Found), slog.Int("added", got.Added), slog.Int("refused", got.Refused),
		slog.Int("spoiled", got.Spoiled))
	return got.Added, nil
}
