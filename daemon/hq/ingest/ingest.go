// Package ingest is HQ's receiver: it takes envelopes over mutual TLS, checks all that can be checked without an
// opening key, stores them and gives signed receipts. It holds no opening keys and no state: any number of receivers
// may stand before one store. A repeated PUT is harmless: the same envelope gets the same receipt. Only daemon/hqd and
// tests may import it.
//
//	PUT /v1/records/{id}   body: the envelope   Content-Digest: sha-256=:...: (RFC 9530)
//	201 new, 200 the same again           body: the receipt
//	every other answer                    body: {"code": ...}; Answers lists them, docs/openapi/device.yaml explains
package ingest

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/semaphore"

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

// Options of the receiver. All fields but Limits are required.
type Options struct {
	Store      store.Writer
	Devices    device.Dir
	Keys       *seal.PublicKeys // public: only to refuse what HQ could never open
	Receipt    crypto.Signer    // Ed25519
	ReceiptKey string           // its id
	Profile    Profile
	Limits     Limits
	Now        func() time.Time
	Log        *slog.Logger
}

// Receiver is the receiver's HTTP handler.
type Receiver struct {
	opt     Options
	mux     *http.ServeMux
	gate    *gate
	devices *devices
	memory  *memory
}

// New makes the receiver.
func New(o Options) *Receiver {
	o.Limits.defaults()
	l := o.Limits
	r := &Receiver{
		opt: o, mux: http.NewServeMux(), gate: newGate(),
		devices: &devices{rate: l.DeviceRate, burst: float64(l.DeviceBurst), most: l.DeviceAtOnce, all: map[string]*bucket{}},
		memory:  &memory{room: semaphore.NewWeighted(l.Bytes), wait: l.Wait},
	}
	r.mux.Handle("PUT /v1/records/{id}", r.Guard(r.put))
	return r
}

// Handle adds an endpoint, which does its own checks or uses Guard.
func (r *Receiver) Handle(pattern string, h http.Handler) { r.mux.Handle(pattern, h) }

// ServeHTTP serves.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	r.mux.ServeHTTP(w, req)
}

// Drain lets no new request in (503) and waits for those under way.
func (r *Receiver) Drain(ctx context.Context) error { return r.gate.close(ctx) }

// Guard gives a handler for registered kiosks: it knows who calls by the certificate that the TLS layer verified, and
// that the kiosk is neither revoked nor sending too much, and it counts as under way.
func (r *Receiver) Guard(next func(w http.ResponseWriter, req *http.Request, dev device.Device)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !r.gate.enter() {
			r.refuse(w, req, "", &refusal{http.StatusServiceUnavailable, codeDraining, 2 * time.Second})
			return
		}
		defer r.gate.leave()
		dev, no := r.device(req)
		if no != nil {
			r.refuse(w, req, dev.Name, no)
			return
		}
		wait, ok := r.devices.enter(dev.Name, r.opt.Now())
		if !ok {
			r.refuse(w, req, dev.Name, &refusal{http.StatusTooManyRequests, codeRate, wait})
			return
		}
		defer r.devices.leave(dev.Name)
		next(w, req, dev)
	})
}

// device tells who is calling.
func (r *Receiver) device(req *http.Request) (device.Device, *refusal) {
	dev, err := r.opt.Devices.Admit(req.TLS)
	switch {
	case errors.Is(err, device.ErrCertificate):
		return device.Device{}, &refusal{http.StatusForbidden, codeCertificate, 0}
	case errors.Is(err, device.ErrSuperseded):
		return dev, &refusal{http.StatusGone, codeSuperseded, 0}
	case errors.Is(err, device.ErrUnknown):
		return device.Device{}, &refusal{http.StatusGone, codeUnknown, 0}
	case errors.Is(err, device.ErrRevoked):
		return dev, &refusal{http.StatusGone, codeRevoked, 0}
	case err != nil:
		r.opt.Log.Error("device file", slog.Any("error", err))
		return device.Device{}, &refusal{http.StatusServiceUnavailable, codeStore, 30 * time.Second}
	}
	return dev, nil
}

func (r *Receiver) put(w http.ResponseWriter, req *http.Request, dev device.Device) {
	size := wire.MaxEnvelope
	if n := req.ContentLength; n > wire.MaxEnvelope {
		r.refuse(w, req, dev.Name, &refusal{http.StatusRequestEntityTooLarge, codeSize, 0})
		return
	} else if n >= 0 {
		size = int(n)
	}
	buf := r.memory.take(req.Context(), size)
	if buf == nil {
		r.refuse(w, req, dev.Name, &refusal{http.StatusServiceUnavailable, codeBusy, 5 * time.Second})
		return
	}
	clean := false
	defer func() { r.memory.give(buf, clean) }()
	body, no := r.body(w, req, (*buf)[:size])
	if no == nil {
		clean, no = r.take(w, req, dev, body)
	} else {
		clean = true
	}
	if no != nil {
		r.refuse(w, req, dev.Name, no)
	}
}

// take checks, stores and answers. clean says that nobody reads the body any more.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, dev device.Device, body []byte) (clean bool, no *refusal) {
	env, no := r.check(req, dev, body)
	if no != nil {
		return true, no
	}
	receipt, fresh, no := r.keep(req.Context(), env)
	if no != nil {
		return no.code == codeConflict, no
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
	}
	r.opt.Log.Info("record", slog.String("device", dev.Name), slog.String("id", env.Header.ID), slog.Int("status", status))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(receipt) // if the line is cut, the kiosk sends again
	return true, nil
}

// body reads the body into buf, in the time that a line of the least speed needs.
func (r *Receiver) body(w http.ResponseWriter, req *http.Request, buf []byte) ([]byte, *refusal) {
	l := r.opt.Limits
	line := http.NewResponseController(w)
	_ = line.SetReadDeadline(time.Now().Add(l.BodyGrace + time.Duration(int64(len(buf))*int64(time.Second)/l.BodyRate)))
	n, err := io.ReadFull(req.Body, buf)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // shorter than it may be; whether it is whole its digest says
	} else if err == nil {
		var more [1]byte
		if k, _ := io.ReadFull(req.Body, more[:]); k > 0 {
			return nil, &refusal{http.StatusRequestEntityTooLarge, codeSize, 0}
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // the deadline stays: the rest is not waited for
		return nil, &refusal{http.StatusRequestTimeout, codeSlow, 0}
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, codeDigest, 0}
	}
	_ = line.SetReadDeadline(time.Time{})
	return buf[:n], nil
}

// check compares the envelope with the device, the address and the rules of the profile.
func (r *Receiver) check(req *http.Request, dev device.Device, body []byte) (*wire.Envelope, *refusal) {
	never := func(c code) (*wire.Envelope, *refusal) { return nil, &refusal{http.StatusUnprocessableEntity, c, 0} }
	env, err := wire.Parse(body)
	// What was spoilt on the way is to be sent again, whatever it looks like now. A body of 2 MiB is hashed once.
	if sent := req.Header.Get("Content-Digest"); err == nil && sent != contentDigest(env.Digest) || err != nil && sent != sync.ContentDigest(body) {
		return nil, &refusal{http.StatusBadRequest, codeDigest, 0}
	}
	if err != nil {
		return never(poison(err))
	}
	switch {
	case env.Header.ID != req.PathValue("id"):
		return never(codeID)
	case env.Header.Device != dev.Name:
		return never(codeDevice)
	}
	if err := dev.Verify(false, env.VerifyDevice); err != nil {
		return never(poison(err))
	}
	if len(env.Header.Virtual) > 0 && r.opt.Profile != Demo {
		return never(codeVirtual)
	}
	for _, p := range env.Header.Parts {
		if !r.opt.Keys.Known(p.Name, p.KeyID) {
			return never(codeKey)
		}
	}
	return env, nil
}

// contentDigest is the header's value (RFC 9530) for a hash that is known.
func contentDigest(sum [32]byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

func poison(err error) code {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return code(e.Code)
	}
	return codeEnvelope
}

// keep stores the envelope and gives the receipt: for one that is there already, the receipt of then.
func (r *Receiver) keep(ctx context.Context, env *wire.Envelope) (receipt []byte, fresh bool, no *refusal) {
	now := r.opt.Now()
	receipt, err := wire.SignReceipt(wire.Receipt{
		Device: env.Header.Device, ID: env.Header.ID, Digest: env.Digest, Received: now, KeyID: r.opt.ReceiptKey,
	}, r.opt.Receipt)
	if err != nil {
		r.opt.Log.Error("receipt key", slog.Any("error", err))
		return nil, false, &refusal{http.StatusServiceUnavailable, codeReceipt, 30 * time.Second}
	}
	// The insert is not given up when the kiosk hangs up: half an answer is what the replay is for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opt.Limits.Store)
	defer cancel()
	row, fresh, err := r.opt.Store.Insert(ctx, store.NewRow(env, receipt, now))
	if err != nil {
		r.opt.Log.Error("store", slog.Any("error", err))
		return nil, false, &refusal{http.StatusServiceUnavailable, codeStore, 30 * time.Second}
	}
	if row.Digest != env.Digest {
		return nil, false, &refusal{http.StatusConflict, codeConflict, 0}
	}
	return row.Receipt, fresh, nil
}
