package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/control"
	"madoguchi/daemon/trust"
	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
)

// counter is a running kiosk as the socket sees it.
type counter struct {
	log  *audit.Log
	busy bool
	full bool // its audit log takes nothing more
	in   bool
	ends chan struct{}
}

func (c *counter) Maintain(_ context.Context, staff string, pin *secret.Bytes) (func(), error) {
	switch {
	case staff != "tanuki" || string(pin.Reveal()) != "258025":
		return nil, &control.Refusal{Code: control.CodeStaff, Err: errors.New("unknown id or wrong PIN")}
	case c.busy:
		return nil, &control.Refusal{Code: control.CodeBusy, Err: errors.New("a customer is being served")}
	}
	c.in = true
	return func() { c.in = false; c.ends <- struct{}{} }, nil
}

func (c *counter) Note(l audit.Leaf) error {
	if c.full {
		return errors.New("disk full")
	}
	_, err := c.log.Append(l)
	return err
}
func (c *counter) Audit() *audit.Log { return c.log }
func (c *counter) QueueStatus() control.QueueStatus {
	return control.QueueStatus{Waiting: 2, Room: "ok"}
}
func (c *counter) Shelf() ([]control.Shelved, error) { return nil, nil }
func (c *counter) Retry(string) error                { return nil }
func (c *counter) Salvage(string) (int, error)       { return 5, nil }

// newCounter serves a socket and gives the device's public key as a file.
func newCounter(t *testing.T) (c *counter, socket, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(t.TempDir(), audit.Options{Device: "kiosk-1", Signer: key, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keyFile = filepath.Join(t.TempDir(), "device.pub")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	c = &counter{log: log, ends: make(chan struct{}, 8)}
	socket = filepath.Join(t.TempDir(), control.Socket)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, socket, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		_ = log.Close()
	})
	for range 500 {
		if conn, err := net.Dial("unix", socket); err == nil {
			_ = conn.Close()
			return c, socket, keyFile
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("the socket does not come")
	return nil, "", ""
}

const withStaff = `{"pin":"1357","number_b":"02041220314821","sign_password":"SATO2026A","staff":"tanuki","staff_pin":"258025"}`

// maintained reads a production card in maintenance mode.
func maintained(t *testing.T, socket, secrets string, r route, more ...string) (string, error) {
	t.Helper()
	b := newBench(t, "sato")
	o, err := parseRead(append([]string{
		"--reader", "virtual:", "--secrets", "-", "--json", "--route", string(r), "--maintenance", socket,
	}, more...))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSecrets([]byte(secrets))
	if err != nil {
		t.Fatal(err)
	}
	defer s.wipe()
	var out strings.Builder
	err = readMaintained(t.Context(), asProduction{b.reader}, o, &trust.Set{}, s, &out)
	if err != nil && b.card.Stats().AllVerifies() > 0 && out.Len() > 0 {
		t.Error("printed beside an error")
	}
	return out.String(), err
}

// Duty 12: a production card is read in maintenance mode only: signed in, noted before anything is printed, and over
// when the command is over. The photo's file and the My Number stay closed.
func TestProductionCardInMaintenance(t *testing.T) {
	for _, r := range []route{routeB, routePIN, routeJPKI, routeAll} {
		c, socket, _ := newCounter(t)
		text, err := maintained(t, socket, withStaff, r)
		if err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		if got := decode(t, text); got.Authenticity.Face.Valid || r != routeJPKI && got.Attributes.Birth != "1990-04-12" {
			t.Fatalf("%s: %s", r, text)
		}
		<-c.ends
		var last audit.Leaf
		_ = c.log.Each(0, func(_ int64, b []byte) bool { last, _ = audit.ParseLeaf(b); return true })
		if last.Kind != audit.CardRead || last.Staff != "tanuki" || last.Word != string(r) || c.in {
			t.Fatalf("%s: %+v", r, last)
		}
	}
	for name, tt := range map[string]struct {
		secrets string
		change  func(*counter)
		more    []string
		want    code
	}{
		"no-staff":      {hanako, nil, nil, codeUsage},
		"wrong-pin":     {strings.Replace(withStaff, "258025", "000000", 1), nil, nil, codeRefused},
		"customer":      {withStaff, func(c *counter) { c.busy = true }, nil, codeRefused},
		"no-audit":      {withStaff, func(c *counter) { c.full = true }, nil, codeRefused},
		"photo":         {withStaff, nil, []string{"--save-face", filepath.Join(t.TempDir(), "f")}, codeRefused},
		"my-number":     {withStaff, nil, []string{"--with-my-number"}, codeRefused},
		"no-such-kiosk": {withStaff, nil, nil, codeError},
	} {
		t.Run(name, func(t *testing.T) {
			c, socket, _ := newCounter(t)
			if tt.change != nil {
				tt.change(c)
			}
			if name == "no-such-kiosk" {
				socket += ".not"
			}
			if text, err := maintained(t, socket, tt.secrets, routePIN, tt.more...); codeOf(err) != tt.want || text != "" {
				t.Fatalf("%q, %v", text, err)
			}
		})
	}
}

func TestAuditCommands(t *testing.T) {
	c, socket, key := newCounter(t)
	for range 20 {
		if err := c.Note(audit.Leaf{Kind: audit.StaffIn, Staff: "tanuki"}); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := kioskctl(t, "", "audit", "verify", socket); err != nil || !strings.HasPrefix(text, "21 entries, unbroken\nmadoguchi/audit/kiosk-1/") {
		t.Fatalf("%q, %v", text, err)
	}
	file := filepath.Join(t.TempDir(), "export")
	if _, err := kioskctl(t, "", "audit", "export", socket, file); err != nil {
		t.Fatal(err)
	}
	if _, err := kioskctl(t, "", "audit", "export", socket, file); !errors.Is(err, os.ErrExist) {
		t.Fatalf("an existing file was replaced: %v", err)
	}
	text, err := kioskctl(t, "", "audit", "verify", file, key)
	if err != nil || !strings.Contains(text, ": 22 entries, signed 20") {
		t.Fatalf("%q, %v", text, err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(raw), "\n")
	_, _, other := newCounter(t)
	for name, tt := range map[string]struct{ text, key string }{
		"entry-changed":  {strings.Replace(string(raw), "tanuki", "kitune", 1), key},
		"entry-removed":  {strings.Join(append(append([]string{}, lines[:5]...), lines[6:]...), ""), key},
		"end-removed":    {strings.Join(lines[:len(lines)-2], ""), key},
		"entry-added":    {string(raw) + lines[3], key},
		"other-device":   {string(raw), other},
		"no-checkpoint":  {strings.Join(lines[1:], ""), key},
		"nothing":        {"", key},
		"personal-entry": {strings.Replace(string(raw), "tanuki", "佐藤", 1), key},
	} {
		t.Run(name, func(t *testing.T) {
			bad := filepath.Join(t.TempDir(), "bad")
			if err := os.WriteFile(bad, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if text, err := kioskctl(t, "", "audit", "verify", bad, tt.key); err == nil || text != "" {
				t.Fatalf("%q, %v", text, err)
			}
		})
	}
}

func TestQueueCommands(t *testing.T) {
	c, socket, _ := newCounter(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"queue", "status", socket}, `"waiting": 2`},
		{[]string{"queue", "shelf", socket}, "[]\n"},
		{[]string{"queue", "retry", socket, "019a9f5e-1c00-7abc-8def-0123456789ab"}, "ok\n"},
		{[]string{"queue", "salvage", socket, "/var/lib/x"}, "5 records taken over\n"},
	} {
		if text, err := kioskctl(t, "", tt.args...); err != nil || !strings.Contains(text, tt.want) {
			t.Errorf("%v: %q, %v", tt.args, text, err)
		}
	}
	if c.log.Size() != 3 {
		t.Errorf("%d entries", c.log.Size())
	}
	if _, err := kioskctl(t, "", "queue", "drop", socket); !errors.Is(err, errUsage) {
		t.Errorf("got %v", err)
	}
}
