package setup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/setup"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
)

const day = 24 * time.Hour

func draftOf(t *testing.T, l setup.Layout) *seal.List {
	t.Helper()
	d, err := setup.NextDraft(l)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func signed(t *testing.T, l setup.Layout, d *seal.List) []byte {
	t.Helper()
	raw, err := setup.SignList(l.Root(), d, storagetest.At())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A key is followed by the next; what is sealed to either opens at HQ, and the receiver knows both.
func TestRotateAndOpen(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	l, at := setup.Layout(dir), storagetest.At()
	d := draftOf(t, l)
	if err := setup.Rotate(l, d, setup.Rotation{Part: record.PartIdentity, From: at.Add(30 * day), Life: 1000 * day, Keep: 400 * day, Now: at}); err != nil {
		t.Fatal(err)
	}
	if err := setup.Publish(l, signed(t, l, d)); err != nil {
		t.Fatal(err)
	}
	receiver, err := os.ReadFile(filepath.Join(l.Receiver(), sync.FileSealKeys))
	if err != nil {
		t.Fatal(err)
	}
	known, err := seal.ParsePublicKeys(receiver)
	if err != nil || len(known.Keys()) != 6 {
		t.Fatal(err)
	}
	list, err := setup.OpenList(l)
	if err != nil || list.List().Version != 2 {
		t.Fatal(err)
	}
	old, err := opener.LoadKeys(l.Opener(), record.PartIdentity)
	if err != nil {
		t.Fatal(err)
	}
	next := d.Keys[len(d.Keys)-1].ID
	fresh, err := opener.LoadKeysWith(func(p record.Part) ([]byte, error) {
		return os.ReadFile(filepath.Join(l.Opener(), opener.GenerationFile(p, next)))
	}, record.PartIdentity)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for i, now := range []time.Time{at, at.Add(31 * day)} {
		s, err := list.Public().Seal("kiosk-1", "019a9f5e-1c00-7abc-8def-0123456789ab", record.PartIdentity, secret.New([]byte("x")), now)
		if err != nil {
			t.Fatal(err)
		}
		ids[s.KeyID] = true
		if plain, err := []*opener.Keys{old, fresh}[i].Open("kiosk-1", "019a9f5e-1c00-7abc-8def-0123456789ab", record.Version, s); err != nil || string(plain.Reveal()) != "x" {
			t.Fatalf("generation %d does not open: %v", i, err)
		}
		if old.Has(s) != (i == 0) || fresh.Has(s) != (i == 1) {
			t.Fatalf("generation %d: the keys are mixed", i)
		}
	}
	if len(ids) != 2 {
		t.Fatal("the new key was not used")
	}
}

func TestTheRootSignsForwardOnly(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	l := setup.Layout(dir)
	first, err := os.ReadFile(l.Keys())
	if err != nil {
		t.Fatal(err)
	}
	a, b := draftOf(t, l), draftOf(t, l)
	listA := signed(t, l, a)
	if _, err := setup.SignList(l.Root(), b, storagetest.At()); !errors.Is(err, setup.ErrVersion) {
		t.Fatalf("a second list of one version: %v", err)
	}
	if err := setup.Publish(l, listA); err != nil {
		t.Fatal(err)
	}
	if err := setup.Publish(l, first); !errors.Is(err, seal.ErrOlder) {
		t.Fatalf("an older list: %v", err)
	}
	stranger := t.TempDir()
	if _, err := setup.RootInit(stranger, "ed25519"); err != nil {
		t.Fatal(err)
	}
	forged, err := setup.SignList(stranger, draftOf(t, l), storagetest.At())
	if err != nil {
		t.Fatal(err)
	}
	if err := setup.Publish(l, forged); !errors.Is(err, seal.ErrForged) {
		t.Fatalf("a list of another root: %v", err)
	}
	if _, err := setup.RootInit(t.TempDir(), "rsa"); err == nil {
		t.Fatal("an unknown algorithm")
	}
}

// With the root's directory on another machine HQ still takes a second kiosk, and makes no other root.
func TestRootIsOffline(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	l := setup.Layout(dir)
	if err := os.RemoveAll(l.Root()); err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	o.Kiosk, o.Bundle = "kiosk-2", filepath.Join(dir, "second")
	initialise(t, o)
	b, err := sync.LoadBundle(o.Bundle)
	if err != nil || b.Device != "kiosk-2" {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(l.Root()); err != nil || len(left) != 0 {
		t.Fatalf("another root was made: %v, %v", left, err)
	}
}

func TestRevokeAKey(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	l, at := setup.Layout(dir), storagetest.At()
	d := draftOf(t, l)
	id := d.Keys[0].ID
	if err := setup.RevokeKey(d, id, at); err != nil {
		t.Fatal(err)
	}
	if err := setup.RevokeKey(d, d.Receipts[0].ID, at); err != nil || len(d.Receipts) != 0 {
		t.Fatal(err)
	}
	if err := setup.RevokeKey(d, "nobody", at); !errors.Is(err, setup.ErrNoSuch) {
		t.Fatalf("got %v", err)
	}
	set, err := seal.NewPublicKeys(d.Keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Choose(d.Keys[0].Part, at); !errors.Is(err, seal.ErrNoKey) || !set.Known(d.Keys[0].Part, id) {
		t.Fatalf("got %v", err)
	}
	setup.Prune(d, at.Add(day))
	if len(d.Keys) != 4 {
		t.Fatalf("%d keys are left", len(d.Keys))
	}
}

func TestAnInstallationOfBefore(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	// The issuer's certificate stands for a CA that can have nothing below it.
	issuer, err := os.ReadFile(filepath.Join(dir, "receiver", setup.FileIssuer))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca", "ca.crt.pem"), issuer, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := setup.Init(options(dir)); err == nil || !strings.Contains(err.Error(), "earlier version") {
		t.Fatalf("got %v", err)
	}
}
