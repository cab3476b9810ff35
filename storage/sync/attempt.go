package sync

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"madoguchi/storage/queue"
	"madoguchi/storage/wire"
)

// Codes of failed attempts, beside "hq-" and the code that HQ gave.
const (
	CodeQueue   = "queue"           // the local file cannot be read or written
	CodeOffline = "offline"         // no connection
	CodeTLS     = "tls"             // the connection is not with HQ, or HQ does not accept our certificate
	CodeTimeout = "timeout"         // no answer in time
	CodeReceipt = "receipt-invalid" // HQ said yes, without proof
	CodeRevoked = "revoked"         // HQ does not know this kiosk any more
	CodeRefused = "refused"         // any other answer
	CodeBusy    = "busy"            // HQ asks to come again later
)

// result is what came of one attempt: a receipt, a reason for the shelf, or a reason to try again.
type result struct {
	id      string
	receipt wire.VerifiedReceipt
	shelve  bool
	code    string
	after   time.Duration // HQ's Retry-After
}

// ContentDigest is the value of the header of RFC 9530.
func ContentDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// attempt sends one envelope once.
func (u *Uploader) attempt(ctx context.Context, item queue.Item) result {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.opt.URL+"/v1/records/"+item.ID, u.limited(ctx, item.Envelope))
	if err != nil {
		return result{code: CodeRefused}
	}
	req.ContentLength = int64(len(item.Envelope))
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Content-Digest", ContentDigest(item.Envelope))
	res, err := u.opt.Client.Do(req)
	if err != nil {
		return result{code: failure(err)}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxReceipt+1))
	if err != nil {
		return result{code: failure(err)}
	}
	return u.judge(item, res, body)
}

// judge turns HQ's answer into a result.
func (u *Uploader) judge(item queue.Item, res *http.Response, body []byte) result {
	switch res.StatusCode {
	case http.StatusOK, http.StatusCreated:
		r, err := wire.VerifyReceipt(body, u.receipts(), u.opt.Device, item.ID, item.Digest)
		if err != nil {
			return result{code: CodeReceipt}
		}
		return result{id: item.ID, receipt: r}
	case http.StatusConflict, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return result{id: item.ID, shelve: true, code: hqCode(body)}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return result{code: CodeBusy, after: retryAfter(res.Header.Get("Retry-After"), u.opt.Now())}
	case http.StatusForbidden: // HQ's TLS layer lets in who has no certificate, for enrolments; its handlers do not
		return result{code: CodeTLS}
	case http.StatusGone:
		return result{code: CodeRevoked, after: backoffCap}
	}
	return result{code: CodeRefused}
}

// hqCode reads the code of HQ's refusal. Anything but a short word of lower-case letters and hyphens is not
// believed: it ends up on a page.
func hqCode(body []byte) string {
	var answer struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Code) == 0 || len(answer.Code) > 40 {
		return "hq-refused"
	}
	for _, x := range []byte(answer.Code) {
		if x != '-' && (x < 'a' || x > 'z') {
			return "hq-refused"
		}
	}
	return "hq-" + answer.Code
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second //nolint:gosec // 32 bits of seconds fit
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// failure gives the code of an error of the connection.
func failure(err error) string {
	var (
		verify  *tls.CertificateVerificationError
		alert   tls.AlertError
		record  tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		timeout net.Error
		op      *net.OpError
	)
	switch {
	case errors.As(err, &verify), errors.As(err, &alert), errors.As(err, &record), errors.As(err, &unknown):
		return CodeTLS
	case errors.As(err, &op) && op.Op == "remote error": // an alert that HQ sent
		return CodeTLS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return CodeTimeout
	}
	return CodeOffline
}
