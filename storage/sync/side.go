package sync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"madoguchi/storage/audit"
)

// AuditLog is the kiosk's audit log as the uploader needs it (storage/audit).
type AuditLog interface {
	Size() int64
	Batch(from int64) (audit.Batch, error)
}

// Codes of the audit log at HQ's witness. All three are alarms that a person must settle.
const (
	AuditShrunken = "audit-shrunken"    // HQ has seen more entries than there are
	AuditForked   = "audit-forked"      // HQ has seen other entries
	AuditOther    = "audit-another-log" // HQ knows another log of this kiosk
)

// SideEvery is how often a kiosk in contact tells HQ how it is and sends new audit entries.
const SideEvery = time.Minute

// sideAfter is how long after a record its audit entries follow at the latest.
const sideAfter = 2 * time.Second

const maxSideAnswer = 4 << 10

// Beat is the heartbeat: levels of the kiosk, nothing of a person. HQ answers with its time.
type Beat struct {
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Now         time.Time `json:"now"` // by the kiosk's clock
	Waiting     int       `json:"waiting"`
	Shelved     int       `json:"shelved"`
	Oldest      time.Time `json:"oldest,omitzero"`
	Room        string    `json:"room"`
	Quarantined bool      `json:"quarantined"`
	AuditSize   int64     `json:"audit_size"`
	State       string    `json:"state"` // of the machine: a phase's name, or the reason for being out of service
	Reader      string    `json:"reader"`
	Camera      string    `json:"camera"`
}

// side sends heartbeat and audit entries when they are due. Records never wait for it: a failure is tried again later.
func (u *Uploader) side(ctx context.Context) {
	if !u.hasSide() || u.opt.Now().Before(u.sideDue) {
		return
	}
	after := SideEvery
	if err := u.sendSide(ctx); err != nil && ctx.Err() == nil {
		u.sideFailed++
		after = u.opt.Jitter(min(backoffBase<<min(u.sideFailed, 10), backoffCap))
	} else {
		u.sideFailed = 0
	}
	u.sideDue = u.opt.Now().Add(after)
	u.report()
}

func (u *Uploader) hasSide() bool { return u.opt.Audit != nil || u.opt.Beat != nil }

func (u *Uploader) sendSide(ctx context.Context) error {
	if u.opt.Beat != nil {
		if err := u.beat(ctx); err != nil {
			return err
		}
	}
	if u.opt.Audit != nil {
		return u.sendAudit(ctx)
	}
	return nil
}

// beat sends one heartbeat and learns HQ's clock from the answer: the middle of the exchange is when HQ read it.
func (u *Uploader) beat(ctx context.Context) error {
	b := u.opt.Beat()
	s := u.opt.Queue.Stats()
	b.Now, b.Waiting, b.Shelved, b.Oldest = u.opt.Now(), s.Waiting, s.Shelved, s.Oldest
	b.Room, b.Quarantined = string(u.opt.Queue.Room().Level), s.Quarantined != ""
	if u.opt.Audit != nil {
		b.AuditSize = u.opt.Audit.Size()
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	before := u.opt.Now()
	status, answer, err := u.exchange(ctx, http.MethodPost, "/v1/heartbeat", raw)
	after := u.opt.Now()
	if err != nil {
		return err
	}
	u.levels.Revoked = status == http.StatusGone
	if status != http.StatusOK {
		return errors.New("heartbeat refused")
	}
	var said struct {
		Time time.Time `json:"time"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Time.IsZero() {
		return errors.New("heartbeat without HQ's time")
	}
	u.levels.Skew = said.Time.Sub(before.Add(after.Sub(before) / 2))
	u.levels.SkewKnown, u.levels.LastContact = true, after
	return nil
}

// sendAudit brings HQ's witness up to the log's end. Where HQ stands is HQ's to say: at the beginning the log's own end
// is offered without entries, and HQ answers with the place from which it wants them.
func (u *Uploader) sendAudit(ctx context.Context) error {
	for range maxAuditBatches {
		from := u.auditFrom
		if !u.auditKnown {
			from = u.opt.Audit.Size()
		}
		b, err := u.opt.Audit.Batch(from)
		if errors.Is(err, audit.ErrRange) { // HQ has seen more: let it see for itself what there is
			b, err = u.opt.Audit.Batch(u.opt.Audit.Size())
		}
		if err != nil {
			return err
		}
		raw, err := b.Encode()
		if err != nil {
			return err
		}
		status, answer, err := u.exchange(ctx, http.MethodPut, "/v1/audit", raw)
		if err != nil {
			return err
		}
		done, err := u.audited(status, answer, b)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// maxAuditBatches bounds one turn, so that records are not kept waiting by a long log.
const maxAuditBatches = 8

// audited takes in HQ's answer to a batch. done says that there is nothing more to send now.
func (u *Uploader) audited(status int, answer []byte, b audit.Batch) (done bool, err error) {
	var said struct {
		Code string `json:"code"`
		Want int64  `json:"want"`
	}
	_ = json.Unmarshal(answer, &said) // an answer without them says nothing, which is handled
	switch {
	case status == http.StatusOK:
		u.auditFrom, u.auditKnown, u.levels.AuditAlarm = b.From+int64(len(b.Leaves)), true, ""
		u.levels.AuditSeen = u.auditFrom
		return u.auditFrom >= u.opt.Audit.Size(), nil
	case status == http.StatusConflict && said.Code == "place" && said.Want >= 0 && (!u.auditKnown || said.Want != b.From):
		u.auditFrom, u.auditKnown = said.Want, true
		return false, nil
	case status == http.StatusConflict:
		switch code := "audit-" + said.Code; code {
		case AuditShrunken, AuditForked, AuditOther:
			u.levels.AuditAlarm = code
		}
		u.auditKnown = false
	}
	return false, errors.New("audit batch refused")
}

// exchange is one small request and its answer.
func (u *Uploader) exchange(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, u.opt.URL+path, u.limited(ctx, body))
	if err != nil {
		return 0, nil, err
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Digest", ContentDigest(body))
	res, err := u.opt.Client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxSideAnswer))
	return res.StatusCode, answer, err
}

// limited is the body at the pace of the bandwidth cap.
func (u *Uploader) limited(ctx context.Context, body []byte) io.Reader {
	r := bytes.NewReader(body)
	if u.pace == nil {
		return r
	}
	return &paced{ctx: ctx, in: r, pace: u.pace}
}
