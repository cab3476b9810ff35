package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/hq/device"
	hq "madoguchi/daemon/hq/enroll"
	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/enroll"
	"madoguchi/storage/sync"
)

func TestEnrollCommand(t *testing.T) {
	l := setup.Layout(t.TempDir())
	if err := setup.Init(setup.Options{Dir: string(l), Kiosk: "demo", URL: "https://127.0.0.1:1", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(l.Receiver(), sync.FileCA)
	server, ca := enrolServer(t, l, caFile)
	code, err := hq.Codes(l.Codes()).New("branch-1", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	call := func(stdin string, more ...string) (string, error) {
		var out bytes.Buffer
		args := append([]string{"enroll", "--url", server, "--device", "branch-1", "--code-file", "-", "--dir", dir}, more...)
		err := run(t.Context(), args, strings.NewReader(stdin), &out)
		return out.String(), err
	}
	typed := strings.ToLower(string(code.Reveal())) + "\n"
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  error
	}{
		"no-trust":    {typed, nil, errUsage},
		"two-trusts":  {typed, []string{"--ca", caFile, "--ca-sha256", strings.Repeat("0", 64)}, errUsage},
		"wrong-pin":   {typed, []string{"--ca-sha256", strings.Repeat("0", 63) + "1"}, enroll.ErrServer},
		"no-code":     {"", []string{"--ca", caFile}, enroll.ErrCode},
		"wrong-code":  {string(enroll.NewCode().Reveal()), []string{"--ca", caFile}, enroll.ErrRefused},
		"wrong-root":  {string(enroll.NewCode().Reveal()), []string{"--ca", caFile, "--root-sha256", "00"}, nil},
		"extra-words": {typed, []string{"--ca", caFile, typed}, errUsage},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := call(c.stdin, c.args...); err == nil || c.want != nil && !errors.Is(err, c.want) || strings.Contains(err.Error(), strings.TrimSpace(typed)) {
				t.Fatalf("got %q, %v", out, err)
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Fatal("half a bundle was left")
			}
		})
	}
	out, err := call(typed, "--ca-sha256", fmt.Sprintf("%x", sha256.Sum256(ca.Raw)))
	if err != nil || !strings.HasPrefix(out, "branch-1 is enrolled: "+dir+"\nkeys in files\n") {
		t.Fatalf("got %q, %v", out, err)
	}
	if b, err := sync.LoadBundle(dir); err != nil || b.Device != "branch-1" {
		t.Fatal(err)
	}
	var check bytes.Buffer
	if err := run(t.Context(), []string{"enroll", "check", "--dir", dir}, nil, &check); err != nil || !strings.HasPrefix(check.String(), "ok ") {
		t.Fatalf("got %q, %v", check.String(), err)
	}
	if err := run(t.Context(), []string{"enroll", "check", "--dir", t.TempDir()}, nil, &check); !errors.Is(err, errUnhealthy) {
		t.Fatalf("got %v", err)
	}
}

// enrolServer runs HQ's enrolment and gives its address and its CA.
func enrolServer(t *testing.T, l setup.Layout, caFile string) (string, *x509.Certificate) {
	t.Helper()
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
	issuer, err := hq.NewIssuer(read(filepath.Join(l.Receiver(), setup.FileIssuer)), read(caFile), signer)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := setup.OpenList(l)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(hq.Handler(hq.Options{
		Devices: device.Dir(l.Devices()), Codes: hq.Codes(l.Codes()), Issuer: issuer, Keys: keys, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}))
	cert, err := tls.LoadX509KeyPair(filepath.Join(l.Receiver(), "server.crt.pem"), filepath.Join(l.Receiver(), "server.key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientAuth: tls.VerifyClientCertIfGiven}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.StartTLS()
	t.Cleanup(s.Close)
	block, _ := pem.Decode(read(caFile))
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return s.URL, ca
}
