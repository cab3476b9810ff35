package opener

import (
	"context"
	"errors"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/store"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/wire"
)

// Verdict is the result of one check. The zero value is NotChecked, which is never a pass.
type Verdict string

// The verdicts.
const (
	NotChecked Verdict = ""
	Passed     Verdict = "passed"
	Failed     Verdict = "failed"
)

// Verification is what could be verified of a stored record.
type Verification struct {
	Envelope  Verdict // stored bytes parse, and their SHA-256 is the stored digest
	Digests   Verdict // every sealed part is the one that the header names
	Signature Verdict // the device signed the header
	Receipt   Verdict // HQ's own receipt is for these bytes
	Columns   Verdict // the clear columns say what the signed header says
	Canonical Verdict // every part opened is canonical and of this record; NotChecked when none was opened
	Complete  Verdict // the record as a whole is valid; NotChecked when a part could not be opened
}

// Passed says whether the record is whole: every check that does not need an opening key passed, and those that do
// did not fail.
func (v Verification) Passed() bool {
	for _, must := range []Verdict{v.Envelope, v.Digests, v.Signature, v.Receipt, v.Columns} {
		if must != Passed {
			return false
		}
	}
	return v.Canonical == Passed && v.Complete != Failed
}

// PartState says what became of one part.
type PartState struct {
	Part  record.Part
	KeyID string
	Size  int
	State string // "opened", "no-key" (not this role's), "waiting" (for its key), "failed" or "not-asked"
	Code  string // of "waiting": a Wait; of "failed": CodeOpen or a record.Code
}

// CodeOpen says that a part is not what was sealed for this record.
const CodeOpen = "open"

// Opened is a record as far as this role may see it. Wipe it after use.
type Opened struct {
	Row      store.Row // without the envelope
	Seq      uint64
	Record   *record.Record
	Parts    []PartState
	Canon    map[record.Part]*secret.Bytes // canonical bytes of the parts opened
	Verified Verification
}

// Wipe wipes all that was opened.
func (o *Opened) Wipe() {
	o.Record.Wipe()
	for _, b := range o.Canon {
		b.Wipe()
	}
}

// Opener opens stored records. All fields but MoreReceipts are required.
type Opener struct {
	Store    store.Reader
	Keys     KeyStore
	Devices  device.Dir
	Receipts wire.ReceiptKeys
	// MoreReceipts gives the receipt keys of now, for a receipt that those known do not verify: keys change while this
	// process runs.
	MoreReceipts func() (wire.ReceiptKeys, error)
}

// Open reads a record, verifies it, and opens those of the parts asked for that it has keys for; with none named, all
// of them. Only a record that is not there, or a store that cannot be read, is an error: faults of the record are in
// Verified.
func (o *Opener) Open(ctx context.Context, dev, id string, parts ...record.Part) (*Opened, error) {
	row, err := o.Store.Get(ctx, dev, id)
	if err != nil {
		return nil, err
	}
	out := &Opened{Row: row, Record: &record.Record{}, Canon: map[record.Part]*secret.Bytes{}}
	env := o.verify(row, &out.Verified)
	out.Row.Envelope, out.Row.Receipt = nil, nil
	if env == nil {
		return out, nil // nothing can be opened; the verdicts say why
	}
	out.Seq = env.Header.Seq
	out.Record.ID, out.Record.Device = env.Header.ID, env.Header.Device
	out.Record.Created, out.Record.Virtual = env.Header.Created, env.Header.Virtual
	if len(parts) == 0 {
		parts = record.Parts()
	}
	o.openParts(env, parts, out)
	return out, nil
}

// verify makes all checks that need no opening key. It gives nil when the bytes are no envelope.
func (o *Opener) verify(row store.Row, v *Verification) *wire.Envelope {
	v.Envelope, v.Digests, v.Signature, v.Receipt, v.Columns = Failed, Failed, Failed, Failed, Failed
	env, err := wire.Parse(row.Envelope)
	if err != nil {
		if !errors.Is(err, &wire.Error{Code: wire.CodeDigest}) {
			v.Digests = NotChecked
		}
		return nil
	}
	v.Digests = Passed // wire.Parse compares every part with its SHA-256
	if env.Digest == row.Digest {
		v.Envelope = Passed
	}
	dev, err := o.Devices.Lookup(env.Header.Device)
	if (err == nil || errors.Is(err, device.ErrRevoked)) && dev.Verify(true, env.VerifyDevice) == nil {
		v.Signature = Passed
	}
	r, err := wire.VerifyReceipt(row.Receipt, o.Receipts, row.Device, row.ID, env.Digest)
	if err != nil && o.MoreReceipts != nil {
		if keys, failed := o.MoreReceipts(); failed == nil {
			r, err = wire.VerifyReceipt(row.Receipt, keys, row.Device, row.ID, env.Digest)
		}
	}
	if err == nil && r.Receipt().Received.Equal(row.Received.Truncate(time.Millisecond)) {
		v.Receipt = Passed
	}
	want := store.NewRow(env, nil, row.Received)
	if want.Device == row.Device && want.ID == row.ID && want.Seq == row.Seq && want.Created.Equal(row.Created) &&
		equal(want.Virtual, row.Virtual) && equal(want.Parts, row.Parts) {
		v.Columns = Passed
	}
	return env
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (o *Opener) openParts(env *wire.Envelope, parts []record.Part, out *Opened) {
	all := true
	for _, s := range env.Parts {
		state := PartState{Part: s.Part, KeyID: s.KeyID, Size: len(s.Bytes), State: "not-asked"}
		asked := false
		for _, p := range parts {
			asked = asked || p == s.Part
		}
		if asked {
			state.State, state.Code = o.openPart(env, s, out)
		}
		switch {
		case state.State == "failed":
			out.Verified.Canonical = Failed
		case state.State == "opened" && out.Verified.Canonical == NotChecked:
			out.Verified.Canonical = Passed
		}
		all = all && state.State == "opened"
		out.Parts = append(out.Parts, state)
	}
	switch {
	case all && out.Record.Validate() == nil:
		out.Verified.Complete = Passed
	case all:
		out.Verified.Complete = Failed
	}
}

// openPart opens one part into out and says what became of it.
func (o *Opener) openPart(env *wire.Envelope, s seal.Sealed, out *Opened) (state, code string) {
	h := env.Header
	plain, err := Open(o.Keys, h.Device, h.ID, h.Schema, s)
	var away *Unavailable
	switch {
	case errors.Is(err, ErrNoKey):
		return "no-key", ""
	case errors.As(err, &away):
		return "waiting", string(away.Why)
	case err != nil:
		return "failed", CodeOpen
	}
	if err := record.DecodePart(s.Part, plain.Reveal(), out.Record); err != nil {
		plain.Wipe()
		if refused, ok := errors.AsType[*record.Error](err); ok {
			return "failed", string(refused.Code)
		}
		return "failed", string(record.CodeSyntax)
	}
	out.Canon[s.Part] = plain
	return "opened", ""
}
