package enroll_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	hq "madoguchi/daemon/hq/enroll"
	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/enroll"
	"madoguchi/storage/storagetest"
)

func TestCodesAreStoredHashed(t *testing.T) {
	codes := hq.Codes(filepath.Join(t.TempDir(), "codes"))
	at := storagetest.At()
	code, err := codes.New(kiosk, time.Hour, at)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := enroll.HashCode(kiosk, code)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(string(codes), kiosk+".code"))
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(string(code.Reveal()), "-", "")
	if strings.Contains(string(raw), plain) || strings.Contains(string(raw), string(code.Reveal())) || !strings.Contains(string(raw), hex.EncodeToString(hash[:])) {
		t.Fatalf("the file says %s", raw)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, kiosk + ".code": 0o640} {
		if info, err := os.Stat(filepath.Join(string(codes), path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v", path, info.Mode(), err)
		}
	}
	for _, c := range []struct {
		name string
		dev  string
		at   time.Time
		want error
	}{
		{"too-late", kiosk, at.Add(time.Hour), hq.ErrCode},
		{"another-device", "other", at, hq.ErrCode},
		{"a-path", "../" + kiosk, at, hq.ErrCode},
		{"in-time", kiosk, at.Add(time.Hour - time.Second), nil},
		{"again", kiosk, at, hq.ErrCode},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := codes.Take(c.dev, hash, c.at); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
	for _, valid := range []time.Duration{0, -time.Hour, hq.MaxValid + 1} {
		if _, err := codes.New(kiosk, valid, at); err == nil {
			t.Errorf("%v was accepted", valid)
		}
	}
	if _, err := codes.New("../x", time.Hour, at); err == nil {
		t.Error("a path was accepted")
	}
	t.Run("a-damaged-file-is-a-fault", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(string(codes), kiosk+".code"), raw[:20], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := codes.Take(kiosk, hash, at); err == nil || errors.Is(err, hq.ErrCode) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestIssuerMustFit(t *testing.T) {
	dir := t.TempDir()
	if err := setup.Init(setup.Options{Dir: dir, Kiosk: "demo", URL: "https://127.0.0.1:1", Now: storagetest.At()}); err != nil {
		t.Fatal(err)
	}
	l := setup.Layout(dir)
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, err := setup.LoadKey(filepath.Join(l.Receiver(), setup.FileIssuerKey))
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := key.(crypto.Signer)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer, ca, leaf := read(filepath.Join(l.Receiver(), setup.FileIssuer)), read(filepath.Join(l.CA(), "ca.crt.pem")), read(filepath.Join(dir, "kiosk/kiosk.crt.pem"))
	for name, c := range map[string]struct {
		cert, ca []byte
		key      crypto.Signer
	}{
		"another-key": {issuer, ca, other}, "no-certificate": {nil, ca, signer}, "a-leaf": {leaf, ca, signer}, "another-ca": {issuer, issuer, signer},
	} {
		if _, err := hq.NewIssuer(c.cert, c.ca, c.key); !errors.Is(err, hq.ErrIssuer) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	i, err := hq.NewIssuer(issuer, ca, signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Issue(kiosk, &other.PublicKey, storagetest.At().Add(5*365*24*time.Hour)); !errors.Is(err, hq.ErrIssuer) {
		t.Fatalf("an issuer that has ended: %v", err)
	}
}

// The memory of attempts stays bounded whoever calls, and an IPv6 neighbour shares its network's bucket.
func TestLimiterIsBounded(t *testing.T) {
	at := storagetest.At()
	l := hq.NewLimiterForTest(func() time.Time { return at })
	for i := range 10000 {
		at = at.Add(time.Second)
		l.Allow(fmt.Sprintf("10.%d.%d.%d:1000", i>>16, i>>8&255, i&255))
	}
	if n := l.Places(); n > 4097 {
		t.Fatalf("%d places", n)
	}
	at = at.Add(24 * time.Hour)
	for i := range 11 {
		if ok, wait := l.Allow(fmt.Sprintf("[2001:db8::%x]:1000", i+1)); ok != (i < 10) || !ok && wait != time.Minute {
			t.Fatalf("attempt %d: %v, %v", i, ok, wait)
		}
	}
	if ok, _ := l.Allow("[2001:db8:0:1::1]:1000"); !ok {
		t.Fatal("another network is held back")
	}
	at = at.Add(-time.Hour) // a clock that jumps back gives nothing and takes nothing
	if ok, _ := l.Allow("[2001:db8::1]:1000"); ok {
		t.Fatal("a clock that jumps back gives attempts")
	}
}
