package opener_test

import (
	"context"
	"crypto"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/setup"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

type kit struct {
	layout setup.Layout
	bundle *sync.Bundle
	env    *wire.Envelope
}

// newKit is an HQ with one record, stored as the receiver does, but with the receipt that fake gives.
func newKit(t *testing.T, fake func(*store.Row)) *kit {
	t.Helper()
	dir := t.TempDir()
	k := &kit{layout: setup.Layout(dir)}
	if err := setup.Init(setup.Options{Dir: dir, Kiosk: storagetest.Device, URL: "https://127.0.0.1:1", Now: storagetest.At()}); err != nil {
		t.Fatal(err)
	}
	var err error
	if k.bundle, err = sync.LoadBundle(filepath.Join(dir, "kiosk")); err != nil {
		t.Fatal(err)
	}
	r := storagetest.Record(storagetest.NewID(), 100)
	r.MyNumber = &record.MyNumber{Number: secret.New([]byte("123456789018")), Purpose: "p"}
	if k.env, err = wire.Build(r, k.bundle.Keys, k.bundle.Signer, 5, storagetest.At()); err != nil {
		t.Fatal(err)
	}
	row := store.NewRow(k.env, k.receipt(t, k.env), storagetest.At())
	if fake != nil {
		fake(&row)
	}
	w, err := sqlitestore.Open(t.Context(), k.layout.Records(), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, fresh, err := w.Insert(t.Context(), row); err != nil || !fresh {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kit) receipt(t *testing.T, e *wire.Envelope) []byte {
	t.Helper()
	key, err := setup.LoadKey(filepath.Join(k.layout.Receiver(), setup.FileReceiptKey))
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		t.Fatal("no signer")
	}
	var id string
	for id = range k.bundle.Receipts {
	}
	b, err := wire.SignReceipt(wire.Receipt{Device: e.Header.Device, ID: e.Header.ID, Digest: e.Digest, Received: storagetest.At(), KeyID: id}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (k *kit) open(t *testing.T, parts ...record.Part) *opener.Opened {
	t.Helper()
	keys, err := opener.LoadKeys(k.layout.Opener(), parts...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := sqlitestore.OpenReader(t.Context(), k.layout.Records())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	o := &opener.Opener{Store: r, Keys: keys, Devices: device.Dir(k.layout.Devices()), Receipts: k.bundle.Receipts}
	got, err := o.Open(t.Context(), storagetest.Device, k.env.Header.ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(got.Wipe)
	return got
}

func all() opener.Verification {
	return opener.Verification{
		Envelope: opener.Passed, Digests: opener.Passed, Signature: opener.Passed, Receipt: opener.Passed, Columns: opener.Passed,
		Canonical: opener.Passed, Complete: opener.Passed,
	}
}

func TestRoles(t *testing.T) {
	k := newKit(t, nil)
	whole := k.open(t, record.PartIdentity, record.PartImages, record.PartEvidence, record.PartMyNumber)
	if whole.Verified != all() || !whole.Verified.Passed() || string(whole.Record.MyNumber.Number.Reveal()) != "123456789018" || whole.Seq != 5 {
		t.Fatalf("got %+v", whole.Verified)
	}
	some := k.open(t, record.PartEvidence)
	if some.Record.Identity != nil || some.Record.MyNumber != nil || some.Record.Evidence == nil || some.Verified.Complete != opener.NotChecked || !some.Verified.Passed() {
		t.Fatalf("got %+v", some.Verified)
	}
	none := k.open(t)
	if none.Verified.Canonical != opener.NotChecked || none.Verified.Passed() {
		t.Fatal("a record of which nothing could be opened must not count as verified")
	}
}

func TestFaultsShow(t *testing.T) {
	cases := []struct {
		name string
		fake func(*store.Row)
		edit func(*opener.Verification)
	}{
		{"column-device-time", func(r *store.Row) { r.Created = r.Created.AddDate(0, 0, 1) }, func(v *opener.Verification) { v.Columns = opener.Failed }},
		{"virtual-flag-removed", func(r *store.Row) { r.Virtual = nil }, func(v *opener.Verification) { v.Columns = opener.Failed }},
		{"other-digest", func(r *store.Row) { r.Digest[0]++ }, func(v *opener.Verification) { v.Envelope = opener.Failed }},
		{"no-receipt", func(r *store.Row) { r.Receipt = []byte("{}") }, func(v *opener.Verification) { v.Receipt = opener.Failed }},
		{"receipt-of-another-time", func(r *store.Row) { r.Received = r.Received.AddDate(0, 0, 1) }, func(v *opener.Verification) { v.Receipt = opener.Failed }},
		{"flipped-bit-in-a-part", func(r *store.Row) { r.Envelope[len(r.Envelope)-9] ^= 1 }, func(v *opener.Verification) {
			*v = opener.Verification{Envelope: opener.Failed, Digests: opener.Failed, Signature: opener.Failed, Receipt: opener.Failed, Columns: opener.Failed}
		}},
		{"no-envelope", func(r *store.Row) { r.Envelope = []byte("x") }, func(v *opener.Verification) {
			*v = opener.Verification{Envelope: opener.Failed, Signature: opener.Failed, Receipt: opener.Failed, Columns: opener.Failed}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, c.fake)
			want := all()
			c.edit(&want)
			got := k.open(t, record.PartIdentity, record.PartImages, record.PartEvidence, record.PartMyNumber)
			if got.Verified != want || got.Verified.Passed() {
				t.Fatalf("got %+v, want %+v", got.Verified, want)
			}
		})
	}
}

func TestSwappedPartsDoNotOpen(t *testing.T) {
	k := newKit(t, nil)
	keys, err := opener.LoadKeys(k.layout.Opener(), record.PartIdentity)
	if err != nil {
		t.Fatal(err)
	}
	id := k.env.Header.ID
	part := k.env.Parts[0]
	if b, err := keys.Open(storagetest.Device, id, 1, part); err != nil || b.Len() == 0 {
		t.Fatal(err)
	}
	images := part
	images.Part = record.PartImages
	for name, open := range map[string]func() error{
		"other-record": func() error { _, err := keys.Open(storagetest.Device, storagetest.NewID(), 1, part); return err },
		"other-device": func() error { _, err := keys.Open("kiosk-2", id, 1, part); return err },
		"other-schema": func() error { _, err := keys.Open(storagetest.Device, id, 2, part); return err },
	} {
		if err := open(); !errors.Is(err, opener.ErrOpen) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := keys.Open(storagetest.Device, id, 1, images); !errors.Is(err, opener.ErrNoKey) {
		t.Errorf("got %v", err)
	}
	if _, err := keys.Open(storagetest.Device, id, 1, seal.Sealed{Part: record.PartIdentity, KeyID: part.KeyID}); !errors.Is(err, opener.ErrOpen) {
		t.Errorf("got %v", err)
	}
}

func TestKeyFilesAreStrictAndSilent(t *testing.T) {
	k := newKit(t, nil)
	path := filepath.Join(k.layout.Opener(), opener.FileOf(record.PartIdentity))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(good), "private = '") + len("private = '")
	private := string(good[i : i+20])
	for name, bad := range map[string]string{
		"unknown-field": string(good) + "x = 1\n",
		"wrong-part":    strings.Replace(string(good), "part = 'identity'", "part = 'images'", 1),
		"cut":           string(good[:len(good)-8]),
		"no-base64":     strings.Replace(string(good), private, "!"+private[1:], 1),
	} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := opener.LoadKeys(k.layout.Opener(), record.PartIdentity)
		if err == nil || strings.Contains(err.Error(), private[1:]) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestReaderCannotWrite(t *testing.T) {
	k := newKit(t, nil)
	db, err := sql.Open("sqlite", "file:"+k.layout.Records())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "UPDATE records SET seq = 9"); err == nil || !strings.Contains(err.Error(), "never changed") {
		t.Fatalf("got %v", err)
	}
	r, err := sqlitestore.OpenReader(t.Context(), k.layout.Records())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := r.Get(t.Context(), storagetest.Device, storagetest.NewID()); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	gaps, err := r.Gaps(t.Context())
	if err != nil || len(gaps) != 1 || gaps[0] != (store.Gap{Device: storagetest.Device, Records: 1, Highest: 5, Missing: 4}) {
		t.Fatalf("got %+v, %v", gaps, err)
	}
}
