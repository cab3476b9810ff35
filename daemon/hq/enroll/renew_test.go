package enroll_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/enroll"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
)

const day = 24 * time.Hour

// kioskKit is an enrolled kiosk with its state directory.
type kioskKit struct {
	*hqKit
	dir, state string
	bundle     *sync.Bundle
	keys       *seal.Store
	renewer    *enroll.Renewer
}

func newKiosk(t *testing.T) *kioskKit {
	t.Helper()
	h := newHQ(t)
	o := h.options(h.code(kiosk))
	h.enroll(o)
	k := &kioskKit{hqKit: h, dir: o.Dir, state: t.TempDir()}
	k.start()
	return k
}

// start is a start of the kiosk.
func (k *kioskKit) start() {
	k.t.Helper()
	var err error
	if k.bundle, err = sync.LoadBundle(k.dir); err != nil {
		k.t.Fatal(err)
	}
	if k.keys, err = k.bundle.OpenKeys(filepath.Join(k.state, sync.FileKeys)); err != nil {
		k.t.Fatal(err)
	}
	if k.renewer, err = enroll.NewRenewer(k.bundle, k.keys, k.state, k.clock.now); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kioskKit) renew(want bool) {
	k.t.Helper()
	if got, err := k.renewer.RenewIfDue(context.Background(), k.clock.now()); err != nil || got != want {
		k.t.Fatalf("renewed %v, %v", got, err)
	}
}

// get asks with the bundle's own client, as the uploader does.
func (k *kioskKit) get() (int, *tls.ConnectionState) {
	k.t.Helper()
	cfg := k.bundle.TLS.Clone()
	cfg.Time = k.clock.now
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
	res, err := c.Get(k.server.URL + enroll.PathKeys)
	if err != nil {
		k.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode, res.TLS
}

func TestRenewalAtAThirdOfLifeLeft(t *testing.T) {
	k := newKiosk(t)
	old := k.renewer.Leaf()
	oldCert := k.bundle.TLS.Certificates[0]
	k.clock.pass(59 * day)
	k.renew(false)
	k.clock.pass(2 * day)
	k.renew(true)
	fresh := k.renewer.Leaf()
	if want := k.clock.now().Truncate(time.Second).Add(90 * day); !fresh.NotAfter.Equal(want) {
		t.Fatalf("until %s, want %s", fresh.NotAfter, want)
	}
	if fingerprintOf(t, fresh.PublicKey) == fingerprintOf(t, old.PublicKey) {
		t.Fatal("the TLS key is the old one")
	}
	k.renew(false)
	if status, _ := k.get(); status != 200 {
		t.Fatalf("with the new certificate: %d", status)
	}
	if status, _ := k.post(enroll.PathRenew, nil, &oldCert); status != 400 { // let in, then the body is looked at
		t.Fatalf("with the old certificate: %d", status)
	}
	info, err := os.Stat(filepath.Join(k.state, enroll.FileRenewed))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	k.start() // the next start of the kiosk uses the renewed one
	if !k.renewer.Leaf().Equal(fresh) {
		t.Fatal("the renewed certificate is forgotten at the next start")
	}
	for range 4 { // and so on
		k.clock.pass(61 * day)
		k.renew(true)
	}
}

func TestNewEnrolmentOutranksARenewal(t *testing.T) {
	k := newKiosk(t)
	k.clock.pass(61 * day)
	k.renew(true)
	k.clock.pass(day)
	o := k.options(k.code(kiosk))
	o.Dir = k.dir
	k.enroll(o)
	k.start()
	if status, _ := k.get(); status != 200 {
		t.Fatalf("got %d", status)
	}
}

func TestRenewalIsProvedByTheDeviceKey(t *testing.T) {
	k := newKiosk(t)
	thief := newKey(t) // has the TLS key, not the device key
	cert := k.bundle.TLS.Certificates[0]
	for _, c := range []struct {
		name, device string
		signer       crypto.Signer
		want         int
	}{
		{"without-the-device-key", kiosk, thief, 422},
		{"for-another-device", "demo-kiosk", k.bundle.Signer, 422},
		{"with-it", kiosk, k.bundle.Signer, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := enroll.NewRenewRequest(c.device, newKey(t), c.signer)
			if err != nil {
				t.Fatal(err)
			}
			body, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if status, answer := k.post(enroll.PathRenew, body, &cert); status != c.want {
				t.Fatalf("got %d %s", status, answer)
			}
			if status, _ := k.post(enroll.PathRenew, body, nil); status != 403 {
				t.Fatalf("without a certificate: %d", status)
			}
		})
	}
}

func TestExpiredMeansEnrolAgain(t *testing.T) {
	k := newKiosk(t)
	if f := enroll.Findings(k.dir, k.state, k.clock.now()); len(f) != 1 || f[0].Bad {
		t.Fatalf("got %+v", f)
	}
	k.clock.pass(91 * day)
	if _, err := k.renewer.RenewIfDue(context.Background(), k.clock.now()); !errors.Is(err, enroll.ErrExpired) {
		t.Fatalf("got %v", err)
	}
	if _, err := k.renewer.FetchKeys(context.Background()); !errors.Is(err, enroll.ErrExpired) {
		t.Fatalf("got %v", err)
	}
	if f := enroll.Findings(k.dir, k.state, k.clock.now()); len(f) != 1 || !f[0].Bad || f[0].Cure == "" {
		t.Fatalf("got %+v", f)
	}
	o := k.options(k.code(kiosk))
	o.Dir = k.dir
	if r := k.enroll(o); !r.Kept {
		t.Fatal("the device key was not kept")
	}
	k.start()
	k.renew(false)
	if f := enroll.Findings(k.dir, k.state, k.clock.now().Add(3*365*day)); len(f) != 6 || !f[5].Bad {
		t.Fatalf("got %+v", f) // the certificate, and the key of each of five parts
	}
}

// The server says that the certificate has ended while the kiosk's clock is behind.
func TestExpiredByTheServersClockOnly(t *testing.T) {
	k := newKiosk(t)
	behind := k.clock.now().Add(80 * day)
	k.clock.pass(91 * day)
	r, err := enroll.NewRenewer(k.bundle, k.keys, k.state, func() time.Time { return behind })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.RenewIfDue(context.Background(), behind); !errors.Is(err, enroll.ErrExpired) {
		t.Fatalf("got %v", err)
	}
}

// The deny list counts at once, also on a connection that is open.
func TestRevokedAtTheNextRequest(t *testing.T) {
	k := newKiosk(t)
	cfg := k.bundle.TLS.Clone()
	cfg.Time = k.clock.now
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg, MaxConnsPerHost: 1}}
	get := func() int {
		res, err := c.Get(k.server.URL + enroll.PathKeys)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res.StatusCode
	}
	if got := get(); got != 200 {
		t.Fatal(got)
	}
	devices := device.Dir(k.layout.Devices())
	if err := devices.Revoke(kiosk, "just so", k.clock.now()); !errors.Is(err, device.ErrReason) {
		t.Fatalf("got %v", err)
	}
	if err := devices.Revoke(kiosk, device.Stolen, k.clock.now()); err != nil {
		t.Fatal(err)
	}
	if got := get(); got != 410 {
		t.Fatal(got)
	}
	if _, err := k.renewer.FetchKeys(context.Background()); !errors.Is(err, enroll.ErrRevoked) {
		t.Fatalf("got %v", err)
	}
	d, err := devices.Lookup(kiosk)
	if !errors.Is(err, device.ErrRevoked) || d.Reason != device.Stolen || !d.Revoked.Equal(k.clock.now().Truncate(time.Second)) || d.Public == nil {
		t.Fatalf("got %+v, %v", d, err)
	}
	if err := devices.Revoke(kiosk, device.Lost, k.clock.now().Add(day)); err != nil {
		t.Fatal(err)
	}
	if again, _ := devices.Lookup(kiosk); again.Reason != device.Stolen {
		t.Fatal("a second revocation has changed the first")
	}
	if all, err := devices.List(); err != nil || len(all) != 2 || all[0].Name != kiosk || all[1].State != device.Active {
		t.Fatalf("got %+v, %v", all, err)
	}
	if err := devices.Revoke("nobody", device.Lost, k.clock.now()); !errors.Is(err, device.ErrUnknown) {
		t.Fatalf("got %v", err)
	}
}

// A list that HQ publishes reaches the kiosk at its next contact, and what it seals follows.
func TestNewListsReachTheKiosk(t *testing.T) {
	k := newKiosk(t)
	before, err := k.bundle.Keys.Choose(record.PartIdentity, k.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := k.renewer.FetchKeys(context.Background()); err != nil || changed {
		t.Fatalf("got %v, %v", changed, err)
	}
	draft, err := setup.NextDraft(k.layout)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup.Rotate(k.layout, draft, setup.Rotation{Part: record.PartIdentity, From: k.clock.now().Add(day), Life: 3 * 365 * day, Keep: 400 * day, Now: k.clock.now()}); err != nil {
		t.Fatal(err)
	}
	signed, err := setup.SignList(k.layout.Root(), draft, k.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if err := setup.Publish(k.layout, signed); err != nil {
		t.Fatal(err)
	}
	if changed, err := k.renewer.FetchKeys(context.Background()); err != nil || !changed || k.keys.List().Version != 2 {
		t.Fatalf("got %v, %v", changed, err)
	}
	if same, err := k.bundle.Keys.Choose(record.PartIdentity, k.clock.now()); err != nil || same.ID != before.ID {
		t.Fatal("the new key is used before its time")
	}
	k.clock.pass(day)
	if next, err := k.bundle.Keys.Choose(record.PartIdentity, k.clock.now()); err != nil || next.ID == before.ID {
		t.Fatal("the new key is not used")
	}
	k.start()
	if k.keys.List().Version != 2 {
		t.Fatal("the newer list is forgotten at the next start")
	}
	if status, _ := k.get(); status != 200 {
		t.Fatal(status)
	}
}
