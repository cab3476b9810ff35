package device_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/storage/storagetest"
)

func newKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &k.PublicKey
}

func caller(name string, notBefore time.Time) *tls.ConnectionState {
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: notBefore}
	return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}
}

func TestAdmit(t *testing.T) {
	d, at := device.Dir(t.TempDir()), storagetest.At().Truncate(time.Second)
	for _, name := range []string{"good", "gone"} {
		if err := d.Register(name, newKey(t), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Revoke("gone", device.Lost, at); err != nil {
		t.Fatal(err)
	}
	byHand, err := device.Marshal("by-hand", newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(string(d), "by-hand.toml"), byHand, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		state *tls.ConnectionState
		want  error
	}{
		{"of-this-enrolment", caller("good", at.Add(-device.Backdate)), nil},
		{"of-an-earlier-one", caller("good", at.Add(-device.Backdate-time.Second)), device.ErrSuperseded},
		{"revoked", caller("gone", at), device.ErrRevoked},
		{"unknown", caller("nobody", at), device.ErrUnknown},
		{"a-path", caller("../good", at), device.ErrUnknown},
		{"registered-by-hand", caller("by-hand", time.Time{}), nil},
		{"no-certificate", &tls.ConnectionState{}, device.ErrCertificate},
		{"not-verified", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "good"}}}}, device.ErrCertificate},
		{"no-tls", nil, device.ErrCertificate},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := d.Admit(c.state); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestFilesAreStrict(t *testing.T) {
	d := device.Dir(t.TempDir())
	if err := d.Register("a", newKey(t), storagetest.At()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(string(d), "a.toml")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"unknown-field": {"version = 1", "version = 1\nx = 1"}, "version": {"version = 1", "version = 2"}, "state": {"'active'", "'sleeping'"},
		"name": {"device = 'a'", "device = 'b'"}, "key": {"public = '", "public = 'AAAA"}, "reason": {"version = 1", "version = 1\nreason = 'annoyed'"},
	} {
		bad := strings.Replace(string(good), edit[0], edit[1], 1)
		if bad == string(good) {
			t.Fatalf("%s: nothing was changed in %s", name, good)
		}
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Lookup("a"); err == nil || errors.Is(err, device.ErrUnknown) || errors.Is(err, device.ErrRevoked) {
			t.Errorf("%s: got %v", name, err)
		}
		if err := d.Revoke("a", device.Lost, storagetest.At()); err == nil {
			t.Errorf("%s: a malformed file was written over", name)
		}
		if _, err := d.List(); err == nil {
			t.Errorf("%s: the list hides it", name)
		}
	}
}

// Changes from several processes and requests at once lose nothing.
func TestChangesAtOnce(t *testing.T) {
	d := device.Dir(t.TempDir())
	var all sync.WaitGroup
	for i := range 8 {
		key := newKey(t)
		all.Go(func() {
			if err := errors.Join(d.Register("same", key, storagetest.At()), d.Register(fmt.Sprintf("kiosk-%d", i), key, storagetest.At())); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := d.List()
	if err != nil || len(list) != 9 {
		t.Fatal(len(list), err)
	}
	if dev, err := d.Lookup("same"); err != nil || len(dev.Former) != 7 {
		t.Fatalf("%d former keys, %v", len(dev.Former), err)
	}
}
