// Package finding is what the opener found in each received record, and the worker that finds it: it works off the
// store of received records, opens the parts of its role, verifies all that can be verified, and keeps the result. It is
// the opener's own database: what lies in the receiver's is never touched, and the receiver never waits for it. A finding
// holds states and stable codes, nothing of what was opened. Only daemon/hq/page, daemon/hqd and tests may import it.
package finding

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"madoguchi/daemon/hq/opener"
	"madoguchi/storage/record"
)

// State says how a record stands with this role.
type State string

// The states.
const (
	Opened  State = "opened"  // every part of this role opened, and every check passed
	Failed  State = "failed"  // a check failed, or a part did not open: Part and Code say which
	Waiting State = "waiting" // a key of this role's, or the body, cannot be had now: it is tried again
	Closed  State = "closed"  // checked as far as goes without keys: none of its parts is this role's
)

// The codes beside record's and opener's: the check that failed, or what a record waits for.
const (
	CodeEnvelope  = "envelope"
	CodeDigests   = "digests"
	CodeSignature = "signature"
	CodeReceipt   = "receipt"
	CodeColumns   = "columns"
	CodeWhole     = "whole" // every part is good, the record as a whole is not
	CodeBody      = "body-missing"
)

// Finding is the result for one record.
type Finding struct {
	Device, ID string
	Digest     [32]byte // of the envelope it was found in
	State      State
	Part       record.Part // that failed or waits; empty when the record as a whole does
	Code       string
	Parts      []Part
	Tries      int       // how often it was worked on
	At         time.Time // when, last
	Next       time.Time // when it is tried again, of Waiting
}

// Part is what became of one part: opener.PartState without its size.
type Part struct {
	Part  record.Part
	KeyID string
	State string
	Code  string
}

// Count is how many records stand in a state for a reason.
type Count struct {
	State State
	Code  string
	N     int
}

// ErrNone says that there is no finding yet.
var ErrNone = errors.New("finding: none yet")

const timeLayout = "2006-01-02T15:04:05.000Z"

// schema of the database. role is the list of parts that the opener could open then: another role finds anew.
const schema = `
CREATE TABLE IF NOT EXISTS findings (
  device TEXT NOT NULL,
  id     TEXT NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  role   TEXT NOT NULL,
  state  TEXT NOT NULL CHECK (state IN ('opened', 'failed', 'waiting', 'closed')),
  part   TEXT NOT NULL,
  code   TEXT NOT NULL,
  parts  TEXT NOT NULL,
  tries  INTEGER NOT NULL,
  at     TEXT NOT NULL,
  next   TEXT NOT NULL,
  PRIMARY KEY (device, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS findings_next ON findings (next) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS findings_state ON findings (state, code);
PRAGMA user_version = 1;
`

// DB is the database of findings.
type DB struct{ db *sql.DB }

// Open opens or makes the database.
func Open(ctx context.Context, path string) (*DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite would make it with wider rights
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	// NORMAL: what a power cut takes is found again.
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil || version > 1 {
		return nil, errors.Join(fmt.Errorf("finding: database of version %d: %w", version, err), db.Close())
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("finding: %w", err), db.Close())
	}
	return &DB{db}, nil
}

// Close closes the database.
func (d *DB) Close() error { return d.db.Close() }

// Put keeps a finding in the place of an earlier one.
func (d *DB) Put(ctx context.Context, f Finding, role string) error {
	_, err := d.db.ExecContext(
		ctx, `INSERT OR REPLACE INTO findings (device, id, digest, role, state, part, code, parts, tries, at, next) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		f.Device, f.ID, f.Digest[:], role, string(f.State), string(f.Part), f.Code, packParts(f.Parts), f.Tries,
		f.At.UTC().Format(timeLayout), f.Next.UTC().Format(timeLayout),
	)
	if err != nil {
		return fmt.Errorf("finding: %w", err)
	}
	return nil
}

const columns = `device, id, digest, state, part, code, parts, tries, at, next`

// Of gives the finding of a record, or ErrNone.
func (d *DB) Of(ctx context.Context, device, id string) (Finding, error) {
	f, err := scan(d.db.QueryRowContext(ctx, `SELECT `+columns+` FROM findings WHERE device = ? AND id = ?`, device, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Finding{}, ErrNone
	}
	return f, err
}

// done says whether the very bytes were worked on already in this role. A signature or a receipt that did not verify
// before that time counts as not done: what they were verified with may have been mended.
func (d *DB) done(ctx context.Context, device, id string, digest [32]byte, role string, again time.Time) (bool, error) {
	var n int
	err := d.db.QueryRowContext(
		ctx, `SELECT count(*) FROM findings WHERE device = ? AND id = ? AND digest = ? AND role = ?
		 AND NOT (state = 'failed' AND code IN ('signature', 'receipt') AND at < ?)`,
		device, id, digest[:], role, again.UTC().Format(timeLayout),
	).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("finding: %w", err)
	}
	return n > 0, nil
}

// due lists those that wait and whose time has come, longest waiting first.
func (d *DB) due(ctx context.Context, now time.Time, limit int) ([]Finding, error) {
	return d.list(ctx, `WHERE state = 'waiting' AND next <= ? ORDER BY next LIMIT ?`, now.UTC().Format(timeLayout), limit)
}

// forget takes a record that is gone off those that wait.
func (d *DB) forget(ctx context.Context, device, id string) error {
	_, err := d.db.ExecContext(ctx, `DELETE FROM findings WHERE device = ? AND id = ? AND state = 'waiting'`, device, id)
	return err
}

// Counts says how many records stand how, and why.
func (d *DB) Counts(ctx context.Context) ([]Count, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT state, code, count(*) FROM findings GROUP BY state, code ORDER BY state, code`)
	if err != nil {
		return nil, fmt.Errorf("finding: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []Count
	for rows.Next() {
		var c Count
		if err := rows.Scan(&c.State, &c.Code, &c.N); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

func (d *DB) list(ctx context.Context, which string, args ...any) ([]Finding, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT `+columns+` FROM findings `+which, args...) //nolint:gosec // which is a constant of the callers
	if err != nil {
		return nil, fmt.Errorf("finding: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []Finding
	for rows.Next() {
		f, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, rows.Err()
}

func scan(scan func(...any) error) (Finding, error) {
	var f Finding
	var digest []byte
	var parts, at, next string
	if err := scan(&f.Device, &f.ID, &digest, &f.State, &f.Part, &f.Code, &parts, &f.Tries, &at, &next); err != nil {
		return Finding{}, err
	}
	var err1, err2 error
	f.At, err1 = time.Parse(timeLayout, at)
	f.Next, err2 = time.Parse(timeLayout, next)
	if err := errors.Join(err1, err2); err != nil || len(digest) != len(f.Digest) {
		return Finding{}, fmt.Errorf("finding: a malformed row: %w", err)
	}
	f.Digest = [32]byte(digest)
	f.Parts = splitParts(parts)
	return f, nil
}

// packParts writes parts as text: none of their words has a comma or a semicolon.
func packParts(parts []Part) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(strings.Join([]string{string(p.Part), p.KeyID, p.State, p.Code}, ","))
	}
	return b.String()
}

func splitParts(text string) (parts []Part) {
	for one := range strings.SplitSeq(text, ";") {
		if w := strings.Split(one, ","); len(w) == 4 {
			parts = append(parts, Part{record.Part(w[0]), w[1], w[2], w[3]})
		}
	}
	return parts
}

// judge turns what was opened and verified into a finding.
func judge(o *opener.Opened) Finding {
	f := Finding{Device: o.Row.Device, ID: o.Row.ID, Digest: o.Row.Digest, State: Closed}
	for _, p := range o.Parts {
		f.Parts = append(f.Parts, Part{p.Part, p.KeyID, p.State, p.Code})
		if p.State == "opened" {
			f.State = Opened
		}
	}
	if o.Verified.Digests == opener.Failed { // the envelope failed because of it
		f.State, f.Code = Failed, CodeDigests
		return f
	}
	for _, c := range []struct {
		code    string
		verdict opener.Verdict
	}{
		{CodeEnvelope, o.Verified.Envelope},
		{CodeDigests, o.Verified.Digests},
		{CodeSignature, o.Verified.Signature},
		{CodeReceipt, o.Verified.Receipt},
		{CodeColumns, o.Verified.Columns},
	} {
		if c.verdict != opener.Passed { // "not checked" is never "passed"
			f.State, f.Code = Failed, c.code
			return f
		}
	}
	for _, state := range []struct {
		of   string
		mean State
	}{{"failed", Failed}, {"waiting", Waiting}} { // a fault is told even while another part waits
		for _, p := range o.Parts {
			if p.State == state.of {
				f.State, f.Part, f.Code = state.mean, p.Part, p.Code
				return f
			}
		}
	}
	if o.Verified.Complete == opener.Failed {
		f.State, f.Code = Failed, CodeWhole
	}
	return f
}
