// Package witness is HQ's memory of its kiosks beside their records: the audit logs, of which it accepts only what
// follows from what it has seen, and the last heartbeat of each. It is the anchor against a kiosk whose disk was rolled
// back or whose log was changed. Only daemon/hqd and tests import it.
//
//	PUT  /v1/audit       body: audit.Batch as JSON
//	200 {"size":n}                    taken; HQ has n entries
//	409 {"code":"place","want":n}     entries are wanted from n on
//	409 {"code":"shrunken"|"forked"|"another-log"}   an alarm; nothing was taken
//	422 {"code":"batch"|"signature"|"leaf"}          can never be taken
//	POST /v1/heartbeat   body: sync.Beat as JSON
//	200 {"time":"..."}                HQ's clock
//
// and of both 400, 403, 410, 413 and 503 as in package ingest.
package witness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/store"
	"madoguchi/storage/audit"
	"madoguchi/storage/sync"
)

// Options of the handler. All are required.
type Options struct {
	Store   store.Witness
	Devices device.Dir
	Now     func() time.Time
	Log     *slog.Logger
}

// The addresses.
const (
	PathAudit     = "/v1/audit"
	PathHeartbeat = "/v1/heartbeat"
)

// Handler gives the handler of both addresses.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	h := &handler{o, make(chan struct{}, maxAtOnce)}
	mux.HandleFunc("PUT "+PathAudit, h.guard(audit.MaxBatchBytes, h.audit))
	mux.HandleFunc("POST "+PathHeartbeat, h.guard(maxBeat, h.heartbeat))
	return mux
}

const (
	maxBeat  = 4 << 10
	maxSkew  = 2 * time.Minute // between the kiosk's clock and ours
	maxRaces = 3
	// maxAtOnce bounds how many bodies are in memory: 64 of 1.4 MB at most.
	maxAtOnce = 64
)

type handler struct {
	Options
	slots chan struct{}
}

// answer is status and body of an answer.
type answer struct {
	status int
	body   any
}

func refuse(status int, code string) answer {
	return answer{status, struct {
		Code string `json:"code"`
	}{code}}
}

// guard finds out who is calling and reads the body, whole.
func (h *handler) guard(most int64, next func(context.Context, device.Device, []byte) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := refuse(http.StatusServiceUnavailable, "busy")
		select {
		case h.slots <- struct{}{}:
			a = h.admit(w, r, most, next)
			<-h.slots
		default:
		}
		if a.status >= 300 {
			h.Log.Warn("refused", slog.String("path", r.URL.Path), slog.Int("status", a.status), slog.Any("answer", a.body))
		}
		if a.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "30")
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_ = json.NewEncoder(w).Encode(a.body)
	}
}

func (h *handler) admit(w http.ResponseWriter, r *http.Request, most int64, next func(context.Context, device.Device, []byte) answer) answer {
	dev, err := h.Devices.Admit(r.TLS)
	switch {
	case errors.Is(err, device.ErrCertificate):
		return refuse(http.StatusForbidden, "certificate")
	case errors.Is(err, device.ErrSuperseded):
		return refuse(http.StatusGone, "superseded")
	case errors.Is(err, device.ErrUnknown):
		return refuse(http.StatusGone, "unknown-device")
	case errors.Is(err, device.ErrRevoked):
		return refuse(http.StatusGone, "revoked")
	case err != nil:
		h.Log.Error("device file", slog.Any("error", err))
		return refuse(http.StatusServiceUnavailable, "store")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "size")
	}
	if err != nil || r.Header.Get("Content-Digest") != sync.ContentDigest(body) {
		return refuse(http.StatusBadRequest, "digest")
	}
	return next(r.Context(), dev, body)
}

func (h *handler) audit(ctx context.Context, dev device.Device, body []byte) answer {
	b, err := audit.ParseBatch(body)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "batch")
	}
	for range maxRaces {
		before, err := h.Store.AuditSeen(ctx, dev.Name)
		if err != nil {
			return h.fault(dev, err)
		}
		now, checkpoint, err := before.Advance(b, dev.Name, dev.Public)
		if err != nil {
			return h.judge(ctx, dev, checkpoint, err)
		}
		if len(b.Leaves) > 0 || before.Origin == "" {
			err = h.Store.AuditAdvance(ctx, dev.Name, before, now, b.Leaves, b.Checkpoint, h.Now().UTC())
		}
		switch {
		case errors.Is(err, store.ErrRace):
			continue
		case err != nil:
			return h.fault(dev, err)
		}
		return answer{http.StatusOK, struct {
			Size int64 `json:"size"`
		}{now.Tree.Size()}}
	}
	return refuse(http.StatusServiceUnavailable, "busy")
}

func (h *handler) fault(dev device.Device, err error) answer {
	h.Log.Error("witness", slog.String("device", dev.Name), slog.Any("error", err))
	return refuse(http.StatusServiceUnavailable, "store")
}

// judge turns the witness's refusal into an answer, and raises the alarm where there is one.
func (h *handler) judge(ctx context.Context, dev device.Device, c audit.Checkpoint, err error) answer {
	var place *audit.PlaceError
	var code string
	switch {
	case errors.As(err, &place):
		return answer{http.StatusConflict, struct {
			Code string `json:"code"`
			Want int64  `json:"want"`
		}{"place", place.Want}}
	case errors.Is(err, audit.ErrLeaf):
		return refuse(http.StatusUnprocessableEntity, "leaf")
	case errors.Is(err, audit.ErrSignature), errors.Is(err, audit.ErrCheckpoint):
		return refuse(http.StatusUnprocessableEntity, "signature")
	case errors.Is(err, audit.ErrShrunken):
		code = "shrunken"
	case errors.Is(err, audit.ErrForked):
		code = "forked"
	case errors.Is(err, audit.ErrOrigin):
		code = "another-log"
	default:
		return h.fault(dev, err)
	}
	h.Log.Error("audit log refused", slog.String("device", dev.Name), slog.String("code", code), slog.Int64("size", c.Size))
	if err := h.Store.AuditAlarm(ctx, store.DeviceAlarm{Device: dev.Name, Code: code, At: h.Now().UTC(), Origin: c.Origin, Size: c.Size}); err != nil {
		return h.fault(dev, err)
	}
	return refuse(http.StatusConflict, code)
}

// heartbeat remembers what a kiosk says of itself, and tells it the time.
func (h *handler) heartbeat(ctx context.Context, dev device.Device, body []byte) answer {
	now := h.Now().UTC()
	b, ok := parseBeat(body)
	if !ok {
		return refuse(http.StatusUnprocessableEntity, "heartbeat")
	}
	clean, err := json.Marshal(b)
	if err != nil {
		return h.fault(dev, err)
	}
	if err := h.Store.Heartbeat(ctx, store.Beat{Device: dev.Name, At: now, JSON: clean}); err != nil {
		return h.fault(dev, err)
	}
	if skew := b.Now.Sub(now); skew > maxSkew || skew < -maxSkew {
		h.Log.Warn("clock", slog.String("device", dev.Name), slog.Duration("skew", skew))
		if err := h.Store.AuditAlarm(ctx, store.DeviceAlarm{Device: dev.Name, Code: "clock", At: now, Size: int64(skew / time.Second)}); err != nil {
			return h.fault(dev, err)
		}
	}
	return answer{http.StatusOK, struct {
		Time time.Time `json:"time"`
	}{now}}
}

// parseBeat is strict about what it knows and passes over what later kiosks may add. Words are words: nothing personal
// has a place in them.
func parseBeat(raw []byte) (sync.Beat, bool) {
	var b sync.Beat
	d := json.NewDecoder(bytes.NewReader(raw))
	if d.Decode(&b) != nil || b.Now.IsZero() || b.Waiting < 0 || b.Shelved < 0 || b.AuditSize < 0 {
		return sync.Beat{}, false
	}
	for _, w := range []string{b.State, b.Reader, b.Camera, b.Room, b.Version} {
		if w != "" && !audit.ValidWord(w) {
			return sync.Beat{}, false
		}
	}
	return b, true
}
