// Package ingest is HQ's receiver: it takes envelopes over mutual TLS, checks all that can be checked without an
// opening key, stores them and gives signed receipts. It holds no opening keys. A repeated PUT is harmless: the same
// envelope gets the same receipt. Only daemon/hqd and tests may import it.
//
//	PUT /v1/records/{id}   body: the envelope   Content-Digest: sha-256=:...: (RFC 9530)
//	201 new, 200 the same again           body: the receipt
//	400 "digest"                          the body is not what the header says: send again
//	403 "certificate"                     no certificate that the TLS layer verified
//	404 or 405                            anything else
//	409 "conflict"                        another envelope of this id is stored: an alarm
//	410 "revoked" or "unknown-device"
//	413 "size"
//	422 a wire.Code, "device", "id", "virtual" or "unknown-key": this envelope can never be taken
//	503 with Retry-After                  too much at once, or the store has a fault
package ingest

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/store"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// Profile says what the receiver is for.
type Profile string

// The profiles. Production refuses every record with a virtual part (duty 11).
const (
	Production Profile = "production"
	Demo       Profile = "demo"
)

// maxAtOnce bounds how many envelopes are in memory.
const maxAtOnce = 64

// Options of the receiver. All fields are required.
type Options struct {
	Store      store.Writer
	Devices    device.Dir
	Keys       *seal.PublicKeys // public: only to refuse what HQ could never open
	Receipt    crypto.Signer    // Ed25519
	ReceiptKey string           // its id
	Profile    Profile
	Now        func() time.Time
	Log        *slog.Logger
}

// Handler gives the receiver's HTTP handler.
func Handler(o Options) http.Handler {
	r := &receiver{Options: o, slots: make(chan struct{}, maxAtOnce)}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/records/{id}", r.put)
	return mux
}

type receiver struct {
	Options
	slots chan struct{}
}

// refusal is an answer other than a receipt.
type refusal struct {
	status int
	code   string
}

func (r *receiver) put(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		w.Header().Set("Retry-After", "5")
		r.refuse(w, req, "", &refusal{http.StatusServiceUnavailable, "busy"})
		return
	}
	dev, no := r.device(req)
	if no != nil {
		r.refuse(w, req, dev.Name, no)
		return
	}
	env, no := r.read(w, req, dev)
	if no != nil {
		r.refuse(w, req, dev.Name, no)
		return
	}
	receipt, fresh, no := r.keep(req.Context(), env)
	if no != nil {
		if no.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "30")
		}
		r.refuse(w, req, dev.Name, no)
		return
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	r.Log.Info("record", slog.String("device", dev.Name), slog.String("id", env.Header.ID), slog.Int("status", status))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(receipt) // if the line is cut, the kiosk sends again
}

// device tells who is calling, by the certificate that the TLS layer verified.
func (r *receiver) device(req *http.Request) (device.Device, *refusal) {
	if req.TLS == nil || len(req.TLS.VerifiedChains) == 0 {
		return device.Device{}, &refusal{http.StatusForbidden, "certificate"}
	}
	name := req.TLS.VerifiedChains[0][0].Subject.CommonName
	dev, err := r.Devices.Lookup(name)
	switch {
	case errors.Is(err, device.ErrUnknown):
		return device.Device{}, &refusal{http.StatusGone, "unknown-device"}
	case errors.Is(err, device.ErrRevoked):
		return dev, &refusal{http.StatusGone, "revoked"}
	case err != nil:
		r.Log.Error("device file", slog.String("device", name))
		return device.Device{}, &refusal{http.StatusServiceUnavailable, "store"}
	}
	return dev, nil
}

// read takes the envelope and checks it against the device, the digest and the rules of the profile.
func (r *receiver) read(w http.ResponseWriter, req *http.Request, dev device.Device) (*wire.Envelope, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, wire.MaxEnvelope))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "size"}
	}
	if err != nil || req.Header.Get("Content-Digest") != sync.ContentDigest(body) {
		return nil, &refusal{http.StatusBadRequest, "digest"}
	}
	env, err := wire.Parse(body)
	if err != nil {
		return nil, poison(err)
	}
	switch {
	case env.Header.ID != req.PathValue("id"):
		return nil, &refusal{http.StatusUnprocessableEntity, "id"}
	case env.Header.Device != dev.Name:
		return nil, &refusal{http.StatusUnprocessableEntity, "device"}
	}
	if err := env.VerifyDevice(dev.Public); err != nil {
		return nil, poison(err)
	}
	if len(env.Header.Virtual) > 0 && r.Profile != Demo {
		return nil, &refusal{http.StatusUnprocessableEntity, "virtual"}
	}
	for _, p := range env.Header.Parts {
		if !r.Keys.Known(p.Name, p.KeyID) {
			return nil, &refusal{http.StatusUnprocessableEntity, "unknown-key"}
		}
	}
	return env, nil
}

func poison(err error) *refusal {
	code := "envelope"
	if e, ok := errors.AsType[*wire.Error](err); ok {
		code = string(e.Code)
	}
	return &refusal{http.StatusUnprocessableEntity, code}
}

// keep stores the envelope and gives the receipt: for one that is there already, the receipt of then.
func (r *receiver) keep(ctx context.Context, env *wire.Envelope) (receipt []byte, fresh bool, no *refusal) {
	now := r.Now()
	receipt, err := wire.SignReceipt(wire.Receipt{
		Device: env.Header.Device, ID: env.Header.ID, Digest: env.Digest, Received: now, KeyID: r.ReceiptKey,
	}, r.Receipt)
	if err != nil {
		r.Log.Error("receipt key", slog.Any("error", err))
		return nil, false, &refusal{http.StatusServiceUnavailable, "receipt"}
	}
	// The insert is not given up when the kiosk hangs up: half an answer is what the replay is for.
	row, fresh, err := r.Store.Insert(context.WithoutCancel(ctx), store.NewRow(env, receipt, now))
	if err != nil {
		r.Log.Error("store", slog.Any("error", err))
		return nil, false, &refusal{http.StatusServiceUnavailable, "store"}
	}
	if row.Digest != env.Digest {
		return nil, false, &refusal{http.StatusConflict, "conflict"}
	}
	return row.Receipt, fresh, nil
}

func (r *receiver) refuse(w http.ResponseWriter, req *http.Request, dev string, no *refusal) {
	r.Log.Warn("refused", slog.String("device", dev), slog.Int("status", no.status), slog.String("code", no.code), slog.String("from", req.RemoteAddr))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(no.status)
	_ = json.NewEncoder(w).Encode(struct {
		Code string `json:"code"`
	}{no.code})
}
