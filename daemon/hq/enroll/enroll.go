// Package enroll is HQ's side of enrolment: it takes one-time codes, issues and renews the certificates of kiosks,
// registers their device keys, and hands out the signed list of HQ's keys. It signs certificates with the issuer's key
// and holds neither the CA's nor the root's. Only daemon/hqd and tests may import it.
//
//	POST /v1/enroll   no client certificate; body: enroll.Request     200: enroll.Answer
//	POST /v1/renew    mutual TLS; body: enroll.RenewRequest           200: enroll.Answer
//	GET  /v1/keys     mutual TLS; ETag and If-None-Match              200: the list, 304: no newer one
//	400 "form"                    the body is not the canonical form
//	403 "code"                    the code is wrong, used, too old or for another device: one answer for all
//	403 "certificate"             no certificate that the TLS layer verified
//	410 "revoked", "unknown-device" or "superseded" (a certificate of an earlier enrolment)
//	413 "size"
//	422 "csr", "proof" or "device"
//	429 with Retry-After "rate"
//	503 with Retry-After "store"
package enroll

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/storage/enroll"
	"madoguchi/storage/seal"
)

// Options of the handler. All fields are required.
type Options struct {
	Devices device.Dir
	Codes   Codes
	Issuer  *Issuer
	Keys    *seal.Store // the published list; read again at each request, so that publishing needs no restart
	Now     func() time.Time
	Log     *slog.Logger
}

// Handler gives the three endpoints. The TLS layer must verify a client certificate when one is given
// (tls.VerifyClientCertIfGiven): an enrolment comes without.
func Handler(o Options) http.Handler {
	s := &service{Options: o, limit: &limiter{now: o.Now}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+enroll.PathEnroll, s.enroll)
	mux.HandleFunc("POST "+enroll.PathRenew, s.renew)
	mux.HandleFunc("GET "+enroll.PathKeys, s.keys)
	return mux
}

type service struct {
	Options
	limit *limiter
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	code   string
	wait   time.Duration
}

func storeFault() *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: "store", wait: 30 * time.Second}
}

func (s *service) enroll(w http.ResponseWriter, req *http.Request) {
	if ok, wait := s.limit.allow(req.RemoteAddr); !ok {
		s.refuse(w, req, "", &refusal{http.StatusTooManyRequests, "rate", wait})
		return
	}
	body, no := read(w, req)
	if no != nil {
		s.refuse(w, req, "", no)
		return
	}
	defer clear(body)
	r, err := enroll.ParseRequest(body)
	if err != nil {
		s.refuse(w, req, "", &refusal{status: http.StatusBadRequest, code: "form"})
		return
	}
	defer r.Wipe()
	answer, no := s.admit(r)
	if no != nil {
		s.refuse(w, req, r.Device, no)
		return
	}
	s.answer(w, answer)
}

// admit decides over a request. All that can be said without the code is said first, so that the answers tell nothing
// about it; the certificate is made before the code is used up.
func (s *service) admit(r *enroll.Request) (*enroll.Answer, *refusal) {
	tlsKey, deviceKey, hash, err := r.Check()
	switch {
	case errors.Is(err, enroll.ErrCode):
		return nil, &refusal{status: http.StatusForbidden, code: "code"}
	case errors.Is(err, enroll.ErrCSR):
		return nil, &refusal{status: http.StatusUnprocessableEntity, code: "csr"}
	case err != nil:
		return nil, &refusal{status: http.StatusUnprocessableEntity, code: "proof"}
	}
	now := s.Now()
	answer, serial, err := s.issue(r.Device, tlsKey, now)
	if err != nil {
		s.Log.Error("issuer", slog.Any("error", err))
		return nil, storeFault()
	}
	switch err := s.Codes.Take(r.Device, hash, now); {
	case errors.Is(err, ErrCode):
		return nil, &refusal{status: http.StatusForbidden, code: "code"}
	case err != nil:
		s.Log.Error("codes", slog.Any("error", err))
		return nil, storeFault()
	}
	if err := s.Devices.Register(r.Device, deviceKey, now); err != nil {
		s.Log.Error("registering; the code is used up", slog.String("device", r.Device), slog.Any("error", err))
		return nil, storeFault()
	}
	s.Log.Info("enrolled", slog.String("device", r.Device), slog.String("serial", serial))
	return answer, nil
}

func (s *service) renew(w http.ResponseWriter, req *http.Request) {
	dev, no := s.device(req)
	if no != nil {
		s.refuse(w, req, dev.Name, no)
		return
	}
	body, no := read(w, req)
	if no != nil {
		s.refuse(w, req, dev.Name, no)
		return
	}
	r, err := enroll.ParseRenewRequest(body)
	if err != nil {
		s.refuse(w, req, dev.Name, &refusal{status: http.StatusBadRequest, code: "form"})
		return
	}
	if r.Device != dev.Name {
		s.refuse(w, req, dev.Name, &refusal{status: http.StatusUnprocessableEntity, code: "device"})
		return
	}
	tlsKey, err := r.Check(dev.Public)
	if err != nil {
		code := "proof"
		if errors.Is(err, enroll.ErrCSR) {
			code = "csr"
		}
		s.refuse(w, req, dev.Name, &refusal{status: http.StatusUnprocessableEntity, code: code})
		return
	}
	answer, serial, err := s.issue(dev.Name, tlsKey, s.Now())
	if err != nil {
		s.Log.Error("issuer", slog.Any("error", err))
		s.refuse(w, req, dev.Name, storeFault())
		return
	}
	s.Log.Info("renewed", slog.String("device", dev.Name), slog.String("serial", serial))
	s.answer(w, answer)
}

func (s *service) keys(w http.ResponseWriter, req *http.Request) {
	dev, no := s.device(req)
	if no != nil {
		s.refuse(w, req, dev.Name, no)
		return
	}
	s.refresh()
	tag := enroll.ETag(s.Keys.List().Version)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-store")
	if req.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.Keys.Raw()) // if the line is cut, the kiosk asks again
}

// refresh takes a list that was published meanwhile. One that does not verify is an alarm; the one held stays.
func (s *service) refresh() {
	changed, err := s.Keys.Refresh()
	switch {
	case err != nil:
		s.Log.Error("the published key list is not taken", slog.Any("error", err))
	case changed:
		s.Log.Info("key list", slog.Int64("version", s.Keys.List().Version))
	}
}

// device tells who is calling. It is asked at each request, also on a connection that is open: the deny list counts at
// once.
func (s *service) device(req *http.Request) (device.Device, *refusal) {
	dev, err := s.Devices.Admit(req.TLS)
	switch {
	case err == nil:
		return dev, nil
	case errors.Is(err, device.ErrCertificate):
		return dev, &refusal{status: http.StatusForbidden, code: "certificate"}
	case errors.Is(err, device.ErrUnknown):
		return dev, &refusal{status: http.StatusGone, code: "unknown-device"}
	case errors.Is(err, device.ErrRevoked):
		return dev, &refusal{status: http.StatusGone, code: "revoked"}
	case errors.Is(err, device.ErrSuperseded):
		return dev, &refusal{status: http.StatusGone, code: "superseded"}
	}
	s.Log.Error("device file", slog.Any("error", err))
	return dev, storeFault()
}

// issue makes the certificate and the answer.
func (s *service) issue(name string, pub *ecdsa.PublicKey, now time.Time) (*enroll.Answer, string, error) {
	s.refresh()
	leaf, serial, err := s.Issuer.Issue(name, pub, now)
	if err != nil {
		return nil, "", err
	}
	return &enroll.Answer{
		CA: [][]byte{s.Issuer.ca.Raw}, Chain: [][]byte{leaf, s.Issuer.cert.Raw}, Device: name,
		Keys: s.Keys.Raw(), Root: s.Keys.Root().DER(),
	}, serial.Text(16), nil
}

func read(w http.ResponseWriter, req *http.Request) ([]byte, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, enroll.MaxRequest))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		clear(body)
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, code: "size"}
	}
	if err != nil {
		clear(body)
		return nil, &refusal{status: http.StatusBadRequest, code: "form"}
	}
	return body, nil
}

func (s *service) answer(w http.ResponseWriter, a *enroll.Answer) {
	raw, err := a.Encode()
	if err != nil {
		s.Log.Error("answer", slog.Any("error", err))
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // if the line is cut, a new code is needed
}

func (s *service) refuse(w http.ResponseWriter, req *http.Request, dev string, no *refusal) {
	s.Log.Warn("refused", slog.String("path", req.URL.Path), slog.String("device", dev), slog.Int("status", no.status),
		slog.String("code", no.code), slog.String("from", req.RemoteAddr))
	if no.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(no.wait/time.Second)+1))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(no.status)
	_ = json.NewEncoder(w).Encode(struct {
		Code string `json:"code"`
	}{no.code})
}
