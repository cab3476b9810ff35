package ingest

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"madoguchi/storage/wire"
)

// code is the reason of a refusal, as the kiosk reads it.
type code string

// The codes, beside those of wire for an envelope that can never be taken.
const (
	codeDigest      code = "digest"         // the body is not what the header says: send again
	codeCertificate code = "certificate"    // no certificate that the TLS layer verified
	codeSlow        code = "slow"           // the body did not come in time
	codeConflict    code = "conflict"       // another envelope of this id is stored: an alarm
	codeUnknown     code = "unknown-device" // the kiosk is not registered
	codeRevoked     code = "revoked"        // the kiosk may not send any more
	codeSuperseded  code = "superseded"     // the certificate is of an earlier enrolment
	codeSize        code = "size"           // larger than any envelope
	codeDevice      code = "device"         // the envelope is another kiosk's
	codeID          code = "id"             // the envelope has another id than the address
	codeVirtual     code = "virtual"        // something virtual, at a production HQ (duty 11)
	codeKey         code = "unknown-key"    // a part is sealed to a key that HQ does not have
	codeEnvelope    code = "envelope"       // any other fault of the envelope
	codeRate        code = "rate"           // this kiosk sends too much
	codeBusy        code = "busy"           // HQ takes too much at once
	codeStore       code = "store"          // the store has a fault
	codeReceipt     code = "receipt"        // the receipt key has a fault
	codeDraining    code = "draining"       // this receiver is on its way out
)

// refusal is an answer other than a receipt.
type refusal struct {
	status int
	code   code
	after  time.Duration // Retry-After; 0: none
}

// Answer is one status with the codes that stand in its body; a receipt has none.
type Answer struct {
	Status     int
	Codes      []string // sorted
	RetryAfter bool
}

// Answers lists every answer that the receiver gives to the PUT of a record: the contract of docs/openapi/device.yaml.
func Answers() []Answer {
	poison := []string{string(codeDevice), string(codeID), string(codeVirtual), string(codeKey), string(codeEnvelope)}
	for _, c := range []wire.Code{wire.CodeMagic, wire.CodeFrame, wire.CodeSize, wire.CodeHeader, wire.CodeSchema, wire.CodeDigest, wire.CodeSignature} {
		poison = append(poison, string(c))
	}
	slices.Sort(poison)
	return []Answer{
		{http.StatusOK, nil, false},
		{http.StatusCreated, nil, false},
		{http.StatusBadRequest, []string{string(codeDigest)}, false},
		{http.StatusForbidden, []string{string(codeCertificate)}, false},
		{http.StatusRequestTimeout, []string{string(codeSlow)}, false},
		{http.StatusConflict, []string{string(codeConflict)}, false},
		{http.StatusGone, []string{string(codeRevoked), string(codeSuperseded), string(codeUnknown)}, false},
		{http.StatusRequestEntityTooLarge, []string{string(codeSize)}, false},
		{http.StatusUnprocessableEntity, poison, false},
		{http.StatusTooManyRequests, []string{string(codeRate)}, true},
		{http.StatusServiceUnavailable, []string{string(codeBusy), string(codeDraining), string(codeReceipt), string(codeStore)}, true},
	}
}

func (r *Receiver) refuse(w http.ResponseWriter, req *http.Request, dev string, no *refusal) {
	r.opt.Log.Warn("refused", slog.String("device", dev), slog.Int("status", no.status), slog.String("code", string(no.code)), slog.String("from", req.RemoteAddr))
	h := w.Header()
	if no.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((no.after+time.Second-1)/time.Second)))
	}
	if no.code == codeDraining {
		h.Set("Connection", "close") // HTTP/2 turns it into GOAWAY
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(no.status)
	_ = json.NewEncoder(w).Encode(struct {
		Code string `json:"code"`
	}{string(no.code)})
}
