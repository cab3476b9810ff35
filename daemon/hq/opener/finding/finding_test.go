package finding_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hpke"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/finding"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

const number = "123456789018"

// kit is an HQ with a store, and a worker whose clock and keys the test moves.
type kit struct {
	layout setup.Layout
	bundle *sync.Bundle
	writer *sqlitestore.Writer
	db     *finding.DB
	worker *finding.Worker
	keys   *switched
	at     time.Time
	seq    uint64
}

// switched are keys that can be away.
type switched struct {
	opener.KeyStore
	away  bool
	asked atomic.Int64
}

func (s *switched) Key(p record.Part, id string) (hpke.PrivateKey, error) {
	k, err := s.KeyStore.Key(p, id)
	if err == nil && s.away {
		s.asked.Add(1)
		return nil, &opener.Unavailable{Why: opener.WaitAway}
	}
	return k, err
}

func newKit(tb testing.TB, role ...record.Part) *kit {
	tb.Helper()
	k := &kit{layout: setup.Layout(tb.TempDir()), at: storagetest.At()}
	if err := setup.Init(setup.Options{Dir: string(k.layout), Kiosk: storagetest.Device, URL: "https://127.0.0.1:1", Now: k.at}); err != nil {
		tb.Fatal(err)
	}
	var err error
	if k.bundle, err = sync.LoadBundle(filepath.Join(string(k.layout), "kiosk")); err != nil {
		tb.Fatal(err)
	}
	if k.writer, err = sqlitestore.Open(tb.Context(), k.layout.Records(), sqlitestore.Options{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = k.writer.Close() })
	reader, err := sqlitestore.OpenReader(tb.Context(), k.layout.Records())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = reader.Close() })
	k.open(tb, reader, role...)
	return k
}

// open begins with a new worker on the same files, as a new process does.
func (k *kit) open(tb testing.TB, reader store.Reader, role ...record.Part) {
	tb.Helper()
	files, err := opener.LoadKeys(k.layout.Opener(), role...)
	if err != nil {
		tb.Fatal(err)
	}
	k.keys = &switched{KeyStore: files}
	if k.db, err = finding.Open(tb.Context(), k.layout.Findings()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = k.db.Close() })
	o := &opener.Opener{Store: reader, Keys: k.keys, Devices: device.Dir(k.layout.Devices()), Receipts: k.bundle.Receipts}
	k.worker = &finding.Worker{Opener: o, DB: k.db, Parts: role, Now: func() time.Time { return k.at }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// put stores a record as the receiver does; edit may falsify it.
func (k *kit) put(tb testing.TB, edit func(*store.Row)) string {
	tb.Helper()
	k.seq++
	r := storagetest.Record(storagetest.NewID(), 100)
	r.MyNumber = &record.MyNumber{Number: secret.New([]byte(number)), Purpose: "p"}
	env, err := wire.Build(r, k.bundle.Keys, k.bundle.Signer, k.seq, storagetest.At())
	if err != nil {
		tb.Fatal(err)
	}
	key, err := setup.LoadKey(filepath.Join(k.layout.Receiver(), setup.FileReceiptKey))
	if err != nil {
		tb.Fatal(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		tb.Fatal("no signer")
	}
	receipt := wire.Receipt{Device: env.Header.Device, ID: env.Header.ID, Digest: env.Digest, Received: k.at}
	for receipt.KeyID = range k.bundle.Receipts {
	}
	b, err := wire.SignReceipt(receipt, signer)
	if err != nil {
		tb.Fatal(err)
	}
	row := store.NewRow(env, b, k.at)
	if edit != nil {
		edit(&row)
	}
	if _, fresh, err := k.writer.Insert(tb.Context(), row); err != nil || !fresh {
		tb.Fatal(err)
	}
	return r.ID
}

func (k *kit) pass(t *testing.T, want int) {
	t.Helper()
	if n, err := k.worker.Pass(t.Context()); err != nil || n != want {
		t.Fatalf("worked on %d, want %d: %v", n, want, err)
	}
}

func (k *kit) of(t *testing.T, id string) finding.Finding {
	t.Helper()
	f, err := k.db.Of(t.Context(), storagetest.Device, id)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func daily() []record.Part {
	return []record.Part{record.PartIdentity, record.PartImages, record.PartEvidence}
}

func TestFindings(t *testing.T) {
	k := newKit(t, daily()...)
	good := k.put(t, nil)
	cases := []struct {
		code string
		edit func(*store.Row)
	}{
		{finding.CodeColumns, func(r *store.Row) { r.Virtual = nil }},
		{finding.CodeReceipt, func(r *store.Row) { r.Receipt = []byte("{}") }},
		{finding.CodeDigests, func(r *store.Row) { r.Envelope[len(r.Envelope)-9] ^= 1 }},
		{finding.CodeEnvelope, func(r *store.Row) { r.Envelope = []byte("x") }},
		{finding.CodeEnvelope, func(r *store.Row) { r.Digest[0] ^= 1 }},
	}
	var bad []string
	for _, c := range cases {
		bad = append(bad, k.put(t, c.edit))
	}
	k.pass(t, 6)
	f := k.of(t, good)
	if f.State != finding.Opened || f.Code != "" || f.Tries != 1 || !f.At.Equal(k.at) {
		t.Fatalf("got %+v", f)
	}
	states := map[record.Part]string{}
	for _, p := range f.Parts {
		states[p.Part] = p.State
	}
	want := map[record.Part]string{record.PartIdentity: "opened", record.PartImages: "opened", record.PartEvidence: "opened", record.PartMyNumber: "no-key"}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Fatal(diff)
	}
	for i, c := range cases {
		if f := k.of(t, bad[i]); f.State != finding.Failed || f.Code != c.code {
			t.Errorf("%d %s: got %+v", i, c.code, f)
		}
	}
	k.pass(t, 0)
	counts, err := k.db.Counts(t.Context())
	wantCounts := []finding.Count{{finding.Failed, "columns", 1}, {finding.Failed, "digests", 1}, {finding.Failed, "envelope", 2}, {finding.Failed, "receipt", 1}, {finding.Opened, "", 1}}
	if diff := cmp.Diff(wantCounts, counts); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	k.noneOf(t)
}

// noneOf searches the database of findings for what is in the records.
func (k *kit) noneOf(t *testing.T) {
	t.Helper()
	seen := 0
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(k.layout.Findings() + end)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(b)
		for _, c := range append(storagetest.Canaries(), []byte(number)) {
			if bytes.Contains(b, c) {
				t.Errorf("findings%s hold %q", end, c)
			}
		}
	}
	if seen == 0 {
		t.Fatal("nothing was searched")
	}
}

// Without a key of its role a record waits, is tried with growing pauses, and is opened when the key is back.
func TestWaitsForItsKey(t *testing.T) {
	k := newKit(t, daily()...)
	id := k.put(t, nil)
	k.keys.away = true
	k.pass(t, 1)
	f := k.of(t, id)
	if f.State != finding.Waiting || f.Code != string(opener.WaitAway) || f.Part != record.PartIdentity || !f.Next.Equal(k.at.Add(10*time.Second)) {
		t.Fatalf("got %+v", f)
	}
	k.pass(t, 0)
	for i, pause := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
		k.at = k.at.Add(pause*time.Second - time.Millisecond)
		k.pass(t, 0)
		k.at = k.at.Add(time.Millisecond)
		k.pass(t, 1)
		if f = k.of(t, id); f.Tries != i+2 || f.State != finding.Waiting {
			t.Fatalf("got %+v", f)
		}
	}
	k.keys.away = false
	k.at = f.Next
	k.pass(t, 1)
	if f := k.of(t, id); f.State != finding.Opened || f.Code != "" {
		t.Fatalf("got %+v", f)
	}
}

// A fault is told even while a key is away.
func TestFaultsBeforeWaiting(t *testing.T) {
	k := newKit(t, daily()...)
	id := k.put(t, func(r *store.Row) { r.Receipt = []byte("{}") })
	k.keys.away = true
	k.pass(t, 1)
	if f := k.of(t, id); f.State != finding.Failed || f.Code != finding.CodeReceipt {
		t.Fatalf("got %+v", f)
	}
}

// With a token away and many records waiting, each round tries a few.
func TestManyWaitingAreNotAllTried(t *testing.T) {
	k := newKit(t, record.PartEvidence)
	for range 30 {
		k.put(t, nil)
	}
	k.keys.away = true
	k.pass(t, 30)
	k.at = k.at.Add(time.Hour)
	before := k.keys.asked.Load()
	k.pass(t, 8)
	if n := k.keys.asked.Load() - before; n != 8 {
		t.Fatalf("asked %d times", n)
	}
	k.keys.away = false
	k.at = k.at.Add(time.Hour)
	k.pass(t, 30)
}

// Another role looks again; a lost database is found again; a new process goes on where the last one was.
func TestGoesOn(t *testing.T) {
	k := newKit(t, record.PartEvidence)
	reader := k.worker.Opener.Store
	id := k.put(t, nil)
	k.pass(t, 1)
	k.open(t, reader, record.PartEvidence)
	k.pass(t, 0)
	k.open(t, reader, record.PartCertificate)
	k.pass(t, 1)
	if f := k.of(t, id); f.State != finding.Closed { // nothing of it is this role's
		t.Fatalf("got %+v", f)
	}
	_ = k.db.Close()
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(k.layout.Findings() + end)
	}
	k.open(t, reader, daily()...)
	k.pass(t, 1)
}

// More than one page of records, and one that was committed late with an earlier time of reception.
func TestPagesAndLateOnes(t *testing.T) {
	k := newKit(t, record.PartEvidence)
	junk := func(i int, at time.Time) string {
		id := storagetest.NewID()
		row := store.Row{Device: fmt.Sprintf("kiosk-%d", i%7), ID: id, Created: at, Received: at, Seq: uint64(i), Envelope: []byte("x"), Receipt: []byte("{}")}
		if _, _, err := k.writer.Insert(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		return id
	}
	for i := range 700 {
		junk(i, k.at.Add(time.Duration(i/300)*time.Second)) // hundreds at the same time
	}
	k.pass(t, 700)
	k.pass(t, 0)
	junk(701, k.at.Add(-9*time.Minute))
	k.pass(t, 1)
	junk(702, k.at.Add(-time.Hour)) // too late for every pass: the sweep finds it
	k.pass(t, 0)
	k.at = k.at.Add(6 * time.Hour)
	k.pass(t, 1)
}

// A signature that did not verify is looked at again by the next sweep: the list of kiosks may have been mended.
func TestMendedDevice(t *testing.T) {
	k := newKit(t, daily()...)
	id := k.put(t, nil)
	devices := k.layout.Devices()
	if err := os.Rename(devices, devices+".away"); err != nil {
		t.Fatal(err)
	}
	k.pass(t, 1)
	if f := k.of(t, id); f.State != finding.Failed || f.Code != finding.CodeSignature {
		t.Fatalf("got %+v", f)
	}
	if err := os.Rename(devices+".away", devices); err != nil {
		t.Fatal(err)
	}
	k.at = k.at.Add(time.Hour)
	k.pass(t, 0)
	k.at = k.at.Add(5 * time.Hour)
	k.pass(t, 1)
	if f := k.of(t, id); f.State != finding.Opened {
		t.Fatalf("got %+v", f)
	}
	k.at = k.at.Add(6 * time.Hour)
	k.pass(t, 0)
}

// faulty is a store whose bodies are missing, or that does not answer.
type faulty struct {
	store.Reader
	err error
}

func (f *faulty) Get(ctx context.Context, device, id string) (store.Row, error) {
	if f.err != nil {
		return store.Row{}, f.err
	}
	return f.Reader.Get(ctx, device, id)
}

func TestStoreFaultsAreNoFindings(t *testing.T) {
	k := newKit(t, daily()...)
	f := &faulty{k.worker.Opener.Store, sql.ErrConnDone}
	k.worker.Opener.Store = f
	id := k.put(t, nil)
	if _, err := k.worker.Pass(t.Context()); err == nil {
		t.Fatal("a store that does not answer was taken for an answer")
	}
	f.err = fmt.Errorf("%w: gone", store.ErrBody)
	k.pass(t, 1)
	if f := k.of(t, id); f.State != finding.Waiting || f.Code != finding.CodeBody {
		t.Fatalf("got %+v", f)
	}
	f.err = nil
	k.at = k.at.Add(time.Minute)
	k.pass(t, 1)
	if f := k.of(t, id); f.State != finding.Opened {
		t.Fatalf("got %+v", f)
	}
}
